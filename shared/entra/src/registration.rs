//! The application's own registration: what credentials it has (rule 6.5), and how it changes them (rule 7.3).

use std::time::Duration;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use directory::{Code, Failure};
use engine::ports::{Connection, Identity, NewSecret, NotAdded, Registered, Registration};
use jiff::{Timestamp, Unit};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::{
    ask::Ask,
    certificate::hex,
    client::{Client, ONE, failure},
    page::Misread,
    patience::Patience,
    sentences,
};

/// Roles with which an application may read its registration.
const READERS: [&str; 3] = ["Application.Read.All", "Application.ReadWrite.All", "Application.ReadWrite.OwnedBy"];
/// Never `key`: reading the keys themselves is slowed down, and nobody needs them.
const SELECT: &str = "$select=id,appId,displayName,passwordCredentials,keyCredentials";

impl<I: Identity> Client<I> {
    /// The registration, where the token's roles let us read it and this directory has it.
    pub(crate) async fn read_registration(
        &self,
        who: &Connection,
        budget: Duration,
    ) -> Result<Option<Registration>, Failure> {
        let mut patience = Patience::within(budget, self.first_pause);
        let token = self.token(who, self.clouds.place(who.cloud), patience.remaining()).await?;
        if !token.roles().is_some_and(|roles| roles.iter().any(|role| READERS.contains(&role.as_str()))) {
            return Ok(None);
        }
        match self.registered(who, &mut patience).await {
            Err(failure) if is_denied(&failure) || said(&failure).eq_ignore_ascii_case(NOT_HERE) => {
                let request_id = failure.microsoft.as_ref().and_then(|microsoft| microsoft.request_id.as_deref());
                tracing::debug!(tenant = %who.tenant, request_id, microsoft = said(&failure), "the registration is not read");
                Ok(None)
            }
            outcome => outcome.map(|(_, registration)| Some(registration)),
        }
    }

    /// Add a client secret.
    pub(crate) async fn add_password(
        &self,
        who: &Connection,
        name: &str,
        ends: Timestamp,
        budget: Duration,
    ) -> Result<NewSecret, NotAdded> {
        let mut patience = Patience::within(budget, self.first_pause);
        let ends = ends.round(Unit::Second).unwrap_or(ends);
        let body = json!({ "passwordCredential": { "displayName": name, "endDateTime": ends.to_string() } });
        let object_id = self.object_id(who, &mut patience).await?;
        let ask = Ask { once: true, ..self.changing(who, &object_id, "addPassword").post(&body) };
        let added = self.ask(who, ask, &mut patience, added).await.map_err(failure);
        added.map_err(|failure| match said(&failure).to_ascii_lowercase().as_str() {
            "credentialinvalidlifetimeasperapppolicy" => NotAdded::TooLong(sentences::secret_too_long(failure)),
            "credentialtypenotallowedasperapppolicy" => NotAdded::Failure(sentences::secrets_forbidden(failure)),
            _ => NotAdded::Failure(not_changed(failure, who)),
        })
    }

    /// Remove a client secret. Graph does not tell one that is not there from one that was never one: the list tells.
    pub(crate) async fn remove_password(
        &self,
        who: &Connection,
        key_id: &str,
        budget: Duration,
    ) -> Result<(), Failure> {
        let mut patience = Patience::within(budget, self.first_pause);
        let object_id = self.object_id(who, &mut patience).await?;
        let ask = self.changing(who, &object_id, "removePassword").post(&json!({ "keyId": key_id }));
        let removed = self.ask(who, ask, &mut patience, |_| Ok(())).await.map_err(failure);
        let Err(failure) = removed else { return Ok(()) };
        if ["Request_BadRequest", NOT_HERE].iter().any(|code| said(&failure).eq_ignore_ascii_case(code)) {
            let registered = self.registered(who, &mut patience).await.map(|(_, registration)| registration);
            let is_it = |secret: &Registered| secret.key_id.eq_ignore_ascii_case(key_id);
            if registered.is_ok_and(|registration| !registration.secrets.iter().any(is_it)) {
                return Ok(());
            }
        }
        Err(not_changed(failure, who))
    }

