//! Dispatch: one message for each tenant that is due. The tables hold the truth, so that a lost message costs time only.

use directory::TenantId;
use jiff::{Timestamp, ToSpan as _};
use serde::Serialize;
use serde_json::json;

use crate::{
    keys,
    ports::{Change, Condition, Due, Fault, Item, Message, NotCommitted, Queue, QueueName, Store, Write},
    records::{Schedule, Tenant, read},
    run::Job,
    schedule,
};

/// What a dispatch has done.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dispatched {
    /// Runs asked for.
    pub runs: usize,
    /// Reports asked for.
    pub reports: usize,
    /// How long the longest overdue tenant has waited for the end of a run, in seconds.
    pub oldest_overdue_seconds: i64,
}

/// So many tenants of one shard are taken at a time; the rest is taken a minute later.
const MOST_DUE: usize = 1000;
/// So many runs are asked for at once: more than these are never claimed without having been asked.
const ASKED_AT_ONCE: usize = 10;
/// A tenant that was asked to run is asked again after this, unless its run has set another time.
const ASK_AGAIN_SECONDS: i64 = 900;

/// Ask every tenant that is due at `now` to run, and every report that is due to be mailed. With `fixed_clock` the
/// messages carry `now` on (test clock).
///
/// # Errors
/// The world's: the first fault, after everybody else was asked. Whoever was not asked is still due, or is due again a
/// quarter of an hour later.
pub async fn dispatch(
    store: &impl Store,
    queue: &impl Queue,
    now: Timestamp,
    fixed_clock: bool,
) -> Result<Dispatched, Fault> {
    let mut dispatched = Dispatched::default();
    let carried = fixed_clock.then_some(now);
    let mut first = Ok(());
    for shard in keys::SHARDS.chars() {
        first = first.and(runs(store, queue, now, carried, shard, &mut dispatched).await);
        first = first.and(reports(store, queue, now, carried, shard, &mut dispatched).await);
    }
    first.map(|()| dispatched)
}

async fn runs(
    store: &impl Store,
    queue: &impl Queue,
    now: Timestamp,
    carried: Option<Timestamp>,
    shard: char,
    dispatched: &mut Dispatched,
) -> Result<(), Fault> {
    let due = store.due(&format!("S#{shard}"), now.as_second(), MOST_DUE).await?;
    let keys: Vec<_> = due.iter().map(|due| due.key.clone()).collect();
    let items = store.get(&keys).await?;
    let mut first = Ok(());
    for (due, items) in due.chunks(ASKED_AT_ONCE).zip(items.chunks(ASKED_AT_ONCE)) {
        let mut messages = Vec::new();
        for (due, item) in due.iter().zip(items) {
            let Some(item) = item.clone() else { continue };
            match claim(store, now, carried, due, item, &mut dispatched.oldest_overdue_seconds).await {
                Ok(message) => messages.extend(message),
                Err(fault) => first = first.and(Err(fault)),
            }
        }
        let asked = messages.len();
        if asked > 0 {
            match queue.send(QueueName::Sync, messages).await {
                Ok(()) => dispatched.runs += asked,
                Err(fault) => first = first.and(Err(fault)),
            }
        }
    }
    first
}

/// Claim before sending: a tenant whose message is lost is due again a quarter of an hour later.
async fn claim(
    store: &impl Store,
    now: Timestamp,
    carried: Option<Timestamp>,
    due: &Due,
    item: Item,
    oldest: &mut i64,
) -> Result<Option<Message>, Fault> {
    let Some(tenant) = tenant_of(due) else { return Ok(None) };
    let sync: Schedule = read("the schedule", item)?;
    let Some(due_at) = sync.due_at.filter(|due_at| *due_at <= now.as_second()) else { return Ok(None) };
    let since = sync.due_since.unwrap_or(due_at);
    *oldest = (*oldest).max(now.as_second() - since);
    let set = [("due_at", now.as_second() + ASK_AGAIN_SECONDS), ("due_since", since)];
    if !push(store, due, due_at, &set).await? {
        return Ok(None);
    }
    let job = Job { tenant: tenant.clone(), action: "sync".to_owned(), run: sync.run, now: carried };
    message(&tenant, &job).map(Some)
}

async fn reports(
    store: &impl Store,
    queue: &impl Queue,
    now: Timestamp,
    carried: Option<Timestamp>,
    shard: char,
    dispatched: &mut Dispatched,
) -> Result<(), Fault> {
    let due = store.due(&format!("R#{shard}"), now.as_second(), MOST_DUE).await?;
    let tenants: Vec<_> = due.iter().filter_map(|due| Some((due, tenant_of(due)?))).collect();
    let keys: Vec<_> = tenants.iter().map(|(_, tenant)| keys::meta(tenant)).collect();
    let mut first = Ok(());
    for ((due, tenant), item) in tenants.into_iter().zip(store.get(&keys).await?) {
        let Some(item) = item else { continue };
        match report(store, queue, now, carried, due, &tenant, item).await {
            Ok(()) => dispatched.reports += 1,
            Err(fault) => first = first.and(Err(fault)),
        }
    }
    first
}

/// Send before claiming: a report that is asked for twice is mailed once, one that is not asked for is missed.
async fn report(
    store: &impl Store,
    queue: &impl Queue,
    now: Timestamp,
    carried: Option<Timestamp>,
    due: &Due,
    tenant: &TenantId,
    item: Item,
) -> Result<(), Fault> {
    let meta: Tenant = read("the tenant", item)?;
    let zone = meta.settings.report.time_zone.zone();
    let local = Timestamp::from_second(due.due_at).unwrap_or(now).to_zoned(zone).date();
    let date = local.checked_sub(1.day()).unwrap_or(local);
    let mut body = json!({"tenant": tenant, "date": date});
    if let Some(now) = carried {
        body["now"] = json!(now);
    }
    queue.send(QueueName::Report, vec![message(tenant, &body)?]).await?;
    push(store, due, due.due_at, &[("due_at", schedule::next_report(&meta.settings.report, now))]).await?;
    Ok(())
}

/// Move the due time of an item on, if it is still the one that was seen.
async fn push(store: &impl Store, due: &Due, from: i64, to: &[(&str, i64)]) -> Result<bool, Fault> {
    let set = to.iter().map(|(name, at)| ((*name).to_owned(), json!(at))).collect();
    let only_if = vec![Condition::Equals("due_at", json!(from))];
    match store
        .commit(vec![Write { key: due.key.clone(), change: Change::Set { set, add: Vec::new() }, only_if }])
        .await
    {
        Ok(()) => Ok(true),
        Err(NotCommitted::Refused(_)) => Ok(false),
        Err(NotCommitted::Fault(fault)) => Err(fault),
    }
}

fn tenant_of(due: &Due) -> Option<TenantId> {
    due.key.pk.strip_prefix("T#")?.parse().ok()
}

fn message(tenant: &TenantId, body: &impl Serialize) -> Result<Message, Fault> {
    let body = serde_json::to_string(body).map_err(|err| Fault::permanent("cannot write a message").because(err))?;
    Ok(Message { group: tenant.to_string(), body, delay: std::time::Duration::ZERO })
}
