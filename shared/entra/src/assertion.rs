//! What is signed with a certificate to prove who we are (the page "Microsoft identity platform application
//! authentication certificate credentials").

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Header, encode};
use secrecy::SecretString;
use serde::Serialize;
use url::Url;
use uuid::Uuid;

use crate::certificate::{BadCertificate, Certificate};

/// Seconds for which an assertion is good: Microsoft asks for ten minutes at most.
const LIFE: i64 = 540;
/// Seconds by which our clock may be ahead of Microsoft's.
const SLACK: i64 = 60;

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}

/// A new assertion that the application is the one that has this certificate, for the sign-in at `url`.
pub(crate) fn sign(certificate: &Certificate, application: &str, url: &Url) -> Result<SecretString, BadCertificate> {
    let mut header = Header::new(Algorithm::PS256);
    header.x5t_s256 = Some(URL_SAFE_NO_PAD.encode(&certificate.thumbprint));
    let starts = now().as_second() - SLACK;
    let claims = Claims {
        aud: url.as_str(),
        iss: application,
        sub: application,
        jti: Uuid::new_v4().to_string(),
        nbf: starts,
        iat: starts,
        exp: starts + SLACK + LIFE,
    };
    encode(&header, &claims, &certificate.key).map(Into::into).map_err(|_| BadCertificate::BrokenKey)
}

#[expect(clippy::disallowed_methods, reason = "an assertion is held against Microsoft's clock, not the time of a run")]
fn now() -> Timestamp {
    Timestamp::now()
}
