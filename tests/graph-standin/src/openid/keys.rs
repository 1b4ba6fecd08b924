//! RSA keys, made when they are first needed and never kept, and what is signed with them.

use std::sync::LazyLock;

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{SIGN_IN_SECRET, Signing};

/// The key in use, the one after it, and one that is listed nowhere.
static KEYS: LazyLock<[Option<RsaKeyPair>; 3]> =
    LazyLock::new(|| std::array::from_fn(|_| RsaKeyPair::generate(KeySize::Rsa2048).ok()));
const NAMES: [&str; 3] = ["standin-key-1", "standin-key-2", "standin-key-3"];

/// The listed keys.
pub(super) fn listed(rolled: bool) -> Value {
    let keys = KEYS.iter().zip(NAMES).take(if rolled { 2 } else { 1 }).filter_map(|(key, name)| {
        let (n, e) = numbers(key.as_ref()?.public_key().as_ref())?;
        let text = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        Some(json!({ "kty": "RSA", "use": "sig", "kid": name, "n": text(n), "e": text(e) }))
    });
    json!({ "keys": keys.collect::<Vec<_>>() })
}

/// An ID token with these claims.
pub(super) fn sign(claims: &Value, how: Signing, rolled: bool) -> String {
    let listed = usize::from(rolled);
    let (alg, name, key) = match how {
        Signing::Right => ("RS256", listed, listed),
        Signing::OtherKey => ("RS256", listed, 2),
        Signing::UnlistedKey => ("RS256", 2, 2),
        Signing::None => ("none", listed, 0),
        Signing::Secret | Signing::PublicKey => ("HS256", listed, 0),
    };
    let header = json!({ "typ": "JWT", "alg": alg, "kid": NAMES[name] });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&header), part(claims));
    let key = KEYS[key].as_ref();
    let mac = |secret: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes()).as_ref().to_vec();
    let signature = match how {
        Signing::None => Vec::new(),
        Signing::Secret => mac(SIGN_IN_SECRET.as_bytes()),
        Signing::PublicKey => mac(key.map_or(&[], |key| key.public_key().as_ref())),
        Signing::Right | Signing::OtherKey | Signing::UnlistedKey => key.map_or(Vec::new(), |key| {
            let mut signature = vec![0; key.public_modulus_len()];
            // Only a broken machine cannot sign, and then the token is refused as it is.
            let _ = key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
            signature
        }),
    };
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Modulus and exponent of a public key (RFC 8017 appendix A.1.1: a sequence of two integers).
fn numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = element(der, 0x30)?;
    let (n, rest) = element(sequence, 0x02)?;
    let (e, _) = element(rest, 0x02)?;
    Some((strip(n), strip(e)))
}

/// Without the zero that keeps a number positive.
fn strip(number: &[u8]) -> &[u8] {
    number.strip_prefix(&[0]).unwrap_or(number)
}

/// The content of the first element, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, length, rest @ ..] = der else { return None };
    if *found != tag {
        return None;
    }
    let (length, rest) = if *length < 0x80 {
        (usize::from(*length), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
        (bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)), rest)
    };
    rest.split_at_checked(length)
}
