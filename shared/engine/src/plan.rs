//! Plan: evaluate the worklist, or everybody, and store what should change as parts of a plan.
//!
//! Nothing here touches a user or group. What needs no change is noted as a standing verdict: who is not imported and
//! why, and what is not enabled. Parts of the plan and the position in the worklist move in one commit.

mod brake;
mod membership;
mod verdict;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use directory::{Address, Entra, Held, Kind, ObjectId, Planned, Removal, Rules, Verdict, settle::Local, unit};
use serde::Deserialize;
use serde_json::json;

use crate::{
    chunk, forget, keys,
    lease::{Lease, Stop, note, put},
    links::{self, Ancestry},
    load::Loader,
    members::{self, Groups, Memberships},
    ports::{Change, Clock, Fault, Item, Range, Store, Table, Write},
    records::{Counts, Entry, MirrorRow, Phase, Run, Work, read, write},
    standing,
};

pub use self::brake::brake;

/// So many users are evaluated at a time.
const BATCH: usize = 100;
/// So many groups, since the members of each come with it.
const GROUPS: usize = 10;
/// So many verdicts are kept before they are written down.
const MOST_KEPT: usize = 1000;

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
    stored: standing::Stored,
    changing: BTreeSet<(Kind, ObjectId)>,
    ahead: Vec<(Kind, ObjectId)>,
    forgotten: Vec<(ObjectId, Entra)>,
    other: Vec<Write>,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.weight >= chunk::FULL || self.kept() >= MOST_KEPT
    }

    /// What is to be written down beside the plan.
    fn kept(&self) -> usize {
        self.standing.len() + self.other.len() + self.forgotten.len()
    }
}

