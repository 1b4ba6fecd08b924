//! Access tokens: they look like Microsoft's, are not signed, and are known again by a checksum.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// What a token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) aud: String,
    pub(crate) iss: String,
    pub(crate) iat: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    pub(crate) appid: Uuid,
    pub(crate) oid: Uuid,
    pub(crate) sub: Uuid,
    pub(crate) tid: Uuid,
    /// Left out when nothing was consented to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) roles: BTreeSet<String>,
    pub(crate) ver: String,
}

/// Why a token is not accepted, in Microsoft's words.
pub(crate) type Unreadable = &'static str;

impl Claims {
    /// Write the token. `salt` is this stand-in's own, so that no other's token is accepted.
    pub(crate) fn encode(&self, salt: u64) -> String {
        let header = json!({ "typ": "JWT", "alg": "none" }).to_string();
        let payload = serde_json::to_string(self).unwrap_or_default();
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let sum = checksum(&text, salt);
        format!("{text}.{sum}")
    }

    /// Read the token and check that it is one of ours and still good.
    pub(crate) fn decode(token: &str, salt: u64, now: Timestamp) -> Result<Self, Unreadable> {
        let broken = "CompactToken parsing failed with error code: 80049217";
        let (text, sum) = token.rsplit_once('.').ok_or(broken)?;
        let payload = text.split('.').nth(1).ok_or(broken)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| broken)?;
        let claims: Self = serde_json::from_slice(&payload).map_err(|_| broken)?;
        if checksum(text, salt) != sum {
            return Err("Access token validation failure. Invalid signature.");
        }
        if now.as_second() >= claims.exp {
            return Err("Lifetime validation failed, the token is expired.");
        }
        Ok(claims)
    }
}

fn checksum(text: &str, salt: u64) -> String {
    let sums = (0..4_u64).flat_map(|round| {
        let mut hasher = DefaultHasher::new();
        (salt, round, text).hash(&mut hasher);
        hasher.finish().to_be_bytes()
    });
    URL_SAFE_NO_PAD.encode(sums.collect::<Vec<_>>())
}
