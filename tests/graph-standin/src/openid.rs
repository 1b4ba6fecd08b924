//! Sign-in for people: an OpenID provider for each directory, which signs in whom the request or a test names.

mod code;
mod keys;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::{Uuid, uuid};

use crate::{
    answer::{Answer, Body},
    call::{Call, pairs},
    directory::{Directory, Kind, Life, Object},
    sign_in_errors::SignInError,
    world::World,
};

pub(crate) use code::{Code, token};

/// The client id of the operator's application that signs people in, known in every directory.
pub const SIGN_IN_CLIENT_ID: Uuid = uuid!("5160191a-a991-4d5a-8f2e-2b6c9d1e0009");
/// The value of its client secret: a demo value that opens nothing.
pub const SIGN_IN_SECRET: &str = "demo-sign-in-value";

/// How a directory signs people in, and what is wrong with it. Over HTTP what is left out is as Microsoft does it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignIns {
    /// Who signs in, by id, principal name, address or display name; without it whom `login_hint` names.
    pub user: Option<String>,
    /// The person is sent back with this error, such as `access_denied`.
    pub error: Option<String>,
    /// Claims of the ID token that are otherwise; null leaves one out.
    pub claims: Map<String, Value>,
    /// How ID tokens are signed.
    pub sign: Signing,
    /// The keys have rolled over: ID tokens are signed with a new one, which is listed beside the old.
    pub rolled: bool,
    /// The issuer that the discovery document names, where it is not its own.
    pub issuer: Option<String>,
    /// The application is a public client: it has no secret.
    pub public: bool,
}

/// How ID tokens are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signing {
    /// RS256, with a key that is listed.
    #[default]
    Right,
    /// RS256, with another key under the listed one's name.
    OtherKey,
    /// RS256, with a key that is not listed.
    UnlistedKey,
    /// Not at all: `alg` is `none`.
    None,
    /// HS256, with the client secret.
    Secret,
    /// HS256, with the public key as the secret.
    PublicKey,
}

/// The sign-ins of all directories.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenId {
    pub(crate) of: BTreeMap<Uuid, SignIns>,
    codes: BTreeMap<String, Code>,
}

impl OpenId {
    fn how(&self, directory: &Directory) -> SignIns {
        self.of.get(&directory.id).cloned().unwrap_or_default()
    }
}

/// `GET /{authority}/v2.0/.well-known/openid-configuration`
pub(crate) fn discovery(world: &World, authority: &str, call: &Call) -> Result<Answer, SignInError> {
    let directory = find(world, authority)?;
    let (origin, id) = (&call.origin, directory.id);
    Ok(Answer::json(json!({
        "issuer": world.openid.how(directory).issuer.unwrap_or_else(|| issuer(call, directory)),
        "authorization_endpoint": format!("{origin}/{id}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{origin}/{id}/oauth2/v2.0/token"),
        "jwks_uri": format!("{origin}/{id}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver"],
    })))
}

/// `GET /{authority}/discovery/v2.0/keys`
pub(crate) fn keys(world: &World, authority: &str) -> Result<Answer, SignInError> {
    let directory = find(world, authority)?;
    Ok(Answer::json(keys::listed(world.openid.how(directory).rolled)))
}

