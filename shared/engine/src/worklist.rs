//! The worklist: what is due, and what is dealt with.

use std::collections::BTreeMap;

use directory::Kind;
use serde_json::json;

use crate::{
    keys,
    lease::{Lease, Stop, delete, note},
    links::Pages,
    ports::{Change, Condition, Key, Range, Store, Table, Write},
    records::{Run, Work, read},
};

/// Turn alarms that are due into work.
///
/// # Errors
/// [`Stop`].
pub async fn ring(store: &impl Store, lease: &Lease, now: jiff::Timestamp) -> Result<(), Stop> {
    let range = Range {
        from: "9#".to_owned(),
        to: format!("9#{now:.0}~"),
        ..keys::all(Table::Control, keys::work_pk(&lease.tenant))
    };
    let mut pages = Pages::of(store, range);
    while let Some(page) = pages.next().await? {
        let mut writes: BTreeMap<Key, Write> = BTreeMap::new();
        for (sk, _) in page {
            if let Some((kind, id)) = keys::read_alarm(&sk) {
                let key = keys::work(&lease.tenant, kind, &id);
                writes.insert(key.clone(), note(key, &Work::found(&lease.run, false)));
            }
            let key = Key { table: Table::Control, pk: keys::work_pk(&lease.tenant), sk };
            writes.insert(key.clone(), delete(key));
        }
        // Work sorts before alarms: an alarm goes only once its work is there.
        lease.commit_in_order(store, writes.into_values().collect()).await?;
    }
    Ok(())
}

/// Clear from the worklist what a plan has dealt with: entries that were there when it was made, and that it did not
/// leave there itself.
///
/// # Errors
/// [`Stop`].
pub async fn clear(store: &impl Store, lease: &Lease, run: &Run) -> Result<(), Stop> {
    let prefixes = [(Kind::User, "0#U#"), (Kind::Group, "0#G#"), (Kind::Group, "0#M#")];
    for (_, prefix) in prefixes.iter().filter(|(kind, _)| run.complete[*kind]) {
        let pk = keys::work_pk(&lease.tenant);
        let mut pages = Pages::of(store, keys::starting(Table::Control, pk.clone(), prefix));
        while let Some(page) = pages.next().await? {
            let mut writes = Vec::new();
            for (sk, item) in page {
                let work: Work = read("an entry of the worklist", item)?;
                if work.by <= *run.mark() && work.keep.as_ref() != Some(run.mark()) {
                    // Somebody who asks for it meanwhile puts another name on it.
                    let only_if = vec![Condition::Equals("by", json!(work.by))];
                    let key = Key { table: Table::Control, pk: pk.clone(), sk };
                    writes.push(Write { key, change: Change::Delete, only_if });
                }
            }
            match lease.commit_in_order(store, writes.clone()).await {
                Err(Stop::Raced) => one_by_one(store, lease, writes).await?,
                done => done?,
            }
        }
    }
    Ok(())
}

/// Remove what can be removed.
async fn one_by_one(store: &impl Store, lease: &Lease, writes: Vec<Write>) -> Result<(), Stop> {
    for write in writes {
        match lease.commit(store, vec![write]).await {
            Ok(()) | Err(Stop::Raced) => (),
            Err(stop) => return Err(stop),
        }
    }
    Ok(())
}
