//! The users and groups that the mail service relies on: our own record.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Address, ObjectId};

/// What a user is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserType {
    /// May sign in, gets digests.
    EndUser,
    /// Neither, but digests can be switched on.
    SilentUser,
    /// Mail flows; no sign-in, not billed (rule 5.1).
    FunctionalAccount,
    /// Manages the tenant.
    OrganizationAdmin,
}

/// Who keeps an object up to date (rule 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagedBy {
    /// Created or adopted by synchronisation.
    Sync,
    /// Made by hand.
    Hand,
}

/// What a group is in Entra (rule 2.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupKind {
    /// Mail-enabled, not security-enabled.
    Distribution,
    /// Security-enabled, with or without mail.
    Security,
    /// `Unified`.
    Microsoft365,
}

/// The addresses of an object. The primary is never among the aliases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The primary address.
    #[serde(rename = "primary_email")]
    pub primary: Option<Address>,
    /// The others.
    #[serde(rename = "alias_emails")]
    pub aliases: BTreeSet<Address>,
}

impl Addresses {
    /// All of them, the primary first.
    pub fn all(&self) -> impl Iterator<Item = &Address> {
        self.primary.iter().chain(&self.aliases)
    }

    /// Whether `address` is among them.
    pub fn contains(&self, address: &Address) -> bool {
        self.primary.as_ref() == Some(address) || self.aliases.contains(address)
    }

    /// Whether one of them is among `others`.
    pub fn any_in(&self, others: &BTreeSet<Address>) -> bool {
        self.all().any(|address| others.contains(address))
    }

    /// These without some; the next alias takes the place of a primary that is lost (rule 3.6).
    pub fn without(&self, lost: &BTreeSet<Address>) -> Self {
        let mut aliases: BTreeSet<Address> = self.aliases.difference(lost).cloned().collect();
        let primary = self.primary.clone().filter(|primary| !lost.contains(primary)).or_else(|| aliases.pop_first());
        Self { primary, aliases }
    }
}

/// What Entra says of a person besides addresses and state (rule 2.11).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are the interface")]
pub struct Profile {
    pub firstname: Option<String>,
    pub surname: Option<String>,
    pub display_name: Option<String>,
    pub job_title: Option<String>,
    pub department: Option<String>,
    pub mobile: Option<String>,
    pub phone: Option<String>,
    pub language: Option<String>,
    pub upn: Option<String>,
}

/// A user as we hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Our own id: Entra's object id where synchronisation created it.
    pub id: ObjectId,
    /// Entra's object id, once synchronised.
    pub entra_id: Option<ObjectId>,
    /// Primary address and aliases.
    #[serde(flatten)]
    pub addresses: Addresses,
    /// Names, numbers and the like.
    #[serde(flatten)]
    pub profile: Profile,
    /// End user, silent user, functional account or administrator.
    #[serde(rename = "type")]
    pub kind: UserType,
    /// Whether digests are sent.
    pub digests: bool,
    /// Whether the user is active.
    pub is_active: bool,
    /// Synchronised, or made by hand.
    pub managed_by: ManagedBy,
    /// Since when it is marked as deleted (rule 3.4).
    pub deleted_at: Option<Timestamp>,
    /// Goes up with each change; every write names the one it builds on.
    pub rev: u64,
    /// The number of the connection that manages it: adopted by address after the connection was replaced (rule 1.1).
    pub connection: u32,
    /// Of a user made by hand: the object of Entra as which it signs in until synchronisation knows better. No rule of
    /// synchronisation looks at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs_in_as: Option<ObjectId>,
}

impl User {
    /// The object of Entra that this user is: as synchronisation knows it, else as somebody has said.
    pub fn is_in_entra(&self) -> Option<&ObjectId> {
        self.entra_id.as_ref().or(self.signs_in_as.as_ref())
    }

    /// Counts for billing: active, not functional (rule 5.5).
    pub fn is_billable(&self) -> bool {
        self.is_active && self.kind != UserType::FunctionalAccount
    }

    /// May be a member of a group: present and not marked deleted (rule 2.10).
    pub fn is_member_material(&self) -> bool {
        self.deleted_at.is_none()
    }
}

/// A group as we hold it, without its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Our own id.
    pub id: ObjectId,
    /// Entra's object id.
    pub entra_id: Option<ObjectId>,
    /// Display name. Two groups may share one.
    pub name: String,
    /// Primary address and aliases; a security group may have none.
    #[serde(flatten)]
    pub addresses: Addresses,
    /// Distribution, security or Microsoft 365.
    pub kind: GroupKind,
    /// How many users it has.
    pub member_count: u64,
    /// Synchronised, or made by hand.
    pub managed_by: ManagedBy,
    /// Since when it is marked as deleted.
    pub deleted_at: Option<Timestamp>,
    /// Goes up with each change.
    pub rev: u64,
    /// The number of the connection that manages it.
    pub connection: u32,
}
