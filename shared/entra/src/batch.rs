//! `POST /$batch` for the kinds of mailboxes: each part is answered, refused and slowed down for itself.

use std::time::Duration;

use directory::{MailboxKind, Microsoft, ObjectId};
use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    graph_errors::{Meaning, refusal},
    http::Answer,
    page::Misread,
    retry_after::retry_after,
};

/// What a part says.
#[derive(Debug, PartialEq)]
pub(crate) enum Part {
    /// The kind of the mailbox.
    Kind(MailboxKind),
    /// Not yet: after this pause, where one is asked for.
    Throttled(Option<Duration>),
    /// Access is denied.
    Denied(Microsoft),
    /// Nothing that could be used.
    Unknown,
}

/// The question what the mailboxes of some users are for. The name of a part is the user's place.
pub(crate) fn purposes(users: &[ObjectId]) -> Value {
    let part = |(at, id): (usize, &ObjectId)| json!({"id": at.to_string(), "method": "GET", "url": format!("/users/{id}/mailboxSettings/userPurpose")});
    let requests: Vec<Value> = users.iter().enumerate().map(part).collect();
    json!({ "requests": requests })
}

#[derive(Deserialize)]
struct Batch {
    responses: Vec<Response>,
}

#[derive(Deserialize)]
struct Response {
    id: String,
    status: u16,
    #[serde(default)]
    headers: Option<Map<String, Value>>,
    #[serde(default)]
    body: Value,
}

/// Read the answer, whose parts come in any order.
pub(crate) fn read(body: &[u8], users: &[ObjectId]) -> Result<Vec<(ObjectId, Part)>, Misread> {
    let batch: Batch = serde_json::from_slice(body).map_err(|_| Misread::NotJson)?;
    let named = |response: Response| {
        let id = users.get(response.id.parse::<usize>().ok()?)?;
        Some((id.clone(), part(response)))
    };
    Ok(batch.responses.into_iter().filter_map(named).collect())
}

fn part(response: Response) -> Part {
    let Response { status, headers, body, .. } = response;
    if status == 200 {
        return body.get("value").map_or(Part::Unknown, |purpose| Part::Kind(kind(purpose)));
    }
    let answer = Answer {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        headers: read_headers(headers.unwrap_or_default()),
        body: body.to_string().into_bytes(),
    };
    let refusal = refusal(&answer);
    let said = refusal.microsoft.code.as_deref().unwrap_or_default();
    match refusal.meaning {
        // Its mailbox is none of Exchange Online's: there is nothing to ask.
        _ if said.eq_ignore_ascii_case("MailboxNotEnabledForRESTAPI") => Part::Kind(MailboxKind::Other),
        Meaning::Throttled => Part::Throttled(retry_after(&answer.headers)),
        Meaning::Denied => Part::Denied(refusal.microsoft),
        _ => Part::Unknown,
    }
}

/// `userPurpose`. New values may come.
fn kind(purpose: &Value) -> MailboxKind {
    match purpose.as_str().unwrap_or_default().to_ascii_lowercase().as_str() {
        "user" => MailboxKind::User,
        "shared" => MailboxKind::Shared,
        "room" => MailboxKind::Room,
        "equipment" => MailboxKind::Equipment,
        _ => MailboxKind::Other,
    }
}

fn read_headers(headers: Map<String, Value>) -> HeaderMap {
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pair = |(name, value): (String, Value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(text(value)).ok()?))
    };
    headers.into_iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn r5_2_what_a_part_says() {
        use MailboxKind::{Equipment, Other, Room, Shared, User};
        let throttled = |seconds: f64| Part::Throttled(Some(Duration::from_secs_f64(seconds)));
        check("a person's",           r#""status": 200, "body": {"value": "user"}"#,                                      Part::Kind(User));
        check("shared",               r#""status": 200, "body": {"@odata.context": "x", "value": "shared"}"#,             Part::Kind(Shared));
        check("a room",               r#""status": 200, "headers": {"Content-Type": "x"}, "body": {"value": "Room"}"#,    Part::Kind(Room));
        check("equipment",            r#""status": 200, "body": {"value": "equipment"}"#,                                 Part::Kind(Equipment));
        check("linked",               r#""status": 200, "body": {"value": "linked"}"#,                                    Part::Kind(Other));
        check("a value of the future", r#""status": 200, "body": {"value": "unknownFutureValue"}"#,                       Part::Kind(Other));
        check("no value",             r#""status": 200, "body": {"value": null}"#,                                        Part::Kind(Other));
        check("nothing",              r#""status": 200, "body": {}"#,                                                     Part::Unknown);
        check("no body",              r#""status": 200"#,                                                                 Part::Unknown);
        check("no mailbox",           r#""status": 404, "body": {"error": {"code": "MailboxNotEnabledForRESTAPI"}}"#,     Part::Kind(Other));
        check("no user",              r#""status": 404, "body": {"error": {"code": "Request_ResourceNotFound"}}"#,        Part::Unknown);
        check("throttled, seconds",   r#""status": 429, "headers": {"Retry-After": "10"}, "body": {"error": {}}"#,        throttled(10.0));
        check("throttled, a number",  r#""status": 429, "headers": {"retry-after": 2.5}"#,                                throttled(2.5));
        check("throttled, no pause",  r#""status": 429, "headers": null, "body": null"#,                                  Part::Throttled(None));
        check("trouble of Exchange",  r#""status": 503, "body": "PGh0bWw+""#,                                             Part::Unknown);
        check("no status at all",     r#""status": 7"#,                                                                   Part::Unknown);
        let denied = Microsoft { code: Some("ErrorAccessDenied".to_owned()), ..Microsoft::default() };
        check("denied",               r#""status": 403, "body": {"error": {"code": "ErrorAccessDenied"}}"#,               Part::Denied(denied));
    }

    #[track_caller]
    fn check(name: &str, response: &str, expected: Part) {
        let users = ["ann", "bob"].map(|id| ObjectId::try_from(id).unwrap());
        let body = format!(r#"{{"responses": [{{"id": "1", {response}}}, {{"id": "7", "status": 200}}]}}"#);
        assert_eq!(read(body.as_bytes(), &users).unwrap(), [(users[1].clone(), expected)], "{name}");
    }

    #[test]
    fn what_is_no_batch() {
        for body in ["", "[]", r#"{"value": []}"#, r#"{"error": {"code": "x"}}"#] {
            assert!(read(body.as_bytes(), &[]).is_err(), "{body}");
        }
    }
}
