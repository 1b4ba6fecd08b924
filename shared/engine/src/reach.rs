//! How a tenant's directory is reached: the settings of its connection, and the credential where one is kept.

use directory::{Code, CredentialKind, Failure, Settings, TenantId};
use secrecy::SecretString;

use crate::ports::{Connection, Fault, Meter, Secrets};

/// With these settings and this credential, or what is missing. A federated connection has no credential to keep.
///
/// # Errors
/// Names the setting that is missing.
pub(crate) fn with(
    tenant: &TenantId,
    settings: &Settings,
    secret: Option<SecretString>,
) -> Result<Connection, Failure> {
    let missing = |what: &str| {
        Failure::new(
            Code::InvalidInput,
            format!("the connection of tenant {tenant} is not configured: {what} is missing"),
            "complete the connection with put_tenant and put_secret",
        )
    };
    let authority = settings.authority().ok_or_else(|| missing("directory_id or primary_domain"))?;
    let application = settings.application_id.as_ref().ok_or_else(|| missing("application_id"))?;
    let secret = match settings.credential.kind {
        CredentialKind::Federated => SecretString::from(""),
        CredentialKind::Secret | CredentialKind::Certificate => secret.ok_or_else(|| missing("the secret"))?,
    };
    Ok(Connection {
        tenant: tenant.clone(),
        authority: authority.to_owned(),
        application_id: application.as_str().to_owned(),
        cloud: settings.cloud,
        kind: settings.credential.kind,
        secret,
        meter: Meter::default(),
    })
}

/// With the credential that is kept, perhaps as it was a few minutes ago.
///
/// # Errors
/// The store of secrets'.
pub(crate) async fn kept(
    secrets: &impl Secrets,
    tenant: &TenantId,
    settings: &Settings,
) -> Result<Result<Connection, Failure>, Fault> {
    let secret = if is_kept(settings) { secrets.secret(tenant).await? } else { None };
    Ok(with(tenant, settings, secret))
}

/// With the credential that is kept now.
///
/// # Errors
/// The store of secrets'.
pub(crate) async fn afresh(
    secrets: &impl Secrets,
    tenant: &TenantId,
    settings: &Settings,
) -> Result<Result<Connection, Failure>, Fault> {
    let secret = if is_kept(settings) { secrets.secret_afresh(tenant).await? } else { None };
    Ok(with(tenant, settings, secret))
}

/// Whether there is a credential to keep.
fn is_kept(settings: &Settings) -> bool {
    settings.credential.kind != CredentialKind::Federated
}
