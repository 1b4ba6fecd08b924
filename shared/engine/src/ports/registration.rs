//! An application's own registration in Entra: which credentials it has, and how it changes them.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use directory::Failure;

/// What Entra lists of an application (Microsoft Graph: "Get application"). No credential is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registration {
    /// Its display name.
    pub name: String,
    /// Its client secrets (`passwordCredentials`).
    pub secrets: Vec<Registered>,
    /// Its certificates (`keyCredentials`).
    pub certificates: Vec<Registered>,
}

/// A credential as Entra lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// `keyId`, a GUID in lower case: the portal's *Secret ID*.
    pub key_id: String,
    /// What its maker called it.
    #[serde(default)]
    pub name: Option<String>,
    /// A secret's `hint`, which is how it begins; a certificate's thumbprint (SHA-256 or SHA-1, in capital hex digits).
    #[serde(default)]
    pub mark: Option<String>,
    /// From when it is accepted.
    pub starts: Timestamp,
    /// Until when it is accepted.
    pub ends: Timestamp,
}

/// A client secret that was just added: the only time that its value is told.
#[derive(Debug)]
pub struct NewSecret {
    /// Its key id.
    pub key_id: String,
    /// Its value.
    pub value: SecretString,
    /// Until when it is accepted.
    pub ends: Timestamp,
}

/// Why no secret was added.
#[derive(Debug, thiserror::Error)]
pub enum NotAdded {
    /// The directory's policy on application credentials allows only a shorter life.
    #[error("the directory's policy allows only a shorter life")]
    TooLong(Failure),
    /// Anything else.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its SHA-256 thumbprint, in capital hex digits.
    pub thumbprint: String,
    /// Until when it is valid.
    pub ends: Timestamp,
}
