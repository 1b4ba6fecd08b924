//! The connection of a tenant: trying it, what is said of it, and saving the credential (sections 1 and 7).

mod save;

use std::time::Duration;

use directory::{Code, CredentialKind, Settings, TenantId, expiry, facts::CredentialState};
use jiff::Timestamp;
use serde_json::{Value, json};

pub use save::put_secret;

pub(crate) use save::hint;

use crate::{
    credential, keys,
    lease::set,
    operator::{self, Asked, Refused, TRIES, committed},
    ports::{Change, Condition, Graph, Item, Secrets, Store, Write},
    reach,
    records::{Schedule, Seen, Status, Tenant},
    registration, schedule,
};

/// How long Microsoft is asked before a check is given up. A person waits for it, and whoever asks for them waits for 25
/// seconds: what they typed must not be lost to that.
const TRYING_OUT: Duration = Duration::from_secs(12);
/// How long the application's registration is looked at after that. Nothing fails for what it does not say.
const LOOKING: Duration = Duration::from_secs(5);

/// What a check of the connection said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checked {
    /// Whether it works.
    pub(crate) status: Status,
    /// What the application's registration says of the credential, where it was asked for.
    seen: Option<Seen>,
}

impl Checked {
    /// What it changes of the schedule: a credential that works again is not refused any longer, whatever the last run
    /// met.
    pub(crate) fn on_schedule(self, sync: &mut Schedule) -> Item {
        let mut set = if self.status.green { mended(sync) } else { Item::new() };
        if let Some(seen) = self.seen {
            set.insert("seen".to_owned(), json!(seen));
            sync.seen = Some(seen);
        }
        set
    }
}

/// Try a connection with the saved credential: what that says of it (rules 1.5 and 1.6).
///
/// # Errors
/// The world's. What Microsoft says against it is part of the status.
pub(crate) async fn checked(
    (graph, secrets): (&impl Graph, &impl Secrets),
    asked: &Asked,
    settings: &Settings,
    before: Option<&(Tenant, Schedule)>,
) -> Result<Checked, Refused> {
    let failure = match reach::afresh(secrets, &asked.tenant, settings).await? {
        Ok(who) => match graph.try_out(&who, TRYING_OUT).await {
            Ok(()) => {
                let saved = before.and_then(|(tenant, sync)| Some((tenant.credential.as_ref()?, sync)));
                let seen = match saved.filter(|(facts, _)| facts.kind == who.kind) {
                    Some((facts, sync)) => {
                        registration::look(graph, &who, facts, sync.seen.as_ref(), asked.now, LOOKING).await
                    }
                    None => None,
                };
                return Ok(Checked { status: green(asked.now), seen });
            }
            Err(failure) => failure,
        },
        Err(missing) => missing,
    };
    let before = before.map(|(tenant, _)| tenant.status.clone()).unwrap_or_default();
    Ok(Checked { status: Status { green: false, error: Some(failure), ..before }, seen: None })
}

fn green(now: Timestamp) -> Status {
    Status { green: true, verified_at: Some(now), error: None }
}

/// Try the saved connection, and keep what that says of it.
///
/// # Errors
/// There is no such tenant, or the world failed.
pub async fn test(
    (graph, store, secrets): (&impl Graph, &impl Store, &impl Secrets),
    asked: &Asked,
) -> Result<Value, Refused> {
    for _ in 0..TRIES {
        let before = operator::tenant(store, &asked.tenant).await?;
        let checked = checked((graph, secrets), asked, &before.0.settings, Some(&before)).await?;
        let (tenant, mut sync) = before;
        let status = checked.status.clone();
        let mut writes = vec![Write {
            key: keys::meta(&asked.tenant),
            change: Change::Set { set: Item::from_iter([("status".to_owned(), json!(status))]), add: Vec::new() },
            only_if: vec![Condition::Equals("rev", json!(tenant.rev))],
        }];
        writes.extend(on_schedule(&asked.tenant, checked.on_schedule(&mut sync)));
        if committed(store, writes).await? {
            return Ok(shown(&asked.tenant, &Tenant { status, ..tenant }, &sync, asked.now));
        }
    }
    Err(operator::raced())
}

/// A connection that works again is not refused any longer: what that changes of the schedule.
pub(crate) fn mended(sync: &mut Schedule) -> Item {
    let refused = sync.last_error.as_ref().is_some_and(|failure| speaks_of_the_connection(failure.code));
    let mut set = Item::new();
    if refused || sync.refused_since.take().is_some() {
        set.insert("refused_since".to_owned(), Value::Null);
    }
    if refused {
        sync.last_error = None;
        set.insert("last_error".to_owned(), Value::Null);
    }
    sync.refused_since = None;
    set
}

