//! One request as the stand-in reads it.

use axum::http::{HeaderMap, Uri, header::HOST};
use jiff::Timestamp;
use uuid::Uuid;

/// A request, its body read whole.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// Path and query as sent.
    pub(crate) target: String,
    /// The decoded parts of the path.
    pub(crate) segments: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Scheme, host and port that the caller used; every link points there.
    pub(crate) origin: String,
    pub(crate) request_id: Uuid,
    pub(crate) now: Timestamp,
}

impl Call {
    pub(crate) fn new(method: &str, uri: &Uri, headers: HeaderMap, body: Vec<u8>, now: Timestamp) -> Self {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
        Self {
            method: method.to_owned(),
            target: uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string),
            segments: uri.path().split('/').filter(|part| !part.is_empty()).map(decode).collect(),
            query: pairs(uri.query().unwrap_or_default()),
            origin: format!("http://{host}"),
            headers,
            body,
            request_id: Uuid::new_v4(),
            now,
        }
    }

    /// The first value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The id that the caller gave this request.
    pub(crate) fn client_request_id(&self) -> Option<&str> {
        self.header("client-request-id")
    }

    /// The bearer token, if one came.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let value = self.header("authorization")?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }
}

/// The pairs of a query or a form.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        })
        .collect()
}

/// Percent-decoding that leaves alone what it can't read.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = (byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                decoded.push(value);
                at += 3;
            }
            None => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[test]
fn reads_escapes_and_leaves_broken_ones() {
    assert_eq!(decode("a%23EXT%23%40b%zz%4"), "a#EXT#@b%zz%4");
    assert_eq!(
        pairs("a=1+2&%24select=id%2cmail&b"),
        [
            ("a".to_owned(), "1 2".to_owned()),
            ("$select".to_owned(), "id,mail".to_owned()),
            ("b".to_owned(), String::new()),
        ]
    );
}
