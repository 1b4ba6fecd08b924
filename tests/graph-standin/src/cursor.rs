//! Skip and delta tokens: where a reader is, in a form it can't read.

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::directory::Kind;

/// A position in a round, or the end of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    #[serde(rename = "k")]
    pub(crate) kind: Kind,
    #[serde(rename = "t")]
    pub(crate) directory: Uuid,
    #[serde(rename = "g")]
    pub(crate) generation: u64,
    /// When the token was handed out, in seconds.
    #[serde(rename = "i")]
    pub(crate) issued: i64,
    /// The log entries that the round tells begin here; without it everything is told.
    #[serde(rename = "f")]
    pub(crate) from: Option<usize>,
    /// They end before this one.
    #[serde(rename = "u")]
    pub(crate) until: usize,
    /// How many objects there were when a first round began.
    #[serde(rename = "e")]
    pub(crate) end: usize,
    #[serde(rename = "p")]
    pub(crate) position: usize,
    /// How many links of the object at `position` were told already.
    #[serde(rename = "o")]
    pub(crate) offset: usize,
    #[serde(rename = "s")]
    pub(crate) select: Option<String>,
    /// A delta token rather than a skip token.
    #[serde(rename = "d")]
    pub(crate) finished: bool,
}

impl Cursor {
    /// The token; `nonce` makes equal positions look different.
    pub(crate) fn encode(&self, nonce: u64) -> String {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        let sum = checksum(&bytes, nonce);
        scramble(&mut bytes, sum);
        let mut token = Vec::with_capacity(bytes.len() + 16);
        token.extend(nonce.to_be_bytes());
        token.extend(sum.to_be_bytes());
        token.extend(bytes);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The cursor, if the token is whole.
    pub(crate) fn decode(token: &str) -> Option<Self> {
        let token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (nonce, rest) = token.split_first_chunk::<8>()?;
        let (sum, rest) = rest.split_first_chunk::<8>()?;
        let sum = u64::from_be_bytes(*sum);
        let mut bytes = rest.to_vec();
        scramble(&mut bytes, sum);
        if checksum(&bytes, u64::from_be_bytes(*nonce)) != sum {
            return None;
        }
        serde_json::from_slice(&bytes).ok()
    }
}

fn checksum(bytes: &[u8], nonce: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (nonce, bytes).hash(&mut hasher);
    hasher.finish()
}

fn scramble(bytes: &mut [u8], key: u64) {
    let mut stream = fastrand::Rng::with_seed(key);
    for byte in bytes {
        *byte ^= stream.u8(..);
    }
}

#[test]
fn a_token_comes_back_whole_or_not_at_all() {
    let cursor = Cursor {
        kind: Kind::Group,
        directory: Uuid::nil(),
        generation: 7,
        issued: 0,
        from: Some(3),
        until: 9,
        end: 0,
        position: 200,
        offset: 500,
        select: Some("members".to_owned()),
        finished: false,
    };
    let token = cursor.encode(1);
    assert_ne!(token, cursor.encode(2));
    assert!(!token.contains("members"));
    assert_eq!(Cursor::decode(&token), Some(cursor));
    assert_eq!(Cursor::decode(&token[1..]), None);
    assert_eq!(Cursor::decode("latest"), None);
    assert_eq!(Cursor::decode(""), None);
}
