//! Secrets of their own in Secrets Manager, each under `<prefix><tenant>`, and whether they are renewed by themselves.

use std::{fmt, time::Duration};

use aws_sdk_secretsmanager::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::describe_secret::DescribeSecretOutput,
    types::RotationRulesType,
};
use directory::TenantId;
use engine::ports::{Fault, RENEWAL_DAYS};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    clock,
    fault::{RETRIES, fault, pause},
};

/// The first pause where a deletion is still under way: Secrets Manager deletes in the background.
const STEP: Duration = Duration::from_millis(500);
/// After so long nobody is working on a pending version any longer: a step takes minutes, and so do its repetitions.
const LEFT: Duration = Duration::from_secs(3600);

pub(crate) const NOT_FOUND: &str = "ResourceNotFoundException";
pub(crate) const EXISTS: &str = "ResourceExistsException";
const INVALID_REQUEST: &str = "InvalidRequestException";
pub(crate) const CURRENT: &str = "AWSCURRENT";
pub(crate) const PREVIOUS: &str = "AWSPREVIOUS";
pub(crate) const PENDING: &str = "AWSPENDING";

/// The secrets of one stage in Secrets Manager.
pub struct SecretsManager {
    pub(crate) client: Client,
    pub(crate) prefix: String,
}

impl fmt::Debug for SecretsManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretsManager({})", self.prefix)
    }
}

impl SecretsManager {
    /// The secrets whose names start with `prefix`, for example `entra-sync/prod/`.
    pub fn new(client: Client, prefix: impl Into<String>) -> Self {
        Self { client, prefix: prefix.into() }
    }

    fn name(&self, tenant: &TenantId) -> String {
        format!("{}{tenant}", self.prefix)
    }

    pub(crate) async fn read(&self, tenant: &TenantId) -> Result<Option<SecretString>, Fault> {
        let name = self.name(tenant);
        match self.client.get_secret_value().secret_id(&name).send().await {
            Ok(output) => Ok(Some(output.secret_string.unwrap_or_default().into())),
            // There is no such secret, it has no value yet, or it is marked for deletion.
            Err(err) if matches!(err.code(), Some(NOT_FOUND | INVALID_REQUEST)) => Ok(None),
            Err(err) => Err(fault(format!("cannot read secret {name}"), &err)),
        }
    }

    pub(crate) async fn holds(&self, tenant: &TenantId) -> Result<bool, Fault> {
        Ok(self.described(&self.name(tenant)).await?.is_some())
    }

    /// Whether it is renewed by itself.
    pub(crate) async fn rotates(&self, tenant: &TenantId) -> Result<bool, Fault> {
        Ok(self.described(&self.name(tenant)).await?.is_some_and(|secret| rotates(&secret)))
    }

    /// A secret without its value; `None` also where it is marked for deletion.
    pub(crate) async fn described(&self, secret_id: &str) -> Result<Option<DescribeSecretOutput>, Fault> {
        match self.client.describe_secret().secret_id(secret_id).send().await {
            Ok(output) if output.deleted_date.is_some() => Ok(None),
            Ok(output) => Ok(Some(output)),
            Err(err) if err.code() == Some(NOT_FOUND) => Ok(None),
            Err(err) => Err(fault(format!("cannot look at secret {secret_id}"), &err)),
        }
    }

