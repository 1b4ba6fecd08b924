//! The application's own registration: reading its secrets, adding one, removing one.

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    answer::{Answer, Body},
    application::{Application, ClientSecret},
    call::Call,
    directory::Directory,
    errors::GraphError,
    settings::Settings,
    token::Claims,
};

/// `GET /applications(appId='…')` and `GET /applications/{id}`.
pub(crate) fn read(
    directory: &Directory,
    segment: &str,
    key: Option<&str>,
    claims: &Claims,
) -> Result<Answer, GraphError> {
    let application = directory.applications.iter().find(|one| is(one, segment, key));
    let all = ["Application.Read.All", "Application.ReadWrite.All"].iter().any(|role| claims.roles.contains(*role));
    let own = claims.roles.contains("Application.ReadWrite.OwnedBy");
    let allowed = all || own && application.is_some_and(|one| one.owned && one.client_id == claims.appid);
    if !allowed {
        return Err(GraphError::forbidden());
    }
    let application = application.ok_or_else(|| GraphError::not_found(key.unwrap_or(segment)))?;
    Ok(Answer::json(application.shown()).header("x-ms-resource-unit", "1"))
}

/// `POST …/addPassword`: the only answer that ever shows a secret.
pub(crate) fn add(
    directory: &mut Directory,
    segment: &str,
    key: Option<&str>,
    claims: &Claims,
    call: &Call,
    settings: &Settings,
) -> Result<Answer, GraphError> {
    let policy = directory.policy.clone();
    let application = owned(directory, segment, key, claims)?;
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let asked = body.get("passwordCredential").cloned().unwrap_or_default();
    let date = |name: &str| asked.get(name).and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    let starts = date("startDateTime").unwrap_or(call.now);
    let in_two_years = || starts.to_zoned(TimeZone::UTC).checked_add(2.years()).ok().map(|date| date.timestamp());
    let ends = date("endDateTime").or_else(in_two_years).unwrap_or(Timestamp::MAX);
    policy.allows(starts, ends)?;
    let key_id = Uuid::new_v4();
    let (random, _) = Uuid::new_v4().as_u64_pair();
    let name = asked.get("displayName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let secret = ClientSecret {
        key_id,
        name,
        value: format!("{random:x}~demo-value"),
        starts,
        ends,
        unknown_for: settings.new_secret_delay,
    };
    let mut shown = secret.shown();
    shown["secretText"] = secret.value.clone().into();
    shown["@odata.context"] = format!("{}/v1.0/$metadata#microsoft.graph.passwordCredential", call.origin).into();
    application.secrets.push(secret);
    Ok(Answer::json(shown))
}

/// `POST …/removePassword`.
pub(crate) fn remove(
    directory: &mut Directory,
    segment: &str,
    key: Option<&str>,
    claims: &Claims,
    call: &Call,
) -> Result<Answer, GraphError> {
    let application = owned(directory, segment, key, claims)?;
    let body: Value = serde_json::from_slice(&call.body).unwrap_or(json!({}));
    let id = body.get("keyId").and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
    let before = application.secrets.len();
    application.secrets.retain(|secret| Some(secret.key_id) != id);
    if application.secrets.len() == before {
        return Err(GraphError::bad_request("No password credential found with keyId."));
    }
    Ok(Answer::with(204, Body::Text(String::new())))
}

fn owned<'a>(
    directory: &'a mut Directory,
    segment: &str,
    key: Option<&str>,
    claims: &Claims,
) -> Result<&'a mut Application, GraphError> {
    let all = claims.roles.contains("Application.ReadWrite.All");
    let own = claims.roles.contains("Application.ReadWrite.OwnedBy");
    let found = directory.applications.iter_mut().find(|one| is(one, segment, key));
    match found {
        Some(application) if all || (own && application.owned && application.client_id == claims.appid) => {
            Ok(application)
        }
        None if all => Err(GraphError::not_found(key.unwrap_or(segment))),
        _ => Err(GraphError::forbidden()),
    }
}

/// Is this the application of `applications(appId='…')` or `applications/{object id}`?
fn is(application: &Application, segment: &str, key: Option<&str>) -> bool {
    match key {
        Some(object_id) => Uuid::try_parse(object_id).is_ok_and(|id| id == application.object_id),
        None => {
            let client_id = segment.split('\'').nth(1).and_then(|id| Uuid::try_parse(id).ok());
            client_id == Some(application.client_id)
        }
    }
}
