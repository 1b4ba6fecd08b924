//! Saving a credential: its shape, what is known of it, and that it is tried before it replaces the one before (rule 7.2).

use directory::{Code, CredentialKind, Failure, Guid, Settings, facts::ExpirySource};
use jiff::{Timestamp, ToSpan as _, civil::Date};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{Checked, LOOKING, TRYING_OUT, green, on_schedule, shown};
use crate::{
    credential::{self, renews_itself},
    keys,
    operator::{self, Asked, Refused, TRIES, committed},
    ports::{Certificate, Change, Condition, Graph, Item, Secrets, Store, Write},
    reach,
    records::{CredentialFacts, Schedule, Status, Tenant},
    registration, renewal,
};

/// So many characters of a client secret are no secret: Microsoft's portal shows them too.
const HINT: usize = 3;
/// No client secret is longer.
const LONGEST_SECRET: usize = 1_000;
/// No key and certificate are longer.
const LONGEST_PEM: usize = 32_000;

/// Save a secret. Where the connection is complete it is tried first, and one that does not work changes nothing
/// (rule 7.2). It is saved once, whatever comes in between of writing down what is known of it.
///
/// # Errors
/// What is wrong with the secret, in its shape or in Microsoft's words.
pub async fn put_secret(
    (graph, store, secrets): (&impl Graph, &impl Store, &impl Secrets),
    asked: &Asked,
    ad_key: &SecretString,
    expires_on: Option<Date>,
) -> Result<Value, Refused> {
    let mut found = operator::tenant(store, &asked.tenant).await?;
    let kept = secrets.secret_afresh(&asked.tenant).await?;
    let tried = tried(graph, asked, &found.0, (ad_key, kept), expires_on).await?;
    if !tried.is_kept {
        secrets.put_secret(&asked.tenant, &tried.secret).await?;
    }
    for _ in 0..TRIES {
        let (mut saved, writes) = written(asked, &tried, found);
        if committed(store, writes).await? {
            let (tenant, sync) = &mut saved;
            let works = tried.is_of(&tenant.settings);
            if works && renews_itself(&tenant.settings) {
                renewal::start((store, secrets), asked, tenant, sync).await;
            }
            let mut answer = shown(&asked.tenant, tenant, sync, asked.now);
            if works && tried.checked.status.green {
                answer["message"] = json!("SUCCESS");
            }
            return Ok(answer);
        }
        found = match operator::tenant(store, &asked.tenant).await {
            // It went meanwhile, and perhaps its secret before this one was saved.
            Err(Refused::Failure(gone)) => {
                secrets.delete_secret(&asked.tenant).await?;
                return Err(Refused::Failure(gone));
            }
            found => found?,
        };
    }
    let message = "the secret is saved, but what is known of it is not: somebody else changes the tenant all the time";
    Err(Failure::new(Code::Busy, message, "send the request again").into())
}

/// A secret that works, as far as could be tried.
struct Tried {
    secret: SecretString,
    facts: CredentialFacts,
    checked: Checked,
    /// With which settings.
    settings: Settings,
    /// It is the one that is kept already: saving it again is no renewal.
    is_kept: bool,
}

impl Tried {
    /// Whether it was tried with the connection of these settings.
    fn is_of(&self, settings: &Settings) -> bool {
        reach::is_same(&self.settings, settings)
    }
}

/// Try a secret where the connection is complete. Else it is kept for the day on which it is.
async fn tried(
    graph: &impl Graph,
    asked: &Asked,
    tenant: &Tenant,
    (ad_key, kept): (&SecretString, Option<SecretString>),
    expires_on: Option<Date>,
) -> Result<Tried, Refused> {
    let settings = tenant.settings.clone();
    let kind = settings.credential.kind;
    let secret = shaped(kind, ad_key)?;
    let certificate = match kind {
        CredentialKind::Certificate => Some(lasting(graph.certificate(&secret)?, asked.now)?),
        CredentialKind::Secret | CredentialKind::Federated => None,
    };
    let hint = (kind == CredentialKind::Secret).then(|| hint(&secret));
    let mut facts = facts(expires_on, certificate, hint, &settings, asked.now);
    let is_kept = kept.is_some_and(|kept| kept.expose_secret() == secret.expose_secret());
    if let Some(before) = credential::facts(tenant).filter(|_| is_kept) {
        facts = same_again(facts, before);
    }
    let checked = match reach::with(&asked.tenant, &settings, Some(secret.clone())) {
        Ok(who) => {
            if let Err(failure) = graph.try_out(&who, TRYING_OUT).await {
                graph.forget(&who);
                return Err(failure.into());
            }
            let seen = registration::look(graph, &who, &facts, None, asked.now, LOOKING).await;
            Checked { status: green(asked.now), seen }
        }
        Err(missing) => {
            let status = Status { green: false, error: Some(missing), ..tenant.status.clone() };
            Checked { status, seen: None }
        }
    };
    Ok(Tried { secret, facts, checked, settings, is_kept })
}

