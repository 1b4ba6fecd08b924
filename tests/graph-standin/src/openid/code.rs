//! `POST /{authority}/oauth2/v2.0/token` with a code: one use, PKCE, and the ID token that comes of it.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    answer::Answer,
    call::{Call, pairs},
    directory::{Directory, Object},
    sign_in_errors::SignInError,
    world::World,
};

use super::{SIGN_IN_CLIENT_ID, SIGN_IN_SECRET, find, issuer, keys};

/// What a code stands for.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(super) directory: Uuid,
    pub(super) user: Uuid,
    pub(super) redirect: String,
    pub(super) challenge: String,
    pub(super) nonce: Option<String>,
    pub(super) until: i64,
}

/// Hand out an ID token, or say why not.
pub(crate) fn token(world: &mut World, authority: &str, call: &Call) -> Result<Answer, SignInError> {
    let form = pairs(&String::from_utf8_lossy(&call.body));
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let directory = find(world, authority)?.id;
    let how = world.openid.of.get(&directory).cloned().unwrap_or_default();
    if field("client_id") != Some(&SIGN_IN_CLIENT_ID.to_string()) {
        return Err(SignInError::of_number(700_016));
    }
    match field("client_secret") {
        None if how.public => (),
        Some(secret) if secret == SIGN_IN_SECRET && !how.public => (),
        Some(_) if how.public => {
            let text = "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.";
            return Err(SignInError::new(401, "invalid_client", 700_025, text));
        }
        Some(_) => return Err(SignInError::of_number(7_000_215)),
        None => {
            let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
            return Err(SignInError::new(401, "invalid_client", 7_000_218, text));
        }
    }
    let refuse = |number, text: &str| Err(SignInError::new(400, "invalid_grant", number, text));
    // A code is used up by the first who shows it, whatever comes of it.
    let Some(code) = field("code").and_then(|code| world.openid.codes.remove(code)) else {
        return refuse(54_005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code.");
    };
    if code.directory != directory || Some(code.redirect.as_str()) != field("redirect_uri") {
        return refuse(50_011, "The redirect URI specified in the request does not match.");
    }
    if call.now.as_second() >= code.until {
        return refuse(70_008, "The provided authorization code or refresh token has expired due to inactivity.");
    }
    let verifier = field("code_verifier").unwrap_or_default();
    if URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())) != code.challenge {
        return refuse(501_481, "The Code_Verifier does not match the code_challenge supplied in the request.");
    }
    let directory = find(world, authority)?;
    let mut claims = claims(directory, &code, call);
    for (name, value) in how.claims {
        match value {
            Value::Null => drop(claims.remove(&name)),
            value => drop(claims.insert(name, value)),
        }
    }
    Ok(Answer::json(json!({
        "token_type": "Bearer", "scope": "openid profile", "expires_in": 3599, "ext_expires_in": 3599,
        "access_token": format!("{}.{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
        "id_token": keys::sign(&Value::Object(claims), how.sign, how.rolled),
    })))
}

/// Microsoft's claims (the page "ID token claims reference"); `email` is told where the directory has one.
fn claims(directory: &Directory, code: &Code, call: &Call) -> Map<String, Value> {
    let user = directory.users.get(code.user).map(Object::properties).unwrap_or_default();
    let (tid, oid, now) = (directory.id, code.user, call.now.as_second());
    let pairwise = digest(&SHA256, format!("{SIGN_IN_CLIENT_ID}{oid}").as_bytes());
    let mut claims = json!({
        "ver": "2.0", "iss": issuer(call, directory), "aud": SIGN_IN_CLIENT_ID, "tid": tid, "oid": oid,
        "sub": URL_SAFE_NO_PAD.encode(pairwise), "iat": now, "nbf": now, "exp": now + 3900, "acct": 0,
        "name": user.get("displayName"), "preferred_username": user.get("userPrincipalName"),
        "uti": Uuid::new_v4().simple().to_string(),
    });
    if user.get("userType").and_then(Value::as_str) == Some("Guest") {
        claims["acct"] = json!(1);
        claims["idp"] = json!("https://sts.windows.net/11111111-2222-4333-8444-555555555555/");
    }
    for (name, value) in [("email", user.get("mail").cloned()), ("nonce", code.nonce.clone().map(Value::from))] {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            claims[name] = value;
        }
    }
    claims.as_object().cloned().unwrap_or_default()
}
