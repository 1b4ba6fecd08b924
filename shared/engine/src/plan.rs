//! Plan: evaluate the worklist, or everybody, and store what should change as parts of a plan.
//!
//! Nothing here touches a user or group. What needs no change is noted as a standing verdict: who is not imported and
//! why, and what is not enabled. Parts of the plan and the position in the worklist move in one commit.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use directory::{
    Address, Brake, Category, Held, Kind, ObjectId, Planned, Removal, Rules, Settings, Verdict, settle::Local, unit,
};
use serde_json::json;

use crate::{
    chunk, keys,
    lease::{Lease, Stop, delete, note, put},
    links,
    load::Loader,
    members::{self, Memberships},
    ports::{Change, Clock, Fault, Item, Key, Range, Store, Table, Write},
    records::{Counts, Entry, HeldBack, MirrorRow, Phase, Run, Standing, Work, write},
    standing,
};

/// So many objects are evaluated at a time.
const BATCH: usize = 100;

/// All that planning needs beside the run.
pub struct Planner<'a, S> {
    /// The store.
    pub store: &'a S,
    /// The lease of the run.
    pub lease: &'a Lease,
    /// The rules of the run.
    pub rules: Rules<'a>,
    /// How objects are loaded.
    pub loader: Loader<'a, S>,
    /// Whether the verdicts are those of the saved settings, and so may stand.
    pub saved: bool,
}

/// What a batch has come to.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    weight: usize,
    standing: standing::Found,
    changing: BTreeSet<(Kind, ObjectId)>,
    other: Vec<Write>,
}

