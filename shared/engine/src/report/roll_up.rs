//! The operator's day over all tenants (rule 6.8), a page of tenants at a time: only the lists that are shown are kept.

use directory::{
    CredentialKind, TenantId,
    expiry::step,
    facts::{Expiring, Listed, MOST_CHANGES, Named, NeverRan, RollUpFacts, Trouble, Unreached, Waiting},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use super::{
    Stored,
    day::Day,
    facts::{expiry_day, held, named},
    runs::{self, Runs},
    standing,
};
use crate::{
    credential, keys,
    no_contact::{self, GRACE_DAYS},
    ports::{Fault, Item, Range, Store, Table},
    records::Tenant,
};

/// So many tenants make a page.
const PAGE: usize = 100;
/// So many tenants are looked at side by side: each is a short question or two, and ten thousand one after the other
/// take longer than an invocation may.
const TOGETHER: usize = 16;
/// So many days long the operator is told of a tenant whose frequency became 0 (rule 4.2).
const TOLD_DAYS: i64 = 7;

/// What one tenant adds.
struct Share {
    named: Named,
    scheduled: bool,
    runs: directory::facts::Runs,
    failed: Option<Trouble>,
    held: Option<Waiting>,
    never_ran: Option<NeverRan>,
    expiring: Option<Expiring>,
    unreached: Option<Unreached>,
    switched_off: bool,
}

/// Gather it.
///
/// # Errors
/// The store's.
pub(super) async fn gather(store: &impl Store, day: &Day, now: Timestamp) -> Result<RollUpFacts, Fault> {
    let mut facts = RollUpFacts { date: day.date, ..RollUpFacts::default() };
    let mut range = Range { limit: PAGE, ..keys::all(Table::Control, keys::TENANTS.to_owned()) };
    loop {
        let page = store.list(&range).await?;
        let tenants: Vec<TenantId> = page.items.iter().filter_map(|(id, _)| id.parse().ok()).collect();
        let keys: Vec<_> = tenants.iter().flat_map(|id| [keys::meta(id), keys::sync(id), keys::counts(id)]).collect();
        let mut items = store.get(&keys).await?.into_iter();
        let mut stored: Vec<(TenantId, Stored)> = Vec::new();
        for id in tenants {
            let [meta, sync, counts]: [Option<Item>; 3] = std::array::from_fn(|_| items.next().flatten());
            // One that is being deleted has no settings any longer.
            if let Some(meta) = meta {
                stored.push((id, Stored::read(meta, sync, counts)?));
            }
        }
        let mut shares =
            stream::iter(&stored).map(|(id, stored)| share(store, id, stored, day, now)).buffered(TOGETHER);
        while let Some(share) = shares.try_next().await? {
            add(&mut facts, share);
        }
        match page.more {
            Some(after) => range.after = Some(after),
            None => return Ok(facts),
        }
    }
}

async fn share(
    store: &impl Store,
    tenant: &TenantId,
    stored: &Stored,
    day: &Day,
    now: Timestamp,
) -> Result<Share, Fault> {
    let Stored { meta, sync, .. } = stored;
    let named = named(tenant, meta);
    let frequency = meta.settings.sync_frequency;
    let scheduled = frequency.0 != 0;
    let around = Runs::around(store, tenant, sync, day).await?;
    let from = day.start.max(meta.created_at);
    let at_once = u64::from(scheduled && day.has(meta.created_at) && meta.created_at <= now);
    let expected = at_once + runs::due(tenant, frequency, from, day.end.min(now));
    let runs = around.facts(expected, day, 1);
    // What fails is tried again at least daily, so that whoever has errors has had failures lately.
    let all = || [&around.before, &around.during, &around.after].into_iter().flatten();
    let errors = if all().any(|run| run.counts.failed.users + run.counts.failed.groups > 0) {
        standing::failed(store, tenant).await?
    } else {
        0
    };
    let held = held(store, tenant, sync, day).await?;
    let trouble = Trouble {
        tenant: named.clone(),
        failed_runs: runs.failed,
        errors,
        failure: runs.failures.first().map(|failed| failed.failure.clone()),
    };
    let never =
        NeverRan { tenant: named.clone(), expected, last_successful_sync: sync.last_success.map(|at| day.local(at)) };
    Ok(Share {
        scheduled,
        failed: (runs.failed + errors > 0).then_some(trouble),
        held: held.map(|held| Waiting { tenant: named.clone(), held }),
        never_ran: (expected > 0 && runs.started == 0).then_some(never),
        expiring: expiring(&named, stored, day, now),
        unreached: unreached(&named, meta, day),
        switched_off: switched_off(meta, day),
        runs,
        named,
    })
}

/// A credential of which people are warned, or were.
fn expiring(named: &Named, stored: &Stored, day: &Day, now: Timestamp) -> Option<Expiring> {
    let Stored { meta, sync, .. } = stored;
    let expiry = expiry_day(meta, sync, day, now).filter(|expiry| step(expiry.days_left).is_some())?;
    if credential::is_in_hand(meta, sync, expiry.days_left) {
        return None;
    }
    let kind: CredentialKind = meta.settings.credential.kind;
    Some(Expiring { tenant: named.clone(), kind, expiry })
}

/// It runs, and mails to its tech contact come back.
fn unreached(named: &Named, meta: &Tenant, day: &Day) -> Option<Unreached> {
    let bounced = meta.unreachable().filter(|_| meta.settings.sync_frequency.0 != 0)?;
    Some(Unreached { tenant: named.clone(), since: day.local(bounced.at) })
}

/// Its frequency became 0 lately, for want of a tech contact.
fn switched_off(meta: &Tenant, day: &Day) -> bool {
    let Some(since) = no_contact::since(meta) else { return false };
    let after = |days: i64| since.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
    meta.settings.sync_frequency.0 == 0 && after(GRACE_DAYS) < day.end && day.start < after(GRACE_DAYS + TOLD_DAYS)
}

fn add(facts: &mut RollUpFacts, share: Share) {
    let Share { named, scheduled, runs, failed, held, never_ran, expiring, unreached, switched_off } = share;
    facts.tenants += 1;
    facts.scheduled += u64::from(scheduled);
    facts.runs.expected += runs.expected;
    facts.runs.started += runs.started;
    facts.runs.succeeded += runs.succeeded;
    facts.runs.failed += runs.failed;
    keep(&mut facts.failed, failed);
    keep(&mut facts.held, held);
    keep(&mut facts.never_ran, never_ran);
    keep(&mut facts.unreached, unreached);
    keep(&mut facts.switched_off, switched_off.then_some(named));
    if let Some(expiring) = expiring {
        facts.expiring.total += 1;
        facts.expiring.shown.push(expiring);
        facts.expiring.shown.sort_by(|a, b| (a.expiry.on, &a.tenant).cmp(&(b.expiry.on, &b.tenant)));
        facts.expiring.shown.truncate(MOST_CHANGES);
    }
}

fn keep<T>(list: &mut Listed<T>, one: Option<T>) {
    list.total += u64::from(one.is_some());
    list.shown.extend(one.filter(|_| list.shown.len() < MOST_CHANGES));
}
