//! The connection of a tenant: trying it, what is said of it, and saving the credential (sections 1 and 7).

use std::time::Duration;

use directory::{
    Code, CredentialKind, Failure, Guid, Settings, TenantId, expiry,
    facts::{CredentialState, ExpirySource},
};
use jiff::{Timestamp, ToSpan as _, civil::Date};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::{
    credential::{self, renews_itself},
    keys,
    lease::set,
    operator::{self, Asked, Refused, TRIES, committed},
    ports::{Certificate, Change, Condition, Connection, Graph, Item, Secrets, Store, Write},
    records::{CredentialFacts, Schedule, Seen, Status, Tenant},
    registration, run,
};

/// How long Microsoft is asked before a check is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many characters of a client secret are no secret: Microsoft's portal shows them too.
const HINT: usize = 3;
/// No client secret is longer.
const LONGEST_SECRET: usize = 1_000;
/// No key and certificate are longer.
const LONGEST_PEM: usize = 32_000;

/// How to reach a directory, or what is missing. A federated connection has no secret of its own.
pub(crate) fn reach(
    tenant: &TenantId,
    settings: &Settings,
    secret: Option<SecretString>,
) -> Result<Connection, Refused> {
    let secret = match settings.credential.kind {
        CredentialKind::Federated => Some(SecretString::from("")),
        CredentialKind::Secret | CredentialKind::Certificate => secret,
    };
    Ok(run::connection(tenant, settings, secret)?)
}

/// What a check of the connection said.
#[derive(Debug, Default)]
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
    let secret = secrets.secret_afresh(&asked.tenant).await?;
    let failure = match reach(&asked.tenant, settings, secret) {
        Ok(who) => match graph.try_out(&who, PATIENCE).await {
            Ok(()) => {
                let seen = match before.and_then(|(tenant, sync)| Some((tenant.credential.as_ref()?, sync))) {
                    Some((facts, sync)) if who.kind != CredentialKind::Federated => {
                        registration::look(graph, &who, facts, sync.seen.as_ref(), asked.now, PATIENCE).await
                    }
                    _ => None,
                };
                return Ok(Checked { status: green(asked.now), seen });
            }
            Err(failure) => failure,
        },
        Err(Refused::Failure(missing)) => *missing,
        Err(fault) => return Err(fault),
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

/// A credential that works again is not refused any longer: what that changes of the schedule.
pub(crate) fn mended(sync: &mut Schedule) -> Item {
    let refused = sync.last_error.as_ref().is_some_and(|failure| failure.code.refuses_credential());
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

/// The write that changes the schedule, if anything is to be changed.
fn on_schedule(tenant: &TenantId, attributes: Item) -> Option<Write> {
    (!attributes.is_empty()).then(|| set(keys::sync(tenant), attributes))
}

/// Save a secret. Where the connection is complete it is tried first, and one that does not work changes nothing
/// (rule 7.2).
///
/// # Errors
/// What is wrong with the secret, in its shape or in Microsoft's words.
pub async fn put_secret(
    (graph, store, secrets): (&impl Graph, &impl Store, &impl Secrets),
    asked: &Asked,
    ad_key: &SecretString,
    expires_on: Option<Date>,
) -> Result<Value, Refused> {
    for part in 0..TRIES {
        let (tenant, mut sync) = operator::tenant(store, &asked.tenant).await?;
        let kind = tenant.settings.credential.kind;
        let secret = shaped(kind, ad_key)?;
        let certificate = match kind {
            CredentialKind::Certificate => Some(lasting(graph.certificate(&secret)?, asked.now)?),
            CredentialKind::Secret | CredentialKind::Federated => None,
        };
        let facts = CredentialFacts {
            hint: (kind == CredentialKind::Secret).then(|| hint(&secret)),
            ..facts(expires_on, certificate, &tenant.settings, asked.now)
        };
        let checked = match reach(&asked.tenant, &tenant.settings, Some(secret.clone())) {
            Ok(who) => {
                if let Err(failure) = graph.try_out(&who, PATIENCE).await {
                    graph.forget(&who);
                    return Err(failure.into());
                }
                let seen = registration::look(graph, &who, &facts, None, asked.now, PATIENCE).await;
                Checked { status: green(asked.now), seen }
            }
            // It cannot be tried yet: it is kept for the day on which the connection is complete.
            Err(Refused::Failure(missing)) => {
                let status = Status { green: false, error: Some(*missing), ..tenant.status.clone() };
                Checked { status, seen: None }
            }
            Err(fault) => return Err(fault),
        };
        let status = checked.status.clone();
        secrets.put_secret(&asked.tenant, &secret).await?;
        if renews_itself(&tenant.settings) {
            // Where the setting came before the secret, there was nothing to renew then.
            secrets.start_rotation(&asked.tenant).await?;
        }
        let attributes = [("credential".to_owned(), json!(facts)), ("status".to_owned(), json!(status))];
        let before = credential::ends(&tenant, &sync).map(|(day, _)| day);
        let mut writes = vec![
            Write {
                key: keys::meta(&asked.tenant),
                change: Change::Set { set: Item::from_iter(attributes), add: vec![("rev", 1)] },
                only_if: vec![Condition::Equals("rev", json!(tenant.rev))],
            },
            asked.audit(
                part,
                "put_secret",
                "secret",
                json!({"expires_on": before}),
                json!({"expires_on": facts.expires_on}),
            ),
        ];
        writes.extend(on_schedule(&asked.tenant, checked.on_schedule(&mut sync)));
        if committed(store, writes).await? {
            let works = status.green;
            let mut answer =
                shown(&asked.tenant, &Tenant { status, credential: Some(facts), ..tenant }, &sync, asked.now);
            if works {
                answer["message"] = json!("SUCCESS");
            }
            return Ok(answer);
        }
    }
    Err(operator::raced())
}

/// What is known of a credential that is being saved. A certificate says itself when it ends, whatever somebody states.
fn facts(
    stated: Option<Date>,
    certificate: Option<Certificate>,
    settings: &Settings,
    now: Timestamp,
) -> CredentialFacts {
    let day = |at| credential::day(at, &settings.report.time_zone);
    let (expires_on, source) = match (&certificate, stated) {
        (Some(certificate), _) => (day(certificate.ends), ExpirySource::Certificate),
        (None, Some(stated)) => (stated, ExpirySource::Stated),
        (None, None) => (day(now).saturating_add(24.months()), ExpirySource::Assumed),
    };
    CredentialFacts { saved_at: now, expires_on, source, hint: None, key_id: None, certificate }
}

/// A certificate that has not ended. Entra would refuse one that has, without saying why as clearly.
fn lasting(certificate: Certificate, now: Timestamp) -> Result<Certificate, Failure> {
    if now < certificate.ends {
        return Ok(certificate);
    }
    Err(Failure::new(
        Code::CredentialCertificateInvalid,
        format!(
            "Failed to connect. Please check your Azure (Entra ID) Credential: the certificate ended at {:.0}",
            certificate.ends
        ),
        "make a new certificate, upload it under Certificates & secrets, and save it with its key; nothing was changed",
    ))
}

/// How a client secret begins, as the portal shows it: people find theirs by it (rule 6.4).
pub(crate) fn hint(secret: &SecretString) -> String {
    secret.expose_secret().chars().take(HINT).collect()
}

/// The credential without what people paste around it, or what is wrong with it (rule 1.8).
fn shaped(kind: CredentialKind, ad_key: &SecretString) -> Result<SecretString, Refused> {
    let text = ad_key.expose_secret().trim();
    let refuse = |message: &str, help: &str| Err(Failure::new(Code::InvalidInput, message, help).into());
    if Guid::is_shape_of(text) {
        return refuse(
            "ad_key: this is shaped like the Secret ID of the portal, and not like a secret",
            "copy the Value of the client secret; the portal shows it only once, right after the secret was made",
        );
    }
    let again = "correct the request and send it again; nothing was changed";
    match kind {
        CredentialKind::Federated => refuse("ad_key: a federated credential has no secret to save", again),
        _ if text.is_empty() => refuse("ad_key: expected the secret, and found nothing", again),
        CredentialKind::Secret if text.len() > LONGEST_SECRET => {
            refuse("ad_key: expected at most 1000 characters", again)
        }
        CredentialKind::Secret if text.chars().any(char::is_control) => {
            refuse("ad_key: expected one line without control characters", again)
        }
        CredentialKind::Certificate if text.len() > LONGEST_PEM => {
            refuse("ad_key: expected at most 32000 characters", again)
        }
        CredentialKind::Certificate
            if !(text.contains("PRIVATE KEY-----") && text.contains("BEGIN CERTIFICATE-----")) =>
        {
            refuse("ad_key: expected the PEM of the key and of the certificate, one after the other", again)
        }
        CredentialKind::Secret | CredentialKind::Certificate => Ok(SecretString::from(text)),
    }
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
        "next_sync": sync.due_at.and_then(|due| Timestamp::from_second(due).ok()),
    })
}

