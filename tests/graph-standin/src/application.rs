//! An application registration and its secrets.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::property_date;

/// An application as one directory knows it, with the roles that its administrator consented to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Application {
    /// `appId`, the client id.
    pub client_id: Uuid,
    /// `id`, the object id of the registration.
    pub object_id: Uuid,
    /// Its display name.
    pub name: String,
    /// Consented application permissions, such as `Directory.Read.All`.
    pub roles: BTreeSet<String>,
    /// The enterprise application is switched off.
    #[serde(default)]
    pub disabled: bool,
    /// Its client secrets.
    pub secrets: Vec<ClientSecret>,
}

/// A client secret. Its value is a demo value, so that it may be shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientSecret {
    /// The portal's *Secret ID*.
    #[serde(default = "Uuid::new_v4")]
    pub key_id: Uuid,
    /// The portal's description.
    #[serde(default)]
    pub name: String,
    /// The portal's *Value*.
    pub value: String,
    /// From when it is accepted.
    #[serde(default = "long_ago")]
    pub starts: Timestamp,
    /// Until when it is accepted.
    pub ends: Timestamp,
}

fn long_ago() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

impl Application {
    /// The application as Graph shows it; no secret is in it.
    pub(crate) fn shown(&self) -> Value {
        json!({
            "id": self.object_id,
            "deletedDateTime": null,
            "appId": self.client_id,
            "displayName": self.name,
            "signInAudience": "AzureADMyOrg",
            "keyCredentials": [],
            "passwordCredentials": self.secrets.iter().map(ClientSecret::shown).collect::<Vec<_>>(),
        })
    }
}

impl ClientSecret {
    /// One of `passwordCredentials`.
    pub(crate) fn shown(&self) -> Value {
        json!({
            "customKeyIdentifier": null,
            "displayName": self.name,
            "endDateTime": property_date(self.ends),
            "hint": self.value.chars().take(3).collect::<String>(),
            "keyId": self.key_id,
            "secretText": null,
            "startDateTime": property_date(self.starts),
        })
    }
}
