//! How a tenant's directory is reached: the settings of its connection, and the credential where one is kept.

use directory::{Code, CredentialKind, Failure, Settings, TenantId};
use secrecy::{ExposeSecret as _, SecretString};

use crate::ports::{Connection, Fault, Meter, Secrets};

/// With these settings and this credential, or what is missing. A federated connection has no credential to keep. What
/// was saved under another kind is not sent as one of this kind: the key of a certificate is for nobody to see.
///
/// # Errors
/// Names the setting that is missing, or says that what is saved is of another kind.
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
    let other = |saved: &str, wanted: &str| {
        let message = format!("the connection of tenant {tenant} is not configured: what is saved is {saved}");
        Err(Failure::new(Code::InvalidInput, message, format!("save the {wanted} with put_secret")))
    };
    match settings.credential.kind {
        CredentialKind::Secret if is_key(&secret) => return other("the key of a certificate", "client secret"),
        CredentialKind::Certificate if !is_key(&secret) => {
            return other("not the key of a certificate", "PEM of key and certificate");
        }
        _ => (),
    }
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

/// Whether a credential holds a private key, as only that of a certificate does.
pub(crate) fn is_key(credential: &SecretString) -> bool {
    credential.expose_secret().contains("PRIVATE KEY-----")
}

/// Whether both lead to the same place by the same kind of credential.
pub(crate) fn is_same(one: &Settings, other: &Settings) -> bool {
    let what = |settings: &Settings| (settings.cloud, settings.credential.kind);
    one.authority() == other.authority() && one.application_id == other.application_id && what(one) == what(other)
}

/// Whether there is a credential to keep.
fn is_kept(settings: &Settings) -> bool {
    settings.credential.kind != CredentialKind::Federated
}
