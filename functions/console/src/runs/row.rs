//! A change as a line of a page: who, why, and what of it changes.

use std::collections::BTreeSet;

use askama::Template;
use directory::{Category, Change, Field, Skipped};
use engine::browse;
use mail::words::{self, sentence};
use serde_json::Value;

use super::{
    members,
    names::{self, FIELDS},
    view::View,
};
use crate::{fit::cut, form::named, mark::Mark};

/// How much of a change is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Letters of a value.
    letters: usize,
    /// Values of a list.
    list: usize,
    /// Fields and notes.
    fields: usize,
}

/// In a list, so that a page stays small.
const LINE: Room = Room { letters: 100, list: 4, fields: 10 };
/// On a page of its own: as much as fits of what is tried in this order. What Entra holds fits in full, unless somebody
/// means ill.
pub(super) const PAGE: [Room; 4] = [
    Room { letters: 10_000, list: 1_000, fields: 50 },
    Room { letters: 300, list: 100, fields: 50 },
    Room { letters: 300, list: 10, fields: 30 },
    LINE,
];

/// A field of a change, in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) from: Option<String>,
    pub(super) to: String,
}

/// What a page says of a change.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) who: String,
    /// Its name, where `who` is an address and no field says it.
    pub(super) called: Option<String>,
    pub(super) what: String,
    pub(super) why: String,
    pub(super) notes: Vec<String>,
    pub(super) error: Option<String>,
    pub(super) fields: Vec<Shown>,
    /// Something of it is not shown.
    pub(super) is_cut: bool,
}

impl Told {
    pub(super) fn of(change: &Change, called: Option<&String>, room: Room) -> Self {
        let mut is_cut = false;
        let mut fit = |text: &str| {
            is_cut |= text.chars().nth(room.letters).is_some();
            cut(text, room.letters)
        };
        let who = fit(&name_of(change, called));
        let called = called.filter(|_| change.address.is_some()).map(|name| fit(name));
        let why = fit(&sentence(&change.why));
        let error = change.error.as_deref().map(|error| fit(&sentence(error)));
        let notes: Vec<String> = change.notes.iter().take(room.fields).map(|note| fit(&sentence(note))).collect();
        let all = fields(change);
        let mut shown = Vec::new();
        let mut lists_cut = false;
        for (name, field) in all.iter().take(room.fields) {
            if *name == "alias_emails" {
                let (text, cut) = aliases(field, room);
                lists_cut |= cut;
                shown.push(Shown { name: friendly(name), from: None, to: text });
                continue;
            }
            let from =
                (change.category != Category::Adding || !field.from.is_null()).then(|| fit(&value(name, &field.from)));
            shown.push(Shown { name: friendly(name), from, to: fit(&value(name, &field.to)) });
        }
        is_cut |= lists_cut || all.len() > room.fields || change.notes.len() > room.fields;
        let what = format!("{} {}", names::category(change.category), change.object.name());
        Self { who, called, what, why, notes, error, fields: shown, is_cut }
    }
}

/// By what people know an object: its address, else its name, else its id in Entra.
fn name_of(change: &Change, called: Option<&String>) -> String {
    let field = |name| change.fields.get(name).and_then(|field: &Field| field.to.as_str().or(field.from.as_str()));
    let address = change.address.as_ref().map(directory::Address::as_str);
    let name = address.or_else(|| field("display_name")).or_else(|| field("name")).or(called.map(String::as_str));
    name.unwrap_or(change.object_id.as_str()).to_owned()
}

/// The fields in the order in which people look for them, then those that have no name here.
fn fields(change: &Change) -> Vec<(&str, &Field)> {
    let known = FIELDS.iter().filter_map(|(name, _)| change.fields.get_key_value(*name));
    let others = change.fields.iter().filter(|(name, _)| FIELDS.iter().all(|(known, _)| known != name));
    known.chain(others).map(|(name, field)| (name.as_str(), field)).collect()
}

fn friendly(name: &str) -> String {
    FIELDS.iter().find(|(known, _)| *known == name).map_or(name, |(_, words)| words).to_owned()
}

fn value(name: &str, value: &Value) -> String {
    match value {
        Value::Null if name == "deleted_at" => "no".to_owned(),
        Value::String(_) if name == "deleted_at" => "yes".to_owned(),
        Value::Null => "(empty)".to_owned(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::String(text) if text.is_empty() => "(empty)".to_owned(),
        Value::String(text) => names::value(name, text).to_owned(),
        Value::Number(count) => count.as_u64().map_or_else(|| count.to_string(), words::figure),
        other => other.to_string(),
    }
}

/// Which aliases come, and which go.
fn aliases(field: &Field, room: Room) -> (String, bool) {
    let set = |value: &Value| -> BTreeSet<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (before, after) = (set(&field.from), set(&field.to));
    let mut is_cut = false;
    let mut part = |word: &str, those: Vec<&String>| {
        let more = those.len().saturating_sub(room.list);
        is_cut |= more > 0 || those.iter().any(|alias| alias.chars().nth(room.letters).is_some());
        let listed: Vec<String> = those.into_iter().take(room.list).map(|alias| cut(alias, room.letters)).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!listed.is_empty()).then(|| format!("{word} {}{more}", listed.join(", ")))
    };
    let parts =
        [part("added", after.difference(&before).collect()), part("removed", before.difference(&after).collect())];
    (parts.into_iter().flatten().collect::<Vec<_>>().join("; "), is_cut)
}

