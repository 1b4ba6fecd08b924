//! Apply: carry out a stored plan, unit by unit, each in one transaction under the lease.
//!
//! Objects, address claims, totals and progress move together, so that a kill at any point leaves whole units, and going
//! on repeats nothing. Whatever does not happen is named, and stays on the worklist.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use directory::{
    Address, Category, Held, Kind, ObjectId, Outcome, Planned, Rules, SkipReason, Skipped,
    settle::{self, Local, Move},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    chunk, keys,
    lease::{Lease, Stop, delete, note, put, set},
    links,
    load::Loader,
    members,
    plan::add_totals,
    ports::{Change, Clock, Condition, Item, Key, Store, Table, Write},
    records::{ChunkProgress, Claim, Counts, Entry, HeldBack, Phase, Run, Standing, Waiting, Work, read, write},
};

/// So many writes are put into one transaction before the next begins.
const ENOUGH: usize = 80;
/// So many addresses move in one step, where a unit is too large for one transaction.
const STEP: usize = 40;
/// So many objects in a row may fail for reasons of their own before the store itself is to blame.
const MOST_FAILURES: usize = 3;

/// What of the plan is carried out.
#[derive(Debug, Default)]
pub struct Selection {
    /// Changes that a person left out.
    pub unchecked: BTreeSet<String>,
    /// What the brake holds.
    pub held: Option<HeldBack>,
    /// Only what an earlier pass held is carried out.
    pub releasing: bool,
}

