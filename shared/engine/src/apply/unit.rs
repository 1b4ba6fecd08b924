//! What one unit comes to as things are now: its writes, and what became of each change.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use directory::{
    Address, Category, Held, Kind, ObjectId, Outcome, Planned, SkipReason, Skipped,
    settle::{self, Local, Move},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Applier, Done, ENOUGH, Known, UnitWork, steps::steps};
use crate::{
    keys,
    lease::{Stop, delete, note, put, set},
    links,
    ports::{Change, Condition, Item, Key, Store, Table, Write},
    records::{Bereft, ChunkProgress, Claim, Counts, Entry, Exception, Standing, Undone, Waiting, Work, read, write},
};

impl<S: Store> Applier<'_, S> {
    /// What a unit comes to as things are now.
    pub(super) async fn settle(
        &self,
        entry: &Entry,
        progress: &ChunkProgress,
        known: &Known,
    ) -> Result<UnitWork, Stop> {
        let mut unit = UnitWork::default();
        let Entry::Unit { changes, bystanders, empties, waiting } = entry else { return Ok(unit) };
        let mut selected = Vec::new();
        for planned in changes {
            match self.decide(planned, *empties, progress) {
                None if self.has_moved_on(planned, known) => {
                    let why = "Entra has changed it since the plan was made".to_owned();
                    self.left(&mut unit, planned, Outcome::Stale, Some(why)).await?;
                }
                None => {
                    let local = (planned.change.object, planned.local.clone());
                    let halfway = progress.halfway.iter().find(|(known, _)| *known == local);
                    let rev = halfway.map(|(_, rev)| *rev).or(planned.rev);
                    selected.push(Planned { rev, ..planned.clone() });
                }
                Some(_) if self.selection.releasing => (),
                Some(outcome) => self.left(&mut unit, planned, outcome, planned.change.error.clone()).await?,
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
                self.done(&mut unit, planned, waiting.contains(&planned.change.object_id), known);
            } else {
                self.left(&mut unit, planned, *outcome, why.clone()).await?;
            }
        }
        let addressed = |p: &&Planned| ["primary_email", "alias_emails"].iter().any(|name| p.change.to(name).is_some());
        let own: BTreeSet<Local> =
            selected.iter().filter(addressed).map(|p| (p.change.object, p.local.clone())).collect();
        for moved in &settled.moves {
            if let (Some(before), Some(after)) = (&moved.before, &moved.after)
                && before.addresses() != after.addresses()
                && !own.contains(&moved.local)
            {
                unit.bereft.push(Bereft { before: before.clone(), rev: after.rev() });
            }
            if let (Kind::Group, Some(before), None) = (moved.local.0, &moved.before, &moved.after) {
                self.empty(&mut unit, &moved.local.1, before.rev()).await?;
            }
        }
        let mut owners = Cow::Borrowed(&known.owners);
        let steps = steps(settled.moves);
        let several = steps.len() > 1;
        for step in steps {
            let mut totals = Counts::default();
            for moved in &step {
                totals.add(Counts::of(moved.after.as_ref()), 1);
                totals.add(Counts::of(moved.before.as_ref()), -1);
            }
            unit.add(self.writes(&step, &owners), totals);
            for Move { local, after, .. } in step.into_iter().filter(|_| several) {
                let keeps =
                    |address: &Address| after.iter().any(|held| held.addresses().all().any(|own| own == address));
                // What one step lets go nobody owns in the next.
                owners.to_mut().retain(|address, owner| *owner != local || keeps(address));
                if let Some(held) = &after {
                    unit.reaches(local, held.rev());
                }
            }
        }
        Ok(unit)
    }

    /// Whether Entra says something else of the object than when the change was planned (rule 4.6).
    fn has_moved_on(&self, planned: &Planned, known: &Known) -> bool {
        let name = (planned.change.object, planned.change.object_id.clone());
        self.later && planned.said.is_some() && known.said.get(&name) != planned.said.as_ref()
    }

    /// A group that is removed for good leaves no members behind.
    async fn empty(&self, unit: &mut UnitWork, group: &ObjectId, rev: u64) -> Result<(), Stop> {
        let pk = keys::members_pk(self.loader.tenant, group);
        let rows = links::everything(self.store, keys::all(Table::Directory, pk.clone())).await?;
        for part in rows.chunks(ENOUGH - 1) {
            let row = |user: &String| Key { table: Table::Directory, pk: pk.clone(), sk: user.clone() };
            let mut writes: Vec<Write> = part.iter().map(|(user, _)| delete(row(user))).collect();
            let fewer = -i64::try_from(part.len()).unwrap_or_default();
            writes.push(Write {
                key: keys::object(self.loader.tenant, Kind::Group, group),
                change: Change::Set { set: Item::new(), add: vec![("member_count", fewer)] },
                only_if: vec![Condition::Equals("rev", json!(rev))],
            });
            unit.add(writes, Counts::default());
        }
        Ok(())
    }

    /// What follows from a change that is carried out.
    fn done(&self, unit: &mut UnitWork, planned: &Planned, waited: bool, known: &Known) {
        let (tenant, change) = (self.loader.tenant, &planned.change);
        unit.applied.push(Done { id: change.id.clone(), category: change.category, object: change.object });
        let (mut writes, mut totals) = (Vec::new(), Counts::default());
        if planned.local != change.object_id && planned.change.fields.contains_key("entra_id") {
            let local = Item::from_iter([("local".to_owned(), json!(planned.local))]);
            writes.push(set(keys::mirror(tenant, change.object, &change.object_id), local));
        }
        let undone = keys::undone(tenant, change.object, &change.object_id);
        if self.undoes {
            let said = known.said.get(&(change.object, change.object_id.clone()));
            writes.extend(said.map(|said| put(undone, write(&Undone { said: said.clone() }))));
        } else if planned.undone {
            writes.push(delete(undone));
        }
        if waited {
            writes.push(delete(keys::standing(tenant, change.object, &change.object_id)));
            match change.object {
                Kind::User => totals.skipped_users -= 1,
                Kind::Group => totals.skipped_groups -= 1,
            }
        }
        let work = keys::work(tenant, change.object, &change.object_id);
        // Members are written after this. Should it not come to that, the run that takes over has to look at them.
        let members = !self.everybody && (change.fields.contains_key("members") || change.comes_or_goes());
        if self.undoes {
            // What Entra still asks for is seen by the next run, and held.
            let members = change.object == Kind::Group || change.comes_or_goes();
            writes.push(note(work, &Work::left(&self.lease.run, members)));
        } else if planned.purge {
            // The next run looks at it once more, and forgets what Entra said of it.
            writes.push(note(work, &Work::left(&self.lease.run, members)));
        } else if members {
            // A plan of before knows nothing of what was noted since, and clears none of it.
            let work_is = if self.later { Work::left } else { Work::found };
            writes.push(note(work, &work_is(&self.lease.run, true)));
        }
        if !planned.purge && change.category == Category::Deleting {
            let days = i64::from(self.rules.settings.recovery_days.0);
            let until = self.rules.now.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
            writes.push(put(
                keys::alarm(tenant, until, change.object, &change.object_id),
                write(&Work::found(&self.lease.run, false)),
            ));
        }
        if !writes.is_empty() {
            unit.add(writes, totals);
        }
    }

    /// What follows from a change that is not carried out: it stays on the worklist, and a failure is remembered.
    pub(super) async fn left(
        &self,
        unit: &mut UnitWork,
        planned: &Planned,
        outcome: Outcome,
        why: Option<String>,
    ) -> Result<(), Stop> {
        let (tenant, change) = (self.loader.tenant, &planned.change);
        let exception = Exception { object: change.object, outcome, error: why.clone() };
        unit.exceptions.push((change.id.clone(), exception));
        let (mut writes, mut totals) = (Vec::new(), Counts::default());
        let mut again = true;
        if outcome == Outcome::Failed {
            let key = keys::standing(tenant, change.object, &change.object_id);
            let item = self.store.get(std::slice::from_ref(&key)).await?.pop().flatten();
            let before: Option<Standing> = item.map(|item| read("a standing verdict", item)).transpose()?;
            let waiting = waiting(before.as_ref(), planned, why.unwrap_or_default(), self.rules.now);
            again = waiting.attempts == 1;
            if !again {
                let alarm = keys::alarm(tenant, waiting.retry_at, change.object, &change.object_id);
                writes.push(put(alarm, write(&Work::found(&self.lease.run, false))));
            }
            let standing = Standing::Waiting(waiting);
            totals.add(Counts::of_standing(change.object, Some(&standing)), 1);
            totals.add(Counts::of_standing(change.object, before.as_ref()), -1);
            writes.push(put(key, write(&standing)));
        }
        if again {
            let members = change.fields.contains_key("members");
            let work = keys::work(tenant, change.object, &change.object_id);
            writes.push(note(work, &Work::left(&self.lease.run, members)));
        }
        unit.add(writes, totals);
        Ok(())
    }

    /// The writes of one step: objects on condition of their revision, claims on condition of their owner.
    pub(super) fn writes(&self, moves: &[Move], owners: &BTreeMap<Address, Local>) -> Vec<Write> {
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
}

/// The memory of a failure: tried again with the next run, then after 6, 12 and 24 hours, then daily (rule 3.7).
pub(super) fn waiting(before: Option<&Standing>, planned: &Planned, why: String, now: Timestamp) -> Waiting {
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