    /// The registration and its object id, which is not the client id.
    async fn registered(&self, who: &Connection, patience: &mut Patience) -> Result<(String, Registration), Failure> {
        let application = format!("applications(appId='{}')", who.application_id.replace('\'', "''"));
        let ask = Ask::new(self.clouds.place(who.cloud), &[&application], Some(SELECT), ONE);
        self.ask(who, Ask { may_lack: true, ..ask }, patience, registration).await.map_err(failure)
    }

    async fn object_id(&self, who: &Connection, patience: &mut Patience) -> Result<String, Failure> {
        let registered = self.registered(who, patience).await;
        registered.map(|(object_id, _)| object_id).map_err(|failure| not_changed(failure, who))
    }

    fn changing(&self, who: &Connection, object_id: &str, action: &str) -> Ask<'static> {
        Ask::new(self.clouds.place(who.cloud), &["applications", object_id, action], None, ONE)
    }
}

/// Graph's code for an application that this directory does not have.
const NOT_HERE: &str = "Request_ResourceNotFound";

/// Graph's own code.
fn said(failure: &Failure) -> &str {
    failure.microsoft.as_ref().and_then(|microsoft| microsoft.code.as_deref()).unwrap_or_default()
}

fn is_denied(failure: &Failure) -> bool {
    matches!(failure.code, Code::PermissionMissing | Code::ConsentMissing)
}

