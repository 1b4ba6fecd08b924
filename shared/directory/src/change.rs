//! A change as a plan lists it: what, to whom, from what to what, and why (rule 4.5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Address, Domain, Kind, ObjectId};

/// What kind of change it is. Ordered as plans list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// A new object.
    Adding,
    /// Other addresses, names, members; adopting, re-enabling, restoring.
    Updating,
    /// Made inactive.
    Disabling,
    /// Marked as deleted, or removed for good.
    Deleting,
    /// Wanted, but its switch is off (rule 3.1).
    NotEnabled,
}

impl Category {
    /// Those that are carried out.
    pub const CARRIED_OUT: [Self; 4] = [Self::Adding, Self::Updating, Self::Disabling, Self::Deleting];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adding => "adding",
            Self::Updating => "updating",
            Self::Disabling => "disabling",
            Self::Deleting => "deleting",
            Self::NotEnabled => "not_enabled",
        }
    }
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Carried out.
    Applied,
    /// Could not be carried out; it is tried again (rule 3.7).
    Failed,
    /// The object has moved on since the plan was made (rule 4.6).
    Stale,
    /// Waits for a person (rule 4.8).
    Held,
    /// A person left it out (rule 4.4).
    Unchecked,
}

/// A field before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Before.
    pub from: Value,
    /// After.
    pub to: Value,
}

/// One change of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Stable while the content is.
    pub id: String,
    /// Adding, updating, disabling, deleting; or not enabled.
    pub category: Category,
    /// User or group.
    pub object: Kind,
    /// Entra's object id.
    pub object_id: ObjectId,
    /// The address by which people know the object.
    pub address: Option<Address>,
    /// Whether apply carries it out.
    pub selected: bool,
    /// A sentence.
    pub why: String,
    /// Every field that changes.
    pub fields: BTreeMap<String, Field>,
    /// What else to know: aliases left out, an address taken from another object.
    pub notes: Vec<String>,
    /// What became of it.
    pub outcome: Option<Outcome>,
    /// Why it failed or is stale.
    pub error: Option<String>,
}

impl Change {
    /// Name the change by its content: the same content has the same id in every plan, whatever the time at which it marks
    /// an object as deleted. `more` is what the fields do not show: a group's members, a removal for good.
    pub fn seal(&mut self, more: &str) {
        let mut fields = self.fields.clone();
        if let Some(Field { from: Value::Null, to }) = fields.get_mut("deleted_at") {
            *to = Value::Bool(true);
        }
        let content = serde_json::json!([self.category, self.object, self.object_id, fields, more]);
        self.id = blake3::hash(content.to_string().as_bytes()).to_hex()[..16].to_owned();
    }

    /// Whether it makes somebody come, go or come back, so that memberships follow from it.
    pub fn comes_or_goes(&self) -> bool {
        self.category == Category::Adding
            || ["deleted_at", "entra_id"].iter().any(|name| self.fields.contains_key(*name))
    }

    /// The value that a field gets, where the change sets it.
    pub fn to(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).map(|field| &field.to)
    }
}

/// Why an object is not imported, or not maintained any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Rule 2.3; for distribution groups 2.11.
    NoSmtpAddress,
    /// Rule 2.4.
    DomainNotRegistered,
    /// Rule 2.7.
    SignInBlocked,
    /// Rule 2.8.
    Guest,
    /// Rule 5.3.
    Exempt,
    /// Rule 2.1; listed for imported objects only.
    KindNotSelected,
    /// The primary address is not one that mail can carry.
    InvalidAddress,
    /// It failed, and is tried again later (rule 3.7).
    WaitingForRetry,
}

/// An object that is left alone, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// User or group.
    pub object: Kind,
    /// Entra's object id.
    pub object_id: ObjectId,
    /// The address by which people know the object; may be what Entra shows, valid or not.
    pub address: Option<String>,
    /// Which rule.
    pub reason: SkipReason,
    /// The sentence.
    pub why: String,
    /// The unregistered domain, where that alone keeps the object out: a manual run names it (rule 2.6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
}
