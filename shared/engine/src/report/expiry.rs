//! Which warning of a credential is due (rule 6.4). What was said before stands in the ledger of mails: one key for each
//! credential, its day, and the step of the ladder.
//!
//! The day may turn out to be another one, once Entra tells: what was said of the day before still counts, as far as it
//! lies on the ladder of the new one.

use directory::{
    Cloud, CredentialKind, Failure, Settings, TenantId,
    expiry::{self, days_left},
    facts::{CredentialState, ExpiryEvent, ExpiryFacts, Newer},
};
use jiff::{Timestamp, civil::Date};

use super::{
    Stored,
    day::Day,
    facts::{expiry_day, named},
    ledger::Entry,
    runs,
};
use crate::{
    connection, credential, keys,
    ports::{Fault, Registered, Store, Table},
    records::{Run, RunState, Told, read},
};

/// A warning that is due.
pub(super) struct Due {
    /// Its name in the ledger.
    pub(super) what: String,
    /// What it says.
    pub(super) facts: ExpiryFacts,
}

/// A warning that was sent, or may have been.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    /// Since when the credential was in use, in epoch seconds.
    saved: i64,
    /// The day that was warned of.
    topic: String,
    /// The step of the ladder.
    step: i32,
    /// When, in the days of the tenant.
    on: Date,
}

/// Entra refuses the credential.
struct Refusal {
    failure: Failure,
    since: Date,
    runs: u64,
}

/// The warning that is due at `now`, or the word that all is well again.
///
/// # Errors
/// The store's.
pub(super) async fn due(
    store: &impl Store,
    tenant: &TenantId,
    stored: &Stored,
    day: &Day,
    now: Timestamp,
) -> Result<Option<Due>, Fault> {
    let Stored { meta, sync, .. } = stored;
    let settings = &meta.settings;
    let Some(application_id) = &settings.application_id else { return Ok(None) };
    let saved = credential::since(meta).map_or(0, Timestamp::as_second);
    let known = credential::facts(meta);
    let said = said(store, tenant, day, now).await?;
    let expiry = expiry_day(meta, sync, day, now);
    let today = day.date_of(day.told_at(now));
    let state = connection::state(meta, sync, day.told_at(now));
    let refusal = refusal(store, tenant, stored, day).await?;
    let is_secret = settings.credential.kind == CredentialKind::Secret;
    let told = credential::told(meta, sync);
    let ours = told.and_then(|told| told.ours.as_ref());
    let newer = |newer: &Registered| Newer {
        name: newer.name.clone(),
        key_id: newer.key_id.clone(),
        hint: newer.mark.clone().filter(|_| is_secret),
        on: day.date_of(newer.ends),
    };
    let facts = |event, failed_runs| ExpiryFacts {
        tenant: named(tenant, meta),
        date: today,
        event,
        application_id: application_id.as_str().to_owned(),
        application_name: told.map(|told| told.application.clone()).filter(|name| !name.is_empty()),
        kind: settings.credential.kind,
        name: ours.and_then(|ours| ours.name.clone()),
        key_id: ours.map(|ours| ours.key_id.clone()).or_else(|| known?.key_id.clone()),
        hint: known.and_then(|known| known.hint.clone()),
        expiry,
        newer: told.and_then(|told| told.newer.as_ref()).map(newer),
        unlisted: told.is_some_and(|Told { ours, .. }| ours.is_none()),
        renews_itself: credential::renews_itself(settings),
        failed_runs,
        console: None,
        portal: Some(portal(settings, application_id.as_str())),
    };
    let works = matches!(state, CredentialState::Working | CredentialState::Expiring);
    let replaced = said.iter().any(|said| said.saved < saved);
    if works && replaced && !resolved(store, tenant, &said, saved, now).await? {
        return Ok(Some(Due { what: format!("resolved#{saved:010}"), facts: facts(ExpiryEvent::Resolved, 0) }));
    }
    let (topic, days, event, failed_runs) = match (expiry, refusal) {
        (Some(expiry), refusal) if expiry.days_left < 0 => {
            (expiry.on.to_string(), expiry.days_left, ExpiryEvent::Expired, refusal.map_or(0, |refusal| refusal.runs))
        }
        (_, Some(Refusal { failure, since, runs })) => {
            (format!("refused-{since}"), days_left(today, since).min(0), ExpiryEvent::Refused(Box::new(failure)), runs)
        }
        (Some(expiry), None) if credential::is_in_hand(meta, sync, expiry.days_left) => return Ok(None),
        (Some(expiry), None) => (expiry.on.to_string(), expiry.days_left, ExpiryEvent::Expiring, 0),
        (None, None) => return Ok(None),
    };
    let last = said.iter().filter(|said| said.saved == saved).filter_map(|said| said.counts_for(&topic)).min();
    Ok(expiry::due(days, last)
        .map(|step| Due { what: format!("expiry#{saved:010}#{topic}#{step}"), facts: facts(event, failed_runs) }))
}

