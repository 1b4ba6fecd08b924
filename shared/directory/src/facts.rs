//! What the mails say, as plain data: filled from the store by `engine`, put into words by `mail`.
//!
//! All days and times are civil ones in the tenant's own time zone (the roll-up's are UTC). Names and addresses stand
//! here as Entra wrote them: making them harmless is the business of `mail`.

use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};

use crate::{CredentialKind, Failure, Kind, RunId, SkipReason, TenantId};

/// The most changes that a report lists (rule 6.3). No other list of a mail is longer either, so more need not be read.
pub const MOST_CHANGES: usize = 50;

/// Everything that the Azure AD Summary report says, in its order (rule 6.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailyFacts {
    /// Whose day.
    pub tenant: Named,
    /// Which day.
    pub date: Date,
    /// The IANA name of the time zone that the day is counted in.
    pub time_zone: String,
    /// What ran.
    pub runs: Runs,
    /// What came of it, by kind of object.
    pub outcomes: Outcomes,
    /// What changed that day, removals first.
    pub changes: Listed<ChangeLine>,
    /// Who was not imported, ordered by reason.
    pub not_imported: Vec<NotImported>,
    /// Objects that failed and have not succeeded since, the oldest first.
    pub errors: Listed<OpenError>,
    /// Changes that wait for a person's word at the end of the day.
    pub held: Option<HeldChanges>,
    /// The connection.
    pub connection: ConnectionFacts,
    /// The credential.
    pub credential: CredentialFacts,
    /// Who lacks the mobile number that two-factor sign-in needs.
    pub without_mobile: WithoutMobile,
    /// Settings changed that day, the earliest first.
    pub settings_changed: Listed<SettingChanged>,
    /// What the newest run warns of, ordered by code.
    pub warnings: Vec<Warning>,
    /// Billable users.
    pub seats: Seats,
    /// The console's address, without a slash at its end, where people can sign in to it.
    pub console: Option<String>,
}

/// A tenant and what people call it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Named {
    /// Our id of the tenant.
    pub id: TenantId,
    /// What people call it; may be empty.
    pub name: String,
    /// Its primary domain, once configured.
    pub domain: Option<String>,
}

/// The head of a list and the length of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed<T> {
    /// The first of them, in order.
    pub shown: Vec<T>,
    /// How many there are, those that are not shown included.
    pub total: u64,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { shown: Vec::new(), total: 0 }
    }
}

impl<T> From<Vec<T>> for Listed<T> {
    fn from(shown: Vec<T>) -> Self {
        Self { total: shown.len() as u64, shown }
    }
}

/// The runs of a day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// How many the frequency asks for.
    pub expected: u64,
    /// How many started, whoever started them.
    pub started: u64,
    /// How many of them succeeded.
    pub succeeded: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The failed ones, the newest first; a few are enough.
    pub failures: Vec<FailedRun>,
}

/// A run that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRun {
    /// Which run.
    pub run: RunId,
    /// When it started.
    pub at: DateTime,
    /// Why it failed.
    pub failure: Failure,
}

/// What the day's runs did to each kind of object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Users who are not functional accounts.
    pub users: Tally,
    /// Groups.
    pub groups: Tally,
    /// Functional accounts.
    pub functional: Tally,
}

/// What became of the objects of one kind that day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many there were at the start of the day.
    pub before: u64,
    /// Added.
    pub added: u64,
    /// Updated.
    pub updated: u64,
    /// Disabled.
    pub disabled: u64,
    /// Marked as deleted.
    pub deleted: u64,
    /// In the newest plan, but their switch is off (rule 3.1).
    pub not_enabled: u64,
    /// Skipped by the newest plan.
    pub skipped: u64,
    /// Failed, and not succeeded since.
    pub failed: u64,
    /// How many there were at the end of the day.
    pub after: u64,
}

/// What happened to an object, in the order in which a report lists it: removals first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Did {
    Deleted,
    Disabled,
    Added,
    Updated,
}

