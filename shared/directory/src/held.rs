//! An object of the directory, user or group, where the difference does not matter.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Addresses, Group, Kind, ManagedBy, ObjectId, User};

/// A user or a group as we hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Held {
    /// A user.
    User(User),
    /// A group.
    Group(Group),
}

/// The fields that a change may set, in no object more than these.
const FIELDS: [&str; 19] = [
    "primary_email",
    "alias_emails",
    "name",
    "kind",
    "firstname",
    "surname",
    "display_name",
    "job_title",
    "department",
    "mobile",
    "phone",
    "language",
    "upn",
    "type",
    "digests",
    "is_active",
    "deleted_at",
    "entra_id",
    "managed_by",
];

macro_rules! either {
    ($self:ident, $object:ident => $value:expr) => {
        match $self {
            Held::User($object) => $value,
            Held::Group($object) => $value,
        }
    };
}

impl Held {
    /// User or group.
    pub fn kind(&self) -> Kind {
        match self {
            Self::User(_) => Kind::User,
            Self::Group(_) => Kind::Group,
        }
    }

    /// Our own id.
    pub fn id(&self) -> &ObjectId {
        either!(self, object => &object.id)
    }

    /// Entra's object id, where it has one.
    pub fn entra_id(&self) -> Option<&ObjectId> {
        either!(self, object => object.entra_id.as_ref())
    }

    /// What people call it.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::User(user) => user.profile.display_name.as_deref(),
            Self::Group(group) => Some(&group.name),
        }
    }

    /// Its addresses.
    pub fn addresses(&self) -> &Addresses {
        either!(self, object => &object.addresses)
    }

    /// Who keeps it up to date.
    pub fn managed_by(&self) -> ManagedBy {
        either!(self, object => object.managed_by)
    }

    /// Since when it is marked as deleted.
    pub fn deleted_at(&self) -> Option<Timestamp> {
        either!(self, object => object.deleted_at)
    }

    /// Its revision.
    pub fn rev(&self) -> u64 {
        either!(self, object => object.rev)
    }

    /// The connection that manages it.
    pub fn connection(&self) -> u32 {
        either!(self, object => object.connection)
    }

    /// Whether it is active: a group is, unless it is marked as deleted.
    pub fn is_active(&self) -> bool {
        match self {
            Self::User(user) => user.is_active,
            Self::Group(group) => group.deleted_at.is_none(),
        }
    }

    /// Whether it is billed (rule 5.5).
    pub fn is_billable(&self) -> bool {
        matches!(self, Self::User(user) if user.is_billable())
    }

    /// Whether the brake counts it: active and managed by synchronisation (rule 4.8).
    pub fn counts_for_brake(&self) -> bool {
        self.is_active() && self.managed_by() == ManagedBy::Sync
    }

    /// The fields that a change may set, by name.
    pub fn fields(&self) -> BTreeMap<String, Value> {
        let Ok(Value::Object(all)) = serde_json::to_value(self) else { return BTreeMap::new() };
        all.into_iter().filter(|(name, _)| FIELDS.contains(&name.as_str())).collect()
    }

    /// The object with some fields set and its revision raised.
    ///
    /// # Errors
    /// Where a value does not fit its field.
    pub fn with<'a>(&self, fields: impl Iterator<Item = (&'a str, Value)>) -> Result<Self, serde_json::Error> {
        let kind = self.kind();
        let mut all: Map<String, Value> = match serde_json::to_value(self)? {
            Value::Object(all) => all,
            _ => Map::new(),
        };
        all.extend(fields.map(|(name, value)| (name.to_owned(), value)));
        all.insert("rev".to_owned(), Value::from(self.rev() + 1));
        Self::read(kind, Value::Object(all))
    }

    /// Read an object of a kind.
    ///
    /// # Errors
    /// Where the value is not such an object.
    pub fn read(kind: Kind, value: Value) -> Result<Self, serde_json::Error> {
        match kind {
            Kind::User => serde_json::from_value(value).map(Self::User),
            Kind::Group => serde_json::from_value(value).map(Self::Group),
        }
    }

    /// The object with other addresses and its revision raised; without any address a user is made inactive (rule 3.6).
    #[must_use]
    pub fn readdressed(&self, addresses: Addresses) -> Self {
        let mut object = self.clone();
        match &mut object {
            Self::User(user) => {
                user.is_active = user.is_active && addresses.primary.is_some();
                user.addresses = addresses;
                user.rev += 1;
            }
            Self::Group(group) => {
                group.addresses = addresses;
                group.rev += 1;
            }
        }
        object
    }

    /// The same under a connection.
    #[must_use]
    pub fn connected(mut self, connection: u32) -> Self {
        match &mut self {
            Self::User(User { connection: own, .. }) | Self::Group(Group { connection: own, .. }) => *own = connection,
        }
        self
    }

    /// The same with other addresses.
    #[must_use]
    pub fn with_addresses(mut self, addresses: Addresses) -> Self {
        match &mut self {
            Self::User(User { addresses: own, .. }) | Self::Group(Group { addresses: own, .. }) => *own = addresses,
        }
        self
    }
}