/// Why the application's credentials could not be changed.
fn not_changed(failure: Failure, who: &Connection) -> Failure {
    if is_denied(&failure) {
        sentences::registration_denied(failure.microsoft.unwrap_or_default(), who)
    } else if said(&failure).eq_ignore_ascii_case(NOT_HERE) {
        sentences::registered_elsewhere(failure.microsoft.unwrap_or_default())
    } else {
        failure
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Application {
    id: String,
    display_name: Option<String>,
    #[serde(default)]
    password_credentials: Vec<Credential>,
    #[serde(default)]
    key_credentials: Vec<Credential>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    key_id: String,
    display_name: Option<String>,
    hint: Option<String>,
    custom_key_identifier: Option<String>,
    start_date_time: Option<Timestamp>,
    end_date_time: Option<Timestamp>,
}

fn registration(body: &[u8]) -> Result<(String, Registration), Misread> {
    let application: Application = serde_json::from_slice(body).map_err(|_| Misread::NotJson)?;
    let Application { id, display_name, password_credentials, key_credentials } = application;
    let secret = |credential: Credential| registered(credential, |hint, _| hint);
    let certificate = |credential: Credential| registered(credential, |_, identifier| thumbprint(&identifier?));
    let registration = Registration {
        name: display_name.unwrap_or_default(),
        secrets: password_credentials.into_iter().map(secret).collect(),
        certificates: key_credentials.into_iter().map(certificate).collect(),
    };
    Ok((id, registration))
}

/// A credential without an end never ends.
fn registered(
    credential: Credential,
    mark: impl FnOnce(Option<String>, Option<String>) -> Option<String>,
) -> Registered {
    let Credential { key_id, display_name, hint, custom_key_identifier, start_date_time, end_date_time } = credential;
    Registered {
        key_id: key_id.to_ascii_lowercase(),
        name: display_name,
        mark: mark(hint, custom_key_identifier),
        starts: start_date_time.unwrap_or(Timestamp::UNIX_EPOCH),
        ends: end_date_time.unwrap_or(Timestamp::MAX),
    }
}

/// The thumbprint in `customKeyIdentifier`, which is hex digits, or Base64 of the bytes or of the digits.
fn thumbprint(identifier: &str) -> Option<String> {
    let digits = |text: &str| {
        let all = [40, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        all.then(|| text.to_ascii_uppercase())
    };
    digits(identifier).or_else(|| {
        let standard = identifier.replace('-', "+").replace('_', "/");
        let bytes = BASE64.decode(standard).ok()?;
        match bytes.len() {
            20 | 32 => Some(hex(&bytes)),
            _ => digits(str::from_utf8(&bytes).ok()?),
        }
    })
}

/// With or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn added(body: &[u8]) -> Result<NewSecret, Misread> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Added {
        key_id: String,
        secret_text: SecretString,
        end_date_time: Timestamp,
    }
    let Added { key_id, secret_text: value, end_date_time: ends } =
        serde_json::from_slice(body).map_err(|_| Misread::NotJson)?;
    if value.expose_secret().is_empty() {
        return Err(Misread::NotJson);
    }
    Ok(NewSecret { key_id: key_id.to_ascii_lowercase(), value, ends })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r6_5_a_registration_as_microsoft_writes_it() {
        let body = r#"{"@odata.context": "x", "id": "i", "appId": "a", "displayName": "Sync", "keyCredentials": [], "passwordCredentials": [
            {"customKeyIdentifier": null, "displayName": "Password friendly name", "endDateTime": "2021-09-09T19:50:29.3086381Z",
             "hint": "[6g", "keyId": "F0B0B335-1D71-4883-8F98-567911BFDCA6", "secretText": null, "startDateTime": "2019-09-09T19:50:29.3086381Z"},
            {"keyId": "b", "displayName": null, "endDateTime": null}]}"#;
        let (object_id, read) = registration(body.as_bytes()).unwrap();
        assert_eq!(object_id, "i");
        let [first, second] = read.secrets.as_slice() else { panic!("{read:?}") };
        assert_eq!((read.name.as_str(), first.key_id.as_str()), ("Sync", "f0b0b335-1d71-4883-8f98-567911bfdca6"));
        assert_eq!(
            (first.mark.as_deref(), first.ends.to_string().as_str()),
            (Some("[6g"), "2021-09-09T19:50:29.3086381Z")
        );
        assert_eq!((second.name.as_deref(), second.ends), (None, Timestamp::MAX));
        for body in ["", "[]", "{}", r#"{"error": {"code": "x"}}"#] {
            assert!(registration(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn r6_5_thumbprints_in_every_form() {
        let sha1 = "52ED9B5038A47B9E2E2190715CC238359D4F8F73";
        check("hex digits", sha1, Some(sha1));
        check("small hex digits", &sha1.to_lowercase(), Some(sha1));
        check("Base64", "Uu2bUDike54uIZBxXMI4NZ1Pj3M=", Some(sha1));
        check("Base64 without padding", "Uu2bUDike54uIZBxXMI4NZ1Pj3M", Some(sha1));
        check("Base64 of the digits", "NTJFRDlCNTAzOEE0N0I5RTJFMjE5MDcxNUNDMjM4MzU5RDRGOEY3Mw==", Some(sha1));
        check("SHA-256 in Base64 for URLs", &format!("{}8", "_".repeat(42)), Some(&"FF".repeat(32)));
        check("SHA-256", &"ab".repeat(32), Some(&"AB".repeat(32)));
        check("a name", "my certificate", None);
        check("nothing", "", None);
    }

    #[track_caller]
    fn check(name: &str, identifier: &str, expected: Option<&str>) {
        assert_eq!(thumbprint(identifier).as_deref(), expected, "{name}");
    }

    #[test]
    fn r7_3_a_new_secret_is_never_shown() {
        let body = r#"{"keyId": "A", "secretText": "demo-value", "endDateTime": "2021-09-09T19:50:29.3086381Z"}"#;
        let added = added(body.as_bytes()).unwrap();
        assert_eq!(added.value.expose_secret(), "demo-value");
        assert!(!format!("{added:?}").contains("demo-value"));
        assert!(super::added(br#"{"keyId": "A", "secretText": "", "endDateTime": "2021-09-09T19:50:29Z"}"#).is_err());
    }
}
