//! What a refused sign-in means: the class by `error` and status, the precise cause by Microsoft's number.

use std::time::Duration;

use directory::{Code, CredentialKind, Failure, Microsoft};
use engine::ports::Connection;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    graph_errors::{header, plain},
    http::Answer,
    retry_after::retry_after,
    sentences::{self, Service},
};

/// What a number says. Microsoft may change them at any time: they never decide alone that something is tried again
/// (the page "Microsoft Entra authentication and authorization error codes").
#[rustfmt::skip]
const NUMBERS: [(u64, Code); 61] = [
    (7_000_222, Code::CredentialSecretExpired),
    (7_000_215, Code::CredentialSecretInvalid),
    (700_016,   Code::ApplicationNotFound),
    (700_011,   Code::ApplicationNotFound),
    (7_000_229, Code::ApplicationNotFound),
    (70_001,    Code::ApplicationDisabled),
    (7_000_112, Code::ApplicationDisabled),
    (1_000_031, Code::ApplicationDisabled),
    (90_002,    Code::DirectoryNotFound),
    (50_059,    Code::DirectoryNotFound),
    (50_128,    Code::DirectoryNotFound),
    (900_023,   Code::DirectoryNotFound),
    (90_019,    Code::DirectoryNotFound),
    (90_038,    Code::WrongCloud),
    (900_382,   Code::WrongCloud),
    (900_432,   Code::WrongCloud),
    (500_011,   Code::ConsentMissing),
    (650_052,   Code::ConsentMissing),
    (65_001,    Code::ConsentMissing),
    (650_056,   Code::ConsentMissing),
    (90_094,    Code::ConsentMissing),
    (650_057,   Code::PermissionMissing),
    (700_027,   Code::CredentialCertificateInvalid),
    (50_012,    Code::CredentialCertificateInvalid),
    (50_013,    Code::CredentialCertificateInvalid),
    (700_030,   Code::CredentialCertificateInvalid),
    (700_024,   Code::CredentialCertificateInvalid),
    (700_023,   Code::CredentialCertificateInvalid),
    (70_021,    Code::CredentialFederationMismatch),
    (700_211,   Code::CredentialFederationMismatch),
    (700_212,   Code::CredentialFederationMismatch),
    (700_213,   Code::CredentialFederationMismatch),
    (5_002_738, Code::CredentialFederationMismatch),
    (70_025,    Code::CredentialFederationMismatch),
    (700_223,   Code::CredentialFederationMismatch),
    (700_238,   Code::CredentialFederationMismatch),
    (53_003,    Code::ConditionalAccess),
    (530_032,   Code::ConditionalAccess),
    (50_131,    Code::ConditionalAccess),
    (530_035,   Code::ConditionalAccess),
    (LOOP,      Code::Throttled),
    (90_055,    Code::Throttled),
    (90_033,    Code::MicrosoftUnavailable),
    (90_006,    Code::MicrosoftUnavailable),
    (90_012,    Code::MicrosoftUnavailable),
    (90_024,    Code::MicrosoftUnavailable),
    (90_090,    Code::MicrosoftUnavailable),
    (50_033,    Code::MicrosoftUnavailable),
    (50_087,    Code::MicrosoftUnavailable),
    // Entra could not read the keys of our identity tokens' issuer.
    (50_166,    Code::MicrosoftUnavailable),
    (501_661,   Code::MicrosoftUnavailable),
    (90_061,    Code::MicrosoftUnavailable),
    // Mistakes of ours, and failures of Microsoft's that do not pass.
    (70_011,    Code::Unexpected),
    (28_002,    Code::Unexpected),
    (700_022,   Code::Unexpected),
    (7_000_216, Code::Unexpected),
    (7_000_218, Code::Unexpected),
    (900_144,   Code::Unexpected),
    (90_014,    Code::Unexpected),
    (90_036,    Code::Unexpected),
    (90_092,    Code::Unexpected),
];

/// A loop of equal requests.
const LOOP: u64 = 50_196;
/// It is held against us for minutes; asking again at once makes it longer.
const LOOP_IS_HELD: Duration = Duration::from_mins(5);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: Option<String>,
    error_codes: Vec<Value>,
    trace_id: Option<String>,
    correlation_id: Option<String>,
}

