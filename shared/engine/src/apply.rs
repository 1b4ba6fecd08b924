//! Apply: carry out a stored plan, unit by unit, each in one transaction under the lease.
//!
//! Objects, address claims, totals and progress move together, so that a kill at any point leaves whole units, and going
//! on repeats nothing. Whatever does not happen is named, and stays on the worklist.

mod membership;
mod steps;
mod unit;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use directory::{Address, Category, Change, Held, Kind, ObjectId, Outcome, Planned, Rules, settle::Local};
use serde_json::json;

use crate::{
    chunk, keys,
    lease::{Lease, Stop, put},
    links::Ancestry,
    load::Loader,
    plan::add_totals,
    ports::{Clock, Item, Key, Store, Write},
    records::{
        Bereft, ChunkProgress, Claim, Counts, Entry, Exception, HeldBack, Phase, Run, read, said as said_of, write,
    },
};

/// So many writes are put into one transaction before the next begins.
const ENOUGH: usize = 80;

/// So many objects in a row may fail for reasons of their own before the store itself is to blame.
const MOST_FAILURES: usize = 3;

/// What of the plan is carried out.
#[derive(Debug, Default)]
pub struct Selection {
    /// Changes that a person left out.
    pub unchecked: BTreeSet<String>,
    /// Categories of which a person chose only these changes.
    pub only: BTreeMap<(Category, Kind), BTreeSet<String>>,
    /// What the brake holds.
    pub held: Option<HeldBack>,
    /// Only what an earlier pass held is carried out.
    pub releasing: bool,
}

impl Selection {
    fn leaves_out(&self, change: &Change) -> bool {
        let only = self.only.get(&(change.category, change.object));
        self.unchecked.contains(&change.id) || only.is_some_and(|ids| !ids.contains(&change.id))
    }

    fn of(&self, planned: &Planned, empties: bool) -> Option<Outcome> {
        let change = &planned.change;
        let held = self.held.as_ref().is_some_and(|held| {
            let braked = match change.object {
                Kind::User => held.users > 0,
                Kind::Group => held.groups > 0,
            };
            (planned.brakes && braked) || (empties && held.members > 0) || planned.undone
        });
        if change.outcome == Some(Outcome::Stale) {
            Some(Outcome::Stale)
        } else if change.error.is_some() {
            Some(Outcome::Failed)
        } else if self.leaves_out(change) {
            Some(Outcome::Unchecked)
        } else {
            held.then_some(Outcome::Held)
        }
    }
}

/// All that applying needs beside the run.
pub struct Applier<'a, S> {
    /// The store.
    pub store: &'a S,
    /// The lease of the run.
    pub lease: &'a Lease,
    /// The rules of the run.
    pub rules: Rules<'a>,
    /// How objects are loaded.
    pub loader: Loader<'a, S>,
    /// What is carried out.
    pub selection: Selection,
    /// The plan looked at all groups, so that the run that takes over does too.
    pub everybody: bool,
    /// Who is in which group: memberships in Entra do not change while a plan is carried out.
    pub ancestry: Ancestry<'a, S>,
    /// What is carried out undoes another run.
    pub undoes: bool,
    /// A person carries out what was planned before: Entra may have said something else since.
    pub later: bool,
}

/// What one unit comes to: steps that each stand by themselves, almost always one, and what became of each change.
#[derive(Default)]
struct UnitWork {
    steps: Vec<Step>,
    applied: Vec<Done>,
    exceptions: Vec<(String, Exception)>,
    bereft: Vec<Bereft>,
}

/// A change that is carried out.
struct Done {
    id: String,
    category: Category,
    object: Kind,
}

/// What goes into one transaction.
#[derive(Default)]
struct Step {
    writes: Vec<Write>,
    totals: Counts,
    /// The revisions that it gives to objects.
    revs: Vec<(Local, u64)>,
}

