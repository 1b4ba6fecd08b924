//! The credentials of tenants, and where they are kept.

use directory::TenantId;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::Fault;

/// A secret that is renewed by itself is renewed every so many days, for the first time after as many.
pub const RENEWAL_DAYS: i64 = 14;

/// The credentials of tenants.
pub trait Secrets {
    /// The credential, where one was saved; may come from a short cache.
    async fn secret(&self, tenant: &TenantId) -> Result<Option<SecretString>, Fault>;
    /// The credential past any cache.
    async fn secret_afresh(&self, tenant: &TenantId) -> Result<Option<SecretString>, Fault>;
    /// Save it in the place of the one before.
    async fn put_secret(&self, tenant: &TenantId, secret: &SecretString) -> Result<(), Fault>;
    /// Remove it for good; removing nothing is fine.
    async fn delete_secret(&self, tenant: &TenantId) -> Result<(), Fault>;
    /// Keep it in `place` from now on, as it is; at no moment is it in neither.
    async fn move_secret(&self, tenant: &TenantId, place: Place) -> Result<Moved, Fault>;
    /// Have it renewed every [`RENEWAL_DAYS`] days from now on (rule 7.3), without renewing it now; where it was kept elsewhere it moves to
    /// Secrets Manager. Whether there is one.
    async fn start_rotation(&self, tenant: &TenantId) -> Result<bool, Fault>;
    /// Have one that is renewed by itself renewed now, in the background.
    async fn renew_now(&self, tenant: &TenantId) -> Result<(), Fault>;
    /// Renew it no longer by itself; stopping what was not started is fine.
    async fn stop_rotation(&self, tenant: &TenantId) -> Result<(), Fault>;
}

/// Where a tenant's secret is kept (rule 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A secret of its own in Secrets Manager.
    SecretsManager,
    /// In the control table, sealed with a KMS key and the tenant as its context.
    Kms,
}

/// What became of a secret that was to be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It is in the other place now.
    Moved,
    /// It was there already.
    AlreadyThere,
    /// There is none.
    NoSecret,
}