/// What else a line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    /// A box of a plan under review, checked or not.
    Box(bool),
    /// What became of it.
    Outcome,
    /// Nothing.
    Nothing,
}

/// A line of the list of changes.
#[derive(Template)]
#[template(path = "run_row.html")]
struct Line<'a> {
    at: usize,
    id: &'a str,
    /// What the form says of it: category, kind, id, and how it was shown.
    key: String,
    told: Told,
    beside: Beside,
    /// It is not left out by a person, but cannot be carried out.
    selected: bool,
    marks: Vec<Mark>,
    became: Option<Mark>,
    /// Where all of it is shown.
    more: String,
}

/// The markup of a line; a page holds as many as it has room for.
pub(super) fn line(
    at: usize,
    path: &str,
    view: &View,
    row: &browse::Row,
    called: Option<&String>,
    beside: Beside,
) -> String {
    let change = &row.change;
    let mut told = Told::of(change, called, LINE);
    // Who joins and who leaves has no room here.
    told.is_cut |= members::changes(row);
    let all = [(row.undone, "Undone before"), (row.empties, "Empties the group")];
    let marks = all.into_iter().filter(|(is, _)| *is).map(|(_, words)| Mark::held(words));
    let state = if beside == Beside::Box(true) { "on" } else { "off" };
    let query = view.query();
    let line = Line {
        at,
        id: &change.id,
        key: format!("{} {} {} {state}", named(change.category), change.object.name(), change.id),
        more: match beside {
            Beside::Box(_) => format!("?change={}{}", change.id, query.replacen('?', "&", 1)),
            Beside::Outcome | Beside::Nothing => format!("{path}/changes/{}{query}", change.id),
        },
        told,
        beside,
        selected: change.selected,
        marks: marks.collect(),
        became: change.outcome.map(names::outcome),
    };
    line.render().unwrap_or_default()
}

/// Somebody who is skipped.
#[derive(Template)]
#[template(path = "run_skipped_row.html")]
struct SkippedLine {
    who: String,
    kind: &'static str,
    reason: &'static str,
    why: String,
}

/// The markup of somebody who is skipped.
pub(super) fn skipped(skipped: &Skipped) -> String {
    let object_id = skipped.object_id.as_str();
    let line = SkippedLine {
        who: cut(skipped.address.as_deref().unwrap_or(object_id), LINE.letters),
        kind: skipped.object.name(),
        reason: names::reason(skipped.reason),
        why: cut(&sentence(&skipped.why), 2 * LINE.letters),
    };
    line.render().unwrap_or_default()
}

/// How many of a kind, in words: `12 users`.
pub(super) fn so_many(kind: directory::Kind, count: u64) -> String {
    words::many(count, kind.name())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(fields: Value, room: Room) -> Told {
        let change = json!({
            "id": "c", "category": "updating", "object": "user", "object_id": "o", "address": "ann@contoso.com",
            "selected": true, "why": "entra has another name", "fields": fields, "notes": [], "outcome": null, "error": null,
        });
        Told::of(&serde_json::from_value(change).unwrap(), None, room)
    }

    #[test]
    #[rustfmt::skip]
    fn fields_before_and_after() {
        check("a name",      json!({"surname": {"from": "Lee", "to": null}}),                    "Surname: Lee > (empty)");
        check("a state",     json!({"is_active": {"from": true, "to": false}}),                  "Active: yes > no");
        check("a deletion",  json!({"deleted_at": {"from": null, "to": "2027-03-01T00:00:00Z"}}), "Deleted: no > yes");
        check("a role",      json!({"type": {"from": "end_user", "to": "functional_account"}}),  "Type: end user > functional account");
        check("a name only", json!({"surname": {"from": "sync", "to": "hand"}}),                 "Surname: sync > hand");
        check("members",     json!({"members": {"from": 1200, "to": 3}}),                        "Members: 1,200 > 3");
        check("aliases",     json!({"alias_emails": {"from": ["a", "b"], "to": ["b", "c"]}}),    "Aliases: added c; removed a");
        check("many",        json!({"alias_emails": {"from": [], "to": ["1", "2", "3", "4", "5", "6"]}}), "Aliases: added 1, 2, 3, 4 and 2 more");
        check("in order",    json!({"upn": {"from": "a", "to": "b"}, "primary_email": {"from": "a", "to": "b"}}),
              "Primary address: a > b | Sign-in name (UPN): a > b");
    }

    #[track_caller]
    fn check(name: &str, fields: Value, expected: &str) {
        let shown = told(fields, LINE).fields.into_iter();
        let shown = shown.map(|Shown { name, from, to }| {
            format!("{name}: {}{to}", from.map_or_else(String::new, |from| format!("{from} > ")))
        });
        assert_eq!(shown.collect::<Vec<_>>().join(" | "), expected, "{name}");
    }

    #[test]
    fn what_is_cut_says_so() {
        let long = json!({"surname": {"from": "x".repeat(256), "to": "Lee"}});
        let line = told(long.clone(), LINE);
        assert!(line.is_cut && line.fields[0].from.as_ref().unwrap().ends_with("x…"));
        assert!(!told(long, PAGE[0]).is_cut);
    }
}