impl Selection {
    fn of(&self, planned: &Planned, empties: bool) -> Option<Outcome> {
        let change = &planned.change;
        let held = self.held.as_ref().is_some_and(|held| {
            let braked = match change.object {
                Kind::User => held.users > 0,
                Kind::Group => held.groups > 0,
            };
            (planned.brakes && braked) || (empties && held.members > 0)
        });
        if change.error.is_some() {
            Some(Outcome::Failed)
        } else if self.unchecked.contains(&change.id) {
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
}

/// What one unit comes to.
#[derive(Default)]
struct UnitWork {
    writes: Vec<Write>,
    totals: Counts,
    outcomes: Vec<(String, Outcome, Option<String>)>,
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
                    Entry::Members { .. } => {
                        self.members(&entries[from], &progress).await?;
                        from + 1
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
        let mut taken: BTreeSet<Key> = BTreeSet::new();
        let units: Vec<&Entry> =
            entries[from..].iter().take_while(|entry| matches!(entry, Entry::Unit { .. })).take(ENOUGH).collect();
        // What only adds needs no look: if something is there already, the commit is refused, and each is tried alone.
        let not_new: Vec<&Entry> = units.iter().copied().filter(|entry| !only_adds(entry)).collect();
        let known = self.know(&not_new, progress).await?;
        for entry in units {
            let unit = self.settle(run, entry, progress, &known).await?;
            let keys: BTreeSet<Key> = unit.writes.iter().map(|write| write.key.clone()).collect();
            let fits = together.writes.len() + unit.writes.len() <= ENOUGH && taken.is_disjoint(&keys);
            if !fits && through > from {
                break;
            }
            taken.extend(keys);
            together.writes.extend(unit.writes);
            together.totals.add(unit.totals, 1);
            together.outcomes.extend(unit.outcomes);
            through += 1;
            if !fits {
                break;
            }
        }
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
            let unit = self.settle(run, entry, progress, &known).await?;
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
            self.left(run, &mut unit, planned, Outcome::Failed, Some(why.clone())).await?;
        }
        self.commit(run, unit, progress, key, through).await
    }

    async fn commit(
        &self,
        run: &mut Run,
        unit: UnitWork,
        progress: &mut ChunkProgress,
        key: &Key,
        through: usize,
    ) -> Result<(), Stop> {
        let mut after = progress.clone();
        self.advance(&mut after, through);
        for (id, outcome, error) in &unit.outcomes {
            if *outcome == Outcome::Applied {
                after.exceptions.remove(id);
            } else {
                after.exceptions.insert(id.clone(), (*outcome, error.clone()));
            }
        }
        let last =
            [Some(put(key.clone(), self.progress_item(run, &after))), add_totals(self.loader.tenant, &unit.totals)];
        let mut writes = unit.writes;
        writes.extend(last.into_iter().flatten());
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
        Ok(Known {
            held: locals.into_iter().zip(held).filter_map(|(local, held)| Some((local, held?))).collect(),
            owners,
        })
    }

    /// Why a change is not carried out; nothing where it is.
    fn decide(&self, planned: &Planned, empties: bool, progress: &ChunkProgress) -> Option<Outcome> {
        if self.selection.releasing {
            let before = progress.exceptions.get(&planned.change.id).map(|(outcome, _)| *outcome);
            return if before == Some(Outcome::Held) { None } else { Some(before.unwrap_or(Outcome::Applied)) };
        }
        self.selection.of(planned, empties)
    }

    /// What a unit comes to as things are now.
    async fn settle(
        &self,
        run: &mut Run,
        entry: &Entry,
        progress: &ChunkProgress,
        known: &Known,
    ) -> Result<UnitWork, Stop> {
        let mut unit = UnitWork::default();
        let Entry::Unit { changes, bystanders, empties, waiting } = entry else { return Ok(unit) };
        let mut selected = Vec::new();
        for planned in changes {
            match self.decide(planned, *empties, progress) {
                None => selected.push(planned.clone()),
                Some(_) if self.selection.releasing => (),
                Some(outcome) => self.left(run, &mut unit, planned, outcome, planned.change.error.clone()).await?,
            }
        }
        if selected.is_empty() {
            return Ok(unit);
        }
        let locals = changes.iter().map(|p| (p.change.object, p.local.clone())).chain(bystanders.iter().cloned());
        let now: BTreeMap<Local, Held> =
            locals.filter_map(|local| Some((local.clone(), known.held.get(&local)?.clone()))).collect();
        let settled = settle::settle(&selected, &now, &known.owners, self.rules.exempt, self.rules.connection);
        for (planned, (outcome, why)) in selected.iter().zip(&settled.outcomes) {
            if *outcome == Outcome::Applied {
                self.done(run, &mut unit, planned, waiting.contains(&planned.change.object_id));
            } else {
                self.left(run, &mut unit, planned, *outcome, why.clone()).await?;
            }
        }
        for moved in &settled.moves {
            if let (Kind::Group, Some(before), None) = (moved.local.0, &moved.before, &moved.after) {
                self.empty(&moved.local.1, before.rev()).await?;
            }
        }
        for step in steps(settled.moves) {
            let last = self.writes(&step, &known.owners);
            for moved in &step {
                unit.totals.add(Counts::of(moved.after.as_ref()), 1);
                unit.totals.add(Counts::of(moved.before.as_ref()), -1);
            }
            if unit.writes.len() + last.len() <= ENOUGH {
                unit.writes.extend(last);
            } else {
                // Too large for one transaction: the steps before stand by themselves, each whole.
                let mut early = std::mem::replace(&mut unit.writes, last);
                early.extend(add_totals(self.loader.tenant, &std::mem::take(&mut unit.totals)));
                self.lease.commit_in_order(self.store, early).await?;
            }
        }
        Ok(unit)
    }

    /// A group that is removed for good leaves no members behind.
    async fn empty(&self, group: &ObjectId, rev: u64) -> Result<(), Stop> {
        let pk = keys::members_pk(self.loader.tenant, group);
        let rows = links::everything(self.store, keys::all(Table::Directory, pk.clone())).await?;
        for part in rows.chunks(Lease::ROOM - 1) {
            let row = |user: &String| Key { table: Table::Directory, pk: pk.clone(), sk: user.clone() };
            let mut writes: Vec<Write> = part.iter().map(|(user, _)| delete(row(user))).collect();
            let fewer = -i64::try_from(part.len()).unwrap_or_default();
            writes.push(Write {
                key: keys::object(self.loader.tenant, Kind::Group, group),
                change: Change::Set { set: Item::new(), add: vec![("member_count", fewer)] },
                only_if: vec![Condition::Equals("rev", json!(rev))],
            });
            self.lease.commit(self.store, writes).await?;
        }
        Ok(())
    }

    /// What follows from a change that is carried out.
    fn done(&self, run: &Run, unit: &mut UnitWork, planned: &Planned, waited: bool) {
        let (tenant, change) = (self.loader.tenant, &planned.change);
        unit.outcomes.push((change.id.clone(), Outcome::Applied, None));
        if planned.local != change.object_id && planned.change.fields.contains_key("entra_id") {
            let local = Item::from_iter([("local".to_owned(), json!(planned.local))]);
            unit.writes.push(set(keys::mirror(tenant, change.object, &change.object_id), local));
        }
        if waited {
            unit.writes.push(delete(keys::standing(tenant, change.object, &change.object_id)));
            match change.object {
                Kind::User => unit.totals.skipped_users -= 1,
                Kind::Group => unit.totals.skipped_groups -= 1,
            }
        }
        let work = keys::work(tenant, change.object, &change.object_id);
        // Members are written after this. Should it not come to that, the run that takes over has to look at them.
        let everybody = run.settings.is_none() && run.everybody[Kind::Group].is_some();
        let members = !everybody && (change.fields.contains_key("members") || change.comes_or_goes());
        if planned.purge {
            // The next run looks at it once more, and forgets what Entra said of it.
            unit.writes.push(note(work, &Work::left(&self.lease.run, members)));
        } else if members {
            unit.writes.push(note(work, &Work::found(&self.lease.run, true)));
        }
        if !planned.purge && change.category == Category::Deleting {
            let days = i64::from(self.rules.settings.recovery_days.0);
            let until = self.rules.now.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
            unit.writes.push(put(
                keys::alarm(tenant, until, change.object, &change.object_id),
                write(&Work::found(&self.lease.run, false)),
            ));
        }
    }

    /// What follows from a change that is not carried out: it stays on the worklist, and a failure is remembered.
    async fn left(
        &self,
        run: &mut Run,
        unit: &mut UnitWork,
        planned: &Planned,
        outcome: Outcome,
        why: Option<String>,
    ) -> Result<(), Stop> {
        let (tenant, change) = (self.loader.tenant, &planned.change);
        unit.outcomes.push((change.id.clone(), outcome, why.clone()));
        let mut again = true;
        match outcome {
            Outcome::Failed => {
                run.counts.failed[change.object] += 1;
                let key = keys::standing(tenant, change.object, &change.object_id);
                let before: Option<Standing> = self
                    .store
                    .get(std::slice::from_ref(&key))
                    .await?
                    .pop()
                    .flatten()
                    .map(|item| read("a standing verdict", item))
                    .transpose()?;
                let waiting = waiting(before.as_ref(), planned, why.unwrap_or_default(), self.rules.now);
                again = waiting.attempts == 1;
                if !again {
                    let work = Work::found(&self.lease.run, false);
                    unit.writes.push(put(
                        keys::alarm(tenant, waiting.retry_at, change.object, &change.object_id),
                        write(&work),
                    ));
                }
                let standing = Standing::Waiting(waiting);
                unit.totals.add(Counts::of_standing(change.object, Some(&standing)), 1);
                unit.totals.add(Counts::of_standing(change.object, before.as_ref()), -1);
                unit.writes.push(put(key, write(&standing)));
            }
            Outcome::Stale => run.counts.stale[change.object] += 1,
            Outcome::Applied | Outcome::Held | Outcome::Unchecked => (),
        }
        if again {
            let members = change.fields.contains_key("members");
            let work = keys::work(tenant, change.object, &change.object_id);
            unit.writes.push(note(work, &Work::left(&self.lease.run, members)));
        }
        Ok(())
    }

    /// The writes of one step: objects on condition of their revision, claims on condition of their owner.
    fn writes(&self, moves: &[Move], owners: &BTreeMap<Address, Local>) -> Vec<Write> {
        let tenant = self.loader.tenant;
        let mut writes = Vec::new();
        let mut claims: BTreeMap<&Address, (Option<&Local>, Option<&Local>)> = BTreeMap::new();
        for moved in moves {
            let (kind, id) = &moved.local;
            let unchanged =
                moved.before.as_ref().map_or(Condition::NoItem, |held| Condition::Equals("rev", json!(held.rev())));
            let change = match &moved.after {
                Some(Held::User(user)) => Change::Put(write(user)),
                Some(Held::Group(group)) => Change::Put(write(group)),
                None => Change::Delete,
            };
            writes.push(Write { key: keys::object(tenant, *kind, id), change, only_if: vec![unchanged] });
            let before: BTreeSet<&Address> = moved.before.iter().flat_map(|held| held.addresses().all()).collect();
            let after: BTreeSet<&Address> = moved.after.iter().flat_map(|held| held.addresses().all()).collect();
            for address in before.difference(&after) {
                claims.entry(*address).or_default().0 = Some(&moved.local);
            }
            for address in after.difference(&before) {
                claims.entry(*address).or_default().1 = Some(&moved.local);
            }
        }
        for (address, (from, to)) in claims {
            let from = from.or_else(|| owners.get(address).filter(|owner| Some(*owner) != to));
            let only_if = vec![from.map_or(Condition::NoItem, |(_, id)| Condition::Equals("owner", json!(id)))];
            let change = match to {
                Some((kind, id)) => Change::Put(write(&Claim { kind: *kind, owner: id.clone() })),
                None => Change::Delete,
            };
            writes.push(Write { key: keys::claim(tenant, address), change, only_if });
        }
        writes
    }

    /// Carry out a part of the membership changes of a group: whoever is here joins, whoever is no member leaves.
    async fn members(&self, entry: &Entry, progress: &ChunkProgress) -> Result<(), Stop> {
        let Entry::Members { change, group, local, join, leave, empties } = entry else { return Ok(()) };
        let tenant = self.loader.tenant;
        // A release lets those go who were deleted with it; whoever is to join has joined already, or left again since.
        let join: &[ObjectId] = if self.selection.releasing && !*empties { &[] } else { join };
        let held_back = *empties && self.selection.held.as_ref().is_some_and(|held| held.members > 0);
        let left = progress.exceptions.contains_key(change) || self.selection.unchecked.contains(change) || held_back;
        let group_row = self.store.get(&[keys::object(tenant, Kind::Group, local)]).await?.pop().flatten();
        let group_row = group_row.map(|item| crate::load::read_held(Kind::Group, item)).transpose()?;
        let here = group_row.is_some_and(|held| held.deleted_at().is_none() && held.entra_id() == Some(group));
        if left || !here {
            return Ok(());
        }
        let mut writes: Vec<(Write, i64)> = Vec::new();
        let joining: Vec<ObjectId> = {
            let known = members::users_of(&self.loader, join).await?;
            known
                .into_iter()
                .filter_map(|(_, _, local, held)| held.filter(directory::User::is_member_material).map(|_| local))
                .collect()
        };
        let keys: Vec<Key> = joining.iter().map(|user| keys::member(tenant, local, user)).collect();
        for (key, item) in keys.iter().zip(self.store.get(&keys).await?) {
            if item.is_none() {
                writes.push((put(key.clone(), Item::from_iter([("since".to_owned(), json!(self.rules.now))])), 1));
            }
        }
        let keys: Vec<Key> = leave.iter().map(|user| keys::member(tenant, local, user)).collect();
        let locals: Vec<Local> = leave.iter().map(|user| (Kind::User, user.clone())).collect();
        let held = self.loader.held(&locals).await?;
        for ((key, item), held) in keys.iter().zip(self.store.get(&keys).await?).zip(held) {
            if item.is_none() {
                continue;
            }
            let stays = match held {
                Some(Held::User(user)) if user.is_member_material() => match &user.entra_id {
                    Some(id) => links::ancestors(self.store, tenant, id).await?.contains(group),
                    None => false,
                },
                _ => false,
            };
            if !stays {
                writes.push((delete(key.clone()), -1));
            }
        }
        for part in writes.chunks(Lease::ROOM - 1) {
            let total: i64 = part.iter().map(|(_, number)| number).sum();
            let mut writes: Vec<Write> = part.iter().map(|(write, _)| write.clone()).collect();
            writes.push(Write {
                key: keys::object(tenant, Kind::Group, local),
                change: Change::Set { set: Item::new(), add: vec![("member_count", total)] },
                only_if: vec![Condition::Exists],
            });
            self.lease.commit(self.store, writes).await?;
        }
        Ok(())
    }
}

/// Objects as they are now, and who owns the addresses in question.
#[derive(Default)]
struct Known {
    held: BTreeMap<Local, Held>,
    owners: BTreeMap<Address, Local>,
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

/// Moves cut into steps of which each fits into one transaction: first everybody lets go, then everybody takes.
fn steps(moves: Vec<Move>) -> Vec<Vec<Move>> {
    let size = |moved: &Move| {
        let before: BTreeSet<&Address> = moved.before.iter().flat_map(|held| held.addresses().all()).collect();
        let after: BTreeSet<&Address> = moved.after.iter().flat_map(|held| held.addresses().all()).collect();
        1 + before.symmetric_difference(&after).count()
    };
    if moves.iter().map(size).sum::<usize>() <= ENOUGH - 10 {
        return if moves.is_empty() { Vec::new() } else { vec![moves] };
    }
    let mut shrinking = Vec::new();
    let mut growing = Vec::new();
    for Move { local, before, after } in moves {
        let mut now = before.clone();
        let target: BTreeSet<Address> = after.iter().flat_map(|held| held.addresses().all()).cloned().collect();
        let lost: Vec<Address> = before
            .iter()
            .flat_map(|held| held.addresses().all())
            .filter(|address| !target.contains(*address))
            .cloned()
            .collect();
        for part in lost.chunks(STEP) {
            let smaller =
                now.as_ref().map(|held| held.readdressed(held.addresses().without(&part.iter().cloned().collect())));
            shrinking.push(vec![Move { local: local.clone(), before: now, after: smaller.clone() }]);
            now = smaller;
        }
        let Some(after) = after else {
            growing.push(vec![Move { local, before: now, after: None }]);
            continue;
        };
        let has: BTreeSet<Address> = now.iter().flat_map(|held| held.addresses().all()).cloned().collect();
        let gained: Vec<Address> =
            after.addresses().aliases.iter().filter(|alias| !has.contains(*alias)).cloned().collect();
        let first = after.addresses().without(&gained.iter().cloned().collect());
        let mut next = now
            .as_ref()
            .map_or_else(|| after.clone(), |held| at_revision(&after, held.rev() + 1))
            .with_addresses(first);
        growing.push(vec![Move { local: local.clone(), before: now, after: Some(next.clone()) }]);
        for part in gained.chunks(STEP) {
            let mut more = next.addresses().clone();
            more.aliases.extend(part.iter().cloned());
            let larger = next.readdressed(more);
            growing.push(vec![Move { local: local.clone(), before: Some(next), after: Some(larger.clone()) }]);
            next = larger;
        }
    }
    shrinking.into_iter().chain(growing).collect()
}

fn at_revision(held: &Held, rev: u64) -> Held {
    let mut held = held.clone();
    match &mut held {
        Held::User(user) => user.rev = rev,
        Held::Group(group) => group.rev = rev,
    }
    held
}

/// The memory of a failure: tried again with the next run, then after 6, 12 and 24 hours, then daily (rule 3.7).
fn waiting(before: Option<&Standing>, planned: &Planned, why: String, now: Timestamp) -> Waiting {
    let (since, attempts) = match before {
        Some(Standing::Waiting(waiting)) => (waiting.since, waiting.attempts + 1),
        _ => (now, 1),
    };
    let hours = match attempts {
        1 => 0,
        2 => 6,
        3 => 12,
        _ => 24,
    };
    let skipped = Skipped {
        object: planned.change.object,
        object_id: planned.change.object_id.clone(),
        address: planned.change.address.as_ref().map(Address::to_string),
        reason: SkipReason::WaitingForRetry,
        why,
        domain: None,
    };
    Waiting { skipped, since, attempts, retry_at: now.checked_add(SignedDuration::from_hours(hours)).unwrap_or(now) }
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
