//! `POST /$batch`: up to twenty requests in one.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    answer::{Answer, Body},
    call::Call,
    errors::GraphError,
    faults, graph,
    requests::tenant_of,
    world::World,
};

/// More than these are refused.
const LIMIT: usize = 20;

#[derive(Deserialize)]
struct Batch {
    requests: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: Value,
}

/// Answer each part as if it had come alone. A fault hits the batch, or parts that its rule names by their path.
pub(crate) fn answer(world: &mut World, call: &Call) -> Result<Answer, GraphError> {
    let batch: Batch = serde_json::from_slice(&call.body)
        .map_err(|_| GraphError::new(400, "BadRequest", "Invalid batch payload format."))?;
    if batch.requests.len() > LIMIT {
        let message = format!("Number of batch request steps exceeds the maximum value of {LIMIT}.");
        return Err(GraphError::new(400, "BadRequest", message));
    }
    let responses: Vec<_> = batch.requests.into_iter().map(|part| one(world, call, part)).collect();
    Ok(Answer::json(json!({ "responses": responses })))
}

/// The fault that is due for a part. Only rules that name a path look into batches.
fn due_by_path(world: &mut World, call: &Call) -> Option<faults::Fault> {
    let tenant = tenant_of(world, call);
    let directory = world.directories.iter().find(|directory| Some(directory.id) == tenant);
    let is_tenant = |named: &str| directory.is_some_and(|one| one.name == named || one.answers_to(named));
    faults::due(world.rules.iter_mut().filter(|rule| rule.on.path.is_some()), call, is_tenant)
}

fn one(world: &mut World, call: &Call, part: Part) -> Value {
    let Part { id, method, url, headers: own, body } = part;
    let mut headers = HeaderMap::new();
    for name in ["host", "authorization", "client-request-id"] {
        headers.extend(call.headers.get(name).map(|value| (HeaderName::from_static(name), value.clone())));
    }
    for (name, value) in own {
        let pair = (HeaderName::try_from(name), HeaderValue::try_from(value.as_str().unwrap_or_default()));
        if let (Ok(name), Ok(value)) = pair {
            headers.insert(name, value);
        }
    }
    let path = url.trim_start_matches('/');
    let uri = Uri::try_from(format!("/v1.0/{path}")).unwrap_or_default();
    let inner = Call::new(&method, &uri, headers, body.to_string().into_bytes(), call.now);
    let nested = inner.segments.get(1).is_some_and(|first| first == "$batch");
    let fault = due_by_path(world, &inner).and_then(|fault| fault.instead(&inner));
    let answer = match fault {
        Some(answer) => Ok(answer),
        None if nested => Err(GraphError::of_status(400)),
        None => graph::answer(world, &inner),
    };
    let answer = answer.unwrap_or_else(|error| error.answer(&inner));
    let headers: Map<_, _> = answer.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let body = match answer.body {
        Body::Json(value) => value,
        Body::Text(text) => text.into(),
        Body::Bytes(_) => Value::Null,
    };
    json!({ "id": id, "status": answer.status, "headers": headers, "body": body })
}
