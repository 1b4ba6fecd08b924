//! What the function is invoked with: parsed once, refused by name of the field.

use std::collections::BTreeSet;

use directory::{Failure, RunId, TenantId};
use engine::{
    records::Action,
    run::{Job, Request},
};
use platform::event::{read, some_run, tenant};
use serde::Deserialize;
use serde_json::Value;

/// What is asked for.
#[derive(Debug)]
pub(crate) enum What {
    /// A run.
    Run(Request),
    /// Why somebody is, or is not, here.
    Explain { tenant: TenantId, address: String },
}

/// A request, and the time at which it takes place.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What is asked for.
    pub(crate) what: What,
    /// The test clock's time.
    pub(crate) now: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    #[serde(deserialize_with = "tenant")]
    tenant: TenantId,
    action: Asking,
    #[serde(default, deserialize_with = "some_run")]
    run: Option<RunId>,
    #[serde(default, rename = "as", deserialize_with = "some_run")]
    name: Option<RunId>,
    #[serde(default)]
    except: BTreeSet<String>,
    reviewed: Option<String>,
    address: Option<String>,
    #[serde(default)]
    full: bool,
    settings: Option<Value>,
    by: Option<String>,
    now: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Asking {
    Sync,
    Preview,
    Apply,
    Release,
    Undo,
    Explain,
}

/// What a person asks for.
pub(crate) fn direct(payload: Value) -> Result<Asked, Failure> {
    let event: Event = read(payload)?;
    let action = match event.action {
        Asking::Sync => Action::Sync,
        Asking::Preview => Action::Preview,
        Asking::Apply => Action::Apply,
        Asking::Release => Action::Release,
        Asking::Undo => Action::Undo,
        Asking::Explain => return explain(event),
    };
    if event.address.is_some() {
        return Err(Failure::invalid("address: expected only with the action explain"));
    }
    if matches!(action, Action::Apply | Action::Release | Action::Undo) == event.run.is_none() {
        return Err(Failure::invalid("run: expected with the actions apply, release and undo, and only there"));
    }
    let new = matches!(action, Action::Sync | Action::Preview);
    if !new && (event.full || event.settings.is_some()) {
        return Err(Failure::invalid("full and settings: expected only with the actions sync and preview"));
    }
    if matches!(action, Action::Apply | Action::Release) && event.name.is_some() {
        return Err(Failure::invalid("as: expected only with the actions sync, preview and undo"));
    }
    if action != Action::Apply && (event.reviewed.is_some() || !event.except.is_empty()) {
        return Err(Failure::invalid("except and reviewed: expected only with the action apply"));
    }
    let by = event.by.unwrap_or_else(|| "operator".to_owned());
    if by.len() > 200 || by.chars().any(char::is_control) {
        return Err(Failure::invalid("by: expected at most 200 characters without control characters"));
    }
    let request = Request {
        tenant: event.tenant,
        action,
        run: event.run,
        name: event.name,
        except: event.except,
        reviewed: event.reviewed,
        full: event.full,
        settings: event.settings,
        by,
        queued: false,
    };
    Ok(Asked { what: What::Run(request), now: event.now })
}

fn explain(event: Event) -> Result<Asked, Failure> {
    let alone = event.run.is_none()
        && event.name.is_none()
        && event.except.is_empty()
        && event.reviewed.is_none()
        && !event.full
        && event.settings.is_none();
    match event.address.filter(|address| alone && !address.is_empty() && address.len() <= 320) {
        Some(address) => Ok(Asked { what: What::Explain { tenant: event.tenant, address }, now: event.now }),
        None => Err(Failure::invalid(
            "address: expected with the action explain, of at most 320 characters, and nothing beside it",
        )),
    }
}

