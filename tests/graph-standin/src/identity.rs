//! AWS's side of outbound identity federation: a token service for one role, and the keys that check its tokens.

use aws_lc_rs::{encoding::AsDer, rsa};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    answer::{Answer, Body},
    call::{Call, pairs},
    world::World,
};

/// A key that signs identity tokens.
pub(crate) struct SigningKey {
    id: String,
    key: EncodingKey,
    public: Value,
}

impl SigningKey {
    fn new() -> Option<Self> {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).ok()?;
        let der = pair.as_der().ok()?;
        let key =
            EncodingKey::from_rsa_pem(pem::encode(&pem::Pem::new("PRIVATE KEY", der.as_ref())).as_bytes()).ok()?;
        let id = format!("RSA_{}", Uuid::new_v4());
        let mut public = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::RS256).ok()?).ok()?;
        public["kid"] = id.clone().into();
        public["use"] = "sig".into();
        Some(Self { id, key, public })
    }
}

/// A refusal in STS's words.
struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }
}

/// Answer a request below `/identity`.
pub(crate) fn answer(world: &World, call: &Call) -> Answer {
    let segments: Vec<_> = call.segments.iter().skip(1).map(String::as_str).collect();
    let issuer = issuer(world);
    match (call.method.as_str(), segments.as_slice()) {
        ("GET", [".well-known", "openid-configuration"]) => Answer::json(json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}/jwks.json"),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": ["sub", "aud", "exp", "iat", "iss", "jti"],
        })),
        ("GET", ["jwks.json"]) => {
            let key = signing_key(world).map(|key| key.public.clone());
            Answer::json(json!({ "keys": key.into_iter().collect::<Vec<_>>() }))
        }
        ("POST", []) => match token(world, call, issuer) {
            Ok((token, ends)) => xml(
                200,
                &format!(
                    "<GetWebIdentityTokenResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetWebIdentityTokenResult>\
                 <WebIdentityToken>{token}</WebIdentityToken><Expiration>{ends}</Expiration></GetWebIdentityTokenResult>\
                 <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></GetWebIdentityTokenResponse>",
                    call.request_id
                ),
            ),
            Err(Refusal { status, code, message }) => xml(
                status,
                &format!(
                    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code>\
                 <Message>{message}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
                    call.request_id
                ),
            ),
        },
        _ => Answer::with(404, Body::Text(String::new())),
    }
}

fn xml(status: u16, text: &str) -> Answer {
    Answer::with(status, Body::Text(text.to_owned())).header("content-type", "text/xml")
}

fn issuer(world: &World) -> String {
    format!("{}/identity", world.origin)
}

fn signing_key(world: &World) -> Option<&SigningKey> {
    if let Some(key) = world.signing_key.get() {
        return Some(key);
    }
    let key = SigningKey::new()?;
    Some(world.signing_key.get_or_init(|| key))
}

/// `GetWebIdentityToken`: the token and its end.
fn token(world: &World, call: &Call, issuer: String) -> Result<(String, Timestamp), Refusal> {
    let form = pairs(&String::from_utf8_lossy(&call.body));
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if field("Action") != Some("GetWebIdentityToken") {
        return Err(Refusal::new(400, "InvalidAction", "Could not find operation for this version"));
    }
    let invalid = |message: &str| Refusal::new(400, "ValidationError", message);
    let audiences: Vec<_> =
        form.iter().filter(|(name, _)| name.starts_with("Audience.member.")).map(|(_, value)| value.clone()).collect();
    if !(1..=10).contains(&audiences.len()) {
        return Err(invalid("Member must have between 1 and 10 audiences"));
    }
    match field("SigningAlgorithm") {
        Some("RS256") => (),
        Some("ES384") => return Err(invalid("The stand-in signs with RS256 only")),
        _ => return Err(invalid("signingAlgorithm must satisfy enum value set: [RS256, ES384]")),
    }
    let seconds = field("DurationSeconds").map_or(Ok(300), str::parse).unwrap_or(0);
    if !(60..=3600).contains(&seconds) {
        return Err(invalid("durationSeconds must be between 60 and 3600"));
    }
    if world.settings.identity_disabled {
        let message = "Outbound web identity federation is not enabled for this account.";
        return Err(Refusal::new(403, "OutboundWebIdentityFederationDisabledException", message));
    }
    let subject = &world.settings.identity_subject;
    let aud = match audiences.as_slice() {
        [one] => json!(one),
        several => json!(several),
    };
    let claims = json!({
        "iss": issuer,
        "sub": subject,
        "aud": aud,
        "iat": call.now.as_second(),
        "exp": call.now.as_second() + seconds,
        "jti": Uuid::new_v4(),
        "https://sts.amazonaws.com/": {
            "aws_account": subject.split(':').nth(4).unwrap_or_default(),
            "principal_id": subject,
        },
    });
    let broken = || Refusal::new(500, "InternalFailure", "no key could be made");
    let key = signing_key(world).ok_or_else(broken)?;
    let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::RS256) };
    let token = encode(&header, &claims, &key.key).map_err(|_| broken())?;
    let ends = call.now.saturating_add(SignedDuration::from_secs(seconds)).map_err(|_| broken())?;
    Ok((token, Timestamp::from_second(ends.as_second()).map_err(|_| broken())?))
}
