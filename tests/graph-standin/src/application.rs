//! An application registration and its secrets.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{certificate::Certificate, clock::property_date};

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
    /// Its own service principal is among its owners, so that `Application.ReadWrite.OwnedBy` suffices to change it.
    #[serde(default = "yes")]
    pub owned: bool,
    /// Its client secrets.
    #[serde(default)]
    pub secrets: Vec<ClientSecret>,
    /// Certificates whose assertions are accepted.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// Issuers whose assertions are accepted.
    #[serde(default)]
    pub federated: Vec<Federated>,
}

/// What may change about an application; what is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are those of `Application`")]
pub struct ApplicationChange {
    /// Which one; the first without.
    pub client_id: Option<Uuid>,
    pub roles: Option<BTreeSet<String>>,
    pub disabled: Option<bool>,
    pub owned: Option<bool>,
    pub secrets: Option<Vec<ClientSecret>>,
    pub certificates: Option<Vec<Certificate>>,
    pub federated: Option<Vec<Federated>>,
}

/// A federated identity credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Federated {
    /// Exactly the assertion's `iss`.
    pub issuer: String,
    /// Exactly the assertion's `sub`.
    pub subject: String,
    /// The assertion's `aud`.
    #[serde(default = "token_exchange")]
    pub audience: String,
}

fn token_exchange() -> String {
    "api://AzureADTokenExchange".to_owned()
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
    /// So many sign-ins are still refused, as the secret is not known everywhere yet.
    #[serde(default)]
    pub unknown_for: u32,
}

fn long_ago() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn yes() -> bool {
    true
}

/// More are refused (the page "Workload identity federation considerations").
const MOST_FEDERATED: usize = 20;

impl Application {
    /// The application as Graph shows it; no secret is in it.
    pub(crate) fn shown(&self) -> Value {
        json!({
            "id": self.object_id,
            "deletedDateTime": null,
            "appId": self.client_id,
            "displayName": self.name,
            "signInAudience": "AzureADMyOrg",
            "keyCredentials": self.certificates.iter().map(Certificate::shown).collect::<Vec<_>>(),
            "passwordCredentials": self.secrets.iter().map(ClientSecret::shown).collect::<Vec<_>>(),
        })
    }

    /// Change what is given, unless it would have too many federated credentials.
    pub(crate) fn change(&mut self, change: ApplicationChange) -> bool {
        let ApplicationChange { client_id: _, roles, disabled, owned, secrets, certificates, federated } = change;
        if federated.as_ref().is_some_and(|federated| federated.len() > MOST_FEDERATED) {
            return false;
        }
        set(&mut self.roles, roles);
        set(&mut self.disabled, disabled);
        set(&mut self.owned, owned);
        set(&mut self.secrets, secrets);
        set(&mut self.certificates, certificates);
        set(&mut self.federated, federated);
        true
    }
}

fn set<T>(old: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *old = new;
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
