//! A sign-in under way: what the browser that began it keeps, sealed, until the person comes back.

use directory::{Address, TenantId};
use entra::openid::{Begun, Provider};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::destination::Destination;

/// How long a person may take at Microsoft, in seconds.
pub(crate) const PATIENCE: i64 = 900;

/// A sign-in under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Transaction {
    /// The tenant that the address named.
    pub(crate) tenant: TenantId,
    /// The tenant's connection at that time: another directory may take its place meanwhile.
    pub(crate) connection: u32,
    /// The address, to go on with on the service's own page where Microsoft fails. It decides nothing.
    pub(crate) address: Address,
    /// Where the directory signs people in.
    pub(crate) provider: Provider,
    /// What Microsoft's answer must fit.
    pub(crate) begun: Begun,
    /// Where the person wanted to go.
    pub(crate) to: Option<Destination>,
    /// When it began.
    pub(crate) since: Timestamp,
}

impl Transaction {
    /// Whether it took too long.
    pub(crate) fn has_run_out(&self, now: Timestamp) -> bool {
        now.as_second() - self.since.as_second() > PATIENCE
    }
}

/// Whether two secrets are the same, in a time that does not tell how far they are.
pub(crate) fn same(one: &str, other: &str) -> bool {
    blake3::hash(one.as_bytes()) == blake3::hash(other.as_bytes())
}
