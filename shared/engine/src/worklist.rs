//! The worklist: what is due, and what is dealt with.

use std::collections::BTreeMap;

use directory::Kind;

use crate::{
    keys,
    lease::{Lease, Stop, delete, note},
    ports::{Key, Range, Store, Table, Write},
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
    let mut writes: BTreeMap<Key, Write> = BTreeMap::new();
    for (sk, _) in crate::links::everything(store, range).await? {
        if let Some((kind, id)) = keys::read_alarm(&sk) {
            let key = keys::work(&lease.tenant, kind, &id);
            writes.insert(key.clone(), note(key, &Work::found(&lease.run, false)));
        }
        let key = Key { table: Table::Control, pk: keys::work_pk(&lease.tenant), sk };
        writes.insert(key.clone(), delete(key));
    }
    // Work sorts before alarms: an alarm goes only once its work is there.
    lease.commit_in_order(store, writes.into_values().collect()).await
}

/// Clear from the worklist what a plan has dealt with: entries that were there when it was made, and that it did not
/// leave there itself.
///
/// # Errors
/// [`Stop`].
pub async fn clear(store: &impl Store, lease: &Lease, run: &Run) -> Result<(), Stop> {
    let prefixes = [(Kind::User, "0#U#"), (Kind::Group, "0#G#"), (Kind::Group, "0#M#")];
    for (_, prefix) in prefixes.iter().filter(|(kind, _)| run.complete[*kind]) {
        let mut range = keys::starting(Table::Control, keys::work_pk(&lease.tenant), prefix);
        loop {
            let page = store.list(&range).await?;
            let mut writes = Vec::new();
            for (sk, item) in page.items {
                let work: Work = read("an entry of the worklist", item)?;
                if work.by <= run.run && work.keep.as_ref() != Some(&run.run) {
                    writes.push(delete(Key { table: Table::Control, pk: range.pk.clone(), sk }));
                }
            }
            lease.commit_in_order(store, writes).await?;
            match page.more {
                Some(after) => range.after = Some(after),
                None => break,
            }
        }
    }
    Ok(())
}
