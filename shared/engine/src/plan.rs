//! Plan: evaluate the worklist, or everybody, and store what should change as parts of a plan.
//!
//! Nothing here touches a user or group. What needs no change is noted as a standing verdict: who is not imported and
//! why, and what is not enabled. Parts of the plan and the position in the worklist move in one commit.

mod brake;
mod membership;
mod store;
mod verdict;
mod walk;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use directory::{Address, Entra, Held, Kind, ObjectId, Planned, Removal, Rules, Verdict, settle::Local, unit};

use crate::{
    chunk, keys,
    lease::{Lease, Stop, delete, note},
    links::Ancestry,
    load::{Loader, Unit},
    members::Groups,
    ports::{Change, Clock, Fault, Item, Store, Table, Write},
    records::{Counts, Entry, MirrorRow, Phase, Run, Undone, Work, said},
    standing, undo,
};

pub use self::brake::brake;
pub(crate) use self::verdict::count;
use self::walk::next_kind;

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
    /// Whether there may be changes that a person has undone.
    pub undone: bool,
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

    /// What was undone of anybody in these units.
    async fn undone(&self, units: &[Unit]) -> Result<BTreeMap<(Kind, ObjectId), Undone>, Stop> {
        if !self.undone {
            return Ok(BTreeMap::new());
        }
        let entra = units.iter().flatten().filter_map(|candidate| candidate.entra.as_ref());
        let names: Vec<_> = entra.map(|(id, entra, _)| (entra.kind(), id.clone())).collect();
        Ok(undo::of(&self.loader, &names).await?)
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
        let unasked = seeds.iter().filter(|(_, row)| row.lacks_mailbox_kind(self.rules.settings));
        let work = Work::found(run.mark(), false);
        batch.other.extend(unasked.map(|(id, _)| note(keys::unasked_user(self.loader.tenant, id), &work)));
        let mut asked: BTreeSet<(Kind, ObjectId)> = BTreeSet::new();
        let mut fresh = Vec::new();
        for (id, row) in seeds {
            if kind == Kind::Group || !run.ahead.contains(&(kind, id.clone())) {
                asked.insert((kind, id.clone()));
                fresh.push((id, row));
            }
        }
        let mut groups = BTreeMap::new();
        let units = self.loader.units(fresh).await?;
        let undone = self.undone(&units).await?;
        for unit in units {
            let own = |c: &directory::Candidate| {
                c.entra.as_ref().is_some_and(|(id, e, _)| asked.contains(&(e.kind(), id.clone())))
            };
            if !unit.iter().any(own) {
                // Drawn in for an address that Entra gave it once: it shares nothing with anybody now, and has its own turn.
                continue;
            }
            let verdicts = unit::plan(&self.rules, &unit);
            let mut changes: Vec<Planned> = Vec::new();
            for (candidate, mut verdict) in unit.iter().zip(verdicts) {
                let Some((id, entra, removed)) = &candidate.entra else { continue };
                let name = (entra.kind(), id.clone());
                if let Verdict::Change(planned) = &mut verdict {
                    planned.said = Some(said(entra, *removed));
                }
                match (undone.get(&name), &mut verdict) {
                    (Some(undone), _) if undone.said != said(entra, *removed) => {
                        // Entra has changed it since: what it says now holds.
                        batch.other.push(delete(keys::undone(self.loader.tenant, name.0, id)));
                    }
                    (Some(_), Verdict::Change(planned)) => planned.undone = true,
                    _ => (),
                }
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

/// Addresses that no run touches.
///
/// # Errors
/// The store's.
pub async fn exemptions(store: &impl Store, tenant: &directory::TenantId) -> Result<BTreeSet<Address>, Fault> {
    let range = keys::starting(Table::Control, keys::tenant_pk(tenant), "EX#");
    let items = crate::links::everything(store, range).await?;
    Ok(items.iter().filter_map(|(sk, _)| Address::parse(sk.strip_prefix("EX#")?).ok()).collect())
}
