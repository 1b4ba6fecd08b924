//! Microsoft Graph's refusals, to the letter in their shape.

use serde_json::{Map, Value, json};

use crate::{
    answer::{Answer, Body},
    call::Call,
    clock::graph_date,
};

/// A refusal of Graph, without what only the request knows.
#[derive(Clone, Debug)]
pub(crate) struct GraphError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) details: Option<Value>,
}

impl GraphError {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), headers: Vec::new(), details: None }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// The token is missing, broken, expired or someone else's.
    pub(crate) fn bad_token(message: &str) -> Self {
        let challenge = r#"Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000""#;
        Self::new(401, "InvalidAuthenticationToken", message).header("www-authenticate", challenge)
    }

    /// The token's roles don't suffice.
    pub(crate) fn forbidden() -> Self {
        Self::new(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    }

    /// The request makes no sense.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "Request_BadRequest", message)
    }

    /// The request makes sense, but is not supported.
    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(400, "Request_UnsupportedQuery", message)
    }

    pub(crate) fn not_found(id: &str) -> Self {
        let message =
            format!("Resource '{id}' does not exist or one of its queried reference-property objects are not present.");
        Self::new(404, "Request_ResourceNotFound", message)
    }

    /// The delta state is gone; with 410 goes the address of a new first round.
    pub(crate) fn sync_state_gone(status: u16, code: &str, first_round: String) -> Self {
        let message = if code.eq_ignore_ascii_case("resyncRequired") {
            "Resync required. The service asks for a full synchronization."
        } else {
            "The sync state generation is not found. The delta token is expired and data must be synchronized again."
        };
        let error = Self::new(status, code, message);
        if status == 410 { error.header("location", first_round) } else { error }
    }

    /// Too many requests.
    pub(crate) fn throttled(retry_after: Option<&str>) -> Self {
        let error = Self::new(429, "TooManyRequests", "Please retry again later.");
        match retry_after {
            Some(after) => error.header("retry-after", after),
            None => error,
        }
    }

    /// The body that goes with a status when nothing better is known.
    pub(crate) fn of_status(status: u16) -> Self {
        let (code, message) = match status {
            400 => ("Request_BadRequest", "Bad request."),
            401 => return Self::bad_token("Lifetime validation failed, the token is expired."),
            403 => return Self::forbidden(),
            404 => ("UnknownError", ""),
            409 => ("Directory_ConcurrencyViolation", "Concurrency violation has occurred. Try again."),
            429 => return Self::throttled(None),
            501 => ("NotImplemented", "This operation target is not yet supported."),
            503 => ("serviceNotAvailable", "Service is temporarily unavailable."),
            504 => ("UnknownError", "Gateway timeout."),
            _ => ("generalException", "An unspecified error has occurred."),
        };
        Self::new(status, code, message)
    }

    /// The answer to one request.
    pub(crate) fn answer(self, call: &Call) -> Answer {
        let mut inner = Map::new();
        inner.insert("date".to_owned(), graph_date(call.now).into());
        inner.insert("request-id".to_owned(), call.request_id.to_string().into());
        let client = call.client_request_id().map_or_else(|| call.request_id.to_string(), str::to_owned);
        inner.insert("client-request-id".to_owned(), client.into());
        if self.status == 429 {
            inner.insert("code".to_owned(), "429".into());
            inner.insert("message".to_owned(), "Please retry after".into());
            inner.insert("status".to_owned(), "429".into());
        }
        let mut body = json!({
            "error": { "code": self.code, "message": self.message, "innerError": Value::Object(inner) }
        });
        if let Some(details) = self.details {
            body["error"]["details"] = details;
        }
        let mut answer = Answer::with(self.status, Body::Json(body));
        answer.headers = self.headers;
        answer
    }
}
