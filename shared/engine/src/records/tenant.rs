//! A tenant, its schedule and lease, its exemptions, and the audit.

use directory::{Address, Failure, Kind, PerKind, RunId, Settings};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    credential::{CredentialFacts, NotRenewed, Seen},
    totals::Counts,
};

/// A tenant: what people set, and what its connection check said. Only `admin` writes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tenant {
    /// The settings.
    pub settings: Settings,
    /// Goes up with each change.
    pub rev: u64,
    /// Goes up when the connection is replaced (rule 1.1).
    pub connection: u32,
    /// Green or grey, since when and why (rule 1.6).
    pub status: Status,
    /// When the tenant was made.
    pub created_at: Timestamp,
    /// Of the credential that is in use.
    #[serde(default)]
    pub credential: Option<CredentialFacts>,
    /// Since when a federated credential has been in the place of another kind.
    #[serde(default)]
    pub federated_since: Option<Timestamp>,
    /// Since when there is no tech contact (rule 4.2).
    #[serde(default)]
    pub no_contact_since: Option<Timestamp>,
    /// When another tech contact was saved, or the same although mails to it came back: mails that were sent before say
    /// nothing of it.
    #[serde(default)]
    pub contact_saved_at: Option<Timestamp>,
    /// The tech contact that cannot be reached, which is as good as none (rule 4.2).
    #[serde(default)]
    pub contact_bounced: Option<Unreachable>,
}

impl Tenant {
    /// What came back from the present tech contact.
    pub fn unreachable(&self) -> Option<&Unreachable> {
        let contact = self.settings.tech_contact.as_ref()?;
        self.contact_bounced.as_ref().filter(|bounced| bounced.address == *contact)
    }
}

/// An address from which mails come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreachable {
    /// The address.
    pub address: Address,
    /// Since when that is known.
    pub at: Timestamp,
}

/// What the last manual check of a connection said (rule 1.6).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Whether it succeeded with the present credential.
    pub green: bool,
    /// When it last succeeded.
    pub verified_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Failure>,
}

/// The schedule and the lease of a tenant, and what outlives a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Schedule {
    /// `S#<h>`; absent for tenants that never run by themselves.
    pub due_shard: Option<String>,
    /// Epoch seconds.
    pub due_at: Option<i64>,
    /// Since when it has been due, in epoch seconds: kept while it is asked again and again, until a run ends.
    pub due_since: Option<i64>,
    /// Who holds the lease.
    pub owner: Option<String>,
    /// Until when, in epoch milliseconds.
    pub lease_until: Option<i64>,
    /// Goes up with each lease: every write of a run checks it.
    pub fence: u64,
    /// The run that holds the lease, or that goes on in the next slice.
    pub run: Option<RunId>,
    /// Since when that run goes on.
    pub since: Option<Timestamp>,
    /// How often all users were asked to be evaluated (rule 4.10).
    pub everybody_users: u64,
    /// How often all groups were.
    pub everybody_groups: u64,
    /// Up to which number that was done.
    pub done: PerKind<u64>,
    /// The newest preview, or the newest applied run: the only plan that may be applied.
    pub newest: Option<RunId>,
    /// The newest run that holds changes (rule 4.8).
    pub holding: Option<RunId>,
    /// Whether anything was ever undone, so that runs look for it.
    pub undone: bool,
    /// When a run last succeeded.
    pub last_success: Option<Timestamp>,
    /// Why the last run failed; none after a success.
    pub last_error: Option<Failure>,
    /// Since when Entra refuses the credential to runs; none once it works again.
    pub refused_since: Option<Timestamp>,
    /// How many runs failed since the last that did not.
    pub failures: u32,
    /// What the application's registration last said of the credential (rule 6.5).
    pub seen: Option<Seen>,
    /// Why the secret was not renewed by itself; none once it was (rule 7.3).
    pub rotation: Option<NotRenewed>,
}

impl Schedule {
    /// Up to which number everybody of a kind is to be evaluated, where that is still to be done.
    pub fn everybody(&self, kind: Kind) -> Option<u64> {
        let wanted = if kind == Kind::User { self.everybody_users } else { self.everybody_groups };
        (wanted > self.done[kind]).then_some(wanted)
    }
}

/// The attribute of [`Schedule`] that asks for everybody of a kind to be evaluated once more when it is raised.
pub fn everybody_attribute(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "everybody_users",
        Kind::Group => "everybody_groups",
    }
}

/// An exemption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exemption {
    /// The address.
    pub address: Address,
    /// Since when.
    pub at: Timestamp,
    /// Who asked.
    pub by: String,
}

/// An entry of the audit: who changed what, when, from what to what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// When.
    pub at: Timestamp,
    /// Who asked.
    pub by: String,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub what: String,
    /// Before.
    #[serde(default)]
    pub from: Value,
    /// After.
    #[serde(default)]
    pub to: Value,
    /// By how much it moved the totals, where it changed an object by hand: reports count it as they count runs.
    #[serde(default)]
    pub totals: Option<Counts>,
}

impl Audit {
    /// Whether a person has asked for a run that changes something; what it has changed stands with the run.
    pub fn is_of_a_run(&self) -> bool {
        matches!(self.action.as_str(), "sync" | "apply" | "release")
    }
}