impl Said {
    /// The step of the ladder of `topic` that this warning stands for, if any.
    fn counts_for(&self, topic: &str) -> Option<i32> {
        match (self.topic.parse::<Date>(), topic.parse::<Date>()) {
            _ if self.topic == topic => Some(self.step),
            (Ok(_), Ok(day)) => expiry::said_for_another_day(self.step, days_left(self.on, day)),
            _ => None,
        }
    }
}

/// Every warning in the ledger.
async fn said(store: &impl Store, tenant: &TenantId, day: &Day, now: Timestamp) -> Result<Vec<Said>, Fault> {
    let mut said = Vec::new();
    for (sk, entry) in entries(store, tenant, "MAIL#expiry#").await? {
        let mut parts = sk.splitn(3, '#');
        let parsed = (|| {
            let (saved, topic, step) = (parts.next()?, parts.next()?, parts.next()?);
            let (saved, step) = (saved.parse().ok()?, step.parse().ok()?);
            // One of which the end is not known counts from when it was begun, at the latest.
            let at = entry.sent_at.or_else(|| Timestamp::from_second(entry.claim_until?).ok())?;
            Some(Said { saved, topic: topic.to_owned(), step, on: day.date_of(at) })
        })();
        said.extend(parsed.filter(|_| entry.past(now).is_some()));
    }
    Ok(said)
}

/// Whether the word that all is well again was given for every credential that was warned of and has been replaced.
async fn resolved(
    store: &impl Store,
    tenant: &TenantId,
    said: &[Said],
    saved: i64,
    now: Timestamp,
) -> Result<bool, Fault> {
    let warned = said.iter().map(|said| said.saved).filter(|warned| *warned < saved).max();
    let entries = entries(store, tenant, "MAIL#resolved#").await?;
    let given = entries
        .iter()
        .filter(|(_, entry)| entry.past(now).is_some())
        .filter_map(|(sk, _)| sk.parse::<i64>().ok())
        .max();
    Ok(given > warned)
}

async fn entries(store: &impl Store, tenant: &TenantId, prefix: &str) -> Result<Vec<(String, Entry)>, Fault> {
    let range = keys::starting(Table::Control, keys::tenant_pk(tenant), prefix);
    let items = crate::links::everything(store, range).await?;
    let entries = items.into_iter().map(|(sk, item)| {
        let sk = sk.strip_prefix(prefix).unwrap_or_default().to_owned();
        Ok((sk, read("a mail in the ledger", item)?))
    });
    entries.collect()
}

/// Since when and how often runs with the present credential were refused, up to the last; how often as far as runs are
/// kept, and since when for however long it lasts.
async fn refusal(store: &impl Store, tenant: &TenantId, stored: &Stored, day: &Day) -> Result<Option<Refusal>, Fault> {
    let Stored { meta, sync, .. } = stored;
    let failure = sync.last_error.clone().filter(|failure| failure.code.refuses_credential());
    let (Some(failure), Some(since)) = (failure, sync.refused_since) else { return Ok(None) };
    let saved = credential::since(meta).unwrap_or(Timestamp::MIN);
    let refused = |run: &Run| run.error.as_ref().is_some_and(|failure| failure.code.refuses_credential());
    let unbroken = |run: &Run| run.started_at >= saved && matches!(run.state, RunState::Failed | RunState::Continuing);
    let runs = runs::back(store, tenant, unbroken).await?;
    let runs = runs.iter().filter(|run| refused(run)).count() as u64;
    Ok((runs > 0).then(|| Refusal { failure, since: day.date_of(since.max(saved)), runs }))
}

/// The application's credentials in Microsoft's portal.
fn portal(settings: &Settings, application_id: &str) -> String {
    let host = match settings.cloud {
        Cloud::Global => "portal.azure.com",
        Cloud::UsGov | Cloud::UsGovDod => "portal.azure.us",
        Cloud::China => "portal.azure.cn",
    };
    format!(
        "https://{host}/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/Credentials/appId/{application_id}"
    )
}
