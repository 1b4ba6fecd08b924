//! What Graph's refusals mean: the table of its codes, and the status where the code says nothing.

use directory::Microsoft;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::http::Answer;

/// What a refusal means for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The delta state is gone: start over.
    StateGone,
    /// The page token is dead: start the round again.
    PageExpired,
    /// The token is bad or has expired: ask for another.
    Token,
    /// The application is not known yet, or not any more: another token, a little later.
    NotReplicated,
    /// A permission is missing.
    Denied,
    /// The application is switched off in the directory.
    Disabled,
    /// Too many requests.
    Throttled,
    /// Microsoft's trouble; it passes.
    Unavailable,
    /// A link that Graph has lost for the moment, or for good.
    Lost,
    /// Something between us and Graph has answered in its place.
    NotGraph,
    /// Nothing that a program of ours should have asked.
    Unforeseen,
}

/// A refusal, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What it means.
    pub(crate) meaning: Meaning,
    /// Microsoft's own words.
    pub(crate) microsoft: Microsoft,
}

/// The codes that decide something, in lower case: their case varies (the page "Microsoft Graph error responses").
const CODES: [(&str, Meaning); 29] = [
    ("syncstatenotfound", Meaning::StateGone),
    ("resyncrequired", Meaning::StateGone),
    ("directory_expiredpagetoken", Meaning::PageExpired),
    ("invalidauthenticationtoken", Meaning::Token),
    ("authentication_expiredtoken", Meaning::Token),
    ("unauthenticated", Meaning::Token),
    ("authorization_requestdenied", Meaning::Denied),
    ("authentication_msgraphpermissionmissing", Meaning::Denied),
    ("accessdenied", Meaning::Denied),
    ("erroraccessdenied", Meaning::Denied),
    ("authorization_identitynotfound", Meaning::NotReplicated),
    ("authorization_identitydisabled", Meaning::Disabled),
    ("authentication_requestfromnonpremiumtenantorb2ctenant", Meaning::Unforeseen),
    ("toomanyrequests", Meaning::Throttled),
    ("activitylimitreached", Meaning::Throttled),
    ("request_throttledtemporarily", Meaning::Throttled),
    ("directory_concurrencyviolation", Meaning::Unavailable),
    ("servicenotavailable", Meaning::Unavailable),
    ("serviceunavailable", Meaning::Unavailable),
    ("generalexception", Meaning::Unavailable),
    ("timeout", Meaning::Unavailable),
    ("unknownerror", Meaning::Unavailable),
    ("request_unsupportedquery", Meaning::Unforeseen),
    ("request_badrequest", Meaning::Unforeseen),
    ("request_resourcenotfound", Meaning::Unforeseen),
    ("credentialinvalidlifetimeasperapppolicy", Meaning::Unforeseen),
    ("credentialtypenotallowedasperapppolicy", Meaning::Unforeseen),
    ("badrequest", Meaning::Unforeseen),
    ("notimplemented", Meaning::Unforeseen),
];

/// Read a refusal. Only its codes count, never its message; what else its body holds is not looked at.
pub(crate) fn refusal(answer: &Answer) -> Refusal {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let error = body.get("error").unwrap_or(&body);
    let mut codes = Vec::new();
    let mut ids = Ids::default();
    let mut inner = Some(error);
    // Eight levels are more than Microsoft ever nested; a body cannot keep us longer.
    for _ in 0..8 {
        let Some(Value::Object(fields)) = inner else { break };
        inner = None;
        for (name, value) in fields {
            match (name.to_ascii_lowercase().as_str(), value) {
                ("code", Value::String(code)) if !code.is_empty() => codes.push(code.as_str()),
                ("innererror", value) => inner = Some(value),
                ("request-id" | "requestid", Value::String(id)) => ids.request = plain(id),
                ("client-request-id", Value::String(id)) => ids.client = plain(id),
                _ => (),
            }
        }
    }
    let known = codes.iter().rev().find_map(|code| Some((*code, known(code)?)));
    Refusal {
        meaning: meaning(answer.status.as_u16(), known.map(|(_, meaning)| meaning), codes.is_empty()),
        microsoft: Microsoft {
            code: known.map(|(code, _)| code).or(codes.first().copied()).and_then(plain),
            correlation_id: header(&answer.headers, "client-request-id").or(ids.client),
            request_id: header(&answer.headers, "request-id").or(ids.request),
        },
    }
}

#[derive(Default)]
struct Ids {
    request: Option<String>,
    client: Option<String>,
}

fn known(code: &str) -> Option<Meaning> {
    CODES.iter().find(|(name, _)| name.eq_ignore_ascii_case(code)).map(|(_, meaning)| *meaning)
}

/// A gone state shows in the code whatever the status; then the statuses that pass; then the code; then the status.
fn meaning(status: u16, code: Option<Meaning>, wordless: bool) -> Meaning {
    match (status, code) {
        (_, Some(gone @ (Meaning::StateGone | Meaning::PageExpired))) => gone,
        (429, _) => Meaning::Throttled,
        (408 | 500 | 502..=599, _) => Meaning::Unavailable,
        (404, Some(Meaning::Unavailable)) => Meaning::Lost,
        (410, _) => Meaning::StateGone,
        (_, Some(meaning)) => meaning,
        (401, None) => Meaning::Token,
        (403, None) => Meaning::Denied,
        (409 | 423, None) => Meaning::Unavailable,
        (404, None) if wordless => Meaning::Lost,
        (_, None) if wordless && status != 501 => Meaning::NotGraph,
        (_, None) => Meaning::Unforeseen,
    }
}