/// One change that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChangeLine {
    /// What happened.
    pub did: Did,
    /// To a user or a group.
    pub kind: Kind,
    /// Its display name; may be empty.
    pub name: String,
    /// Its address, where it has one.
    pub address: Option<String>,
    /// The sentence that says why.
    pub why: String,
}

/// The objects that one reason kept away.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotImported {
    /// Which rule kept them away.
    pub reason: SkipReason,
    /// How many.
    pub count: u64,
    /// The names or addresses of some.
    pub examples: Vec<String>,
}

/// An object that failed and has not succeeded since (rule 3.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenError {
    /// A user or a group.
    pub kind: Kind,
    /// Its address, its name or its id.
    pub object: String,
    /// What goes wrong.
    pub message: String,
    /// Since which day.
    pub since: Date,
    /// When it is tried again.
    pub retry_at: Option<DateTime>,
}

/// Changes that were held back until a person releases them (rules 4.8 and 4.14). Each object counts once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldChanges {
    /// Users to disable or delete.
    pub users: u64,
    /// Groups to delete.
    pub groups: u64,
    /// Groups that would lose all their members.
    pub emptied: u64,
    /// Changes that a person has undone and Entra still asks for.
    pub undone: u64,
    /// The newest run that holds them: the one to release.
    pub run: RunId,
    /// Since which day something waits.
    pub since: Date,
}

/// What the last manual check said (rule 1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Light {
    /// It succeeded with the present credential.
    Green,
    /// Not checked, or it failed.
    Grey,
}

/// The connection to Entra.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionFacts {
    /// What the last manual check said.
    pub status: Light,
    /// When it last succeeded.
    pub verified_at: Option<DateTime>,
    /// Why it did not, if it did not.
    pub error: Option<Failure>,
    /// When a run last succeeded.
    pub last_successful_sync: Option<DateTime>,
}

/// How the credential does (rule 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialState {
    /// Never configured.
    Configure,
    /// Works.
    Working,
    /// Works, and not for long.
    Expiring,
    /// Its day has passed.
    Expired,
    /// Entra refuses it.
    Refused,
}

/// From where a day of expiry is known (rule 6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpirySource {
    /// Read from the application in Entra.
    Entra,
    /// The certificate itself says it.
    Certificate,
    /// Given by the person who saved it.
    Stated,
    /// Nobody said: 24 months after it was saved.
    Assumed,
}

/// The day on which a credential ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExpiryDay {
    /// The day.
    pub on: Date,
    /// Calendar days until then; negative once it has passed.
    pub days_left: i32,
    /// From where this is known.
    pub source: ExpirySource,
}

/// The credential of the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialFacts {
    /// Secret, certificate or federated.
    pub kind: CredentialKind,
    /// How it does.
    pub state: CredentialState,
    /// When it ends; a federated one does not.
    pub expiry: Option<ExpiryDay>,
    /// It is to be renewed by itself, and was not when that was last tried (rule 7.3).
    pub not_renewed: Option<NotRenewed>,
}

/// Why a secret was not renewed by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotRenewed {
    /// When it was last tried.
    pub at: DateTime,
    /// Why.
    pub failure: Failure,
}

/// People without a mobile number (rule 2.12).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithoutMobile {
    /// Administrators, ordered by address.
    pub administrators: Listed<Person>,
    /// How many other users who may sign in.
    pub others: u64,
}

/// A person to name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Person {
    /// The primary address.
    pub address: String,
    /// The display name; may be empty.
    pub name: String,
}

/// One setting that somebody changed. A secret's value is never here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SettingChanged {
    /// When.
    pub at: DateTime,
    /// By whom.
    pub by: String,
    /// Which.
    pub setting: String,
    /// What it was, where that can be shown.
    pub from: Option<String>,
    /// What it is, where that can be shown.
    pub to: Option<String>,
}

/// Something that a run wants people to know, beside what it did.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Warning {
    /// Stable, for programs.
    pub code: String,
    /// The sentence to show.
    pub message: String,
}

/// Billable users, and how many were paid for (rule 5.5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seats {
    /// At the start of the day.
    pub before: u64,
    /// At the end of the day.
    pub after: u64,
    /// The limit, where one is set.
    pub seats: Option<u64>,
}