impl<S: Store> Planner<'_, S> {
    /// Go on with the plan until it is complete (`true`) or time is up.
    ///
    /// # Errors
    /// [`Stop`]; the run can go on from what is stored.
    pub async fn plan(&self, run: &mut Run, clock: &impl Clock, margin: Duration) -> Result<bool, Stop> {
        let mut batch = Batch::default();
        while let Phase::Plan { kind, shard, after } = run.phase.clone() {
            if !run.complete[kind] {
                run.phase = next_kind(kind);
                continue;
            }
            match (run.everybody[kind], kind) {
                (Some(_), _) => self.everybody(run, &mut batch, kind, shard.unwrap_or('0'), after).await?,
                (None, Kind::User) => self.users(run, &mut batch, after).await?,
                (None, Kind::Group) => self.groups(run, &mut batch, after).await?,
            }
            let ends = !matches!(run.phase, Phase::Plan { .. });
            let late = clock.remaining() <= margin;
            if batch.weight >= chunk::FULL
                || ends
                || late
                || !matches!(&run.phase, Phase::Plan { kind: now, .. } if *now == kind)
            {
                self.flush(run, &mut batch).await?;
            }
            if late && !ends {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A page of the mirror of a kind: everybody is evaluated.
    async fn everybody(
        &self,
        run: &mut Run,
        batch: &mut Batch,
        kind: Kind,
        shard: char,
        after: Option<String>,
    ) -> Result<(), Stop> {
        let range = Range {
            after,
            limit: BATCH,
            ..keys::all(Table::Directory, keys::mirror_pk(self.loader.tenant, kind, shard))
        };
        let page = self.store.list(&range).await?;
        let mut seeds = Vec::new();
        for (id, item) in page.items {
            let row = MirrorRow::read(kind, item)?;
            if let Ok(id) = ObjectId::try_from(id)
                && row.round >= self.loader.first_round[kind]
            {
                seeds.push((id, row));
            }
        }
        let ids: BTreeSet<ObjectId> = seeds.iter().map(|(id, _)| id.clone()).collect();
        let evaluated = self.evaluate(run, batch, kind, seeds).await?;
        if kind == Kind::Group {
            let mut cache = BTreeMap::new();
            for id in ids {
                self.members_of(run, batch, &id, evaluated.get(&id), &Memberships::All, &mut cache).await?;
            }
        }
        let next_shard = keys::SHARDS.chars().skip_while(|s| *s != shard).nth(1);
        run.phase = match (page.more, next_shard) {
            (Some(after), _) => Phase::Plan { kind, shard: Some(shard), after: Some(after) },
            (None, Some(shard)) => Phase::Plan { kind, shard: Some(shard), after: None },
            (None, None) => next_kind(kind),
        };
        Ok(())
    }

    /// A page of the worklist of users.
    async fn users(&self, run: &mut Run, batch: &mut Batch, after: Option<String>) -> Result<(), Stop> {
        let range =
            Range { after, limit: BATCH, ..keys::starting(Table::Control, keys::work_pk(self.loader.tenant), "0#U#") };
        let page = self.store.list(&range).await?;
        let ids: Vec<(Kind, ObjectId)> = page
            .items
            .iter()
            .filter_map(|(sk, _)| Some((Kind::User, ObjectId::try_from(sk.strip_prefix("0#U#")?).ok()?)))
            .collect();
        let seeds = self.loader.rows(&ids).await?;
        self.evaluate(run, batch, Kind::User, seeds).await?;
        run.phase = match page.more {
            Some(after) => Phase::Plan { kind: Kind::User, shard: None, after: Some(after) },
            None => next_kind(Kind::User),
        };
        Ok(())
    }

    /// A page of the groups that are on the worklist, or whose members are.
    async fn groups(&self, run: &mut Run, batch: &mut Batch, after: Option<String>) -> Result<(), Stop> {
        self.flush(run, batch).await?;
        let touched = members::touched(self.store, self.lease, run).await?;
        let mut cache = BTreeMap::new();
        let todo: Vec<_> = touched
            .iter()
            .filter(|(id, _)| after.as_deref().is_none_or(|after| id.as_str() > after))
            .take(BATCH)
            .collect();
        let ids: Vec<(Kind, ObjectId)> = todo.iter().map(|(id, _)| (Kind::Group, (*id).clone())).collect();
        let seeds = self.loader.rows(&ids).await?;
        let neglected = self.neglected(&ids).await?;
        let evaluated = self.evaluate(run, batch, Kind::Group, seeds).await?;
        for (id, which) in &todo {
            let which = if neglected.contains(*id) { &Memberships::All } else { *which };
            self.members_of(run, batch, id, evaluated.get(*id), which, &mut cache).await?;
        }
        run.phase = match todo.last() {
            Some((last, _)) if todo.len() == BATCH => {
                Phase::Plan { kind: Kind::Group, shard: None, after: Some(last.to_string()) }
            }
            _ => next_kind(Kind::Group),
        };
        Ok(())
    }

    /// Groups with a standing verdict: nobody kept their members meanwhile, so that all are to be looked at. The worklist
    /// says so too, because planning takes the verdict away, and the plan may never be applied.
    async fn neglected(&self, groups: &[(Kind, ObjectId)]) -> Result<BTreeSet<ObjectId>, Stop> {
        let keys: Vec<Key> = groups.iter().map(|(kind, id)| keys::standing(self.loader.tenant, *kind, id)).collect();
        let standing = self.store.get(&keys).await?;
        let standing = groups.iter().zip(standing).filter(|(_, item)| item.is_some());
        let neglected: BTreeSet<ObjectId> = standing.map(|((_, id), _)| id.clone()).collect();
        let work = Work::found(&self.lease.run, true);
        let writes = neglected.iter().map(|id| note(keys::work(self.loader.tenant, Kind::Group, id), &work));
        self.lease.commit_in_order(self.store, writes.collect()).await?;
        Ok(neglected)
    }

    /// Decide objects of a kind, and everybody who shares an address with them. Answers, for groups, what was decided:
    /// their membership comes after.
    async fn evaluate(
        &self,
        run: &mut Run,
        batch: &mut Batch,
        kind: Kind,
        seeds: Vec<(ObjectId, MirrorRow)>,
    ) -> Result<BTreeMap<ObjectId, (Verdict, Option<Held>)>, Stop> {
        let mut asked: BTreeSet<(Kind, ObjectId)> = BTreeSet::new();
        let mut fresh = Vec::new();
        for (id, row) in seeds {
            if kind == Kind::Group || !run.ahead.contains(&(kind, id.clone())) {
                asked.insert((kind, id.clone()));
                fresh.push((id, row));
            }
        }
        let mut groups = BTreeMap::new();
        for unit in self.loader.units(fresh).await? {
            let own = |c: &directory::Candidate| {
                c.entra.as_ref().is_some_and(|(id, e, _)| asked.contains(&(e.kind(), id.clone())))
            };
            if !unit.iter().any(own) {
                // Drawn in for an address that Entra gave it once: it shares nothing with anybody now, and has its own turn.
                continue;
            }
            let verdicts = unit::plan(&self.rules, &unit);
            let mut changes: Vec<Planned> = Vec::new();
            for (candidate, verdict) in unit.iter().zip(verdicts) {
                let Some((id, entra, removed)) = &candidate.entra else { continue };
                let name = (entra.kind(), id.clone());
                if !asked.contains(&name) {
                    let again = run.ahead.contains(&name);
                    run.ahead.insert(name.clone());
                    if again || !run.complete[name.0] {
                        continue;
                    }
                } else if run.ahead.contains(&name) && name.0 == Kind::Group {
                    // Its own change is in the plan already; only its members are still to be looked at.
                    if let Verdict::Change(planned) = verdict {
                        groups.insert(id.clone(), (Verdict::Change(planned), candidate.held.clone()));
                    }
                    continue;
                }
                if name.0 == Kind::Group && asked.contains(&name) {
                    groups.insert(id.clone(), (verdict.clone(), candidate.held.clone()));
                }
                if *removed == Some(Removal::Hard)
                    && candidate.held.is_none()
                    && verdict == Verdict::Settled
                    && self.saved
                {
                    let tenant = self.loader.tenant;
                    if name.0 == Kind::Group {
                        for (member, _) in links::members(self.store, tenant, id).await? {
                            batch.other.push(delete(keys::mirror_member(tenant, id, &member)));
                            batch.other.push(delete(keys::mirror_parent(tenant, &member, id)));
                        }
                    }
                    batch.other.push(delete(keys::mirror(tenant, name.0, id)));
                }
                self.verdict(run, batch, name, verdict, &mut changes);
            }
            // A group that shares an address with a user draws it in once more in its own turn, after the users'.
            let names: Vec<_> =
                unit.iter().filter_map(|c| c.entra.as_ref()).map(|(id, e, _)| (e.kind(), id.clone())).collect();
            if names.len() > 1 {
                run.ahead.extend(names);
            }
            if !changes.is_empty() {
                let own: BTreeSet<Local> = changes.iter().map(|p| (p.change.object, p.local.clone())).collect();
                let locals = unit.iter().filter_map(|c| c.held.as_ref()).map(|held| (held.kind(), held.id().clone()));
                let bystanders = locals.filter(|local| !own.contains(local)).collect();
                batch.weight += changes.len();
                batch.entries.push(Entry::Unit { changes, bystanders, empties: false, waiting: Vec::new() });
            }
        }
        Ok(groups)
    }

    /// Put a verdict where it belongs.
    fn verdict(
        &self,
        run: &mut Run,
        batch: &mut Batch,
        name: (Kind, ObjectId),
        verdict: Verdict,
        changes: &mut Vec<Planned>,
    ) {
        let kind = name.0;
        let standing = match verdict {
            Verdict::Settled => None,
            Verdict::Dormant(until) => {
                if self.saved {
                    let work = Work::found(&run.run, false);
                    batch.other.push(put(keys::alarm(self.loader.tenant, until, kind, &name.1), write(&work)));
                }
                None
            }
            Verdict::Postponed => {
                if self.saved {
                    let work = Work::left(&run.run, false);
                    batch.other.push(note(keys::work(self.loader.tenant, kind, &name.1), &work));
                }
                return;
            }
            Verdict::Skipped(skipped) => {
                if let Some(domain) = skipped.domain.as_ref().filter(|domain| !domain.is_microsofts()) {
                    run.foreign.insert(domain.to_string());
                }
                if !self.saved {
                    run.tally.skipped[kind] += 1;
                    batch.entries.push(Entry::Skipped(skipped));
                    return;
                }
                Some(Standing::Skipped(skipped))
            }
            Verdict::NotEnabled(planned) => {
                if !self.saved {
                    run.tally.not_enabled[kind] += 1;
                    batch.entries.push(Entry::NotEnabled(Box::new(planned.change)));
                    return;
                }
                Some(Standing::NotEnabled(Box::new(planned.change)))
            }
            Verdict::Change(planned) => {
                count(run, &planned);
                changes.push(*planned);
                // A failure is remembered until the object succeeds; what was skipped is so no longer.
                batch.changing.insert(name.clone());
                batch.standing.insert(name, None);
                return;
            }
            Verdict::Failed(planned) => {
                changes.push(*planned);
                return;
            }
        };
        batch.standing.insert(name, standing);
    }

    /// What changes among the members of a group, in the wake of its own verdict.
    async fn members_of(
        &self,
        run: &mut Run,
        batch: &mut Batch,
        id: &ObjectId,
        evaluated: Option<&(Verdict, Option<Held>)>,
        which: &Memberships,
        cache: &mut members::Cache,
    ) -> Result<(), Stop> {
        let Some((verdict, held)) = evaluated else { return Ok(()) };
        let held = held.as_ref();
        let here = held.is_some_and(|held| held.deleted_at().is_none() && held.entra_id() == Some(id));
        let (planned, which) = match verdict {
            Verdict::Change(planned) if planned.change.category == Category::Adding => {
                (Some(planned), &Memberships::All)
            }
            Verdict::Change(planned)
                if planned.change.fields.contains_key("entra_id")
                    || planned.change.fields.contains_key("managed_by") =>
            {
                (Some(planned), &Memberships::All)
            }
            Verdict::Change(planned) if planned.change.category == Category::Updating => {
                let back = planned.change.fields.contains_key("deleted_at");
                (Some(planned), if back { &Memberships::All } else { which })
            }
            Verdict::Settled if here => (None, which),
            Verdict::NotEnabled(planned) if here && planned.change.fields.keys().all(|field| field != "deleted_at") => {
                (None, which)
            }
            _ => return Ok(()),
        };
        let local = held.map_or_else(|| planned.map_or(id, |planned| &planned.local), Held::id).clone();
        let difference = members::difference(&self.loader, &self.rules, id, &local, which, cache).await?;
        if difference.join.is_empty() && difference.leave.is_empty() {
            return Ok(());
        }
        let before = match held {
            Some(Held::Group(group)) => group.member_count,
            _ => 0,
        };
        let after = before + difference.join.len() as u64 - (difference.leave.len() as u64).min(before);
        let empties = before > u64::from(self.rules.settings.brake.members_min) && after == 0;
        let members = directory::Field { from: json!(before), to: json!(after) };
        let note = format!("{} join, {} leave", difference.join.len(), difference.leave.len());
        let digest =
            blake3::hash(format!("{:?}{:?}", difference.join, difference.leave).as_bytes()).to_hex().to_string();
        let own = batch.entries.iter_mut().rev().find_map(|entry| match entry {
            Entry::Unit { changes, empties, .. } => {
                let planned =
                    changes.iter_mut().find(|p| p.change.object == Kind::Group && p.change.object_id == *id)?;
                Some((&mut planned.change, empties))
            }
            _ => None,
        });
        let change_id = if let Some((change, unit_empties)) = own {
            change.fields.insert("members".to_owned(), members);
            change.notes.push(note);
            change.seal(&digest);
            *unit_empties = empties;
            change.id.clone()
        } else if let Some(planned) = planned {
            planned.change.id.clone()
        } else {
            let Some(held) = held else { return Ok(()) };
            let mut planned = members::change(held, id, members, note);
            planned.change.seal(&digest);
            if !self.rules.settings.update_groups {
                planned.change.category = Category::NotEnabled;
                planned.change.selected = false;
                planned.change.why += "; update_groups is off";
                planned.change.seal(&digest);
                let mut none = Vec::new();
                self.verdict(run, batch, (Kind::Group, id.clone()), Verdict::NotEnabled(Box::new(planned)), &mut none);
                return Ok(());
            }
            let change_id = planned.change.id.clone();
            count(run, &planned);
            batch.weight += 1;
            batch.entries.push(Entry::Unit {
                changes: vec![planned],
                bystanders: Vec::new(),
                empties,
                waiting: Vec::new(),
            });
            change_id
        };
        run.tally.empties += u64::from(empties);
        let (mut join, mut leave) = (difference.join.into_iter().peekable(), difference.leave.into_iter().peekable());
        while join.peek().is_some() || leave.peek().is_some() {
            let join: Vec<_> = join.by_ref().take(chunk::MOST_MEMBERS).collect();
            let leave: Vec<_> = leave.by_ref().take(chunk::MOST_MEMBERS - join.len()).collect();
            batch.weight += 1 + (join.len() + leave.len()) / chunk::MEMBERS_PER_ENTRY;
            batch.entries.push(Entry::Members {
                change: change_id.clone(),
                group: id.clone(),
                local: local.clone(),
                join,
                leave,
                empties,
            });
        }
        Ok(())
    }

    /// Store the batch: standing verdicts first, then the part of the plan together with the position.
    async fn flush(&self, run: &mut Run, batch: &mut Batch) -> Result<(), Stop> {
        let Batch { mut entries, standing, changing, other, .. } = std::mem::take(batch);
        if self.saved {
            let waiting = standing::keep(self.store, self.lease, standing, &changing).await?;
            for entry in &mut entries {
                if let Entry::Unit { changes, waiting: own, .. } = entry {
                    let ids = changes.iter().map(|planned| (planned.change.object, planned.change.object_id.clone()));
                    own.extend(ids.filter(|name| waiting.contains(name)).map(|(_, id)| id));
                }
            }
        }
        self.lease.commit_in_order(self.store, other).await?;
        let mut entries = entries.into_iter().peekable();
        let mut writes = Vec::new();
        while entries.peek().is_some() {
            let mut weight = 0;
            let mut part = Vec::new();
            while let Some(entry) = entries.next_if(|_| weight < 2 * chunk::FULL) {
                weight += match &entry {
                    Entry::Unit { changes, .. } => changes.len(),
                    Entry::Members { join, leave, .. } => 1 + (join.len() + leave.len()) / chunk::MEMBERS_PER_ENTRY,
                    Entry::Skipped(_) | Entry::NotEnabled(_) => 1,
                };
                part.push(entry);
            }
            let key = keys::chunk(self.loader.tenant, &run.run, run.chunks);
            run.chunks += 1;
            writes.push(put(key, chunk::pack(&part, run.ttl)?));
            if writes.len() == 4 {
                self.lease.commit(self.store, std::mem::take(&mut writes)).await?;
            }
        }
        if !writes.is_empty() {
            writes.push(put(keys::run(self.loader.tenant, &run.run), write(run)));
            self.lease.commit(self.store, writes).await?;
        }
        Ok(())
    }
}

/// The write that adds to the totals of a tenant, where there is something to add.
pub fn add_totals(tenant: &directory::TenantId, totals: &Counts) -> Option<Write> {
    let add: Vec<_> = totals.each().into_iter().filter(|(_, number)| *number != 0).collect();
    (!add.is_empty()).then(|| Write {
        key: keys::counts(tenant),
        change: Change::Set { set: Item::new(), add },
        only_if: Vec::new(),
    })
}

/// Count a change for the run and for the brake.
fn count(run: &mut Run, planned: &Planned) {
    let kind = planned.change.object;
    let counter = match planned.change.category {
        Category::Adding => &mut run.counts.adding,
        Category::Updating => &mut run.counts.updating,
        Category::Disabling => &mut run.counts.disabling,
        Category::Deleting => &mut run.counts.deleting,
        Category::NotEnabled => &mut run.counts.not_enabled,
    };
    counter[kind] += 1;
    run.tally.brakes[kind] += u64::from(planned.brakes);
    run.tally.seats += i64::from(planned.seats);
}

fn next_kind(kind: Kind) -> Phase {
    match kind {
        Kind::User => Phase::Plan { kind: Kind::Group, shard: None, after: None },
        Kind::Group => Phase::Apply { chunk: 0 },
    }
}

/// The verdict of the brake on a plan (rule 4.8): what it holds, or nothing.
pub fn brake(settings: &Settings, run: &Run, counts: &Counts) -> Option<HeldBack> {
    let Brake { enabled, users_percent, users_min, groups_percent, groups_min, members_min } = &settings.brake;
    let limit = |percent: u8, least: u32, of: i64| {
        u64::from(least).max(u64::try_from(of).unwrap_or_default() * u64::from(percent) / 100)
    };
    let users = limit(users_percent.0, *users_min, counts.active_users);
    let groups = limit(groups_percent.0, *groups_min, counts.active_groups);
    let over = |number: u64, limit: u64| if number > limit { number } else { 0 };
    let held = HeldBack {
        users: over(run.tally.brakes[Kind::User], users),
        groups: over(run.tally.brakes[Kind::Group], groups),
        members: run.tally.empties,
        limits: json!({"users": users, "groups": groups, "members": members_min}),
    };
    (*enabled && held.users + held.groups + held.members > 0).then_some(held)
}

/// Addresses that no run touches.
///
/// # Errors
/// The store's.
pub async fn exemptions(store: &impl Store, tenant: &directory::TenantId) -> Result<BTreeSet<Address>, Fault> {
    let range = keys::starting(Table::Control, keys::tenant_pk(tenant), "EX#");
    let items = crate::links::everything(store, range).await?;
    Ok(items.iter().filter_map(|(sk, _)| Address::parse(sk.strip_prefix("EX#")?).ok()).collect())
}

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
