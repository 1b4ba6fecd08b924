//! What the stand-in answers, before it goes on the wire.

use serde_json::Value;

/// An answer that faults may still bend.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
    /// Where this very page can be asked for again, under a link never used before.
    pub(crate) again: Option<String>,
    /// The delta link with which the round will end.
    pub(crate) end: Option<String>,
    /// The body stops halfway and the connection closes.
    pub(crate) cut: bool,
}

/// The kinds of body.
#[derive(Debug)]
pub(crate) enum Body {
    Json(Value),
    Text(String),
    Bytes(Vec<u8>),
}

impl Answer {
    /// 200 with a JSON body.
    pub(crate) fn json(value: Value) -> Self {
        Self::with(200, Body::Json(value))
    }

    /// 200 with plain text.
    pub(crate) fn text(text: String) -> Self {
        Self::with(200, Body::Text(text))
    }

    /// Any status and body.
    pub(crate) fn with(status: u16, body: Body) -> Self {
        Self { status, headers: Vec::new(), body, again: None, end: None, cut: false }
    }

    /// The same answer with one more header.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The JSON body, if it is one.
    pub(crate) fn value(&mut self) -> Option<&mut Value> {
        match &mut self.body {
            Body::Json(value) => Some(value),
            Body::Text(_) | Body::Bytes(_) => None,
        }
    }
}
