//! Client assertions: a JWT of one's own certificate or of a trusted issuer in place of a secret.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, crypto::verify, jwk::Jwk};
use serde::Deserialize;
use serde_json::Value;

use crate::{application::Application, call::Call, directory::Directory, issuers::Keys, sign_in_errors::SignInError};

/// The only kind of assertion that Microsoft knows.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What an assertion's header says.
#[derive(Deserialize)]
pub(crate) struct Header {
    alg: String,
    pub(crate) kid: Option<String>,
    x5t: Option<String>,
    #[serde(rename = "x5t#S256")]
    x5t_s256: Option<String>,
}

/// What an assertion says.
#[derive(Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    sub: String,
    aud: Value,
    nbf: Option<i64>,
    exp: i64,
}

/// Accept the assertion for this application, or say why not.
pub(crate) fn check(
    directory: &Directory,
    application: &Application,
    keys: &Keys,
    kind: Option<&str>,
    assertion: &str,
    call: &Call,
) -> Result<(), SignInError> {
    if kind != Some(JWT_BEARER) {
        let text =
            format!("The request body must contain the following parameter: 'client_assertion_type={JWT_BEARER}'.");
        return Err(SignInError::new(400, "invalid_request", 900_144, text));
    }
    let Some((header, claims)) = parse(assertion) else {
        return refuse(50_027, "JWT token is invalid or malformed.");
    };
    let now = call.now.as_second();
    if now >= claims.exp || claims.nbf.is_some_and(|nbf| nbf > now + 300) {
        return refuse(700_024, "Client assertion is not within its valid time range.");
    }
    let client_id = application.client_id.to_string();
    if claims.iss == client_id && claims.sub == client_id {
        of_certificate(directory, application, &header, &claims, assertion, call)
    } else {
        of_issuer(application, keys, &header, &claims, assertion)
    }
}

fn of_certificate(
    directory: &Directory,
    application: &Application,
    header: &Header,
    claims: &Claims,
    assertion: &str,
    call: &Call,
) -> Result<(), SignInError> {
    let named = |known: &&_| crate::Certificate::is(known, header.x5t_s256.as_deref(), header.x5t.as_deref());
    match application.certificates.iter().find(named) {
        None => refuse(
            700_027,
            "The certificate with identifier used to sign the client assertion is not registered on application.",
        ),
        Some(known) if call.now >= known.ends => {
            refuse(700_027, "The certificate used to sign the client assertion has expired.")
        }
        Some(known) if !is_signed(assertion, &header.alg, &[Algorithm::PS256, Algorithm::RS256], &known.key()) => {
            refuse(700_027, "Client assertion contains an invalid signature.")
        }
        Some(_) if !is_token_url(directory, &claims.aud) => {
            refuse(700_023, "Client assertion audience claim does not match Realm issuer.")
        }
        Some(_) => Ok(()),
    }
}

fn of_issuer(
    application: &Application,
    keys: &Keys,
    header: &Header,
    claims: &Claims,
    assertion: &str,
) -> Result<(), SignInError> {
    let trusted = &application.federated;
    let issuer = || trusted.iter().filter(|known| known.issuer == claims.iss);
    let subject = || issuer().filter(|known| known.subject == claims.sub);
    if trusted.is_empty() {
        return refuse(70_025, "The client has no configured federated identity credentials.");
    } else if issuer().next().is_none() {
        return refuse(700_211, "No matching federated identity record found for presented assertion issuer.");
    } else if subject().next().is_none() {
        return refuse(700_213, "No matching federated identity record found for presented assertion subject.");
    } else if !subject().any(|known| claims.aud == known.audience.as_str()) {
        return refuse(700_212, "No matching federated identity record found for presented assertion audience.");
    } else if header.alg != "RS256" {
        return refuse(5_002_738, "Invalid JWT token. The token is not signed with a supported algorithm.");
    }
    let Some(keys) = keys.of(&claims.iss) else { return Err(SignInError::of_number(50_166)) };
    let known = header.kid.as_deref().and_then(|kid| keys.find(kid));
    let signed = |key: &Jwk| {
        let key = DecodingKey::from_jwk(key);
        key.is_ok_and(|key| is_signed(assertion, &header.alg, &[Algorithm::RS256], &key))
    };
    match known {
        None => refuse(50_013, "Assertion failed signature validation. [Reason - The key was not found.]"),
        Some(key) if signed(key) => Ok(()),
        Some(_) => refuse(
            50_013,
            "Assertion failed signature validation. [Reason - The key was found, but use of the key to verify the signature failed.]",
        ),
    }
}

fn refuse(number: u32, text: &str) -> Result<(), SignInError> {
    Err(SignInError::new(401, "invalid_client", number, text))
}

/// The header and the claims of something that has the form of an assertion.
pub(crate) fn parse(assertion: &str) -> Option<(Header, Claims)> {
    let [header, claims, signature] = assertion.split('.').collect::<Vec<_>>().try_into().ok()?;
    let header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    (!signature.is_empty()).then_some((header, claims))
}

/// Did this key sign the assertion, by one of these algorithms?
fn is_signed(assertion: &str, algorithm: &str, accepted: &[Algorithm], key: &DecodingKey) -> bool {
    let Some((message, signature)) = assertion.rsplit_once('.') else { return false };
    let algorithm = algorithm.parse().ok().filter(|named| accepted.contains(named));
    algorithm.is_some_and(|algorithm| verify(signature, message.as_bytes(), key, algorithm).unwrap_or(false))
}

/// Whatever the host: the stand-in takes the place of every cloud's sign-in.
fn is_token_url(directory: &Directory, aud: &Value) -> bool {
    let path = aud.as_str().and_then(|url| url.strip_suffix("/oauth2/v2.0/token"));
    path.and_then(|path| path.rsplit('/').next()).is_some_and(|authority| directory.answers_to(authority))
}
