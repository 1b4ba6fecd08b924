//! What a stored secret holds: JSON with the text `ad_key`, and what a rotation noted beside it.

use engine::ports::Version;
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use serde_json::{Value, json};

/// The content of a body; `None` where it has another shape. The parser's error is dropped: it quotes what it read.
pub(crate) fn read(body: &SecretString) -> Option<Version> {
    let Value::Object(mut fields) = serde_json::from_str(body.expose_secret()).ok()? else { return None };
    let mut text = |name| match fields.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    Some(Version { ad_key: text("ad_key")?.into(), key_id: text("key_id"), retires: text("retires") })
}

/// The body of a content.
pub(crate) fn write(content: &Version) -> SecretString {
    let Version { ad_key, key_id, retires } = content;
    let mut body = json!({"ad_key": ad_key.expose_secret()});
    for (name, value) in [("key_id", key_id), ("retires", retires)] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    let text = Zeroizing::new(body.to_string());
    if let Value::String(copy) = body["ad_key"].take() {
        drop(Zeroizing::new(copy));
    }
    text.as_str().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_ad_key_is_a_credential() {
        let read = |body: &str| read(&body.to_owned().into()).map(|content| content.ad_key.expose_secret().to_owned());
        assert_eq!(read(r#"{"ad_key": "s3cret", "note": 1}"#).as_deref(), Some("s3cret"));
        for wrong in ["", "s3cret", r#"{"ad_key": 1}"#, r#"{"key": "s3cret"}"#, r#"["s3cret"]"#] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for (body, key_id, retires) in [
            (r#"{"ad_key":"s3cret"}"#, None, None),
            (r#"{"ad_key":"s3cret","key_id":"k2","retires":"k1"}"#, Some("k2"), Some("k1")),
        ] {
            let content = read(&body.to_owned().into()).unwrap();
            assert_eq!((content.key_id.as_deref(), content.retires.as_deref()), (key_id, retires));
            assert_eq!(write(&content).expose_secret(), body);
        }
    }
}
