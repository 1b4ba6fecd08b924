//! The rulebook: what a directory should hold, worked out from what Entra says and what a tenant has set.
//!
//! Pure: no I/O, no clock, no log, no cloud. Time comes in as an argument.

mod address;
mod change;
mod entra;
pub mod expiry;
pub mod explain;
pub mod facts;
mod failure;
mod held;
mod id;
mod losers;
mod mailbox;
mod mailbox_kind;
mod objects;
mod owners;
pub mod scope;
mod settings;
pub mod settle;
mod subject;
pub mod undo;
pub mod unit;

pub use address::{Address, BadAddress, Domain};
pub use change::{Category, Change, Field, Outcome, SkipReason, Skipped};
pub use entra::{EntraGroup, EntraUser, GroupTold, MemberKind, Observed, Removal, Told, UserTold};
pub use failure::{Code, Failure, Microsoft};
pub use held::Held;
pub use id::{BadId, Kind, ObjectId, PerKind, RunId, TenantId};
pub use mailbox::Mailbox;
pub use mailbox_kind::MailboxKind;
pub use objects::{Addresses, Group, GroupKind, ManagedBy, Profile, User, UserType};
pub use settings::{
    BlockedSignIn, Brake, Cloud, Credential, CredentialKind, Days, DomainKind, Frequency, Guid, Hour, NewUserRole,
    Percent, RegisteredDomain, ReportTime, Settings, TimeZone,
};
pub use unit::{Candidate, Entra, Planned, Rules, Verdict};
