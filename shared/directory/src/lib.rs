//! The rulebook: what a directory should hold, worked out from what Entra says and what a tenant has set.
//!
//! Pure: no I/O, no clock, no log, no cloud. Time comes in as an argument.

mod address;
mod entra;
mod failure;
mod id;
mod objects;
mod settings;

pub use address::{Address, BadAddress, Domain};
pub use entra::{EntraGroup, EntraUser, GroupTold, MemberKind, Observed, Removal, Told, UserTold};
pub use failure::{Code, Failure, Microsoft};
pub use id::{BadId, Kind, ObjectId, PerKind, RunId, TenantId};
pub use objects::{Addresses, Group, GroupKind, ManagedBy, Profile, User, UserType};
pub use settings::{
    BlockedSignIn, Brake, Cloud, Credential, CredentialKind, Days, DomainKind, Frequency, Guid, Hour, NewUserRole, Percent,
    RegisteredDomain, ReportTime, Settings, TimeZone,
};
