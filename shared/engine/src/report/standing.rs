//! Who is not imported and why, and what failed and has not succeeded since.

use std::collections::BTreeMap;

use directory::{
    Kind, PerKind, TenantId,
    facts::{Listed, MOST_CHANGES, NotImported, OpenError},
};

use super::{day::Day, sums::TIME_TO_WRITE};
use crate::{
    keys,
    ports::{Clock, Fault, Store, Table},
    records::{Standing, Waiting, read},
};

/// So many of those whom one reason keeps away are named.
const EXAMPLES: usize = 5;

/// The standing verdicts of a tenant, for people.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    /// By reason.
    pub(crate) not_imported: Vec<NotImported>,
    /// The oldest first.
    pub(crate) errors: Listed<OpenError>,
    /// How many failed.
    pub(crate) failed: PerKind<u64>,
    /// They are so many that not all were read.
    pub(crate) cut: bool,
}

/// Read them, as far as there is time.
///
/// # Errors
/// The store's.
pub(crate) async fn verdicts(
    store: &impl Store,
    clock: &impl Clock,
    tenant: &TenantId,
    day: &Day,
) -> Result<Verdicts, Fault> {
    let mut verdicts = Verdicts::default();
    let mut reasons: BTreeMap<_, NotImported> = BTreeMap::new();
    let mut waiting: Vec<Waiting> = Vec::new();
    let mut range = keys::all(Table::Control, keys::standing_pk(tenant));
    loop {
        let page = store.list(&range).await?;
        for (_, item) in page.items {
            match read("a standing verdict", item)? {
                Standing::Skipped(skipped) => {
                    let reason = skipped.reason;
                    let group = reasons.entry(reason).or_insert(NotImported { reason, count: 0, examples: Vec::new() });
                    group.count += 1;
                    if group.examples.len() < EXAMPLES {
                        group.examples.push(skipped.address.unwrap_or_else(|| skipped.object_id.to_string()));
                    }
                }
                Standing::Waiting(one) => {
                    verdicts.failed[one.skipped.object] += 1;
                    waiting.push(one);
                    if waiting.len() > 10 * MOST_CHANGES {
                        oldest(&mut waiting);
                    }
                }
                Standing::NotEnabled(_) => (),
            }
        }
        match page.more {
            None => break,
            Some(_) if clock.remaining() < TIME_TO_WRITE => {
                verdicts.cut = true;
                break;
            }
            Some(after) => range.after = Some(after),
        }
    }
    oldest(&mut waiting);
    verdicts.not_imported = reasons.into_values().collect();
    verdicts.errors = Listed {
        shown: waiting.into_iter().map(|one| open(one, day)).collect(),
        total: Kind::ALL.into_iter().map(|kind| verdicts.failed[kind]).sum(),
    };
    Ok(verdicts)
}

fn oldest(waiting: &mut Vec<Waiting>) {
    waiting.sort_by(|a, b| (a.since, &a.skipped.object_id).cmp(&(b.since, &b.skipped.object_id)));
    waiting.truncate(MOST_CHANGES);
}

fn open(waiting: Waiting, day: &Day) -> OpenError {
    let Waiting { skipped, since, attempts: _, retry_at } = waiting;
    OpenError {
        kind: skipped.object,
        object: skipped.address.unwrap_or_else(|| skipped.object_id.to_string()),
        message: skipped.why,
        since: day.date_of(since),
        retry_at: (since < retry_at).then(|| day.local(retry_at)),
    }
}

/// How many objects failed and have not succeeded since.
///
/// # Errors
/// The store's.
pub(crate) async fn failed(store: &impl Store, tenant: &TenantId) -> Result<u64, Fault> {
    let mut range = keys::all(Table::Control, keys::standing_pk(tenant));
    let mut failed = 0;
    loop {
        let page = store.list(&range).await?;
        failed += page.items.iter().filter(|(_, item)| item.contains_key("waiting")).count() as u64;
        match page.more {
            Some(after) => range.after = Some(after),
            None => return Ok(failed),
        }
    }
}
