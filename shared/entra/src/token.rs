//! Access tokens: read from an answer, and kept in memory until most of their life is over.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use engine::ports::Connection;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

/// At most that many tokens are kept; the one used the longest ago goes first.
const MOST: usize = 256;
/// No token is kept longer (the page "Configurable token lifetimes").
const LONGEST: Duration = Duration::from_hours(24);

/// An access token. Never shown.
pub(crate) struct Token {
    bearer: SecretString,
    renew_at: Instant,
    roles: Option<Vec<String>>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

impl Token {
    /// Read the answer to a request that was made at `asked`; `None` when it holds no token.
    pub(crate) fn read(body: &[u8], asked: Instant) -> Option<Self> {
        #[derive(Deserialize)]
        struct Granted {
            token_type: String,
            expires_in: Value,
            access_token: SecretString,
        }
        let granted: Granted = serde_json::from_slice(body).ok()?;
        // Some versions of the endpoint write the number as text.
        let seconds = match &granted.expires_in {
            Value::String(text) => text.trim().parse().ok()?,
            number => number.as_u64()?,
        };
        let bearer = granted.access_token.expose_secret();
        let fits = !bearer.is_empty() && bearer.bytes().all(|b| b.is_ascii_graphic());
        if !granted.token_type.eq_ignore_ascii_case("bearer") || !fits {
            return None;
        }
        let life = Duration::from_secs(seconds).min(LONGEST);
        let roles = roles(bearer);
        Some(Self { bearer: granted.access_token, renew_at: asked + life * 4 / 5, roles })
    }

    /// For the `Authorization` header and nothing else.
    pub(crate) fn bearer(&self) -> &str {
        self.bearer.expose_secret()
    }

    /// The application permissions that it carries; `None` when it does not show them.
    pub(crate) fn roles(&self) -> Option<&[String]> {
        self.roles.as_deref()
    }

    /// Less than 80 % of its life is over.
    pub(crate) fn is_fresh(&self) -> bool {
        Instant::now() < self.renew_at
    }
}

/// The roles that a token names. It is not verified, for it only chooses the words of an error, and it may be opaque.
fn roles(bearer: &str) -> Option<Vec<String>> {
    let mut parts = bearer.split('.');
    let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let mut claims: Map<String, Value> = serde_json::from_slice(&claims).ok()?;
    claims.remove("roles").map_or(Some(Vec::new()), |roles| serde_json::from_value(roles).ok())
}

/// Where one connection's token is kept; held while it is being asked for, so that nobody asks twice.
pub(crate) type Slot = Arc<tokio::sync::Mutex<Option<Arc<Token>>>>;

/// The tokens of all connections.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<BTreeMap<Key, Kept>>);

#[derive(Debug)]
struct Kept {
    slot: Slot,
    used: Instant,
}

/// A digest of all that a token depends on, the secret too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key([u8; 32]);

impl Key {
    fn of(who: &Connection) -> Self {
        let mut hasher = blake3::Hasher::new();
        let kind = format!("{:?} {:?}", who.cloud, who.kind);
        let authority = who.authority.to_ascii_lowercase();
        let application = who.application_id.to_ascii_lowercase();
        for part in [who.tenant.as_str(), &authority, &application, &kind, who.secret.expose_secret().trim()] {
            hasher.update(&part.len().to_be_bytes());
            hasher.update(part.as_bytes());
        }
        Self(hasher.finalize().into())
    }
}

impl Tokens {
    /// The place of this connection's token.
    pub(crate) fn slot(&self, who: &Connection) -> Slot {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Key::of(who);
        if kept.len() >= MOST && !kept.contains_key(&key) {
            let oldest = kept.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| *key);
            oldest.map(|key| kept.remove(&key));
        }
        let used = Instant::now();
        let entry = kept.entry(key).or_insert_with(|| Kept { slot: Slot::default(), used });
        entry.used = used;
        Arc::clone(&entry.slot)
    }

    /// Drop this connection's token. Whoever is asking for one meanwhile keeps what it gets to itself.
    pub(crate) fn forget(&self, who: &Connection) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&Key::of(who));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn token_answers() {
        check("a token",               r#"{"token_type": "Bearer", "expires_in": 3600, "access_token": "opaque"}"#,     Some(2880));
        check("more fields",           r#"{"token_type": "bearer", "expires_in": 10, "ext_expires_in": 10, "access_token": "opaque"}"#, Some(8));
        check("a number as text",      r#"{"token_type": "Bearer", "expires_in": "3600", "access_token": "opaque"}"#,   Some(2880));
        check("a year",                r#"{"token_type": "Bearer", "expires_in": 31536000, "access_token": "opaque"}"#, Some(69_120));
        check("the largest number",    r#"{"token_type": "Bearer", "expires_in": 18446744073709551615, "access_token": "opaque"}"#, Some(69_120));
        check("no life",               r#"{"token_type": "Bearer", "access_token": "opaque"}"#,                         None);
        check("a negative life",       r#"{"token_type": "Bearer", "expires_in": -1, "access_token": "opaque"}"#,       None);
        check("no token",              r#"{"token_type": "Bearer", "expires_in": 3600}"#,                               None);
        check("an empty token",        r#"{"token_type": "Bearer", "expires_in": 3600, "access_token": ""}"#,           None);
        check("a token of two lines",  r#"{"token_type": "Bearer", "expires_in": 3600, "access_token": "a\nb"}"#,       None);
        check("another type",          r#"{"token_type": "pop", "expires_in": 3600, "access_token": "opaque"}"#,        None);
        check("HTML",                  "<html>",                                                                        None);
    }

    #[track_caller]
    fn check(name: &str, body: &str, renew_after: Option<u64>) {
        let now = Instant::now();
        let outcome = Token::read(body.as_bytes(), now).map(|token| (token.renew_at - now).as_secs());
        assert_eq!(outcome, renew_after, "{name}");
    }

    #[test]
    fn r1_7_roles_show_what_is_missing() {
        let jwt = |claims: &str| format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(roles(&jwt(r#"{"aud": "x"}"#)), Some(Vec::new()));
        assert_eq!(roles(&jwt(r#"{"roles": ["User.Read.All"]}"#)), Some(vec!["User.Read.All".to_owned()]));
        for opaque in ["", "opaque", "a.b", "a.b.c", "a.b.c.d.e", &jwt("[]"), &jwt(r#"{"roles": "x"}"#)] {
            assert_eq!(roles(opaque), None, "{opaque}");
        }
    }

    #[test]
    fn r1_3_a_token_is_never_shown() {
        let body = br#"{"token_type": "Bearer", "expires_in": 3600, "access_token": "opaque"}"#;
        assert_eq!(format!("{:?}", Token::read(body, Instant::now())), "Some(Token(***))");
    }
}
