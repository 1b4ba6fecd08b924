//! The plain reads of Graph: lists, counts, one object, a group's members, the organisation.

use serde_json::{Value, json};

use crate::{
    answer::Answer,
    call::Call,
    cursor::Cursor,
    delta::collection,
    directory::{Directory, Kind, Life, Object},
    errors::GraphError,
    properties::Select,
    settings::Settings,
};

/// `GET /users` and `GET /groups`.
pub(crate) fn list(directory: &Directory, kind: Kind, call: &Call, settings: &Settings) -> Result<Answer, GraphError> {
    refuse_queries(call)?;
    let select = Select::parse(kind, call.parameter("$select"))?;
    let objects = directory.objects(kind);
    let (start, top) = bounds(directory, kind, call, settings)?;
    let mut here = objects.here().skip_while(|(position, _)| *position < start);
    let value: Vec<_> = here.by_ref().take(top).map(|(_, object)| shown(&select, kind, object)).collect();
    let mut body = json!({
        "@odata.context": format!("{}/v1.0/$metadata#{}", call.origin, collection(kind)),
        "value": value,
    });
    if call.parameter("$count") == Some("true") && is_eventual(call) && call.parameter("$skiptoken").is_none() {
        body["@odata.count"] = json!(objects.here().count());
    }
    let again = page_link(directory, kind, call, start);
    if let Some((position, _)) = here.next() {
        body["@odata.nextLink"] = page_link(directory, kind, call, position).into();
    }
    let mut answer = Answer::json(body).header("x-ms-resource-unit", cost(call, 2));
    answer.again = Some(again);
    Ok(answer)
}

/// `GET /users/$count` and `GET /groups/$count`.
pub(crate) fn count(directory: &Directory, kind: Kind, call: &Call) -> Result<Answer, GraphError> {
    if !is_eventual(call) {
        return Err(GraphError::new(400, "Request_BadRequest", "$count is not currently supported."));
    }
    let count = directory.objects(kind).here().count();
    Ok(Answer::text(count.to_string()).header("x-ms-resource-unit", "1"))
}

/// `GET /users/{id or principal name}` and `GET /groups/{id}`.
pub(crate) fn one(directory: &Directory, kind: Kind, id: &str, call: &Call) -> Result<Answer, GraphError> {
    let object = find(directory, kind, id)?;
    let wanted = call.parameter("$select");
    let mailbox =
        kind == Kind::User && wanted.is_some_and(|names| names.split(',').any(|name| name == "mailboxSettings"));
    let rest =
        wanted.map(|names| names.split(',').filter(|&name| name != "mailboxSettings").collect::<Vec<_>>().join(","));
    let select = Select::parse(kind, rest.as_deref())?;
    let mut body = shown(&select, kind, object);
    if mailbox {
        body["mailboxSettings"] = mailbox_settings(object)?;
    }
    body["@odata.context"] = format!("{}/v1.0/$metadata#{}/$entity", call.origin, collection(kind)).into();
    Ok(Answer::json(body).header("x-ms-resource-unit", "1"))
}

/// `GET /users/{id}/mailboxSettings` and, with `purpose`, `…/userPurpose`.
pub(crate) fn mailbox(directory: &Directory, id: &str, purpose: bool) -> Result<Answer, GraphError> {
    let settings = mailbox_settings(find(directory, Kind::User, id)?)?;
    let answer = if purpose { json!({ "value": settings.get("userPurpose") }) } else { settings };
    Ok(Answer::json(answer).header("x-ms-resource-unit", "1"))
}

fn mailbox_settings(user: &Object) -> Result<Value, GraphError> {
    let properties = user.properties();
    if let Some(settings) = properties.get("mailboxSettings") {
        return Ok(settings.clone());
    }
    match properties.get("proxyAddresses").and_then(Value::as_array) {
        Some(addresses) if !addresses.is_empty() => Ok(json!({ "userPurpose": "user" })),
        _ => {
            let message = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
            Err(GraphError::new(404, "MailboxNotEnabledForRESTAPI", message))
        }
    }
}

/// `GET /groups/{id}/members`: direct members that are not deleted.
pub(crate) fn members(directory: &Directory, id: &str, call: &Call, settings: &Settings) -> Result<Answer, GraphError> {
    refuse_queries(call)?;
    let group = find(directory, Kind::Group, id)?;
    let (start, top) = bounds(directory, Kind::Group, call, settings)?;
    let select = Select(call.parameter("$select").map(|names| names.split(',').map(str::to_owned).collect()));
    let mut links = directory.members(group).skip(start);
    let value: Vec<_> = links
        .by_ref()
        .take(top)
        .map(|(link, object)| {
            let kind = if link.kind.odata_type().ends_with("group") { Kind::Group } else { Kind::User };
            let mut item = object.map_or_else(|| json!({ "id": link.id }), |object| shown(&select, kind, object));
            item["@odata.type"] = link.kind.odata_type().into();
            item
        })
        .collect();
    let more = links.next().is_some();
    let mut body = json!({
        "@odata.context": format!("{}/v1.0/$metadata#directoryObjects", call.origin),
        "value": value,
    });
    if more {
        body["@odata.nextLink"] = page_link(directory, Kind::Group, call, start + top).into();
    }
    let mut answer = Answer::json(body).header("x-ms-resource-unit", cost(call, 3));
    answer.again = Some(page_link(directory, Kind::Group, call, start));
    Ok(answer)
}

