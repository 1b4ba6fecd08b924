//! The credentials of tenants in Secrets Manager, each under `<prefix><tenant>` as `{"ad_key": "…"}`.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_sdk_secretsmanager::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_secret_value::GetSecretValueError,
};
use directory::TenantId;
use engine::ports::{Fault, Place, Secrets};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::fault::{RETRIES, fault, pause};

/// How long a credential is believed without asking again. After a rotation the one before still works.
const TTL: Duration = Duration::from_secs(300);
/// How many tenants' credentials are kept in memory.
const MOST_KEPT: usize = 64;
/// The first pause where a deletion is still under way: Secrets Manager deletes in the background.
const STEP: Duration = Duration::from_millis(500);

/// Secrets Manager.
pub struct SecretStore {
    client: Client,
    prefix: String,
    kept: Mutex<Kept>,
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretStore({})", self.prefix)
    }
}

impl SecretStore {
    /// The secrets whose names start with `prefix`, for example `entra-sync/prod/`.
    pub fn new(client: Client, prefix: impl Into<String>) -> Self {
        Self { client, prefix: prefix.into(), kept: Mutex::default() }
    }

    fn name(&self, tenant: &TenantId) -> String {
        format!("{}{tenant}", self.prefix)
    }

    /// What is kept in memory. A panic elsewhere leaves the map whole: each change of it is one call.
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Secrets for SecretStore {
    async fn secret(&self, tenant: &TenantId) -> Result<Option<SecretString>, Fault> {
        let kept = self.kept().get(tenant, Instant::now());
        match kept {
            Some(secret) => Ok(Some(secret)),
            None => self.secret_afresh(tenant).await,
        }
    }

    async fn secret_afresh(&self, tenant: &TenantId) -> Result<Option<SecretString>, Fault> {
        let name = self.name(tenant);
        self.kept().forget(tenant);
        let body = match self.client.get_secret_value().secret_id(&name).send().await {
            Ok(output) => output.secret_string.map(SecretString::from),
            Err(err) if is_gone(&err) => return Ok(None),
            Err(err) => return Err(fault(format!("cannot read secret {name}"), &err)),
        };
        let wrong = || Fault::permanent(format!("secret {name} does not hold JSON with the text \"ad_key\""));
        let secret = body.as_ref().and_then(ad_key).ok_or_else(wrong)?;
        self.kept().keep(tenant, secret.clone(), Instant::now());
        Ok(Some(secret))
    }

    async fn put_secret(&self, tenant: &TenantId, secret: &SecretString) -> Result<(), Fault> {
        let name = self.name(tenant);
        let what = || format!("cannot save secret {name}");
        self.kept().forget(tenant);
        let body = SecretString::from(serde_json::json!({"ad_key": secret.expose_secret()}).to_string());
        let mut attempt = 0;
        loop {
            let put = self.client.put_secret_value().secret_id(&name).secret_string(body.expose_secret());
            let err = match put.send().await {
                Ok(_) => return Ok(()),
                Err(err) if err.code() == Some(NOT_FOUND) => {
                    let create = self.client.create_secret().name(&name).secret_string(body.expose_secret());
                    match create.send().await {
                        Ok(_) => return Ok(()),
                        Err(err) => Met { code: err.code().map(str::to_owned), fault: fault(what(), &err) },
                    }
                }
                Err(err) => Met { code: err.code().map(str::to_owned), fault: fault(what(), &err) },
            };
            // Somebody else created it just now, or it was deleted and is not quite gone.
            let passes = matches!(err.code.as_deref(), Some(EXISTS | INVALID_REQUEST));
            if !passes || attempt == RETRIES {
                return Err(Fault { passes: err.fault.passes || passes, ..err.fault });
            }
            if err.code.as_deref() == Some(INVALID_REQUEST) {
                // Takes back a scheduled deletion; where the deletion is for good this is refused, and waiting helps.
                let restored = self.client.restore_secret().secret_id(&name).send().await;
                tracing::debug!(secret = name, restored = restored.is_ok(), "the secret was being deleted");
            }
            attempt += 1;
            pause(self.client.config().sleep_impl(), STEP, attempt).await;
        }
    }

    async fn delete_secret(&self, tenant: &TenantId) -> Result<(), Fault> {
        let name = self.name(tenant);
        self.kept().forget(tenant);
        match self.client.delete_secret().secret_id(&name).force_delete_without_recovery(true).send().await {
            Ok(_) => Ok(()),
            Err(err) if err.code() == Some(NOT_FOUND) => Ok(()),
            Err(err) => Err(fault(format!("cannot delete secret {name}"), &err)),
        }
    }
    async fn move_secret(&self, _: &TenantId, _: Place) -> Result<bool, Fault> {
        Err(Fault::permanent("secrets cannot be moved"))
    }

    async fn start_rotation(&self, _: &TenantId) -> Result<bool, Fault> {
        Err(Fault::permanent("secrets cannot be renewed by themselves"))
    }

    async fn stop_rotation(&self, _: &TenantId) -> Result<(), Fault> {
        Ok(())
    }
}

const NOT_FOUND: &str = "ResourceNotFoundException";
const EXISTS: &str = "ResourceExistsException";
const INVALID_REQUEST: &str = "InvalidRequestException";

struct Met {
    code: Option<String>,
    fault: Fault,
}

/// There is no such secret, it has no value yet, or it is marked for deletion.
fn is_gone<R>(err: &SdkError<GetSecretValueError, R>) -> bool {
    matches!(err.code(), Some(NOT_FOUND | INVALID_REQUEST))
}

/// The credential in a secret's body. The parser's error is dropped: it quotes what it read.
fn ad_key(body: &SecretString) -> Option<SecretString> {
    match serde_json::from_str(body.expose_secret()).ok()? {
        Value::Object(mut fields) => match fields.remove("ad_key")? {
            Value::String(key) => Some(key.into()),
            _ => None,
        },
        _ => None,
    }
}

/// Credentials in memory, overwritten with zeros when they leave it.
#[derive(Default)]
struct Kept(BTreeMap<TenantId, (Instant, SecretString)>);

impl Kept {
    fn get(&mut self, tenant: &TenantId, now: Instant) -> Option<SecretString> {
        self.0.retain(|_, (since, _)| now.saturating_duration_since(*since) < TTL);
        self.0.get(tenant).map(|(_, secret)| secret.clone())
    }