/// The tenant and its schedule with a secret that was saved, and the writes that make them so. Where the connection is
/// another by now, nothing is said of that.
fn written(asked: &Asked, tried: &Tried, found: (Tenant, Schedule)) -> ((Tenant, Schedule), Vec<Write>) {
    let (mut tenant, mut sync) = found;
    let facts = &tried.facts;
    let before = credential::ends(&tenant, &sync).map(|(day, _)| day);
    let mut attributes = Item::from_iter([("credential".to_owned(), json!(facts))]);
    let mut schedule = Item::new();
    tenant.credential = Some(facts.clone());
    if tried.is_of(&tenant.settings) {
        tenant.status = tried.checked.status.clone();
        attributes.insert("status".to_owned(), json!(tenant.status));
        schedule = tried.checked.clone().on_schedule(&mut sync);
        if sync.rotation.take().is_some() {
            // Who failed to renew the one before has been helped.
            schedule.insert("rotation".to_owned(), Value::Null);
        }
    }
    let (from, to) = (json!({"expires_on": before}), json!({"expires_on": facts.expires_on}));
    let mut writes = vec![
        Write {
            key: keys::meta(&asked.tenant),
            change: Change::Set { set: attributes, add: vec![("rev", 1)] },
            only_if: vec![Condition::Equals("rev", json!(tenant.rev))],
        },
        asked.audit(0, "put_secret", "secret", from, to),
    ];
    writes.extend(on_schedule(&asked.tenant, schedule));
    ((tenant, sync), writes)
}

/// What is known of a credential that is being saved. A certificate says itself when it ends, whatever somebody states.
pub(super) fn facts(
    stated: Option<Date>,
    certificate: Option<Certificate>,
    hint: Option<String>,
    settings: &Settings,
    now: Timestamp,
) -> CredentialFacts {
    let day = |at| credential::day(at, &settings.report.time_zone);
    let (expires_on, source) = match (&certificate, stated) {
        (Some(certificate), _) => (day(certificate.ends), ExpirySource::Certificate),
        (None, Some(stated)) => (stated, ExpirySource::Stated),
        (None, None) => (day(now).saturating_add(24.months()), ExpirySource::Assumed),
    };
    let kind = settings.credential.kind;
    CredentialFacts { kind, saved_at: now, expires_on, source, hint, key_id: None, certificate }
}

/// What is known of a credential that is saved once more: it is no newer for it, and a day that somebody stated is not
/// forgotten because nobody states one now.
fn same_again(now: CredentialFacts, before: &CredentialFacts) -> CredentialFacts {
    let CredentialFacts { saved_at, expires_on, source, key_id, .. } = before.clone();
    let known = CredentialFacts { saved_at, key_id, ..now };
    if known.source == ExpirySource::Assumed { CredentialFacts { expires_on, source, ..known } } else { known }
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
        CredentialKind::Secret if reach::is_key(ad_key) => {
            refuse("ad_key: this is the key of a certificate, and not a client secret", again)
        }
        CredentialKind::Secret if text.len() > LONGEST_SECRET => {
            refuse("ad_key: expected at most 1000 characters", again)
        }
        CredentialKind::Secret if text.chars().any(char::is_control) => {
            refuse("ad_key: expected one line without control characters", again)
        }
        CredentialKind::Certificate if text.len() > LONGEST_PEM => {
            refuse("ad_key: expected at most 32000 characters", again)
        }
        CredentialKind::Certificate if !(reach::is_key(ad_key) && text.contains("BEGIN CERTIFICATE-----")) => {
            refuse("ad_key: expected the PEM of the key and of the certificate, one after the other", again)
        }
        CredentialKind::Secret | CredentialKind::Certificate => Ok(SecretString::from(text)),
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
        check("a key",              secret, "-----BEGIN PRIVATE KEY----- x",               "ad_key: this is the key of a certificate, and not a client secret");
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
}