/// `GET /organization`.
pub(crate) fn organization(directory: &Directory, call: &Call) -> Answer {
    let domains = directory.domains.iter().enumerate().map(|(index, name)| {
        json!({
            "capabilities": "Email, OfficeCommunicationsOnline",
            "isDefault": index == 0,
            "isInitial": name.ends_with(".onmicrosoft.com"),
            "name": name,
            "type": "Managed",
        })
    });
    let organization = json!({
        "id": directory.id,
        "displayName": directory.display_name,
        "tenantType": "AAD",
        "onPremisesSyncEnabled": null,
        "verifiedDomains": domains.collect::<Vec<_>>(),
    });
    let context = format!("{}/v1.0/$metadata#organization", call.origin);
    Answer::json(json!({ "@odata.context": context, "value": [organization] })).header("x-ms-resource-unit", "1")
}

fn find<'a>(directory: &'a Directory, kind: Kind, id: &str) -> Result<&'a Object, GraphError> {
    let objects = directory.objects(kind);
    let found = objects.find(id).and_then(|at| objects.all.get(at));
    found.filter(|object| object.life == Life::Here).ok_or_else(|| GraphError::not_found(id))
}

fn shown(select: &Select, kind: Kind, object: &Object) -> Value {
    let mut shown = select.listed(kind, object.properties());
    if select.0.as_ref().is_none_or(|names| names.iter().any(|name| name == "id")) || shown.is_empty() {
        shown.insert("id".to_owned(), object.id.to_string().into());
    }
    Value::Object(shown)
}

/// Where the page begins, and how many objects are on it.
fn bounds(directory: &Directory, kind: Kind, call: &Call, settings: &Settings) -> Result<(usize, usize), GraphError> {
    let top = match call.parameter("$top").map(str::parse::<usize>) {
        None => settings.list_page_size.max(1),
        Some(Ok(top)) if (1..=999).contains(&top) => top,
        Some(_) => {
            let message = "Invalid page size specified. Must be between 1 and 999 inclusive.";
            return Err(GraphError::bad_request(message));
        }
    };
    let Some(token) = call.parameter("$skiptoken") else { return Ok((0, top)) };
    let expired = || GraphError::new(400, "Directory_ExpiredPageToken", "The specified page token value has expired.");
    let cursor = Cursor::decode(token).ok_or_else(expired)?;
    let fits = cursor.kind == kind && cursor.directory == directory.id && cursor.generation == directory.generation;
    if fits { Ok((cursor.position, top)) } else { Err(expired()) }
}

/// The same request with a token for this position.
fn page_link(directory: &Directory, kind: Kind, call: &Call, position: usize) -> String {
    let cursor = Cursor {
        kind,
        directory: directory.id,
        generation: directory.generation,
        issued: call.now.as_second(),
        from: None,
        until: 0,
        end: 0,
        position,
        offset: 0,
        select: None,
        finished: false,
    };
    let kept = call.query.iter().filter(|(name, _)| name != "$skiptoken");
    let query: String = kept.map(|(name, value)| format!("{name}={}&", value.replace(' ', "%20"))).collect();
    let nonce = uuid::Uuid::new_v4().as_u64_pair().0;
    format!("{}/{}?{query}$skiptoken={}", call.origin, call.segments.join("/"), cursor.encode(nonce))
}

fn refuse_queries(call: &Call) -> Result<(), GraphError> {
    for refused in ["$filter", "$search", "$orderby", "$expand", "$skip"] {
        if call.parameter(refused).is_some() {
            let message = format!("The query parameter '{refused}' is not supported by this stand-in.");
            return Err(GraphError::unsupported(message));
        }
    }
    Ok(())
}

fn is_eventual(call: &Call) -> bool {
    call.header("consistencylevel").is_some_and(|level| level.eq_ignore_ascii_case("eventual"))
}

/// Resource units: less with `$select` and with a small `$top`, never below one.
fn cost(call: &Call, base: u32) -> String {
    let selects = u32::from(call.parameter("$select").is_some());
    let small = call.parameter("$top").and_then(|top| top.parse::<u32>().ok()).is_some_and(|top| top < 20);
    base.saturating_sub(selects + u32::from(small)).max(1).to_string()
}