impl<S: Store> Planner<'_, S> {
    /// Go on with the plan until it is complete (`true`) or time is up.
    ///
    /// # Errors
    /// [`Stop`]; the run can go on from what is stored.
    pub async fn plan(&self, run: &mut Run, clock: &impl Clock, margin: Duration) -> Result<bool, Stop> {
        let mut batch = Batch::default();
        let mut groups =
            Groups { ancestry: Ancestry::new(self.store, self.loader.tenant), touched: None, present: BTreeMap::new() };
        self.read_ahead(run).await?;
        while let Phase::Plan { kind, shard, after } = run.phase.clone() {
            if !run.complete[kind] {
                run.phase = next_kind(kind);
                continue;
            }
            match (run.everybody[kind], kind) {
                (Some(_), Kind::User) => self.all_users(run, &mut batch, shard.unwrap_or('0'), after).await?,
                (Some(_), Kind::Group) => {
                    self.all_groups(run, &mut batch, &mut groups, shard.unwrap_or('0'), after).await?;
                }
                (None, Kind::User) => self.users(run, &mut batch, after).await?,
                (None, Kind::Group) => self.groups(run, &mut batch, &mut groups, after).await?,
            }
            let ends = !matches!(run.phase, Phase::Plan { .. });
            let late = clock.remaining() <= margin;
            if batch.is_full() || ends || late || !matches!(&run.phase, Phase::Plan { kind: now, .. } if *now == kind) {
                self.flush(run, &mut batch).await?;
            }
            if late && !ends {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Who was evaluated ahead of their turn by the invocations before.
    async fn read_ahead(&self, run: &mut Run) -> Result<(), Stop> {
        if run.ahead_parts > 0 {
            let range = keys::starting(Table::Control, keys::plan_pk(self.loader.tenant, &run.run), "AH#");
            for (_, item) in links::everything(self.store, range).await? {
                run.ahead.extend(read::<Ahead>("a part of a plan", item)?.names);
            }
        }
        Ok(())
    }

    /// A page of all users.
    async fn all_users(
        &self,
        run: &mut Run,
        batch: &mut Batch,
        shard: char,
        after: Option<String>,
    ) -> Result<(), Stop> {
        let (seeds, next) = self.page(Kind::User, BATCH, shard, after).await?;
        self.evaluate(run, batch, Kind::User, seeds).await?;
        run.phase = next;
        Ok(())
    }

    /// A page of all groups, with all their members.
    async fn all_groups(
        &self,
        run: &mut Run,
        batch: &mut Batch,
        groups: &mut Groups<'_, S>,
        shard: char,
        after: Option<String>,
    ) -> Result<(), Stop> {
        let (seeds, next) = self.page(Kind::Group, GROUPS, shard, after).await?;
        let ids: BTreeSet<ObjectId> = seeds.iter().map(|(id, _)| id.clone()).collect();
        let evaluated = self.evaluate(run, batch, Kind::Group, seeds).await?;
        for id in ids {
            self.members_of(run, batch, &id, evaluated.get(&id), &Memberships::All, groups).await?;
        }
        run.phase = next;
        Ok(())
    }

    /// A page of the mirror of a kind, and where planning goes on behind it.
    async fn page(
        &self,
        kind: Kind,
        limit: usize,
        shard: char,
        after: Option<String>,
    ) -> Result<(Vec<(ObjectId, MirrorRow)>, Phase), Stop> {
        let pk = keys::mirror_pk(self.loader.tenant, kind, shard);
        let page = self.store.list(&Range { after, limit, ..keys::all(Table::Directory, pk) }).await?;
        let mut seeds = Vec::new();
        for (id, item) in page.items {
            let row = MirrorRow::read(kind, item)?;
            if let Ok(id) = ObjectId::try_from(id)
                && row.round >= self.loader.first_round[kind]
            {
                seeds.push((id, row));
            }
        }
        let next_shard = keys::SHARDS.chars().skip_while(|digit| *digit != shard).nth(1);
        let next = match (page.more, next_shard) {
            (Some(after), _) => Phase::Plan { kind, shard: Some(shard), after: Some(after) },
            (None, Some(shard)) => Phase::Plan { kind, shard: Some(shard), after: None },
            (None, None) => next_kind(kind),
        };
        Ok((seeds, next))
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
    async fn groups(
        &self,
        run: &mut Run,
        batch: &mut Batch,
        groups: &mut Groups<'_, S>,
        after: Option<String>,
    ) -> Result<(), Stop> {
        let touched = match groups.touched.take() {
            Some(touched) => touched,
            None => {
                self.flush(run, batch).await?;
                members::touched(self.store, self.lease, run, &groups.ancestry).await?
            }
        };
        let todo: Vec<_> = touched
            .iter()
            .filter(|(id, _)| after.as_deref().is_none_or(|after| id.as_str() > after))
            .take(GROUPS)
            .collect();
        let ids: Vec<(Kind, ObjectId)> = todo.iter().map(|(id, _)| (Kind::Group, (*id).clone())).collect();
        let seeds = self.loader.rows(&ids).await?;
        let neglected = self.neglected(batch, &ids).await?;
        let evaluated = self.evaluate(run, batch, Kind::Group, seeds).await?;
        for (id, which) in &todo {
            let which = if neglected.contains(*id) { &Memberships::All } else { *which };
            self.members_of(run, batch, id, evaluated.get(*id), which, groups).await?;
        }
        run.phase = match todo.last() {
            Some((last, _)) if todo.len() == GROUPS => {
                Phase::Plan { kind: Kind::Group, shard: None, after: Some(last.to_string()) }
            }
            _ => next_kind(Kind::Group),
        };
        groups.touched = Some(touched);
        Ok(())
    }

    /// Groups with a standing verdict: nobody kept their members meanwhile, so that all are to be looked at. The worklist
    /// says so too, because planning takes the verdict away, and the plan may never be applied.
    async fn neglected(&self, batch: &mut Batch, groups: &[(Kind, ObjectId)]) -> Result<BTreeSet<ObjectId>, Stop> {
        let tenant = self.loader.tenant;
        let stored = standing::stored(self.store, tenant, groups.iter().cloned()).await?;
        let neglected: BTreeSet<ObjectId> =
            stored.iter().filter(|(_, standing)| standing.is_some()).map(|((_, id), _)| id.clone()).collect();
        let work = Work::found(&self.lease.run, true);
        let writes = neglected.iter().map(|id| note(keys::work(tenant, Kind::Group, id), &work));
        self.lease.commit_in_order(self.store, writes.collect()).await?;
        batch.stored.extend(stored);
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
                    let again = !run.ahead.insert(name.clone());
                    if !again {
                        batch.ahead.push(name.clone());
                    }
                    if again || !run.complete[name.0] {
                        continue;
                    }
                } else if run.ahead.contains(&name) && name.0 == Kind::Group {
                    // Its own change is in the plan already; only its members are still to be looked at.
                    groups.insert(id.clone(), (verdict, candidate.held.clone()));
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
                    batch.forgotten.push((id.clone(), entra.clone()));
                }
                self.verdict(run, batch, name, verdict, &mut changes);
            }
            // A group that shares an address with a user draws it in once more in its own turn, after the users'.
            let names: Vec<_> =
                unit.iter().filter_map(|c| c.entra.as_ref()).map(|(id, e, _)| (e.kind(), id.clone())).collect();
            if names.len() > 1 {
                batch.ahead.extend(names.into_iter().filter(|name| run.ahead.insert(name.clone())));
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

    /// Store the batch: standing verdicts first, then the part of the plan together with the position.
    async fn flush(&self, run: &mut Run, batch: &mut Batch) -> Result<(), Stop> {
        let many = batch.kept() >= MOST_KEPT || !batch.ahead.is_empty();
        let Batch { mut entries, standing, stored, changing, ahead, forgotten, mut other, .. } = std::mem::take(batch);
        other.extend(forget::writes(self.store, self.loader.tenant, &forgotten).await?);
        if self.saved {
            let waiting = standing::keep(self.store, self.lease, standing, stored, &changing).await?;
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
        if many || !writes.is_empty() {
            if !ahead.is_empty() {
                let item = Item::from_iter([("names".to_owned(), json!(ahead)), ("ttl".to_owned(), json!(run.ttl))]);
                writes.push(put(keys::ahead(self.loader.tenant, &run.run, run.ahead_parts), item));
                run.ahead_parts += 1;
            }
            writes.push(put(keys::run(self.loader.tenant, &run.run), write(run)));
            self.lease.commit(self.store, writes).await?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Ahead {
    names: Vec<(Kind, ObjectId)>,
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

fn next_kind(kind: Kind) -> Phase {
    match kind {
        Kind::User => Phase::Plan { kind: Kind::Group, shard: None, after: None },
        Kind::Group => Phase::Weigh,
    }
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
