//! Client assertions: a JWT of one's own certificate or of a trusted issuer in place of a secret.
//!
//! Everything is checked but the signature: a test that wants it refused breaks the thumbprint or plays a fault.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

use crate::{application::Application, call::Call, directory::Directory, sign_in_errors::SignInError};

/// The only kind of assertion that Microsoft knows.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[derive(Deserialize)]
struct Header {
    alg: String,
    x5t: Option<String>,
    #[serde(rename = "x5t#S256")]
    x5t_s256: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    nbf: Option<i64>,
    exp: i64,
}

/// Accept the assertion for this application, or say why not.
pub(crate) fn check(
    directory: &Directory,
    application: &Application,
    kind: Option<&str>,
    assertion: &str,
    call: &Call,
) -> Result<(), SignInError> {
    let refuse = |number, text: &str| Err(SignInError::new(401, "invalid_client", number, text));
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
        let thumbprint = header.x5t_s256.or(header.x5t);
        let known = application.certificates.iter().find(|known| thumbprint.as_ref() == Some(&known.thumbprint));
        return match known {
            Some(known) if call.now >= known.ends => refuse(700_027, "The certificate has expired."),
            Some(_) if !["PS256", "RS256"].contains(&header.alg.as_str()) => {
                refuse(700_027, "Client assertion contains an invalid signature.")
            }
            Some(_) if !is_token_url(directory, &claims.aud) => {
                refuse(700_023, "Client assertion audience claim does not match Realm issuer.")
            }
            Some(_) => Ok(()),
            None => refuse(
                700_027,
                "The certificate with identifier used to sign the client assertion is not registered on application.",
            ),
        };
    }
    let trusted = &application.federated;
    let issuer = || trusted.iter().filter(|known| known.issuer == claims.iss);
    let subject = || issuer().filter(|known| known.subject == claims.sub);
    if trusted.is_empty() {
        refuse(70_025, "The client has no configured federated identity credentials.")
    } else if issuer().next().is_none() {
        refuse(700_211, "No matching federated identity record found for presented assertion issuer.")
    } else if subject().next().is_none() {
        refuse(700_213, "No matching federated identity record found for presented assertion subject.")
    } else if !subject().any(|known| claims.aud == known.audience.as_str()) {
        refuse(700_212, "No matching federated identity record found for presented assertion audience.")
    } else if header.alg != "RS256" {
        refuse(5_002_738, "Invalid JWT token. The token is not signed with a supported algorithm.")
    } else {
        Ok(())
    }
}

fn parse(assertion: &str) -> Option<(Header, Claims)> {
    let [header, claims, signature] = assertion.split('.').collect::<Vec<_>>().try_into().ok()?;
    let header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    (!signature.is_empty()).then_some((header, claims))
}

/// Whatever the host: the stand-in takes the place of every cloud's sign-in.
fn is_token_url(directory: &Directory, aud: &Value) -> bool {
    let path = aud.as_str().and_then(|url| url.strip_suffix("/oauth2/v2.0/token"));
    path.and_then(|path| path.rsplit('/').next()).is_some_and(|authority| directory.answers_to(authority))
}
