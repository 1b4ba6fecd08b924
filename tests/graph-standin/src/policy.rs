//! What a directory's policy on application credentials allows ("app management policy").

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::errors::GraphError;

/// The policy of a directory. It stops new credentials, never the ones that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// The longest life of a new client secret.
    pub password_lifetime_days: Option<i64>,
    /// No new client secrets at all.
    pub passwords_forbidden: bool,
}

/// How the policy is named in refusals.
const ID: &str = "538f1913-366a-440a-95a0-e195cb55b282";

impl Policy {
    /// May a client secret be added that lives from `starts` to `ends`?
    pub(crate) fn allows(&self, starts: Timestamp, ends: Timestamp) -> Result<(), GraphError> {
        if self.passwords_forbidden {
            let message = format!("Credential type not allowed as per assigned policy '{ID}'.");
            return Err(GraphError::new(400, "CredentialTypeNotAllowedAsPerAppPolicy", message));
        }
        let most = self.password_lifetime_days.map(|days| SignedDuration::from_hours(days * 24));
        if most.is_some_and(|most| ends.duration_since(starts) > most) {
            let message = format!("Credential lifetime exceeds the max value allowed as per assigned policy '{ID}'.");
            let details = json!([{ "code": "InvalidKeyEndDate", "message": message, "target": "EndDate" }]);
            return Err(GraphError::new(400, "CredentialInvalidLifetimeAsPerAppPolicy", message).details(details));
        }
        Ok(())
    }
}
