//! The control addresses below `/_control`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    answer::{Answer, Body},
    call::Call,
    change::{Change, Refusal},
    company::company,
    directory::Directory,
    faults::Rule,
    openid::SignIns,
    requests::Request,
    settings::Settings,
    world::World,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Company {
    users: usize,
    groups: usize,
    seed: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clock {
    now: Option<Timestamp>,
}

/// Answer a control request.
pub(crate) fn answer(world: &mut World, call: &Call) -> Answer {
    let segments: Vec<_> = call.segments.iter().skip(1).map(String::as_str).collect();
    let done = match (call.method.as_str(), segments.as_slice()) {
        ("GET", [] | ["directories"]) => {
            Ok(json!({ "directories": world.directories.iter().map(described).collect::<Vec<_>>() }))
        }
        ("POST", [tenant, "changes"]) => many(call, "changes").and_then(|changes| change(world, tenant, changes)),
        ("POST", [tenant, "sign-ins"]) => parse(call).and_then(|how: SignIns| {
            let id = world.directory(tenant).map(|directory| directory.id);
            let id = id.ok_or_else(|| (404, format!("no directory {tenant}")))?;
            let shown = json!(how);
            world.openid.of.insert(id, how);
            Ok(shown)
        }),
        ("POST", ["companies"]) => parse(call).map(|Company { users, groups, seed }| {
            let directory = company(users, groups, seed);
            let shown = described(&directory);
            world.add(directory);
            shown
        }),
        ("POST", ["faults"]) => many::<Rule>(call, "faults").map(|rules| {
            world.rules.extend(rules);
            json!({ "faults": world.rules })
        }),
        ("GET", ["faults"]) => Ok(json!({ "faults": world.rules })),
        ("DELETE", ["faults"]) => {
            let of = call.parameter("tenant");
            world.rules.retain(|rule| of.is_some() && rule.on.tenant.as_deref() != of);
            Ok(json!({ "faults": world.rules }))
        }
        ("GET", ["requests"]) => Ok(json!({ "counters": counters(&world.requests), "requests": world.requests })),
        ("DELETE", ["requests"]) => {
            world.requests.clear();
            Ok(json!({ "counters": counters(&world.requests), "requests": [] }))
        }
        ("GET", ["settings"]) => Ok(json!(world.settings)),
        ("POST", ["settings"]) => settings(world, call),
        ("POST", ["clock"]) => parse(call).map(|Clock { now }| {
            world.now = now;
            json!({ "now": world.now() })
        }),
        ("POST", ["reset"]) => {
            world.reset();
            Ok(json!({ "reset": true }))
        }
        (method, _) => Err((404, format!("no control address {method} {}", call.target))),
    };
    done.map_or_else(|(status, error)| Answer::with(status, Body::Json(json!({ "error": error }))), Answer::json)
}

/// Requests by what they were about, `total`, and `users_delta` and `groups_delta` among them.
pub(crate) fn counters(requests: &[Request]) -> BTreeMap<String, usize> {
    let names = ["total", "token", "users", "groups", "identity", "other", "users_delta", "groups_delta"];
    let mut counters: BTreeMap<String, usize> = names.into_iter().map(|name| (name.to_owned(), 0)).collect();
    let mut add = |name: &str| *counters.entry(name.to_owned()).or_default() += 1;
    for request in requests {
        add("total");
        if let Ok(Value::String(kind)) = serde_json::to_value(request.kind) {
            add(&kind);
            if request.path.contains("/delta") {
                add(&format!("{kind}_delta"));
            }
        }
    }
    counters
}

fn change(world: &mut World, tenant: &str, changes: Vec<Change>) -> Result<Value, (u16, String)> {
    let ids = world.change(tenant, changes).map_err(|refusal| {
        let status = if matches!(refusal, Refusal::NoDirectory(_) | Refusal::NoObject(..)) { 404 } else { 409 };
        (status, refusal.to_string())
    })?;
    Ok(json!({ "ids": ids }))
}

/// Merge what is given into the settings.
fn settings(world: &mut World, call: &Call) -> Result<Value, (u16, String)> {
    let new: BTreeMap<String, Value> = parse(call)?;
    let mut merged = json!(world.settings);
    for (name, value) in new {
        merged[name] = value;
    }
    let merged: Settings = serde_json::from_value(merged).map_err(|error| (400, error.to_string()))?;
    world.settings = merged;
    Ok(json!(world.settings))
}

/// What a script needs to know of a directory. The secrets are demo values.
fn described(directory: &Directory) -> Value {
    json!({
        "name": directory.name,
        "directory_id": directory.id,
        "display_name": directory.display_name,
        "domains": directory.domains,
        "applications": directory.applications,
        "policy": directory.policy,
        "users": directory.users.here().count(),
        "groups": directory.groups.here().count(),
    })
}

/// One thing, a list of them, or a list under this name.
fn many<T: DeserializeOwned>(call: &Call, name: &str) -> Result<Vec<T>, (u16, String)> {
    let mut body: Value = parse(call)?;
    let inner = body.get_mut(name).map(Value::take);
    let things = match inner.unwrap_or(body) {
        Value::Array(things) => things,
        one => vec![one],
    };
    let parsed = things.into_iter().map(serde_json::from_value).collect::<Result<_, _>>();
    parsed.map_err(|error| (400, error.to_string()))
}

fn parse<T: DeserializeOwned>(call: &Call) -> Result<T, (u16, String)> {
    serde_json::from_slice(&call.body).map_err(|error| (400, error.to_string()))
}
