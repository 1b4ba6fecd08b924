//! `/users/delta` and `/groups/delta`.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    answer::Answer,
    call::Call,
    cursor::Cursor,
    directory::{Directory, Kind},
    errors::GraphError,
    properties::Select,
    round::Round,
    settings::Settings,
};

/// Answer one page of a round.
pub(crate) fn page(directory: &Directory, kind: Kind, call: &Call, settings: &Settings) -> Result<Answer, GraphError> {
    let cursor = start(directory, kind, call, settings)?;
    let preferences = call.header("prefer").unwrap_or_default().to_ascii_lowercase();
    let minimal = preferences.contains("return=minimal");
    let (value, next) = if cursor.finished {
        (Vec::new(), None)
    } else {
        let lowered = preferences.split("odata.maxpagesize=").nth(1).and_then(leading_number);
        let size = lowered.map_or(settings.page_size, |size: usize| size.min(settings.page_size));
        Round::new(directory, &cursor, minimal).page(&cursor, settings, size)
    };
    let context = match &cursor.select {
        Some(select) => format!("{}/v1.0/$metadata#{}({select})", call.origin, collection(kind)),
        None => format!("{}/v1.0/$metadata#{}", call.origin, collection(kind)),
    };
    let mut body = json!({ "@odata.context": context, "value": value });
    let (name, following) = match next {
        Some((position, offset)) => ("@odata.nextLink", Cursor { position, offset, ..cursor.clone() }),
        None => ("@odata.deltaLink", end(&cursor)),
    };
    if let Value::Object(body) = &mut body {
        body.insert(name.to_owned(), link(call, &following).into());
    }
    let mut answer = Answer::json(body).header("x-ms-resource-unit", "1");
    if minimal {
        answer = answer.header("preference-applied", "return=minimal");
    }
    answer.end = Some(link(call, &end(&cursor)));
    answer.again = (!cursor.finished).then(|| link(call, &cursor));
    Ok(answer)
}

/// Where the request wants to read: from the beginning, from a token, or nothing from now on.
fn start(directory: &Directory, kind: Kind, call: &Call, settings: &Settings) -> Result<Cursor, GraphError> {
    for refused in ["$top", "$expand", "$filter", "$orderby", "$skip", "$search", "$count"] {
        if call.parameter(refused).is_some() {
            let message = format!("The query parameter '{refused}' is not supported for this delta query.");
            return Err(GraphError::unsupported(message));
        }
    }
    let skip = call.parameter("$skiptoken");
    let delta = call.parameter("$deltatoken").filter(|token| !token.is_empty());
    let token = match (skip, delta) {
        (None, None | Some("latest")) => {
            let select = Select::parse(kind, call.parameter("$select"))?;
            return Ok(Cursor {
                kind,
                directory: directory.id,
                generation: directory.generation,
                issued: call.now.as_second(),
                from: None,
                until: directory.log.len(),
                end: directory.objects(kind).all.len(),
                position: 0,
                offset: 0,
                select: select.text(),
                finished: delta.is_some(),
            });
        }
        (Some(_), Some(_)) => return Err(badly_formed()),
        (Some(token), None) | (None, Some(token)) => token,
    };
    if call.parameter("$select").is_some() {
        return Err(GraphError::unsupported("$select is not supported together with a token."));
    }
    let cursor = Cursor::decode(token).ok_or_else(badly_formed)?;
    if cursor.kind != kind || cursor.directory != directory.id || cursor.finished != delta.is_some() {
        return Err(badly_formed());
    }
    if cursor.generation != directory.generation {
        return Err(GraphError::sync_state_gone(410, "syncStateNotFound", first_round(call, kind)));
    }
    if call.now.as_second() - cursor.issued > settings.delta_days * 24 * 60 * 60 {
        return Err(GraphError::sync_state_gone(400, "syncStateNotFound", first_round(call, kind)));
    }
    let issued = call.now.as_second();
    Ok(match delta {
        // What was the end of one round is the beginning of the next.
        Some(_) => Cursor {
            from: Some(cursor.until),
            until: directory.log.len(),
            position: 0,
            offset: 0,
            issued,
            finished: false,
            ..cursor
        },
        None => Cursor { issued, ..cursor },
    })
}

/// The delta token at the end of a round.
fn end(cursor: &Cursor) -> Cursor {
    Cursor { from: None, end: 0, position: 0, offset: 0, finished: true, ..cursor.clone() }
}

fn link(call: &Call, cursor: &Cursor) -> String {
    let name = if cursor.finished { "$deltatoken" } else { "$skiptoken" };
    let nonce = Uuid::new_v4().as_u64_pair().0;
    format!("{}/v1.0/{}/delta?{name}={}", call.origin, collection(cursor.kind), cursor.encode(nonce))
}

/// The URL of a new first round: its delta token is empty.
pub(crate) fn first_round(call: &Call, kind: Kind) -> String {
    format!("{}/v1.0/{}/delta?$deltatoken=", call.origin, collection(kind))
}

pub(crate) fn collection(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "users",
        Kind::Group => "groups",
    }
}

fn badly_formed() -> GraphError {
    GraphError::bad_request("Badly formed token.")
}

fn leading_number(text: &str) -> Option<usize> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
