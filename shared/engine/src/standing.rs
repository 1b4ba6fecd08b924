//! Standing verdicts: who is not as Entra has it, and why. Kept with their totals, so that every run and report can
//! count them without looking.

use std::collections::{BTreeMap, BTreeSet};

use directory::{Kind, ObjectId, SkipReason, TenantId};

use crate::{
    keys,
    lease::{Lease, Stop, delete, note},
    links::Pages,
    plan::add_totals,
    ports::{Change, Fault, Item, Key, Store, Table, Write},
    records::{Counts, Standing, Work, read, write},
};

/// What a run has found: the verdict of each object, or none where nothing stands against it.
pub type Found = BTreeMap<(Kind, ObjectId), Option<Standing>>;

/// Verdicts as they are stored, of objects for which somebody has looked.
pub type Stored = BTreeMap<(Kind, ObjectId), Option<Standing>>;

/// Look verdicts up.
///
/// # Errors
/// The store's.
pub async fn stored(
    store: &impl Store,
    tenant: &TenantId,
    names: impl IntoIterator<Item = (Kind, ObjectId)>,
) -> Result<Stored, Fault> {
    let names: Vec<_> = names.into_iter().collect();
    let keys: Vec<Key> = names.iter().map(|(kind, id)| keys::standing(tenant, *kind, id)).collect();
    let items = store.get(&keys).await?.into_iter();
    let read = |item: Option<Item>| item.map(|item| read("a standing verdict", item)).transpose();
    names.into_iter().zip(items).map(|(name, item)| Ok((name, read(item)?))).collect()
}

/// Keep the verdicts that a run has found; `known` are some that were looked up. Answers which of those who are `changing` failed before: that verdict stands
/// until they succeed.
///
/// # Errors
/// [`Stop`].
pub async fn keep(
    store: &impl Store,
    lease: &Lease,
    found: Found,
    mut known: Stored,
    changing: &BTreeSet<(Kind, ObjectId)>,
) -> Result<BTreeSet<(Kind, ObjectId)>, Stop> {
    let unknown: Vec<_> = found.keys().filter(|name| !known.contains_key(*name)).cloned().collect();
    known.extend(stored(store, &lease.tenant, unknown).await?);
    let mut changes = Vec::new();
    let mut waiting = BTreeSet::new();
    for (name, after) in found {
        let key = keys::standing(&lease.tenant, name.0, &name.1);
        let before = known.remove(&name).flatten();
        let waits = matches!(before, Some(Standing::Waiting(_))) && changing.contains(&name);
        if before != after && !waits {
            let mut totals = Counts::of_standing(name.0, after.as_ref());
            totals.add(Counts::of_standing(name.0, before.as_ref()), -1);
            if name.0 == Kind::Group && before.is_some() && after.is_none() {
                // Nobody kept its members meanwhile: all of them are to be looked at, by this run or another.
                let work = note(keys::work(&lease.tenant, name.0, &name.1), &Work::found(&lease.run, true));
                changes.push((work, Counts::default()));
            }
            let change = after.map_or(Change::Delete, |standing| Change::Put(write(&standing)));
            changes.push((Write { key, change, only_if: Vec::new() }, totals));
        }
        if waits {
            waiting.insert(name);
        }
    }
    commit(store, lease, &changes).await?;
    Ok(waiting)
}

/// Forget every verdict on objects of a kind: another directory is connected, and they were of the one before.
///
/// # Errors
/// [`Stop`].
pub async fn forget(store: &impl Store, lease: &Lease, kind: Kind) -> Result<(), Stop> {
    let mut pages = Pages::of(store, keys::standings(&lease.tenant, kind));
    while let Some(page) = pages.next().await? {
        let mut changes = Vec::new();
        for (sk, item) in page {
            let standing: Standing = read("a standing verdict", item)?;
            let mut totals = Counts::default();
            totals.add(Counts::of_standing(kind, Some(&standing)), -1);
            let key = Key { table: Table::Control, pk: keys::standing_pk(&lease.tenant), sk };
            changes.push((delete(key), totals));
        }
        commit(store, lease, &changes).await?;
    }
    Ok(())
}

/// Writes and what they do to the totals, as many at once as fit.
async fn commit(store: &impl Store, lease: &Lease, changes: &[(Write, Counts)]) -> Result<(), Stop> {
    for part in changes.chunks(Lease::ROOM - 1) {
        let mut writes: Vec<Write> = part.iter().map(|(write, _)| write.clone()).collect();
        let mut totals = Counts::default();
        part.iter().for_each(|(_, counts)| totals.add(*counts, 1));
        writes.extend(add_totals(&lease.tenant, &totals));
        lease.commit(store, writes).await?;
    }
    Ok(())
}

/// The domains that keep people out and that a manual run has to name (rule 2.6).
///
/// # Errors
/// The store's.
pub async fn foreign_domains(store: &impl Store, tenant: &TenantId) -> Result<BTreeSet<String>, Fault> {
    let mut domains = BTreeSet::new();
    let mut pages = Pages::of(store, keys::all(Table::Control, keys::standing_pk(tenant)));
    while let Some(page) = pages.next().await? {
        for (_, item) in page {
            if let Standing::Skipped(skipped) = read("a standing verdict", item)?
                && skipped.reason == SkipReason::DomainNotRegistered
            {
                let domain = skipped.domain.filter(|domain| !domain.is_microsofts());
                domains.extend(domain.map(|domain| domain.to_string()));
            }
        }
    }
    Ok(domains)
}
