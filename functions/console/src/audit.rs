//! The audit: who changed what, when, from what to what.

use std::{collections::BTreeSet, sync::Arc};

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};
use directory::TimeZone;
use engine::{audit, ports::Fault, records::Audit};
use serde_json::{Map, Value};

use crate::{
    Console,
    arrival::Arrival,
    fit::{cut, fitting},
    form::Fields,
    manage::Manager,
    moment::Moment,
    page,
    runs::names::SWITCHES,
    settings::fields::find,
    shell::{Place, Shell},
};

/// So many entries make a page.
const ENTRIES: usize = 50;
/// No value is shown longer, in letters.
const LETTERS: usize = 200;

/// The page of the audit.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/audit", get(show))
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page<'a> {
    shell: Shell<'a>,
    lines: Vec<String>,
    first: bool,
    next: Option<String>,
}

/// An entry of the audit.
#[derive(Template)]
#[template(path = "audit_row.html")]
struct Line {
    at: Moment,
    by: String,
    action: String,
    what: String,
    /// Where its run is shown.
    run: Option<String>,
    changes: Vec<Changed>,
}

/// What something was and is.
#[derive(Debug, PartialEq, Eq)]
struct Changed {
    name: Option<String>,
    from: String,
    to: String,
}

/// `GET /audit[?from=…]`
async fn show(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Manager(person): Manager,
    query: Fields,
) -> Response {
    let shell = Shell::new(&arrival, &person, Place::Audit, &query);
    page::answer(&arrival, shown(&console, &arrival, shell, query.text("from")).await)
}

async fn shown(console: &Console, arrival: &Arrival, shell: Shell<'_>, from: Option<&str>) -> Result<Response, Fault> {
    let zone = &shell.person.zone;
    let mut most = ENTRIES;
    loop {
        let page = match audit::list(&console.store, &shell.person.tenant, from, most).await {
            Ok(page) => page,
            Err(refused) => return page::not_shown(arrival, shell, refused),
        };
        let lines: Vec<String> =
            page.rows.iter().map(|entry| line(entry, shell.base, zone).render().unwrap_or_default()).collect();
        let fit = fitting(&lines);
        if fit == lines.len() {
            let page = Page { shell, lines, first: from.is_some(), next: page.next };
            return Ok(page::render(arrival, StatusCode::OK, &page));
        }
        most = fit;
    }
}

fn line(entry: &Audit, base: &str, zone: &TimeZone) -> Line {
    let Audit { at, by, action, what, from, to, totals: _ } = entry;
    Line {
        at: Moment::in_table(*at, zone),
        by: cut(by, LETTERS),
        action: words(action),
        // What names the settings that changed is said with their values.
        what: if action == "put_tenant" { String::new() } else { cut(what, LETTERS) },
        run: entry.is_of_a_run().then(|| format!("{base}/runs/{what}")),
        changes: changes(from, to),
    }
}

/// An action as people call it.
fn words(action: &str) -> String {
    let known = [
        ("put_tenant", "Settings changed"),
        ("put_secret", "Credential saved"),
        ("rotate_secret", "Credential renewed by itself"),
        ("move_secret", "Credential moved"),
        ("exempt", "Address exempted"),
        ("unexempt", "Exemption ended"),
        ("convert", "User converted"),
        ("contact_bounced", "Mail to the tech contact came back"),
        ("sync", "Synchronised by hand"),
        ("apply", "Plan applied"),
        ("release", "Held changes released"),
        ("put_user", "User saved by hand"),
        ("delete_user", "User deleted by hand"),
        ("end_sessions", "Sessions ended"),
    ];
    let found = known.iter().find(|(name, _)| *name == action);
    found.map_or_else(|| cut(&action.replace('_', " "), LETTERS), |(_, words)| (*words).to_owned())
}

/// What differs, setting by setting.
fn changes(from: &Value, to: &Value) -> Vec<Changed> {
    let mut changed = Vec::new();
    compare("", from, to, &mut changed);
    changed
}

fn compare(path: &str, from: &Value, to: &Value, changed: &mut Vec<Changed>) {
    if from == to {
        return;
    }
    let has_parts = |value: &Value| value.is_object() || value.is_null();
    if !has_parts(from) || !has_parts(to) {
        changed.push(Changed { name: label(path), from: value(from), to: value(to) });
        return;
    }
    let names: BTreeSet<&String> = [from, to].into_iter().filter_map(Value::as_object).flat_map(Map::keys).collect();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let of = |whole: &Value| whole.get(name).cloned().unwrap_or_default();
        compare(&path, &of(from), &of(to), changed);
    }
}

/// What the page of settings calls a setting; nothing where it is no part of something larger.
fn label(path: &str) -> Option<String> {
    // A column of the page is no name by itself.
    let switch = SWITCHES.iter().find(|(name, _)| *name == path).map(|(_, words)| (*words).to_owned());
    let known = switch.or_else(|| find(path).map(|field| field.label.to_owned()));
    let told = || cut(&path.replace(['_', '.'], " "), LETTERS);
    (!path.is_empty()).then(|| known.unwrap_or_else(told))
}

fn value(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "nothing".to_owned(),
        Value::Array(values) => values.iter().map(self::value).collect::<Vec<_>>().join(", "),
        // A domain.
        Value::Object(fields) => fields.values().rev().map(self::value).collect::<Vec<_>>().join(" "),
        Value::Number(number) => number.to_string(),
    };
    cut(&text, LETTERS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    #[rustfmt::skip]
    fn what_differs_is_said_shortly() {
        check("a setting",  json!({"seats": 5, "name": "A"}), json!({"seats": 6, "name": "A"}), "Seats: 5 > 6");
        check("a switch",   json!({"add_users": true}), json!({"add_users": false}), "Add users: yes > no");
        check("one of many", json!({"report": {"hour": 7, "time_zone": "UTC"}}), json!({"report": {"hour": 8, "time_zone": "UTC"}}), "Hour of the report: 7 > 8");
        check("a new one",  json!({}), json!({"brake": {"enabled": false}}), "Deletion brake: nothing > no");
        check("domains",    json!({"domains": [{"name": "a.ch", "kind": "relay"}]}), json!({"domains": []}), "Your domains: a.ch relay > nothing");
        check("a flag",     json!(false), json!(true), "no > yes");
        check("nothing",    json!(null), json!(null), "");
        check("from none",  json!(null), json!({"place": "kms"}), "place: nothing > kms");
        check("long",       json!(null), json!("x".repeat(300)), &format!("nothing > {}…", "x".repeat(200)));
    }

    #[track_caller]
    fn check(name: &str, from: Value, to: Value, expected: &str) {
        let told = changes(&from, &to).into_iter();
        let told = told.map(|Changed { name, from, to }| {
            format!("{}{from} > {to}", name.map_or_else(String::new, |name| format!("{name}: ")))
        });
        assert_eq!(told.collect::<Vec<_>>().join(" | "), expected, "{name}");
    }
}
