//! The refusals of Microsoft's sign-in, to the letter in their shape.

use serde_json::json;
use uuid::Uuid;

use crate::{
    answer::{Answer, Body},
    call::Call,
    clock::sign_in_date,
};

/// A refusal with Microsoft's number.
#[derive(Clone, Debug)]
pub(crate) struct SignInError {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) number: u32,
    pub(crate) text: String,
}

impl SignInError {
    pub(crate) fn new(status: u16, error: &'static str, number: u32, text: impl Into<String>) -> Self {
        Self { status, error, number, text: text.into() }
    }

    /// What Microsoft says to a number, in words close to its own, when a fault asks for it.
    pub(crate) fn of_number(number: u32) -> Self {
        let (status, error, text) = match number {
            7_000_215 => (401, "invalid_client", "Invalid client secret provided."),
            7_000_222 => (401, "invalid_client", "The provided client secret keys are expired."),
            7_000_112 => (400, "unauthorized_client", "Application is disabled."),
            700_016 => (400, "unauthorized_client", "Application was not found in the directory."),
            700_027 => (401, "invalid_client", "The certificate used to sign the client assertion is not registered."),
            700_024 => (401, "invalid_client", "Client assertion is not within its valid time range."),
            50_013 => (401, "invalid_client", "Assertion failed signature validation."),
            70_021 | 70_025 | 700_211 | 700_212 | 700_213 => {
                (401, "invalid_client", "No matching federated identity record found.")
            }
            700_223 | 700_238 => (401, "invalid_client", "The tenant does not allow federated identity credentials."),
            50_166 | 501_661 | 90_061 => (400, "invalid_request", "Request to External OIDC endpoint failed."),
            90_002 => (400, "invalid_request", "Tenant not found."),
            90_038 | 900_382 => {
                (400, "invalid_request", "Confidential Client is not supported in Cross Cloud request.")
            }
            65_001 | 650_056 | 500_011 => (400, "invalid_grant", "The administrator has not consented."),
            53_003 | 530_032 | 530_035 | 50_131 => {
                (400, "invalid_grant", "Access has been blocked by Conditional Access policies.")
            }
            50_196 => (400, "invalid_grant", "The server terminated an operation because it encountered a loop."),
            90_055 => (429, "temporarily_unavailable", "The request was refused due to too many requests."),
            90_033 | 90_006 | 90_012 | 90_024 | 90_090 | 50_033 | 50_087 => {
                (503, "temporarily_unavailable", "A transient error has occurred. Please try again.")
            }
            _ => (400, "invalid_request", "The request was refused."),
        };
        Self::new(status, error, number, text)
    }

    /// The answer to one request.
    pub(crate) fn answer(self, call: &Call) -> Answer {
        let number = self.number;
        let trace = call.request_id;
        let correlation = call.client_request_id().and_then(|id| Uuid::try_parse(id).ok());
        let correlation = correlation.unwrap_or_else(Uuid::new_v4);
        let at = sign_in_date(call.now);
        let body = json!({
            "error": self.error,
            "error_description": format!(
                "AADSTS{number}: {}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {at}", self.text
            ),
            "error_codes": [number],
            "timestamp": at,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
        });
        Answer::with(self.status, Body::Json(body))
    }
}