/// Whether a run failed for what a check finds too: an incomplete connection, what Entra refuses, what nobody has allowed.
fn speaks_of_the_connection(code: Code) -> bool {
    let allowed = [Code::InvalidInput, Code::ConsentMissing, Code::PermissionMissing, Code::ConditionalAccess];
    code.refuses_credential() || allowed.contains(&code)
}

/// The write that changes the schedule, if anything is to be changed.
fn on_schedule(tenant: &TenantId, attributes: Item) -> Option<Write> {
    (!attributes.is_empty()).then(|| set(keys::sync(tenant), attributes))
}

/// A tenant as callers see it (section 9).
pub(crate) fn shown(id: &TenantId, tenant: &Tenant, sync: &Schedule, now: Timestamp) -> Value {
    let Status { green, verified_at, error } = &tenant.status;
    json!({
        "tenant": id,
        "settings": tenant.settings,
        "connection": {"status": if *green { "green" } else { "grey" }, "verified_at": verified_at, "error": error},
        "credential_state": state(tenant, sync, now),
        "secret_expiry": credential::ends(tenant, sync).map(|(day, _)| day),
        "last_successful_sync": sync.last_success,
        "next_sync": schedule::next_told(id, tenant, sync, now),
    })
}

/// How the credential does (rule 7.1).
pub(crate) fn state(tenant: &Tenant, sync: &Schedule, now: Timestamp) -> CredentialState {
    let settings = &tenant.settings;
    let federated = settings.credential.kind == CredentialKind::Federated;
    let configured = if federated {
        settings.authority().is_some() && settings.application_id.is_some()
    } else {
        credential::facts(tenant).is_some()
    };
    let days_left =
        credential::days_left(tenant, sync, now).filter(|days| !credential::is_in_hand(tenant, sync, *days));
    let mut errors = [&tenant.status.error, &sync.last_error].into_iter().flatten();
    let refusal = errors.find(|failure| failure.code.refuses_credential());
    match refusal {
        Some(failure) if configured && failure.code == Code::CredentialSecretExpired => CredentialState::Expired,
        _ => expiry::state(configured, refusal.is_some(), days_left),
    }
}

#[cfg(test)]
mod tests {
    use directory::Failure;

    use super::{save::facts, *};

    #[test]
    #[rustfmt::skip]
    fn r7_1_the_state_of_the_credential() {
        let refused = Failure::new(Code::CredentialSecretInvalid, "", "");
        let expired = Failure::new(Code::CredentialSecretExpired, "", "");
        let consent = Failure::new(Code::ConsentMissing, "", "");
        let far = Some("2028-11-22");
        check_state("never configured",        None,               None,                   None,           CredentialState::Configure);
        check_state("works",                   far,                None,                   None,           CredentialState::Working);
        check_state("61 days left",            Some("2027-01-22"), None,                   None,           CredentialState::Working);
        check_state("60 days left",            Some("2027-01-21"), None,                   None,           CredentialState::Expiring);
        check_state("the last day",            Some("2026-11-22"), None,                   None,           CredentialState::Expiring);
        check_state("the day after",           Some("2026-11-21"), None,                   None,           CredentialState::Expired);
        check_state("a check was refused",     far,                Some(refused.clone()),  None,           CredentialState::Refused);
        check_state("a run was refused",       far,                None,                   Some(refused),  CredentialState::Refused);
        check_state("Entra says it expired",   far,                None,                   Some(expired),  CredentialState::Expired);
        check_state("consent is no credential", far,               Some(consent),          None,           CredentialState::Working);
    }

    #[track_caller]
    fn check_state(
        name: &str,
        expires_on: Option<&str>,
        check: Option<Failure>,
        run: Option<Failure>,
        expected: CredentialState,
    ) {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let credential = expires_on.map(|day| facts(Some(day.parse().unwrap()), None, None, &Settings::default(), now));
        let tenant = Tenant {
            settings: Settings::default(),
            rev: 1,
            connection: 1,
            status: Status { error: check, ..Status::default() },
            created_at: now,
            credential,
            federated_since: None,
            no_contact_since: None,
            contact_saved_at: None,
            contact_bounced: None,
        };
        assert_eq!(state(&tenant, &Schedule { last_error: run, ..Schedule::default() }, now), expected, "{name}");
    }
}
