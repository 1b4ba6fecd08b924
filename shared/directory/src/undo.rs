//! Undo: the inverse of a change that was carried out (rule 4.14).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{Address, Category, Change, Field, Held, Kind, ObjectId, Outcome, Planned, RunId};

/// What undoing is asked for.
#[derive(Debug, Clone)]
pub struct Undo<'a> {
    /// The run that is undone.
    pub run: &'a RunId,
    /// The time at which it is.
    pub now: Timestamp,
}

/// Whose inverse it is, and of which change.
struct Of<'a> {
    id: &'a str,
    object: Kind,
    object_id: &'a ObjectId,
    address: Option<&'a Address>,
    local: &'a ObjectId,
}

impl Undo<'_> {
    /// The change that takes `done` back from its object as it is `now`. One whose object has changed since is stale from
    /// the start; one that removed its object for good has no inverse.
    pub fn inverse(&self, done: &Planned, now: Option<&Held>) -> Option<Planned> {
        if done.purge {
            return None;
        }
        let is_as_left = |held: &&Held| {
            let fields = held.fields();
            let same = |name: &String, field: &Field| *fields.get(name).unwrap_or(&Value::Null) == field.to;
            done.change.fields.iter().filter(|(name, _)| *name != "members").all(|(name, field)| same(name, field))
        };
        let mut fields: BTreeMap<String, Field> = BTreeMap::new();
        if done.change.category == Category::Adding {
            fields.insert("deleted_at".to_owned(), Field { from: Value::Null, to: json!(self.now) });
            if done.change.to("is_active") == Some(&json!(true)) {
                fields.insert("is_active".to_owned(), Field { from: json!(true), to: json!(false) });
            }
        } else {
            for (name, Field { from, to }) in &done.change.fields {
                fields.insert(name.clone(), Field { from: to.clone(), to: from.clone() });
            }
        }
        let held = now
            .filter(is_as_left)
            .filter(|held| done.change.category != Category::Adding || held.deleted_at().is_none());
        let Planned { change: Change { id, object, object_id, address, .. }, local, .. } = done;
        let of = Of { id, object: *object, object_id, address: address.as_ref(), local };
        Some(self.planned(&of, fields, held))
    }

    /// The change that gives back to an object what it lost to others, as it was `before`; at revision `rev` it had lost it.
    pub fn give_back(&self, before: &Held, rev: u64, now: Option<&Held>) -> Planned {
        let unchanged = now.filter(|now| now.rev() == rev);
        let (old, new) = (before.fields(), unchanged.map(Held::fields).unwrap_or_default());
        let fields: BTreeMap<String, Field> = ["primary_email", "alias_emails", "is_active"]
            .into_iter()
            .map(|name| {
                let value = |of: &BTreeMap<String, Value>| of.get(name).cloned().unwrap_or(Value::Null);
                (name.to_owned(), Field { from: value(&new), to: value(&old) })
            })
            .filter(|(_, field)| field.from != field.to)
            .collect();
        let of = Of {
            id: before.id().as_str(),
            object: before.kind(),
            object_id: before.entra_id().unwrap_or(before.id()),
            address: before.addresses().primary.as_ref(),
            local: before.id(),
        };
        self.planned(&of, fields, unchanged)
    }

    /// Join what an object gets back to what is taken back from it.
    pub fn join(&self, own: &mut Planned, back: Planned) {
        if back.change.selected {
            for (name, field) in back.change.fields {
                own.change.fields.entry(name).or_insert(field);
            }
        }
    }

    /// The id of the inverse of a change: known from the change alone, since parts of a group's members name it too.
    pub fn name(&self, of: &str) -> String {
        blake3::hash(format!("undo {} {of}", self.run).as_bytes()).to_hex()[..16].to_owned()
    }

    fn planned(&self, of: &Of<'_>, fields: BTreeMap<String, Field>, held: Option<&Held>) -> Planned {
        let to = |name: &str| fields.get(name).map(|field| &field.to);
        let category = match (to("deleted_at"), to("is_active")) {
            (Some(Value::String(_)), _) => Category::Deleting,
            (_, Some(Value::Bool(false))) => Category::Disabling,
            _ => Category::Updating,
        };
        let after = held.and_then(|held| held.with(sets(&fields)).ok());
        let billed = |held: Option<&Held>| i32::from(held.is_some_and(Held::is_billable));
        let change = Change {
            id: self.name(of.id),
            category,
            object: of.object,
            object_id: of.object_id.clone(),
            address: of.address.cloned(),
            selected: held.is_some(),
            why: format!("undoes what run {} did", self.run),
            fields,
            notes: Vec::new(),
            outcome: held.is_none().then_some(Outcome::Stale),
            error: held.is_none().then(|| "it has changed since, and is left alone".to_owned()),
        };
        let leaves = change.category == Category::Deleting || change.category == Category::Disabling;
        Planned {
            change,
            local: of.local.clone(),
            rev: held.map(Held::rev),
            purge: false,
            seats: if held.is_some() { billed(after.as_ref()) - billed(held) } else { 0 },
            brakes: leaves && held.is_some_and(Held::counts_for_brake),
            undone: false,
            said: None,
        }
    }
}

fn sets(fields: &BTreeMap<String, Field>) -> impl Iterator<Item = (&str, Value)> {
    fields.iter().filter(|(name, _)| *name != "members").map(|(name, field)| (name.as_str(), field.to.clone()))
}
