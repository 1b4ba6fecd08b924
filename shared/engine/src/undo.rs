//! Undo: the inverse plan of a run, stored and reviewed like any other (rule 4.14).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use directory::{Held, Kind, ObjectId, Outcome, Planned, settle::Local, undo::Undo};
use jiff::Timestamp;

use crate::{
    chunk, keys,
    lease::{Lease, Stop, put},
    load::Loader,
    members::users_of,
    plan::count,
    ports::{Clock, Fault, Store},
    records::{ChunkProgress, Entry, Phase, Run, Undone, read, write},
};

/// All that turning a plan round needs beside the run.
pub struct Inverter<'a, S> {
    /// The store.
    pub store: &'a S,
    /// The lease of the run.
    pub lease: &'a Lease,
    /// How objects are loaded.
    pub loader: Loader<'a, S>,
    /// The time of the run.
    pub now: Timestamp,
}

impl<S: Store> Inverter<'_, S> {
    /// Go on with the inverse plan until it is complete (`true`) or time is up.
    ///
    /// # Errors
    /// [`Stop`]; the run can go on from what is stored.
    pub async fn invert(&self, run: &mut Run, clock: &impl Clock, margin: Duration) -> Result<bool, Stop> {
        let Some(of) = run.undoes.clone() else { return Ok(true) };
        let tenant = self.loader.tenant;
        let item = self.store.get(&[keys::run(tenant, &of)]).await?.pop().flatten();
        let original: Option<Run> = item.map(|item| read("a run", item)).transpose()?;
        let chunks = original.map_or(0, |original| original.chunks);
        while let Phase::Invert { chunk: number } = run.phase {
            if number == chunks {
                run.phase = Phase::Weigh;
                break;
            }
            let entries = chunk::load(self.store, tenant, &of, number).await?;
            let item = self.store.get(&[keys::chunk_progress(tenant, &of, number)]).await?.pop().flatten();
            let progress: ChunkProgress =
                item.map(|item| read("the progress of a plan", item)).transpose()?.unwrap_or_default();
            let undo = Undo { run: &of, now: self.now };
            let mut inverse = Vec::new();
            for entry in entries.iter().take(progress.through.max(progress.released)) {
                inverse.extend(self.entry(run, &undo, entry, &progress).await?);
            }
            let mut writes = Vec::new();
            if !inverse.is_empty() {
                writes.extend(chunk::add(tenant, run, &[inverse])?);
            }
            run.phase = Phase::Invert { chunk: number + 1 };
            writes.push(put(keys::run(tenant, &run.run), write(run)));
            self.lease.commit(self.store, writes).await?;
            if clock.remaining() <= margin && number + 1 < chunks {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The inverse of an entry, if anything of it was carried out.
    async fn entry(
        &self,
        run: &mut Run,
        undo: &Undo<'_>,
        entry: &Entry,
        progress: &ChunkProgress,
    ) -> Result<Option<Entry>, Stop> {
        match entry {
            Entry::Unit { changes, bystanders, .. } => {
                let applied: Vec<&Planned> = changes
                    .iter()
                    .filter(|planned| !progress.exceptions.contains_key(&planned.change.id))
                    .filter(|planned| planned.change.outcome != Some(Outcome::Stale) && planned.change.error.is_none())
                    .collect();
                let names =
                    changes.iter().map(|p| (p.change.object, p.local.clone())).chain(bystanders.iter().cloned());
                let names: BTreeSet<Local> = names.collect();
                let locals: Vec<Local> = names.iter().cloned().collect();
                let held: BTreeMap<Local, Held> = locals
                    .iter()
                    .cloned()
                    .zip(self.loader.held(&locals).await?)
                    .filter_map(|(local, held)| Some((local, held?)))
                    .collect();
                let mut inverse: Vec<Planned> = Vec::new();
                for planned in &applied {
                    let local = (planned.change.object, planned.local.clone());
                    inverse.extend(undo.inverse(planned, held.get(&local)));
                }
                for lost in &progress.bereft {
                    let local = (lost.before.kind(), lost.before.id().clone());
                    if !names.contains(&local) {
                        continue;
                    }
                    let back = undo.give_back(&lost.before, lost.rev, held.get(&local));
                    match inverse.iter_mut().find(|p| (p.change.object, &p.local) == (local.0, &local.1)) {
                        Some(own) => undo.join(own, back),
                        None => inverse.push(back),
                    }
                }
                if inverse.is_empty() {
                    return Ok(None);
                }
                for planned in inverse.iter().filter(|planned| planned.change.selected) {
                    count(run, planned);
                }
                let own: BTreeSet<Local> = inverse.iter().map(|p| (p.change.object, p.local.clone())).collect();
                let bystanders = names.difference(&own).cloned().collect();
                Ok(Some(Entry::Unit { changes: inverse, bystanders, empties: false, waiting: Vec::new() }))
            }
            Entry::Members { change, group, local, join, leave, .. } => {
                let joined = users_of(&self.loader, join).await?;
                let left: Vec<Local> = leave.iter().map(|id| (Kind::User, id.clone())).collect();
                let back = self.loader.held(&left).await?.into_iter().flatten();
                Ok(Some(Entry::Members {
                    change: undo.name(change),
                    group: group.clone(),
                    local: local.clone(),
                    join: back.filter_map(|held| held.entra_id().cloned()).collect(),
                    leave: joined.into_iter().map(|(_, _, local, _)| local).collect(),
                    empties: false,
                    undone: false,
                    undoes: true,
                }))
            }
            Entry::Skipped(_) | Entry::NotEnabled(_) => Ok(None),
        }
    }
}

/// What was undone of some objects.
///
/// # Errors
/// The store's.
pub async fn of<S: Store>(
    loader: &Loader<'_, S>,
    names: &[(Kind, ObjectId)],
) -> Result<BTreeMap<(Kind, ObjectId), Undone>, Fault> {
    let keys: Vec<_> = names.iter().map(|(kind, id)| keys::undone(loader.tenant, *kind, id)).collect();
    let mut found = BTreeMap::new();
    for (name, item) in names.iter().zip(loader.store.get(&keys).await?) {
        if let Some(item) = item {
            found.insert(name.clone(), read("what was undone", item)?);
        }
    }
    Ok(found)
}