/// Why Microsoft's sign-in does not give a token. What passes comes back with the pause that Microsoft asks for.
pub(crate) fn failure(answer: &Answer, who: &Connection, asked_as: &str) -> Failure {
    let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
    let numbers = || refusal.error_codes.iter().filter_map(Value::as_u64);
    let hint = numbers().find_map(|number| NUMBERS.iter().find(|(known, _)| *known == number)).copied();
    let number = hint.map(|(number, _)| number).or_else(|| numbers().next()).map(|number| format!("AADSTS{number}"));
    let microsoft = Microsoft {
        code: number.or_else(|| refusal.error.as_deref().and_then(plain)),
        correlation_id: refusal.correlation_id.as_deref().and_then(plain).or_else(|| Some(asked_as.to_owned())),
        request_id: refusal.trace_id.as_deref().and_then(plain).or_else(|| header(&answer.headers, "x-ms-request-id")),
    };
    let asked = retry_after(&answer.headers);
    let hint = hint.map(|(_, code)| code);
    let mut failure = match code(answer.status.as_u16(), refusal.error.as_deref(), hint, who.kind) {
        Code::Throttled => sentences::throttled(Service::SignIn, microsoft),
        Code::MicrosoftUnavailable => sentences::unavailable(Service::SignIn, microsoft),
        Code::BadAnswer => {
            let status = answer.status.as_u16();
            sentences::bad_answer(Service::SignIn, format_args!("status {status} without a reason"), microsoft)
        }
        code => sentences::refused(code, microsoft, who),
    };
    let held = (failure.code == Code::Throttled && numbers().any(|number| number == LOOP)).then_some(LOOP_IS_HELD);
    failure.retry_after = asked.or(held);
    failure
}

fn code(status: u16, error: Option<&str>, hint: Option<Code>, kind: CredentialKind) -> Code {
    // The same numbers speak of what a certificate signed and of what an issuer signed.
    let hint = match (hint, kind) {
        (Some(Code::CredentialCertificateInvalid), CredentialKind::Federated) => {
            Some(Code::CredentialFederationMismatch)
        }
        (hint, _) => hint,
    };
    let refusal = hint.filter(|code| !code.passes());
    match (status, error) {
        (429, _) => Code::Throttled,
        (408 | 500..=599, _) | (_, Some("temporarily_unavailable" | "server_error")) => Code::MicrosoftUnavailable,
        (_, None) => Code::BadAnswer,
        (_, Some("invalid_client")) => refusal.unwrap_or(match kind {
            CredentialKind::Secret => Code::CredentialSecretInvalid,
            CredentialKind::Certificate => Code::CredentialCertificateInvalid,
            CredentialKind::Federated => Code::CredentialFederationMismatch,
        }),
        (_, Some("unauthorized_client")) => refusal.unwrap_or(Code::ApplicationNotFound),
        (_, Some("invalid_resource" | "consent_required")) => refusal.unwrap_or(Code::ConsentMissing),
        (_, Some("access_denied" | "interaction_required")) => refusal.unwrap_or(Code::ConditionalAccess),
        (_, Some(_)) => hint.unwrap_or(Code::Unexpected),
    }
}

#[cfg(test)]
mod tests {
    use directory::Cloud;
    use engine::ports::Meter;
    use reqwest::{StatusCode, header::HeaderMap};

    use super::*;

    #[test]
    #[rustfmt::skip]
    fn r1_7_refused_sign_ins() {
        use Code::{ApplicationDisabled, ApplicationNotFound, BadAnswer, ConditionalAccess, ConsentMissing, CredentialCertificateInvalid,
            CredentialFederationMismatch, CredentialSecretExpired, CredentialSecretInvalid, DirectoryNotFound, MicrosoftUnavailable,
            PermissionMissing, Throttled, Unexpected, WrongCloud};
        check("secret expired",           401, "invalid_client",          &[7_000_222],  CredentialSecretExpired);
        check("secret unknown",           401, "invalid_client",          &[7_000_215],  CredentialSecretInvalid);
        check("application unknown",      400, "unauthorized_client",     &[700_016],    ApplicationNotFound);
        check("application disabled",     400, "unauthorized_client",     &[7_000_112],  ApplicationDisabled);
        check("directory unknown",        400, "invalid_request",         &[90_002],     DirectoryNotFound);
        check("malformed directory",      400, "invalid_request",         &[900_023],    DirectoryNotFound);
        check("another cloud",            400, "invalid_request",         &[900_432],    WrongCloud);
        check("certificate unknown",      401, "invalid_client",          &[700_027],    CredentialCertificateInvalid);
        check("no federated credential",  400, "invalid_request",         &[70_021],     CredentialFederationMismatch);
        check("consent missing",          400, "invalid_grant",           &[65_001],     ConsentMissing);
        check("Graph not requested",      400, "invalid_resource",        &[650_057],    PermissionMissing);
        check("conditional access",       400, "invalid_grant",           &[53_003],     ConditionalAccess);
        check("a loop",                   400, "invalid_grant",           &[50_196],     Throttled);
        check("our own mistake",          400, "invalid_scope",           &[70_011],     Unexpected);
        check("a field is missing",       401, "invalid_client",          &[7_000_218],  Unexpected);
        check("Microsoft's own, for good", 400, "invalid_grant",          &[90_036],     Unexpected);
        check("home in another cloud",    400, "invalid_request",         &[900_382],    WrongCloud);
        check("the issuer is not read",   400, "invalid_request",         &[50_166],     MicrosoftUnavailable);
        // The number is unknown, or says something else than `error` and status: these two decide.
        check("a new credential number",  401, "invalid_client",          &[7_999_999],  CredentialSecretInvalid);
        check("no number",                401, "invalid_client",          &[],           CredentialSecretInvalid);
        check("a known one among others", 401, "invalid_client",          &[1, 7_000_222], CredentialSecretExpired);
        check("a number that passes",     401, "invalid_client",          &[90_033],     CredentialSecretInvalid);
        check("a new application number", 400, "unauthorized_client",     &[7_999_999],  ApplicationNotFound);
        check("trouble, odd number",      400, "temporarily_unavailable", &[7_000_215],  MicrosoftUnavailable);
        check("server trouble",           503, "invalid_client",          &[7_000_222],  MicrosoftUnavailable);
        check("throttled",                429, "invalid_request",         &[],           Throttled);
        check("a new error",              400, "no_such_error",           &[],           Unexpected);
        check("no reason",                404, "",                        &[],           BadAnswer);
    }

