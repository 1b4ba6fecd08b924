//! The versions of a secret while it is renewed, as Secrets Manager labels them (rule 7.3).

use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use engine::ports::{Fault, Rotated, Version, Versions};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    SecretsManager, body,
    fault::fault,
    manager::{CURRENT, EXISTS, NOT_FOUND, PENDING, PREVIOUS, labelled},
};

impl SecretsManager {
    /// Whether a name or ARN is that of a secret of this stage, as far as can be seen from it.
    fn is_ours(&self, secret_id: &str) -> bool {
        marked(secret_id).is_some_and(|name| name.starts_with(&self.prefix))
    }
}

/// The name in an ARN, with the characters that the ARN adds; a name is itself.
fn marked(secret_id: &str) -> Option<&str> {
    match secret_id.strip_prefix("arn:") {
        Some(arn) => arn.splitn(5, ':').nth(4).and_then(|rest| rest.strip_prefix("secret:")),
        None => Some(secret_id),
    }
}

impl Versions for SecretsManager {
    async fn rotated(&self, secret_id: &str) -> Result<Option<Rotated>, Fault> {
        if !self.is_ours(secret_id) {
            return Ok(None);
        }
        let Some(secret) = self.described(secret_id).await? else { return Ok(None) };
        let Some(name) = secret.name() else { return Ok(None) };
        let Some(tenant) = name.strip_prefix(&self.prefix).and_then(|tenant| tenant.parse().ok()) else {
            return Ok(None);
        };
        Ok(Some(Rotated {
            tenant,
            name: name.to_owned(),
            mark: secret.arn().and_then(marked).unwrap_or(name).to_owned(),
            // While rotation is being switched on, and tried, nothing may be said of it yet.
            enabled: secret.rotation_enabled != Some(false),
            current: labelled(&secret, CURRENT),
            previous: labelled(&secret, PREVIOUS),
            pending: labelled(&secret, PENDING),
        }))
    }

    async fn version(&self, of: &Rotated, version: &str) -> Result<Option<Version>, Fault> {
        let name = &of.name;
        let text = match self.client.get_secret_value().secret_id(name).version_id(version).send().await {
            Ok(output) => output.secret_string,
            Err(err) if err.code() == Some(NOT_FOUND) => None,
            Err(err) => return Err(fault(format!("cannot read version {version} of secret {name}"), &err)),
        };
        let Some(text) = text.map(SecretString::from) else { return Ok(None) };
        let wrong = || format!("version {version} of secret {name} does not hold JSON with the text \"ad_key\"");
        body::read(&text).map(Some).ok_or_else(|| Fault::permanent(wrong()))
    }

    async fn put_pending(&self, of: &Rotated, version: &str, content: &Version) -> Result<(), Fault> {
        let name = &of.name;
        let text = body::write(content);
        let call = self.client.put_secret_value().secret_id(name).client_request_token(version);
        let call = call.secret_string(text.expose_secret()).version_stages(PENDING);
        match call.send().await {
            Ok(_) => Ok(()),
            // The version holds something else: another try of this step was quicker, and is found when it is repeated.
            Err(err) if err.code() == Some(EXISTS) => {
                let fault = fault(format!("version {version} of secret {name} was made by somebody else"), &err);
                Err(Fault { passes: true, nothing_done: true, ..fault })
            }
            Err(err) => Err(fault(format!("cannot save version {version} of secret {name}"), &err)),
        }
    }

    async fn drop_pending(&self, of: &Rotated, version: &str) -> Result<(), Fault> {
        self.take_back(&of.name, version).await
    }

    async fn make_current(&self, of: &Rotated, version: &str) -> Result<(), Fault> {
        if of.current.as_deref() == Some(version) {
            return Ok(());
        }
        let name = &of.name;
        let call = self.client.update_secret_version_stage().secret_id(name).version_stage(CURRENT);
        let call = call.move_to_version_id(version).set_remove_from_version_id(of.current.clone());
        let Err(err) = call.send().await else { return Ok(()) };
        let fault = fault(format!("cannot make version {version} of secret {name} current"), &err);
        // Refused also where it was moved meanwhile, by a try whose answer was lost.
        let now = self.described(name).await?;
        let done = now.and_then(|secret| labelled(&secret, CURRENT)).as_deref() == Some(version);
        if done { Ok(()) } else { Err(fault) }
    }
}