impl UnitWork {
    /// Writes that belong together, and what they do to the totals.
    fn add(&mut self, writes: Vec<Write>, totals: Counts) {
        let fits = |step: &&mut Step| {
            let apart = || step.writes.iter().all(|write| writes.iter().all(|other| other.key != write.key));
            step.writes.len() + writes.len() <= ENOUGH && apart()
        };
        match self.steps.last_mut().filter(fits) {
            Some(step) => {
                step.writes.extend(writes);
                step.totals.add(totals, 1);
            }
            None => self.steps.push(Step { writes, totals, revs: Vec::new() }),
        }
    }

    /// The last step gives the object this revision.
    fn reaches(&mut self, local: Local, rev: u64) {
        if let Some(step) = self.steps.last_mut() {
            step.revs.push((local, rev));
        }
    }
}

impl<S: Store> Applier<'_, S> {
    /// Go on with the plan until all of it is carried out (`true`) or time is up.
    ///
    /// # Errors
    /// [`Stop`]; the run can go on from what is stored.
    pub async fn apply(&self, run: &mut Run, clock: &impl Clock, margin: Duration) -> Result<bool, Stop> {
        let mut failures = 0;
        while let Phase::Apply { chunk: number } = run.phase {
            if number == run.chunks {
                run.phase = Phase::Finish;
                break;
            }
            let entries = chunk::load(self.store, self.loader.tenant, &run.run, number).await?;
            let key = keys::chunk_progress(self.loader.tenant, &run.run, number);
            let item = self.store.get(std::slice::from_ref(&key)).await?.pop().flatten();
            let mut progress: ChunkProgress =
                item.map(|item| read("the progress of a plan", item)).transpose()?.unwrap_or_default();
            while self.position(&progress) < entries.len() {
                let from = self.position(&progress);
                let through = match &entries[from] {
                    Entry::Unit { .. } => self.units(run, &entries, &mut progress, &key, &mut failures).await?,
                    Entry::Members { change, .. } => {
                        let through = from + 1;
                        if !self.members(run, &entries[from], &mut progress, &key, through).await?
                            && !self.goes_on(run, number, entries.get(through), change).await?
                        {
                            self.nobody_moved(&entries, change, &mut progress);
                        }
                        through
                    }
                    Entry::Skipped(_) | Entry::NotEnabled(_) => from + 1,
                };
                if self.position(&progress) < through {
                    self.advance(&mut progress, through);
                    self.lease.commit(self.store, vec![put(key.clone(), self.progress_item(run, &progress))]).await?;
                }
                if clock.remaining() <= margin && self.position(&progress) < entries.len() {
                    return Ok(false);
                }
            }
            run.phase = Phase::Apply { chunk: number + 1 };
            if clock.remaining() <= margin && number + 1 < run.chunks {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn position(&self, progress: &ChunkProgress) -> usize {
        if self.selection.releasing { progress.released } else { progress.through }
    }

    fn advance(&self, progress: &mut ChunkProgress, through: usize) {
        if self.selection.releasing {
            progress.released = through;
        } else {
            progress.through = through;
        }
    }

    fn progress_item(&self, run: &Run, progress: &ChunkProgress) -> Item {
        let mut item = write(progress);
        item.insert("ttl".to_owned(), json!(run.ttl));
        item
    }

    /// Carry out units from the position on, as many as go into one transaction. Answers the new position.
    async fn units(
        &self,
        run: &mut Run,
        entries: &[Entry],
        progress: &mut ChunkProgress,
        key: &Key,
        failures: &mut usize,
    ) -> Result<usize, Stop> {
        let from = self.position(progress);
        let mut through = from;
        let mut together = UnitWork::default();
        let mut step = Step::default();
        let mut taken: BTreeSet<Key> = BTreeSet::new();
        let units: Vec<&Entry> =
            entries[from..].iter().take_while(|entry| matches!(entry, Entry::Unit { .. })).take(ENOUGH).collect();
        // What only adds needs no look: if something is there already, the commit is refused, and each is tried alone.
        let look = self.later || !progress.halfway.is_empty();
        let not_new: Vec<&Entry> = units.iter().copied().filter(|entry| look || !only_adds(entry)).collect();
        let known = self.know(&not_new, progress).await?;
        for entry in units {
            let mut unit = self.settle(entry, progress, &known).await?;
            let own = unit.steps.pop().unwrap_or_default();
            let keys: BTreeSet<Key> = own.writes.iter().map(|write| write.key.clone()).collect();
            let fits =
                unit.steps.is_empty() && step.writes.len() + own.writes.len() <= ENOUGH && taken.is_disjoint(&keys);
            if !fits {
                break;
            }
            taken.extend(keys);
            step.writes.extend(own.writes);
            step.totals.add(own.totals, 1);
            together.applied.extend(unit.applied);
            together.exceptions.extend(unit.exceptions);
            together.bereft.extend(unit.bereft);
            through += 1;
        }
        if through == from {
            // Too large to go together with others.
            self.alone(run, &entries[from], progress, key, from + 1, failures).await?;
            return Ok(from + 1);
        }
        together.steps.push(step);
        match self.commit(run, together, progress, key, through).await {
            Ok(()) => {
                *failures = 0;
                Ok(through)
            }
            Err(Stop::LeaseLost) => Err(Stop::LeaseLost),
            Err(Stop::Fault(fault)) if fault.passes => Err(Stop::Fault(fault)),
            // Somebody else changed one of the objects, or one of them cannot be written: each on its own.
            Err(_) => {
                for (at, entry) in entries.iter().enumerate().take(through).skip(from) {
                    self.alone(run, entry, progress, key, at + 1, failures).await?;
                }
                Ok(through)
            }
        }
    }

    /// Carry out one unit by itself; what cannot be done is its own failure and stops nobody else (rule 3.7).
    async fn alone(
        &self,
        run: &mut Run,
        entry: &Entry,
        progress: &mut ChunkProgress,
        key: &Key,
        through: usize,
        failures: &mut usize,
    ) -> Result<(), Stop> {
        let mut why = String::new();
        for _ in 0..3 {
            let known = self.know(&[entry], progress).await?;
            let unit = self.settle(entry, progress, &known).await?;
            match self.commit(run, unit, progress, key, through).await {
                Ok(()) => {
                    *failures = 0;
                    return Ok(());
                }
                Err(Stop::Raced) => "it was changed by somebody else at the same time".clone_into(&mut why),
                Err(Stop::Fault(fault)) if !fault.passes => {
                    why = fault.to_string();
                    *failures += 1;
                    if *failures > MOST_FAILURES {
                        return Err(Stop::Fault(fault));
                    }
                    break;
                }
                Err(stop) => return Err(stop),
            }
        }
        let Entry::Unit { changes, .. } = entry else { return Ok(()) };
        let mut unit = UnitWork::default();
        for planned in changes {
            self.left(&mut unit, planned, Outcome::Failed, Some(why.clone())).await?;
        }
        self.commit(run, unit, progress, key, through).await
    }

    async fn commit(
        &self,
        run: &Run,
        unit: UnitWork,
        progress: &mut ChunkProgress,
        key: &Key,
        through: usize,
    ) -> Result<(), Stop> {
        let mut after = progress.clone();
        self.advance(&mut after, through);
        for Done { id, category, object } in unit.applied {
            after.exceptions.remove(&id);
            after.applied[category][object] += 1;
        }
        after.exceptions.extend(unit.exceptions);
        after.bereft.extend(unit.bereft);
        let mut steps = unit.steps;
        let Step { mut writes, totals, .. } = steps.pop().unwrap_or_default();
        for Step { mut writes, totals, revs } in steps {
            let mut halfway = progress.clone();
            halfway.halfway.retain(|(local, _)| revs.iter().all(|(moved, _)| moved != local));
            halfway.halfway.extend(revs);
            writes.push(put(key.clone(), self.progress_item(run, &halfway)));
            writes.extend(add_totals(self.loader.tenant, &totals));
            self.lease.commit(self.store, writes).await?;
            *progress = halfway;
        }
        after.halfway.clear();
        writes.push(put(key.clone(), self.progress_item(run, &after)));
        writes.extend(add_totals(self.loader.tenant, &totals));
        self.lease.commit(self.store, writes).await?;
        *progress = after;
        Ok(())
    }

    /// The objects of units as they are now, and who owns the addresses that they are to get.
    async fn know(&self, units: &[&Entry], progress: &ChunkProgress) -> Result<Known, Stop> {
        if units.is_empty() {
            return Ok(Known::default());
        }
        let mut locals: BTreeSet<Local> = BTreeSet::new();
        let mut addresses: BTreeSet<Address> = BTreeSet::new();
        for entry in units {
            let Entry::Unit { changes, bystanders, empties, .. } = entry else { continue };
            locals.extend(bystanders.iter().cloned());
            for planned in changes {
                locals.insert((planned.change.object, planned.local.clone()));
                if self.decide(planned, *empties, progress).is_none() {
                    addresses.extend(targets(planned));
                }
            }
        }
        let locals: Vec<Local> = locals.into_iter().collect();
        let held = self.loader.held(&locals).await?;
        let addresses: Vec<Address> = addresses.into_iter().collect();
        let mut owners = BTreeMap::new();
        if !self.loader.empty {
            let keys: Vec<Key> = addresses.iter().map(|address| keys::claim(self.loader.tenant, address)).collect();
            for (address, item) in addresses.into_iter().zip(self.store.get(&keys).await?) {
                if let Some(item) = item {
                    let claim: Claim = read("an address", item)?;
                    owners.insert(address, (claim.kind, claim.owner));
                }
            }
        }
        let mut said = BTreeMap::new();
        if self.later {
            let changes = units.iter().flat_map(|entry| match entry {
                Entry::Unit { changes, .. } => changes.as_slice(),
                _ => &[],
            });
            let ids: BTreeSet<(Kind, ObjectId)> =
                changes.map(|planned| (planned.change.object, planned.change.object_id.clone())).collect();
            let rows = self.loader.rows(&ids.into_iter().collect::<Vec<_>>()).await?;
            said.extend(rows.into_iter().map(|(id, row)| ((row.entra.kind(), id), said_of(&row.entra, row.removed))));
        }
        Ok(Known {
            said,
            held: locals.into_iter().zip(held).filter_map(|(local, held)| Some((local, held?))).collect(),
            owners,
        })
    }

    /// Why a change is not carried out; nothing where it is.
    fn decide(&self, planned: &Planned, empties: bool, progress: &ChunkProgress) -> Option<Outcome> {
        if self.selection.releasing {
            let before = progress.exceptions.get(&planned.change.id).map(|exception| exception.outcome);
            return if before == Some(Outcome::Held) { None } else { Some(before.unwrap_or(Outcome::Applied)) };
        }
        self.selection.of(planned, empties)
    }
}

/// Objects as they are now, and who owns the addresses in question.
#[derive(Default)]
struct Known {
    held: BTreeMap<Local, Held>,
    owners: BTreeMap<Address, Local>,
    /// What Entra says now, where that matters.
    said: BTreeMap<(Kind, ObjectId), String>,
}

fn only_adds(entry: &Entry) -> bool {
    matches!(entry, Entry::Unit { changes, bystanders, .. }
        if bystanders.is_empty() && changes.iter().all(|planned| planned.change.category == Category::Adding))
}

/// Every address that a change gives its object.
fn targets(planned: &Planned) -> BTreeSet<Address> {
    let to = |field: &str| planned.change.to(field).cloned().unwrap_or_default();
    let primary: Option<Address> = serde_json::from_value(to("primary_email")).unwrap_or_default();
    let aliases: BTreeSet<Address> = serde_json::from_value(to("alias_emails")).unwrap_or_default();
    primary.into_iter().chain(aliases).collect()
}