    #[track_caller]
    fn check(name: &str, status: u16, error: &str, numbers: &[u64], expected: Code) {
        let body = if error.is_empty() {
            "<html>".to_owned()
        } else {
            serde_json::json!({
                "error": error, "error_description": "AADSTS1: secret abc8Q~ of Ann", "error_codes": numbers,
                "timestamp": "2026-11-22 10:00:00Z", "trace_id": "t-1", "correlation_id": "c-1",
            })
            .to_string()
        };
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.into_bytes(),
        };
        let failure = failure(&answer, &who(), "asked-as");
        assert_eq!(failure.code, expected, "{name}");
        assert!(!serde_json::to_string(&failure).unwrap().contains("abc8Q"), "{name}: {failure:?}");
        if failure.code.refuses_credential() {
            let start = "Failed to connect. Please check your Azure (Entra ID) Credential: ";
            assert!(failure.message.starts_with(start), "{name}: {failure}");
        }
        if !error.is_empty() {
            let microsoft = failure.microsoft.unwrap();
            assert_eq!(
                (microsoft.correlation_id.as_deref(), microsoft.request_id.as_deref()),
                (Some("c-1"), Some("t-1"))
            );
        }
    }

    #[test]
    fn r1_7_every_number_that_is_known_decides_on_its_own() {
        let mut numbers: Vec<u64> = NUMBERS.iter().map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|pair| pair[0] != pair[1]), "a number comes twice");
        for (number, expected) in NUMBERS {
            check(&number.to_string(), 400, "invalid_request", &[number], expected);
        }
    }

    #[test]
    fn r1_3_an_assertion_is_a_certificates_or_an_issuers() {
        for (number, certificates, issuers) in [
            (700_024, Code::CredentialCertificateInvalid, Code::CredentialFederationMismatch),
            (50_013, Code::CredentialCertificateInvalid, Code::CredentialFederationMismatch),
            (700_212, Code::CredentialFederationMismatch, Code::CredentialFederationMismatch),
            (7_999_999, Code::CredentialCertificateInvalid, Code::CredentialFederationMismatch),
        ] {
            let hint = NUMBERS.iter().find(|(known, _)| *known == number).map(|(_, code)| *code);
            let by = |kind| code(401, Some("invalid_client"), hint, kind);
            let told = (by(CredentialKind::Certificate), by(CredentialKind::Federated));
            assert_eq!(told, (certificates, issuers), "{number}");
        }
    }

    #[test]
    fn a_loop_is_not_asked_again_for_minutes() {
        let body = br#"{"error": "invalid_grant", "error_codes": [50196]}"#.to_vec();
        let answer = Answer { status: StatusCode::BAD_REQUEST, headers: HeaderMap::new(), body };
        assert_eq!(failure(&answer, &who(), "asked-as").retry_after, Some(LOOP_IS_HELD));
    }

    fn who() -> Connection {
        Connection {
            tenant: "contoso".parse().unwrap(),
            authority: "contoso.com".to_owned(),
            application_id: "11111111-2222-3333-4444-555555555555".to_owned(),
            cloud: Cloud::Global,
            kind: CredentialKind::Secret,
            secret: "s".into(),
            meter: Meter::default(),
        }
    }
}
