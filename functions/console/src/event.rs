//! Events of the gateway. `lambda_http` ends the process where it cannot make a URI of one, and anybody can send one.

use axum::Router;
use lambda_http::{Adapter, Error, LambdaEvent, Service as _, request::LambdaRequest};
use serde::Serialize;
use serde_json::Value;

/// The gateway lets no longer request line through. Both of it, all escaped, are still within a URI's 64 KiB.
const LONGEST: usize = 10 * 1024;

/// The answer to one event.
///
/// # Errors
/// It is no event of an HTTP API.
pub async fn answer(router: Router, event: LambdaEvent<Value>) -> Result<impl Serialize, Error> {
    let LambdaEvent { payload, context } = event;
    let request: LambdaRequest = serde_json::from_value(fit(payload))?;
    Ok(Adapter::from(router).call(LambdaEvent::new(request, context)).await?)
}

/// The same event with a path and a query that are a URI's, whatever a client sent. The host is left out: what a client
/// says of it counts for nothing.
fn fit(mut event: Value) -> Value {
    if let Some(Value::String(path)) = event.get_mut("rawPath") {
        *path = format!("/{}", escape(path.trim_start_matches('/')));
    }
    if let Some(Value::String(query)) = event.get_mut("rawQueryString") {
        *query = escape(query);
    }
    if let Some(Value::Object(headers)) = event.get_mut("headers") {
        headers.retain(|name, _| !["host", "x-forwarded-proto"].iter().any(|no| name.eq_ignore_ascii_case(no)));
    }
    if let Some(Value::Object(context)) = event.get_mut("requestContext") {
        context.remove("domainName");
    }
    event
}

/// Every byte that RFC 3986 does not let stand in a path or a query, escaped; what is escaped already stays.
fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"%-._~!$&'()*+,;=:@/".contains(&byte);
    let escaped = text.bytes().take(LONGEST);
    escaped.map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