/// What a message of the queue asks for.
pub(crate) fn message(body: &str) -> Result<Asked, Failure> {
    let job = serde_json::from_str(body).map_err(|_| Failure::invalid("not a job: the message is not JSON"))?;
    let job: Job = read(job).map_err(|failure| Failure::invalid(format!("not a job: {}", failure.message)))?;
    if job.action != "sync" {
        return Err(Failure::invalid("not a job: the queue carries the action sync only"));
    }
    let request = Request {
        tenant: job.tenant,
        action: Action::Sync,
        run: job.run,
        name: None,
        except: BTreeSet::new(),
        reviewed: None,
        full: false,
        settings: None,
        by: "schedule".to_owned(),
        queued: true,
    };
    Ok(Asked { what: What::Run(request), now: job.now.map(|now| now.to_string()) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    #[rustfmt::skip]
    fn s9_events_that_cannot_be_are_refused_by_name() {
        check("a string",          json!("sync"),                                                  "the event is not a JSON object");
        check("no tenant",         json!({"action": "sync"}),                                      "missing field `tenant`");
        check("bad tenant",        json!({"tenant": "A#b", "action": "sync"}),                     "tenant: expected a tenant id: 1 to 40 of");
        check("unknown action",    json!({"tenant": "a", "action": "destroy"}),                    "action: expected");
        check("unknown key",       json!({"tenant": "a", "action": "sync", "force": true}),        "unknown field `force`");
        check("wrong type",        json!({"tenant": "a", "action": "sync", "full": "yes"}),        "full: expected a boolean");
        check("apply without run", json!({"tenant": "a", "action": "apply"}),                      "run: expected");
        check("sync with run",     json!({"tenant": "a", "action": "sync", "run": "01JD0000000000000000000000"}), "run: expected");
        check("explain whom",      json!({"tenant": "a", "action": "explain"}),                    "address: expected");
        check("explain and run",   json!({"tenant": "a", "action": "explain", "address": "a@b.ch", "full": true}), "address: expected");
        check("a run that is not", json!({"tenant": "a", "action": "apply", "run": "latest"}),     "run: expected a run id: the 26");
        check("as, with apply",    json!({"tenant": "a", "action": "apply", "run": "01JD0000000000000000000000", "as": "01JD0000000000000000000000"}), "as: expected only with");
        check("as, with release",  json!({"tenant": "a", "action": "release", "run": "01JD0000000000000000000000", "as": "01JD0000000000000000000000"}), "as: expected only with");
        check("as, with explain",  json!({"tenant": "a", "action": "explain", "address": "a@b.ch", "as": "01JD0000000000000000000000"}), "address: expected");
        check("as what",           json!({"tenant": "a", "action": "sync", "as": "mine"}),         "as: expected a run id: the 26");
        check("reviewed, no plan", json!({"tenant": "a", "action": "sync", "reviewed": "1.0"}),     "except and reviewed: expected only with");
        check("records of none",   json!({"Records": "all"}),                                      "unknown field `Records`");
    }

    #[track_caller]
    fn check(name: &str, event: Value, expected: &str) {
        let failure = direct(event).unwrap_err();
        assert!(failure.message.contains(expected), "{name}: {failure}");
    }

    #[test]
    fn s9_a_run_is_asked_for_by_an_id_and_a_plan_is_applied_as_reviewed() {
        let id = "01JD0000000000000000000000";
        let read = |event: Value| match direct(event).unwrap().what {
            What::Run(Request { name, reviewed, .. }) => (name.map(|name| name.to_string()), reviewed),
            What::Explain { .. } => (None, None),
        };
        for action in ["sync", "preview"] {
            let event = json!({"tenant": "a", "action": action, "as": id});
            assert_eq!(read(event), (Some(id.to_owned()), None), "{action}");
        }
        let undo = json!({"tenant": "a", "action": "undo", "run": "01JC0000000000000000000000", "as": id});
        assert_eq!(read(undo), (Some(id.to_owned()), None));
        assert_eq!(
            read(json!({"tenant": "a", "action": "apply", "run": id, "reviewed": "1.0"})),
            (None, Some("1.0".to_owned()))
        );
    }

    #[test]
    fn s9_messages_that_are_no_jobs_are_refused() {
        for body in [
            "",
            "{",
            "[]",
            "{\"tenant\": \"a\"}",
            "{\"tenant\": \"a\", \"action\": \"apply\"}",
            r#"{"tenant": "a", "action": "sync", "as": "01JD0000000000000000000000"}"#,
        ] {
            assert!(message(body).is_err(), "{body}");
        }
        let asked = message(r#"{"tenant": "a", "action": "sync"}"#).unwrap();
        assert!(matches!(asked.what, What::Run(Request { queued: true, .. })));
    }
}
