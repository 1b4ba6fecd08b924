//! What every request has in common: a name in the log, the console's own address, and headers that keep pages safe.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{
        HeaderName, HeaderValue,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
            X_FRAME_OPTIONS,
        },
        request::Parts,
    },
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;
use url::form_urlencoded;
use uuid::Uuid;

use crate::{Console, home};

/// One request: where it came to, and what it is called in the log.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    /// The console's own address, without a slash at its end.
    pub(crate) base: String,
    /// The request's name, as pages show it.
    pub(crate) request: String,
}

impl Arrival {
    /// Whether the console is reached over plain `http`. Its address says so, and such an address is on loopback.
    pub(crate) fn is_plain(&self) -> bool {
        self.base.starts_with("http:")
    }
}

impl<S: Sync> FromRequestParts<S> for Arrival {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let unknown = || Self { base: String::new(), request: "unknown".to_owned() };
        Ok(parts.extensions.get().cloned().unwrap_or_else(unknown))
    }
}

/// Take a request in, have it answered, and see the answer out.
pub(crate) async fn arrive(State(console): State<Arc<Console>>, mut request: Request, next: Next) -> Response {
    let lambda = request.extensions().get::<lambda_http::Context>();
    let name = lambda.map_or_else(|| Uuid::new_v4().to_string(), |context| context.request_id.clone());
    let arrival = Arrival { base: console.settings.console_url.clone(), request: name };
    let span = tracing::info_span!("console", request = arrival.request, tenant = tracing::field::Empty);
    let plain = arrival.is_plain();
    request.extensions_mut().insert(arrival.clone());
    let mut response = if is_text(request.uri().path()) {
        next.run(request).instrument(span).await
    } else {
        home::nothing_here(arrival).await
    };
    let forms = match response.extensions().get::<LeadsAway>() {
        None => "'self'",
        Some(LeadsAway) if plain => "'self' https: http:",
        Some(LeadsAway) => "'self' https:",
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::try_from(policy(forms)) {
        // A mail that is shown has one of its own, which is stricter.
        headers.entry(CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    response
}

/// Whether a path is text once it is no longer escaped: no page of ours is called otherwise.
fn is_text(path: &str) -> bool {
    form_urlencoded::parse(path.as_bytes())
        .all(|(name, value)| ![name, value].iter().any(|part| part.contains('\u{fffd}')))
}

const HEADERS: [(HeaderName, &str); 8] = [
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "no-referrer"),
    (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// Marks an answer whose form leads on to Microsoft, and from there to whatever page a directory signs its people in
/// with: browsers hold a form to the policy also where it is redirected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeadsAway;

/// Nothing but our own style sheet and script, and forms to nowhere else.
fn policy(forms: &str) -> String {
    format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action {forms}; \
         base-uri 'none'; frame-ancestors 'none'"
    )
}
