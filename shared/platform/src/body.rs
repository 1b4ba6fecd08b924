//! What a stored secret holds: JSON with the text `ad_key`, and what a rotation noted beside it.

use engine::ports::Version;
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use serde_json::{Value, json};

/// The content of a body; `None` where it has another shape. The parser's error is dropped: it quotes what it read.
pub(crate) fn read(body: &SecretString) -> Option<Version> {
    let Value::Object(mut fields) = serde_json::from_str(body.expose_secret()).ok()? else { return None };
    let retires = fields.remove("retires").and_then(|list| serde_json::from_value(list).ok()).unwrap_or_default();
    let mut text = |name| match fields.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let ends = text("ends").and_then(|ends| ends.parse().ok());
    Some(Version { ad_key: text("ad_key")?.into(), key_id: text("key_id"), ends, retires })
}

/// The body of a content.
pub(crate) fn write(content: &Version) -> SecretString {
    let Version { ad_key, key_id, ends, retires } = content;
    let mut body = json!({"ad_key": ad_key.expose_secret()});
    if let Some(key_id) = key_id {
        body["key_id"] = json!(key_id);
    }
    if let Some(ends) = ends {
        body["ends"] = json!(ends);
    }
    if !retires.is_empty() {
        body["retires"] = json!(retires);
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
        let full = r#"{"ad_key":"s3cret","ends":"2027-05-21T10:00:00Z","key_id":"k2","retires":["k0","k1"]}"#;
        for (body, key_id, ends, retires) in
            [(r#"{"ad_key":"s3cret"}"#, None, None, vec![]), (full, Some("k2"), Some(1_810_893_600), vec!["k0", "k1"])]
        {
            let content = read(&body.to_owned().into()).unwrap();
            assert_eq!(
                (content.key_id.as_deref(), content.retires.iter().map(String::as_str).collect()),
                (key_id, retires)
            );
            assert_eq!(content.ends.map(jiff::Timestamp::as_second), ends);
            assert_eq!(write(&content).expose_secret(), body);
        }
    }
}
