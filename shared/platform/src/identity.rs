//! The identity of this stack as a client assertion (rule 1.3): a token that AWS signs for one role, whose ARN is the
//! subject that tenants enter as a federated credential.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_config::SdkConfig;
use aws_sdk_sts::{
    Client,
    config::{Builder, Config, Credentials},
    error::ProvideErrorMetadata,
};
use engine::ports::{Fault, Identity};
use secrecy::SecretString;

use crate::fault::fault;

/// How long a token is accepted. Each is minted by a session of its own (one hour by default), so it never outlives one.
const LIFE: Duration = Duration::from_secs(900);
/// How long a token is handed out: 80 % of its life, so that what it is exchanged for in time is never refused as late.
const HANDED_OUT: Duration = Duration::from_secs(720);

/// Identity tokens of one role. Nothing is asked of AWS before the first token is.
pub struct RoleIdentity {
    assume: Client,
    mint: Client,
    role: String,
    kept: Mutex<Kept>,
}

impl fmt::Debug for RoleIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoleIdentity({})", self.role)
    }
}

impl RoleIdentity {
    /// The identity of `role`, which the configuration's own credentials may assume. `endpoint`, for local use, is where
    /// tokens are minted instead of STS in the configuration's region: the global endpoint mints none.
    pub fn new(config: &SdkConfig, role: impl Into<String>, endpoint: Option<&str>) -> Self {
        let mint = match endpoint {
            Some(endpoint) => Builder::from(config).endpoint_url(endpoint).build(),
            None => Config::new(config),
        };
        Self { assume: Client::new(config), mint: Client::from_conf(mint), role: role.into(), kept: Mutex::default() }
    }

    /// What is kept in memory. A panic elsewhere leaves the map whole: each change of it is one call.
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Credentials of the role, for one call. They are not kept: one that is about to end could mint no token that
    /// outlives it (`SessionDurationEscalationException`).
    async fn session(&self) -> Result<Credentials, Fault> {
        let call = self.assume.assume_role().role_arn(&self.role).role_session_name("entra-sync");
        // Its name, and not the account: mails to tenants may quote it.
        let name = self.role.rsplit('/').next().unwrap_or_default();
        let output = call.send().await.map_err(|err| {
            let code = err.code().map(str::to_owned);
            explained(fault(format!("cannot assume the role {name}"), &err), code.as_deref())
        })?;
        let given = output.credentials.ok_or_else(|| Fault::passing("STS assumed a role without credentials"))?;
        Ok(Credentials::new(given.access_key_id, given.secret_access_key, Some(given.session_token), None, "identity"))
    }

    async fn mint(&self, audience: &str) -> Result<SecretString, Fault> {
        let own = Config::builder().credentials_provider(self.session().await?);
        let call = self.mint.get_web_identity_token().audience(audience).signing_algorithm("RS256");
        let call = call.duration_seconds(i32::try_from(LIFE.as_secs()).unwrap_or(i32::MAX));
        let output = call.customize().config_override(own).send().await.map_err(|err| {
            let code = err.code().map(str::to_owned);
            explained(fault(format!("cannot get an identity token for {audience}"), &err), code.as_deref())
        })?;
        let token = output.web_identity_token.filter(|token| !token.is_empty());
        token.map(SecretString::from).ok_or_else(|| Fault::passing("STS answered without an identity token"))
    }
}

impl Identity for RoleIdentity {
    async fn token(&self, audience: &str) -> Result<SecretString, Fault> {
        let asked = Instant::now();
        let kept = self.kept().get(audience, asked);
        if let Some(token) = kept {
            return Ok(token);
        }
        let token = self.mint(audience).await?;
        self.kept().0.insert(audience.to_owned(), (asked, token.clone()));
        Ok(token)
    }
}

/// With what the operator can do about it, where that is known.
fn explained(fault: Fault, code: Option<&str>) -> Fault {
    let why = match code {
        Some("OutboundWebIdentityFederationDisabledException") => "the AWS account gives out no identity tokens yet",
        Some("AccessDenied" | "AccessDeniedException") => "AWS denies it",
        _ => return fault,
    };
    Fault {
        what: format!("{}: {why}; run `make bootstrap`, and deploy the stack again if that was done", fault.what),
        ..fault
    }
}

/// Tokens by audience. There are as many as there are clouds.
#[derive(Default)]
struct Kept(BTreeMap<String, (Instant, SecretString)>);

impl Kept {
    fn get(&mut self, audience: &str, now: Instant) -> Option<SecretString> {
        self.0.retain(|_, (since, _)| now.saturating_duration_since(*since) < HANDED_OUT);
        self.0.get(audience).map(|(_, token)| token.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_handed_out_for_four_fifths_of_its_life() {
        let (mut kept, start) = (Kept::default(), Instant::now());
        assert_eq!(HANDED_OUT, LIFE.mul_f64(0.8));
        kept.0.insert("api://a".into(), (start, SecretString::from("token")));
        assert!(kept.get("api://a", start + Duration::from_secs(719)).is_some());
        assert!(kept.get("api://b", start).is_none());
        assert!(kept.get("api://a", start + Duration::from_secs(720)).is_none());
        assert!(kept.0.is_empty(), "what is too old does not stay in memory");
    }
}