    fn keep(&mut self, tenant: &TenantId, secret: SecretString, now: Instant) {
        if self.0.len() >= MOST_KEPT {
            let oldest = self.0.iter().min_by_key(|(_, (since, _))| *since).map(|(tenant, _)| tenant.clone());
            oldest.and_then(|tenant| self.0.remove(&tenant));
        }
        self.0.insert(tenant.clone(), (now, secret));
    }

    fn forget(&mut self, tenant: &TenantId) {
        self.0.remove(tenant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_kept_for_five_minutes_and_for_64_tenants() {
        let tenant = |n: usize| format!("t{n}").parse::<TenantId>().unwrap();
        let (mut kept, start) = (Kept::default(), Instant::now());
        for n in 0..100_usize {
            kept.keep(&tenant(n), SecretString::from("x"), start + Duration::from_millis(n as u64));
        }
        assert_eq!(kept.0.len(), MOST_KEPT);
        assert!(kept.get(&tenant(35), start).is_none(), "the oldest went");
        assert!(kept.get(&tenant(99), start + Duration::from_secs(299)).is_some());
        assert!(kept.get(&tenant(99), start + Duration::from_secs(301)).is_none());
        assert!(kept.0.is_empty(), "what is too old does not stay in memory");
    }

    #[test]
    fn only_the_text_ad_key_is_a_credential() {
        let read = |body: &str| ad_key(&body.to_owned().into()).map(|key| key.expose_secret().to_owned());
        assert_eq!(read(r#"{"ad_key": "s3cret", "note": 1}"#).as_deref(), Some("s3cret"));
        for wrong in ["", "s3cret", r#"{"ad_key": 1}"#, r#"{"key": "s3cret"}"#, r#"["s3cret"]"#] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