    /// Make it the current version. It takes the label of a pending version too: one that a renewal left behind would
    /// keep every later renewal from starting.
    pub(crate) async fn write(&self, tenant: &TenantId, body: &SecretString) -> Result<(), Fault> {
        let name = self.name(tenant);
        let what = || format!("cannot save secret {name}");
        let mut attempt = 0;
        loop {
            let put = self.client.put_secret_value().secret_id(&name).secret_string(body.expose_secret());
            let err = match put.version_stages(CURRENT).version_stages(PENDING).send().await {
                Ok(_) => return Ok(()),
                Err(err) if err.code() == Some(NOT_FOUND) => {
                    let create = self.client.create_secret().name(&name).secret_string(body.expose_secret());
                    match create.send().await {
                        Ok(_) => return Ok(()),
                        Err(err) => Met::new(what(), &err),
                    }
                }
                Err(err) => Met::new(what(), &err),
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

    pub(crate) async fn delete(&self, tenant: &TenantId) -> Result<(), Fault> {
        let name = self.name(tenant);
        match self.client.delete_secret().secret_id(&name).force_delete_without_recovery(true).send().await {
            Ok(_) => Ok(()),
            Err(err) if err.code() == Some(NOT_FOUND) => Ok(()),
            Err(err) => Err(fault(format!("cannot delete secret {name}"), &err)),
        }
    }

    /// Have `function` renew it from now on, beginning in [`RENEWAL_DAYS`] days, counted from the last renewal, also one by hand. Whether there is such a secret.
    pub(crate) async fn start_rotation(&self, tenant: &TenantId, function: &str) -> Result<bool, Fault> {
        let name = self.name(tenant);
        let Some(secret) = self.described(&name).await? else { return Ok(false) };
        if rotates(&secret) && secret.rotation_lambda_arn() == Some(function) {
            return Ok(true);
        }
        self.drop_any_pending(&name, &secret).await?;
        let rules = RotationRulesType::builder().automatically_after_days(RENEWAL_DAYS).build();
        let call = self.client.rotate_secret().secret_id(&name).rotation_lambda_arn(function).rotation_rules(rules);
        // Not at once: what was just saved and tried is good, and only the schedule is wanted.
        let call = call.rotate_immediately(false);
        call.send().await.map_err(|err| fault(format!("cannot have secret {name} renewed by itself"), &err))?;
        Ok(true)
    }

    /// Have one that is renewed by itself renewed now; its schedule stays. Where it is being renewed already there is
    /// nothing to do; a version that has been pending for [`LEFT`] was left behind, and goes.
    pub(crate) async fn renew_now(&self, tenant: &TenantId) -> Result<(), Fault> {
        let name = self.name(tenant);
        if let Some(secret) = self.described(&name).await? {
            if pending(&secret).is_some() && changed_within(&secret, LEFT) {
                return Ok(());
            }
            self.drop_any_pending(&name, &secret).await?;
        }
        let call = self.client.rotate_secret().secret_id(&name);
        call.send().await.map_err(|err| fault(format!("cannot have secret {name} renewed now"), &err))?;
        Ok(())
    }

    pub(crate) async fn stop_rotation(&self, tenant: &TenantId) -> Result<(), Fault> {
        let name = self.name(tenant);
        let Some(secret) = self.described(&name).await? else { return Ok(()) };
        if rotates(&secret) {
            match self.client.cancel_rotate_secret().secret_id(&name).send().await {
                Ok(_) => (),
                Err(err) if err.code() == Some(NOT_FOUND) => return Ok(()),
                Err(err) => return Err(fault(format!("cannot stop the renewal of secret {name}"), &err)),
            }
        }
        self.drop_any_pending(&name, &secret).await
    }

    /// A renewal that was stopped or failed leaves its version pending, and then no other begins.
    async fn drop_any_pending(&self, name: &str, secret: &DescribeSecretOutput) -> Result<(), Fault> {
        match pending(secret) {
            Some(pending) => self.take_back(name, &pending).await,
            None => Ok(()),
        }
    }

    /// Take the label off a version that is being made; taking off what is gone is fine.
    pub(crate) async fn take_back(&self, name: &str, pending: &str) -> Result<(), Fault> {
        let call = self.client.update_secret_version_stage().secret_id(name).version_stage(PENDING);
        match call.remove_from_version_id(pending).send().await {
            Ok(_) => Ok(()),
            // It was taken away meanwhile.
            Err(err) if matches!(err.code(), Some(NOT_FOUND | "InvalidParameterException")) => Ok(()),
            Err(err) => Err(fault(format!("cannot take back the pending version of secret {name}"), &err)),
        }
    }
}

fn rotates(secret: &DescribeSecretOutput) -> bool {
    secret.rotation_enabled.unwrap_or_default()
}

/// The version that is being made, or was left behind.
fn pending(secret: &DescribeSecretOutput) -> Option<String> {
    labelled(secret, PENDING).filter(|id| labelled(secret, CURRENT).as_ref() != Some(id))
}

/// Whether anything of it was changed so lately; each renewal begins with such a change.
fn changed_within(secret: &DescribeSecretOutput, time: Duration) -> bool {
    let changed = secret.last_changed_date().and_then(|changed| changed.to_millis().ok());
    changed.is_some_and(|changed| {
        let ago = clock::milliseconds().saturating_sub(changed);
        ago < i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
    })
}

/// The version that has a label.
pub(crate) fn labelled(secret: &DescribeSecretOutput, label: &str) -> Option<String> {
    let mut versions = secret.version_ids_to_stages.iter().flatten();
    versions.find(|(_, labels)| labels.iter().any(|own| own == label)).map(|(id, _)| id.clone())
}

struct Met {
    code: Option<String>,
    fault: Fault,
}

impl Met {
    fn new<E>(what: String, err: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        Self { code: err.code().map(str::to_owned), fault: fault(what, err) }
    }
}
