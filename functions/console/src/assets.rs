//! The style sheet and the script, under names that change with them, so that browsers may keep them.

use std::sync::LazyLock;

use axum::{
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};

const STYLE: &str = include_str!("../templates/style.css");
const SCRIPT: &str = include_str!("../templates/console.js");

static STYLE_PATH: LazyLock<String> = LazyLock::new(|| path("style", STYLE, "css"));
static SCRIPT_PATH: LazyLock<String> = LazyLock::new(|| path("console", SCRIPT, "js"));

fn path(name: &str, content: &str, kind: &str) -> String {
    format!("/{name}-{}.{kind}", &blake3::hash(content.as_bytes()).to_hex().as_str()[..16])
}

/// Where the style sheet is.
pub(crate) fn style_path() -> &'static str {
    &STYLE_PATH
}

/// Where the script is.
pub(crate) fn script_path() -> &'static str {
    &SCRIPT_PATH
}

/// The style sheet.
pub(crate) async fn style() -> Response {
    kept("text/css; charset=utf-8", STYLE)
}

/// The script. Every page works without it.
pub(crate) async fn script() -> Response {
    kept("text/javascript; charset=utf-8", SCRIPT)
}

fn kept(kind: &'static str, content: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    (headers, content).into_response()
}