/// `GET /{authority}/oauth2/v2.0/authorize`: signs somebody in without a page, where it is clear whom.
pub(crate) fn authorize(world: &mut World, authority: &str, call: &Call) -> Result<Answer, SignInError> {
    let required = |name: &str| {
        let missing = format!("The request body must contain the following parameter: '{name}'.");
        call.parameter(name).ok_or_else(|| SignInError::new(400, "invalid_request", 900_144, missing))
    };
    let directory = find(world, authority)?;
    let how = world.openid.how(directory);
    let redirect = required("redirect_uri")?.to_owned();
    if required("client_id")? != SIGN_IN_CLIENT_ID.to_string() {
        let text = "Application was not found in the directory.";
        return Err(SignInError::new(400, "unauthorized_client", 700_016, text));
    }
    if required("response_type")? != "code" || !required("scope")?.split(' ').any(|scope| scope == "openid") {
        return Err(SignInError::new(400, "invalid_request", 900_144, "Only the code flow of OpenID is known here."));
    }
    if required("code_challenge_method")? != "S256" {
        return Err(SignInError::new(400, "invalid_request", 501_491, "Invalid size of Code_Challenge parameter."));
    }
    let back = |more: &[(&str, &str)]| {
        let state = call.parameter("state").map(|state| ("state", state));
        let query: Vec<String> =
            more.iter().copied().chain(state).map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let mark = if redirect.contains('?') { '&' } else { '?' };
        Answer::with(302, Body::Text(String::new())).header("location", format!("{redirect}{mark}{}", query.join("&")))
    };
    if let Some(error) = &how.error {
        let text = "AADSTS65004: User declined to consent to access the app.";
        return Ok(back(&[("error", error), ("error_description", text)]));
    }
    let hint = how.user.as_deref().or_else(|| call.parameter("login_hint"));
    let Some(user) = hint.and_then(|who| find_user(directory, who)) else { return Ok(choose(directory, call)) };
    if user.properties().get("accountEnabled") == Some(&Value::Bool(false)) {
        return Err(SignInError::new(400, "invalid_request", 50_057, "The user account is disabled."));
    }
    let code = Code {
        directory: directory.id,
        user: user.id,
        redirect: redirect.clone(),
        challenge: required("code_challenge")?.to_owned(),
        nonce: call.parameter("nonce").map(str::to_owned),
        until: call.now.as_second() + 600,
    };
    let name = format!("1.{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    world.openid.codes.insert(name.clone(), code);
    Ok(back(&[("code", &name)]))
}

/// Whether a token is asked for with a code.
pub(crate) fn has_code(call: &Call) -> bool {
    pairs(&String::from_utf8_lossy(&call.body)).contains(&("grant_type".to_owned(), "authorization_code".to_owned()))
}

fn find<'a>(world: &'a World, authority: &str) -> Result<&'a Directory, SignInError> {
    let found = world.directories.iter().find(|directory| directory.answers_to(authority));
    found.ok_or_else(|| SignInError::of_number(90_002))
}

fn issuer(call: &Call, directory: &Directory) -> String {
    format!("{}/{}/v2.0", call.origin, directory.id)
}

/// Somebody who is here, by id, name or any address.
fn find_user<'a>(directory: &'a Directory, who: &str) -> Option<&'a Object> {
    let users = directory.objects(Kind::User);
    let by_address = |user: &&Object| {
        let proxies = user.properties().get("proxyAddresses").cloned().unwrap_or_default();
        let proxies = proxies.as_array().cloned().unwrap_or_default();
        proxies.iter().filter_map(Value::as_str).any(|proxy| {
            let address = proxy.split_once(':').map_or(proxy, |(_, address)| address);
            address.eq_ignore_ascii_case(who)
        })
    };
    let here = |user: &&Object| user.life == Life::Here;
    let named = users.find(who).and_then(|at| users.all.get(at));
    named.filter(here).or_else(|| users.all.iter().filter(here).find(by_address))
}

/// A page that asks who it is.
fn choose(directory: &Directory, call: &Call) -> Answer {
    let query: Vec<String> = call
        .query
        .iter()
        .filter(|(name, _)| name != "login_hint")
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    let links = directory.objects(Kind::User).here().take(50).map(|(_, user)| {
        let name = user.properties().get("displayName").and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = name.replace('&', "&amp;").replace('<', "&lt;");
        format!("<li><a href=\"?{}&amp;login_hint={}\">{name}</a></li>", query.join("&amp;"), user.id)
    });
    let page = format!("<!doctype html><title>Pick an account</title><ul>{}</ul>", links.collect::<String>());
    Answer::text(page).header("content-type", "text/html; charset=utf-8")
}

fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
