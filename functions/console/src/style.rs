//! The one style sheet, under a name that changes with it, so that browsers may keep it.

use std::sync::LazyLock;

use axum::{
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};

const STYLE: &str = include_str!("../templates/style.css");

static PATH: LazyLock<String> =
    LazyLock::new(|| format!("/style-{}.css", &blake3::hash(STYLE.as_bytes()).to_hex().as_str()[..16]));

/// Its path.
pub(crate) fn path() -> &'static str {
    &PATH
}

/// The style sheet.
pub(crate) async fn style() -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    (headers, STYLE).into_response()
}
