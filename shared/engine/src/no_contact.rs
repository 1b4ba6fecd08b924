//! A tenant without a tech contact, or with one from which mails come back: warned in every run, and stopped after a week
//! (rule 4.2).

use directory::{Frequency, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    keys,
    lease::set,
    operator::written_down,
    ports::{Change, Condition, Item, Write},
    records::{Audit, Tenant, Warning},
};

/// How long a tenant may go without.
pub(crate) const GRACE_DAYS: i64 = 7;

/// Since when reports reach nobody; nothing where they do.
pub(crate) fn since(tenant: &Tenant) -> Option<Timestamp> {
    match tenant.settings.tech_contact {
        None => Some(tenant.no_contact_since.unwrap_or(tenant.created_at)),
        Some(_) => tenant.unreachable().map(|bounced| bounced.at),
    }
}

/// Whether the week is over.
pub fn is_overdue(tenant: &Tenant, now: Timestamp) -> bool {
    since(tenant).is_some_and(|since| now.duration_since(since) > SignedDuration::from_hours(24 * GRACE_DAYS))
}

/// What a run says of a tenant whose reports reach nobody: of the address no more than its domain.
pub fn warning(tenant: &Tenant, now: Timestamp) -> Option<Warning> {
    since(tenant)?;
    let over = is_overdue(tenant, now);
    let message = match tenant.unreachable().map(|bounced| bounced.address.domain()) {
        None if over => format!(
            "the tenant has had no tech contact for {GRACE_DAYS} days: it no longer runs by itself until one is named"
        ),
        None => {
            format!("the tenant has no tech contact: name one within {GRACE_DAYS} days, or it no longer runs by itself")
        }
        Some(domain) if over => format!(
            "mails to the tech contact at {domain} have come back for {GRACE_DAYS} days: the tenant no longer runs by \
             itself until one is saved that can be reached"
        ),
        Some(domain) => format!(
            "mails to the tech contact at {domain} come back: save one that can be reached within {GRACE_DAYS} days, or \
             the tenant no longer runs by itself"
        ),
    };
    Some(Warning { code: "no_tech_contact".to_owned(), message })
}

/// The writes that set the frequency to *never*, without those on the schedule; they are refused where somebody has just
/// changed the settings. Nothing, where it is so already.
pub fn stop(id: &TenantId, tenant: &Tenant, now: Timestamp) -> Vec<Write> {
    let mut settings = tenant.settings.clone();
    let before = std::mem::replace(&mut settings.sync_frequency, Frequency(0));
    if before.0 == 0 {
        return Vec::new();
    }
    let changed =
        Item::from_iter([("settings".to_owned(), json!(settings)), ("rev".to_owned(), json!(tenant.rev + 1))]);
    let audit = Audit {
        at: now,
        by: "entra-sync".to_owned(),
        action: "put_tenant".to_owned(),
        what: "sync_frequency".to_owned(),
        from: json!({"sync_frequency": before}),
        to: json!({"sync_frequency": 0}),
        totals: None,
    };
    let never = ["due_at", "due_shard"].into_iter().map(|name| (name.to_owned(), Value::Null)).collect();
    let changed = Write {
        key: keys::meta(id),
        change: Change::Set { set: changed, add: Vec::new() },
        only_if: vec![Condition::Equals("rev", json!(tenant.rev))],
    };
    vec![changed, set(keys::report(id), never), written_down(id, &audit, "no_tech_contact")]
}
