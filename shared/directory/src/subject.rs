//! One object of a unit on its way from what is held to what is wanted: its change, its fields, its seat.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    Addresses, Category, Change, Field, Held, Kind, ManagedBy, NewUserRole, ObjectId, Planned, Rules, UserType,
    Verdict,
    owners::{Round, Share},
};

/// One object on its way from what is held to what is wanted.
pub(crate) struct Subject<'a> {
    pub(crate) rules: &'a Rules<'a>,
    pub(crate) round: &'a Round<'a>,
    /// Entra's object id.
    pub(crate) id: &'a ObjectId,
    pub(crate) kind: Kind,
    /// What it is here, or takes over.
    pub(crate) held: Option<&'a Held>,
    /// Whether it takes over.
    pub(crate) adopts: bool,
}

impl Subject<'_> {
    /// Entra has it no longer (rule 3.4).
    pub(crate) fn gone(&self, why: &str) -> Verdict {
        let Some(held) = self.held else { return Verdict::Settled };
        if !self.rules.deletions {
            return Verdict::Postponed;
        }
        let days = i64::from(self.rules.settings.recovery_days.0);
        let due = |since: Timestamp| since.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
        let (purge, why) = match held.deleted_at() {
            Some(since) if due(since) <= self.rules.now => {
                (true, format!("{why}, and its {days} days of recovery are over: it is removed for good"))
            }
            Some(since) => return Verdict::Dormant(due(since)),
            None if days == 0 => (true, format!("{why}, and there are no days of recovery: it is removed for good")),
            None => (false, format!("{why}: it is made inactive, and removed for good after {days} days")),
        };
        let mut fields = BTreeMap::new();
        if held.deleted_at().is_none() {
            fields.insert("deleted_at".to_owned(), Field { from: Value::Null, to: json!(self.rules.now) });
            if self.kind == Kind::User && held.is_active() {
                fields.insert("is_active".to_owned(), Field { from: json!(true), to: json!(false) });
            }
        } else {
            fields.insert("deleted_at".to_owned(), Field { from: json!(held.deleted_at()), to: Value::Null });
        }
        let planned = self.planned(Category::Deleting, why, fields, Vec::new(), purge);
        self.if_enabled(planned, self.rules.settings.removes(self.kind), "remove_deleted")
    }

    /// The rules want it like this, as far as the addresses are its own (rule 3.6).
    pub(crate) fn wanted(
        &self,
        share: &Share,
        addresses: &Addresses,
        others: &[(&'static str, Value)],
        active: bool,
        functional: bool,
        notes: &[String],
    ) -> Verdict {
        let mut notes = notes.to_vec();
        let kept = Addresses {
            primary: addresses.primary.clone(),
            aliases: addresses.aliases.iter().filter(|alias| !share.lost.contains_key(*alias)).cloned().collect(),
        };
        for (alias, holder) in share.lost.iter().filter(|(address, _)| addresses.primary.as_ref() != Some(*address)) {
            notes.push(format!("the alias {alias} is left out: {} has it too", self.round.name(*holder)));
        }
        for (address, holder) in &share.taken {
            notes.push(format!("takes {address} from {}", self.round.name(*holder)));
        }
        let mut target: Vec<(&str, Value)> = others.to_vec();
        target.push(("primary_email", json!(kept.primary)));
        target.push(("alias_emails", json!(kept.aliases)));
        target.push(("deleted_at", Value::Null));
        if self.kind == Kind::User {
            target.push(("is_active", json!(active)));
            let role = match self.rules.settings.default_user_role_name {
                NewUserRole::EndUser => UserType::EndUser,
                NewUserRole::SilentUser => UserType::SilentUser,
            };
            if functional {
                target.push(("type", json!(UserType::FunctionalAccount)));
            } else if self.held.is_none() {
                target.push(("type", json!(role)));
            }
            if self.held.is_none() {
                target.push(("digests", json!(!functional && role == UserType::EndUser)));
            }
        }
        if self.adopts {
            target.push(("entra_id", json!(self.id)));
            target.push(("managed_by", json!(ManagedBy::Sync)));
        }
        let before = self.held.map(Held::fields).unwrap_or_default();
        let fields: BTreeMap<String, Field> = target
            .into_iter()
            .map(|(name, to)| (name.to_owned(), Field { from: before.get(name).cloned().unwrap_or(Value::Null), to }))
            .filter(|(name, field)| {
                field.from != field.to && !(self.held.is_none() && name == "alias_emails" && field.to == json!([]))
            })
            .collect();
        if fields.is_empty() {
            return Verdict::Settled;
        }
        let (category, why) = self.name_it(&fields);
        let mut planned = self.planned(category, why, fields, notes, false);
        if let Some(holder) = addresses.primary.as_ref().and_then(|primary| share.lost.get(primary)) {
            let holder = self.round.name(*holder);
            let error = format!(
                "its primary address belongs to {holder}, and {} {} cannot have it too",
                self.kind.name(),
                self.id
            );
            planned.change.error = Some(error);
            return Verdict::Failed(Box::new(idle(planned)));
        }
        let (enabled, switch) = match category {
            Category::Adding => (self.rules.settings.adds(self.kind), "add"),
            _ => (self.rules.settings.updates(self.kind), "update"),
        };
        self.if_enabled(planned, enabled, switch)
    }

    fn name_it(&self, fields: &BTreeMap<String, Field>) -> (Category, String) {
        let goes = |name: &str, from: Value, to: Value| fields.get(name).is_some_and(|f| f.from == from && f.to == to);
        let restored = fields.get("deleted_at").is_some_and(|field| field.to.is_null());
        match self.held {
            None => (Category::Adding, "it is new in Entra".to_owned()),
            Some(_) if self.adopts => {
                (Category::Updating, "adopts the one that is here already with its address".to_owned())
            }
            Some(_) if restored => {
                (Category::Updating, "it is back in Entra: it is restored with everything it had".to_owned())
            }
            Some(_) if goes("is_active", json!(true), json!(false)) => {
                (Category::Disabling, "its sign-in is blocked in Entra".to_owned())
            }
            Some(_) if goes("is_active", json!(false), json!(true)) => {
                (Category::Updating, "it is active again in Entra".to_owned())
            }
            Some(_) => {
                let names: Vec<String> = fields.keys().map(|name| name.replace('_', " ")).collect();
                (Category::Updating, format!("Entra has another {}", names.join(", ")))
            }
        }
    }

    fn planned(
        &self,
        category: Category,
        why: String,
        fields: BTreeMap<String, Field>,
        notes: Vec<String>,
        purge: bool,
    ) -> Planned {
        let to = |name: &str| fields.get(name).map(|field| &field.to);
        let billed = self.held.is_some_and(Held::is_billable);
        let active = to("is_active").map_or(self.held.is_some_and(Held::is_active), |value| value == &json!(true));
        let functional = match to("type") {
            Some(value) => value == &json!(UserType::FunctionalAccount),
            None => matches!(self.held, Some(Held::User(user)) if user.kind == UserType::FunctionalAccount),
        };
        let after = self.kind == Kind::User && active && !functional && !purge;
        let address = to("primary_email").and_then(|value| serde_json::from_value(value.clone()).ok());
        let address = address.or_else(|| self.held.and_then(|held| held.addresses().primary.clone()));
        let mut change = Change {
            id: String::new(),
            category,
            object: self.kind,
            object_id: self.id.clone(),
            address,
            selected: true,
            why,
            fields,
            notes,
            outcome: None,
            error: None,
        };
        change.seal(if purge { "purge" } else { "" });
        let leaves = category == Category::Deleting || change.to("is_active") == Some(&json!(false));
        let brakes = leaves && self.held.is_some_and(Held::counts_for_brake);
        Planned {
            change,
            local: self.held.map_or(self.id, Held::id).clone(),
            rev: self.held.map(Held::rev),
            purge,
            seats: i32::from(after) - i32::from(billed),
            brakes,
            undone: false,
            said: None,
        }
    }

    fn if_enabled(&self, mut planned: Planned, enabled: bool, switch: &str) -> Verdict {
        if enabled {
            return Verdict::Change(Box::new(planned));
        }
        planned.change.category = Category::NotEnabled;
        planned.change.why += &format!("; {switch}_{}s is off", self.kind.name());
        planned.change.seal(if planned.purge { "purge" } else { "" });
        Verdict::NotEnabled(Box::new(idle(planned)))
    }
}

/// A change that is listed, and that nobody carries out.
fn idle(planned: Planned) -> Planned {
    let change = Change { selected: false, ..planned.change };
    Planned { change, seats: 0, brakes: false, ..planned }
}