/// How the credential does (rule 7.1).
pub(crate) fn state(tenant: &Tenant, sync: &Schedule, now: Timestamp) -> CredentialState {
    let settings = &tenant.settings;
    let federated = settings.credential.kind == CredentialKind::Federated;
    let configured = if federated {
        settings.authority().is_some() && settings.application_id.is_some()
    } else {
        tenant.credential.is_some()
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
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn r1_8_what_is_no_secret_is_refused_at_save() {
        let secret = CredentialKind::Secret;
        check("trimmed",            secret, "  abc8Q~x\n",                                 "abc8Q~x");
        check("Secret ID",          secret, "1b4f1c9e-7d5a-4c37-9f1e-2b7b6c1d0a11",        "ad_key: this is shaped like the Secret ID of the portal, and not like a secret");
        check("in braces",          secret, " {1B4F1C9E-7D5A-4C37-9F1E-2B7B6C1D0A11} ",    "ad_key: this is shaped like the Secret ID of the portal, and not like a secret");
        check("nothing",            secret, " \n",                                         "ad_key: expected the secret, and found nothing");
        check("two lines",          secret, "abc\r\ndef",                                  "ad_key: expected one line without control characters");
        check("huge",               secret, &"x".repeat(1001),                             "ad_key: expected at most 1000 characters");
        check("no PEM",             CredentialKind::Certificate, "abc8Q~x",                "ad_key: expected the PEM of the key and of the certificate, one after the other");
        check("nothing to save",    CredentialKind::Federated, "abc8Q~x",                  "ad_key: a federated credential has no secret to save");
    }

    #[track_caller]
    fn check(name: &str, kind: CredentialKind, text: &str, expected: &str) {
        let outcome = match shaped(kind, &SecretString::from(text)) {
            Ok(secret) => secret.expose_secret().to_owned(),
            Err(refused) => refused.to_string(),
        };
        assert_eq!(outcome, expected, "{name}");
    }

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
        let credential = expires_on.map(|day| facts(Some(day.parse().unwrap()), None, &Settings::default(), now));
        let tenant = Tenant {
            settings: Settings::default(),
            rev: 1,
            connection: 1,
            status: Status { error: check, ..Status::default() },
            created_at: now,
            credential,
            no_contact_since: None,
        };
        assert_eq!(state(&tenant, &Schedule { last_error: run, ..Schedule::default() }, now), expected, "{name}");
    }
}
