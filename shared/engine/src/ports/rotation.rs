//! The versions of a tenant's secret while it is renewed (AWS Secrets Manager: "Rotation by Lambda function").

use directory::TenantId;
use jiff::Timestamp;
use secrecy::SecretString;

use super::Fault;

/// A secret that Secrets Manager rotates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Whose secret it is.
    pub tenant: TenantId,
    /// Its name, without the characters that an ARN adds.
    pub name: String,
    /// What the names of its secrets in Entra begin with: its name and the characters that its ARN adds, so that no other
    /// account, region or stage has the same.
    pub mark: String,
    /// Whether its rotation is switched on.
    pub enabled: bool,
    /// The version that is in use.
    pub current: Option<String>,
    /// The version that was in use before.
    pub previous: Option<String>,
    /// The version that is being made.
    pub pending: Option<String>,
}

/// What a version of a secret holds.
#[derive(Debug, Clone)]
pub struct Version {
    /// The credential.
    pub ad_key: SecretString,
    /// Its key id in Entra, where a rotation made it.
    pub key_id: Option<String>,
    /// Until when Entra accepts it, where a rotation made it.
    pub ends: Option<Timestamp>,
    /// The key ids of the secrets that are removed from Entra once this one is in use: the one before last, and those
    /// before it that could not be removed. Where the one before last was made by hand, and another tenant of the same
    /// application uses it as well, it is taken away from that tenant too: each needs a secret of its own.
    pub retires: Vec<String>,
}

/// Where versions of secrets are kept. Every call may be repeated.
pub trait Versions {
    /// The secret of this name or ARN; `None` where there is none, or it is not one of ours.
    async fn rotated(&self, secret_id: &str) -> Result<Option<Rotated>, Fault>;
    /// What a version holds; `None` where it holds nothing yet.
    async fn version(&self, of: &Rotated, version: &str) -> Result<Option<Version>, Fault>;
    /// Keep a version as the one that is being made.
    async fn put_pending(&self, of: &Rotated, version: &str, content: &Version) -> Result<(), Fault>;
    /// Give up the version that is being made, so that the next renewal begins anew.
    async fn drop_pending(&self, of: &Rotated, version: &str) -> Result<(), Fault>;
    /// Make the version the one that is in use; the one in use becomes the previous.
    async fn make_current(&self, of: &Rotated, version: &str) -> Result<(), Fault>;
}