/// Everything that an expiry warning says (rule 6.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryFacts {
    /// Whose credential.
    pub tenant: Named,
    /// The day of the warning.
    pub date: Date,
    /// What there is to say.
    pub event: ExpiryEvent,
    /// The application's (client) id.
    pub application_id: String,
    /// The application's name, where Entra told.
    pub application_name: Option<String>,
    /// Secret or certificate.
    pub kind: CredentialKind,
    /// The credential's name in Entra.
    pub name: Option<String>,
    /// Its key id: the portal's *Secret ID*.
    pub key_id: Option<String>,
    /// The first characters of the secret, as the portal shows them; never more.
    pub hint: Option<String>,
    /// When it ends; after a renewal, when the new one ends.
    pub expiry: Option<ExpiryDay>,
    /// Another credential of the application that is valid and ends later: perhaps it was made to replace this one, and
    /// never saved here.
    pub newer: Option<Newer>,
    /// The application's registration was read, and lists no credential that could be this one.
    pub unlisted: bool,
    /// Whether the secret is renewed by itself (rule 7.3).
    pub renews_itself: bool,
    /// Runs that failed since it expired or was first refused.
    pub failed_runs: u64,
    /// The console's address, without a slash at its end, where people can sign in to it.
    pub console: Option<String>,
    /// The application's page in Microsoft's portal.
    pub portal: Option<String>,
}

/// A credential of the application that is not the one in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newer {
    /// Its name in Entra.
    pub name: Option<String>,
    /// Its key id.
    pub key_id: String,
    /// How it begins; a secret's only.
    pub hint: Option<String>,
    /// The day on which it ends.
    pub on: Date,
}

/// What an expiry warning has to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiryEvent {
    /// Its day is near, or today.
    Expiring,
    /// Its day has passed.
    Expired,
    /// Entra refuses it, whatever its day.
    Refused(Box<Failure>),
    /// It was replaced by one that works.
    Resolved,
}

/// The operator's day over all tenants (rule 6.8).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollUpFacts {
    /// Which day.
    pub date: Date,
    /// How many tenants there are.
    pub tenants: u64,
    /// How many of them synchronise by themselves: their frequency is not 0.
    pub scheduled: u64,
    /// Runs over all tenants; `failures` stays empty.
    pub runs: Runs,
    /// Tenants with failed runs or unresolved errors, ordered by tenant.
    pub failed: Listed<Trouble>,
    /// Tenants with held changes, ordered by tenant.
    pub held: Listed<Waiting>,
    /// Scheduled tenants of which no run started, ordered by tenant.
    pub never_ran: Listed<NeverRan>,
    /// Credentials that expire or have expired, by date.
    pub expiring: Listed<Expiring>,
    /// Tenants from whose tech contact mails come back (rule 4.2), ordered by tenant.
    pub unreached: Listed<Unreached>,
    /// Tenants whose frequency became 0 for want of a tech contact (rule 4.2), ordered by tenant.
    pub switched_off: Listed<Named>,
}

/// A tenant with failures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Which.
    pub tenant: Named,
    /// Runs that failed that day.
    pub failed_runs: u64,
    /// Objects whose errors are unresolved.
    pub errors: u64,
    /// Why the newest failed run failed.
    pub failure: Option<Failure>,
}

/// A tenant with held changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Which.
    pub tenant: Named,
    /// What is held.
    pub held: HeldChanges,
}

/// A tenant that should have run and did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeverRan {
    /// Which.
    pub tenant: Named,
    /// How many runs were expected that day.
    pub expected: u64,
    /// When a run last succeeded, if ever.
    pub last_successful_sync: Option<DateTime>,
}

/// A tenant whose reports reach nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreached {
    /// Which.
    pub tenant: Named,
    /// Since when.
    pub since: DateTime,
}

/// A tenant whose credential ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiring {
    /// Which.
    pub tenant: Named,
    /// Secret or certificate.
    pub kind: CredentialKind,
    /// When.
    pub expiry: ExpiryDay,
}
