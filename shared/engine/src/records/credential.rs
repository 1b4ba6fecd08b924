//! What is known of a tenant's credential without the credential itself.

use directory::{CredentialKind, Failure, facts::ExpirySource};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::ports::{Certificate, Registered};

/// What was known when it was saved, or made by a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialFacts {
    /// What it is: settings that name another kind do not mean this one.
    #[serde(default)]
    pub kind: CredentialKind,
    /// When it was saved.
    pub saved_at: Timestamp,
    /// The day on which it ends, as far as was known then.
    pub expires_on: Date,
    /// Where that day comes from.
    pub source: ExpirySource,
    /// Its first characters, as the portal shows them; a client secret's only.
    #[serde(default)]
    pub hint: Option<String>,
    /// Its key id, where a rotation made it.
    #[serde(default)]
    pub key_id: Option<String>,
    /// What a certificate says of itself.
    #[serde(default)]
    pub certificate: Option<Certificate>,
}

/// What the application's registration last said of a credential (rule 6.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// When it was last asked for, also where no answer came.
    pub at: Timestamp,
    /// Of which credential: when that was saved.
    pub of: Timestamp,
    /// What the registration says; nothing where it could not be read.
    #[serde(default)]
    pub told: Option<Told>,
}

/// A reading of the registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The application's name.
    pub application: String,
    /// The credential as Entra lists it; nothing where it lists none that could be it.
    #[serde(default)]
    pub ours: Option<Registered>,
    /// Another that is valid and ends later than ours: perhaps somebody made it and forgot to save it here.
    #[serde(default)]
    pub newer: Option<Registered>,
}

/// Why the secret was not renewed by itself when that was last tried (rule 7.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotRenewed {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub error: Failure,
}