/// A header that people may see.
pub(crate) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().and_then(plain)
}

/// A code or an id, when it is one: whatever else stands in its place is not for people.
pub(crate) fn plain(text: &str) -> Option<String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    ((1..=64).contains(&text.len()) && text.bytes().all(fits)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use reqwest::{StatusCode, header::HeaderValue};

    use super::*;

    #[test]
    #[rustfmt::skip]
    fn refusals() {
        use Meaning::{Denied, Disabled, Lost, NotGraph, NotReplicated, PageExpired, StateGone, Throttled, Token, Unavailable, Unforeseen};
        let code = |code: &str| format!(r#"{{"error": {{"code": "{code}", "message": ""}}}}"#);
        check("delta token expired",         400, &code("syncStateNotFound"),               StateGone);
        check("another case and status",     410, &code("SyncStateNotFound"),               StateGone);
        check("a reset",                     410, &code("resyncRequired"),                  StateGone);
        check("a reset without a word",      410, "",                                       StateGone);
        check("page token expired",          400, &code("Directory_ExpiredPageToken"),      PageExpired);
        check("a bad token",                 401, &code("InvalidAuthenticationToken"),      Token);
        check("401 without a word",          401, "",                                       Token);
        check("a privilege is missing",      403, &code("Authorization_RequestDenied"),     Denied);
        check("403 with a new code",         403, &code("Something_New"),                   Denied);
        check("403 without a word",          403, "<html>",                                 Denied);
        check("not replicated",              403, &code("Authorization_IdentityNotFound"),  NotReplicated);
        check("switched off",                403, &code("Authorization_IdentityDisabled"),  Disabled);
        check("throttled",                   429, &code("TooManyRequests"),                 Throttled);
        check("throttled without a word",    429, "",                                       Throttled);
        check("throttled, whatever it says", 429, &code("Request_BadRequest"),              Throttled);
        check("an inner status is no code",  429, r#"{"error": {"code": "TooManyRequests", "innerError": {"code": "429"}}}"#, Throttled);
        check("unavailable",                 503, &code("serviceNotAvailable"),             Unavailable);
        check("gateway trouble",             502, "<html>",                                 Unavailable);
        check("500 with an odd code",        500, &code("Request_BadRequest"),              Unavailable);
        check("bandwidth",                   509, "",                                       Unavailable);
        check("a concurrent change",         409, &code("Directory_ConcurrencyViolation"),  Unavailable);
        check("a lost link",                 404, &code("UnknownError"),                    Lost);
        check("a lost link, no words",       404, "",                                       Lost);
        check("an object that is gone",      404, &code("Request_ResourceNotFound"),        Unforeseen);
        check("our query",                   400, &code("Request_UnsupportedQuery"),        Unforeseen);
        check("not selectable",              501, &code("NotImplemented"),                  Unforeseen);
        check("501 without a word",          501, "",                                       Unforeseen);
        check("a redirect",                  302, "",                                       NotGraph);
        check("400 that holds data",         400, r#"{"value": [], "@odata.nextLink": "x"}"#, NotGraph);
        check("the deepest known code",      403, r#"{"error": {"code": "accessDenied", "innererror": {"code": "Authorization_IdentityDisabled", "innerError": {"code": "x"}}}}"#, Disabled);
        check("an empty outer code",         400, r#"{"error": {"code": "", "innerError": {"code": "syncstatenotfound"}}}"#, StateGone);
        check("codes that are no text",      400, r#"{"error": {"code": 5, "innerError": [1]}}"#, NotGraph);
    }

    #[track_caller]
    fn check(name: &str, status: u16, body: &str, expected: Meaning) {
        assert_eq!(refusal(&answer(status, body)).meaning, expected, "{name}");
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body: body.into() }
    }

    #[test]
    fn r1_7_microsofts_own_words() {
        let mut answer = answer(
            403,
            r#"{"error": {"code": "Authorization_RequestDenied", "message": "secret", "innerError":
               {"date": "2026-11-22T10:00:00", "request-id": "r-1", "client-request-id": "c-1"}}}"#,
        );
        let expected = Microsoft {
            code: Some("Authorization_RequestDenied".to_owned()),
            correlation_id: Some("c-1".to_owned()),
            request_id: Some("r-1".to_owned()),
        };
        assert_eq!(refusal(&answer).microsoft, expected);
        answer.headers.insert("request-id", HeaderValue::from_static("r-2"));
        assert_eq!(refusal(&answer).microsoft.request_id.as_deref(), Some("r-2"), "the header is nearer to Microsoft");
    }

    #[test]
    fn r1_3_only_codes_and_ids_get_through() {
        let body = r#"{"error": {"code": "Ann Lee <ann@contoso.com>", "innerError": {"request-id": "a b"}}}"#;
        assert_eq!(refusal(&answer(400, body)).microsoft, Microsoft::default());
        assert_eq!(plain(&"x".repeat(65)), None);
    }
}
