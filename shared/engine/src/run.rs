//! A run: take the lease, pull, plan, apply, and say what happened. In slices, where one invocation is too short.

mod begin;
mod end;
mod mailboxes;
mod named;
mod read;
mod reviewed;
mod shown;

use std::{collections::BTreeSet, time::Duration};

use directory::{Failure, Kind, PerKind, Rules, RunId, Settings, TenantId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::{begin::busy_failure, named::Instead, shown::foreign_failure};
use crate::{
    apply::{Applier, Selection},
    keys,
    lease::{Lease, Stop, put},
    links::Ancestry,
    load::Loader,
    plan::{self, Planner},
    ports::{Clock, Fault, Graph, Item, Queue, Secrets, Store, Table},
    records::{Action, Counts, Cursor, Phase, Run, Schedule, Tenant, read, write},
    standing,
    undo::Inverter,
    worklist,
};

pub use self::{
    read::per_run,
    shown::{recorded, refused, shown},
};

/// What a run is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Whose.
    pub tenant: TenantId,
    /// What to do.
    pub action: Action,
    /// The run whose plan is applied or whose held changes are released; for messages the run that goes on.
    pub run: Option<RunId>,
    /// The id that a new run gets: asking for it twice is asking once.
    pub name: Option<RunId>,
    /// Changes that are left out (`apply`).
    pub except: BTreeSet<String>,
    /// What people have unchecked while reviewing the plan is left out too (`apply`): the name of the marks as they were
    /// seen, see [`crate::review::Review::name`].
    pub reviewed: Option<String>,
    /// Read Entra in full.
    pub full: bool,
    /// Settings for this run only.
    pub settings: Option<Value>,
    /// Who asks.
    pub by: String,
    /// The queue brought it, rather than a person.
    pub queued: bool,
}

/// What a run needs of the world, and of its invocation.
pub struct World<'a, G, S, X, Q, C> {
    /// Microsoft.
    pub graph: &'a G,
    /// The tables.
    pub store: &'a S,
    /// The credentials.
    pub secrets: &'a X,
    /// The queues.
    pub queue: &'a Q,
    /// The invocation's time.
    pub clock: &'a C,
    /// A name of the invocation that no other has.
    pub owner: &'a str,
    /// How long a lease outlives its invocation.
    pub grace: Duration,
    /// The time that `clock` says is not the world's, and goes with messages (test clock).
    pub fixed_clock: bool,
}

/// A message on the sync queue; also what a person invokes the function with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Whose.
    pub tenant: TenantId,
    /// Always `sync`.
    pub action: String,
    /// The run that goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The time at which it takes place (test clock).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Timestamp>,
}

/// Invocations that one run may take before it is given up.
const MOST_SLICES: u32 = 500;
/// How often the lease is tried for when somebody else's change comes in between.
const MOST_TRIES: usize = 3;

impl<G: Graph, S: Store, X: Secrets, Q: Queue, C: Clock> World<'_, G, S, X, Q, C> {
    /// Carry out a request. Answers what the caller is told: the run, or `{"error": …}` where nothing was changed.
    ///
    /// # Errors
    /// A fault of the world. The run goes on from what is stored when it is asked for again.
    pub async fn run(&self, request: &Request) -> Result<Value, Stop> {
        let margin = (self.clock.remaining() / 5).min(Duration::from_secs(60));
        let tenant = &request.tenant;
        let Start { meta, sync, counts, mut run, lease } = match self.start(request).await? {
            Ok(start) => start,
            Err(Instead::Refused(failure)) => return Ok(refused(&failure)),
            Err(Instead::Stored(run)) => return Ok(answer(tenant, &run)),
        };
        tracing::info!(run = %run.run, slice = run.slices, action = ?run.action, "run starts or goes on");
        let worked = self.work(&lease, &mut run, &meta, &sync, &counts, margin).await?;
        match worked {
            Worked::Later(pause) if run.slices < MOST_SLICES => self.hand_over(&lease, &mut run, pause).await?,
            Worked::Later(_) => {
                tracing::error!(run = %run.run, "given up after {MOST_SLICES} invocations");
                run.error = Some(Failure::unexpected(run.run.as_str()));
                self.finish(&lease, &mut run, meta, &sync, &counts).await?;
            }
            Worked::Done => self.finish(&lease, &mut run, meta, &sync, &counts).await?,
        }
        Ok(answer(tenant, &run))
    }

    /// Take the lease for the run that is asked for, or say why not.
    async fn start(&self, request: &Request) -> Result<Result<Start, Instead>, Stop> {
        let tenant = &request.tenant;
        let refused = |failure: Failure| Ok(Err(Instead::from(failure)));
        for _ in 0..MOST_TRIES {
            let items = self.store.get(&[keys::meta(tenant), keys::sync(tenant), keys::counts(tenant)]).await?;
            let [meta, sync, counts] = <[Option<Item>; 3]>::try_from(items).unwrap_or_default();
            let Some(meta) = meta else {
                return refused(Failure::not_found(format!("there is no tenant {tenant}")));
            };
            let meta: Tenant = read("the tenant", meta)?;
            let sync: Schedule = read("the schedule", sync.unwrap_or_default())?;
            let counts: Counts = read("the totals", counts.unwrap_or_default())?;
            if request.queued && sync.run.is_none() && meta.settings.sync_frequency.0 == 0 {
                return refused(Failure::invalid(format!("tenant {tenant} never runs by itself: its frequency is 0")));
            }
            if let Some(instead) = self.named(request, &sync).await? {
                return Ok(Err(instead));
            }
            if let Some(busy) = self.busy(request, &sync) {
                return refused(busy);
            }
            let mut writes = Vec::new();
            let mut run = match self.prepare(request, &meta, &sync, &counts, &mut writes).await? {
                Ok(run) => run,
                Err(failure) => return refused(failure),
            };
            let lease = Lease {
                tenant: tenant.clone(),
                run: run.mark().clone(),
                owner: self.owner.to_owned(),
                fence: sync.fence + 1,
            };
            run.slices += 1;
            if self.take(&lease, request, &meta, &sync, &run, writes).await? {
                return Ok(Ok(Start { meta, sync, counts, run, lease }));
            }
            // Somebody was faster, or has just changed the settings: see who.
        }
        refused(busy_failure(None, None))
    }

    /// Pull, plan and apply, from wherever the run stands, until it is done or time is up.
    async fn work(
        &self,
        lease: &Lease,
        run: &mut Run,
        meta: &Tenant,
        sync: &Schedule,
        counts: &Counts,
        margin: Duration,
    ) -> Result<Worked, Stop> {
        let tenant = &lease.tenant;
        let mut cursors = PerKind::default();
        for (kind, item) in
            Kind::ALL.into_iter().zip(self.store.get(&Kind::ALL.map(|kind| keys::cursor(tenant, kind))).await?)
        {
            cursors[kind] = read::<Cursor>("a cursor", item.unwrap_or_default())?;
        }
        if run.phase == Phase::Pull {
            match self.pull(lease, run, meta, sync, &mut cursors, margin).await? {
                Worked::Later(pause) => return Ok(Worked::Later(pause)),
                Worked::Done if run.error.is_some() => return Ok(Worked::Done),
                Worked::Done => (),
            }
            worklist::ring(self.store, lease, self.clock.now()).await?;
            if meta.settings.read_mailbox_kind && run.complete.users {
                self.ask_for_mailboxes(lease, run, meta, cursors.users.first_round, margin).await?;
            }
            run.worked = self.has_work(tenant).await?;
            run.phase = Phase::Plan { kind: Kind::User, shard: None, after: None };
        }
        if run.is_idle() && run.action != Action::Undo {
            run.phase = if run.action == Action::Preview { Phase::Weigh } else { Phase::Finish };
        }
        let settings = match &run.settings {
            Some(patch) => per_run(&meta.settings, patch).unwrap_or_else(|_| meta.settings.clone()),
            None => meta.settings.clone(),
        };
        let exempt = if run.is_idle() { BTreeSet::new() } else { plan::exemptions(self.store, tenant).await? };
        let rules = Rules {
            settings: &settings,
            exempt: &exempt,
            connection: meta.connection,
            now: self.clock.now(),
            deletions: run.complete.users && run.complete.groups,
        };
        let first_round = PerKind { users: cursors.users.first_round, groups: cursors.groups.first_round };
        let loader = |empty| Loader { store: self.store, tenant, first_round, empty };
        if let Phase::Invert { .. } = run.phase {
            let inverter = Inverter { store: self.store, lease, loader: loader(false), now: self.clock.now() };
            if !inverter.invert(run, self.clock, margin).await? {
                return Ok(Worked::Later(Duration::ZERO));
            }
        }
        if matches!(run.phase, Phase::Plan { .. }) {
            let empty = counts.users + counts.groups == 0;
            let (rules, saved, undone) = (rules.clone(), run.settings.is_none(), run.undone);
            let planner = Planner { store: self.store, lease, rules, loader: loader(empty), saved, undone };
            if !planner.plan(run, self.clock, margin).await? {
                return Ok(Worked::Later(Duration::ZERO));
            }
        }
        if run.phase == Phase::Weigh {
            self.weigh(lease, run, &settings).await?;
            if matches!(run.action, Action::Preview | Action::Undo) {
                return Ok(Worked::Done);
            }
        }
        if matches!(run.phase, Phase::Apply { .. }) {
            let selection = self.selection(tenant, run).await?;
            let everybody = run.settings.is_none() && run.everybody[Kind::Group].is_some();
            let (loader, undoes) = (loader(false), run.undoes.is_some());
            let ancestry = Ancestry::new(self.store, tenant);
            let later = matches!(run.action, Action::Apply | Action::Release);
            let applier =
                Applier { store: self.store, lease, rules, loader, selection, everybody, ancestry, undoes, later };
            if !applier.apply(run, self.clock, margin).await? {
                return Ok(Worked::Later(Duration::ZERO));
            }
        }
        if run.phase == Phase::Finish && run.settings.is_none() && !run.is_idle() {
            worklist::clear(self.store, lease, run).await?;
        }
        Ok(Worked::Done)
    }

    /// Look at the plan as a whole. What the brake holds is decided once and written down before anything is carried out,
    /// since the totals that it measures against move with every change.
    async fn weigh(&self, lease: &Lease, run: &mut Run, settings: &Settings) -> Result<(), Stop> {
        if run.action == Action::Preview {
            let mut foreign = std::mem::take(&mut run.foreign);
            if run.settings.is_none() {
                foreign.extend(standing::foreign_domains(self.store, &lease.tenant).await?);
            }
            if !foreign.is_empty() {
                run.error = Some(foreign_failure(&foreign));
                return Ok(());
            }
        }
        run.held = plan::brake(settings, run, &self.counts(&lease.tenant).await?);
        run.billable.after = run.billable.before + run.tally.seats;
        if !matches!(run.action, Action::Preview | Action::Undo) {
            run.phase = Phase::Apply { chunk: 0 };
            lease.commit(self.store, vec![put(keys::run(&lease.tenant, &run.run), write(run))]).await?;
        }
        Ok(())
    }

    async fn selection(&self, tenant: &TenantId, run: &Run) -> Result<Selection, Stop> {
        let mut selection = Selection { releasing: run.action == Action::Release, ..Selection::default() };
        match run.action {
            Action::Sync => selection.held.clone_from(&run.held),
            Action::Apply => self.fixed(tenant, run, &mut selection).await?,
            Action::Preview | Action::Release | Action::Undo => (),
        }
        Ok(selection)
    }

    async fn counts(&self, tenant: &TenantId) -> Result<Counts, Fault> {
        let item = self.store.get(&[keys::counts(tenant)]).await?.pop().flatten();
        read("the totals", item.unwrap_or_default())
    }

    async fn has_work(&self, tenant: &TenantId) -> Result<bool, Stop> {
        let range = crate::ports::Range { limit: 1, ..keys::starting(Table::Control, keys::work_pk(tenant), "0#") };
        Ok(!self.store.list(&range).await?.items.is_empty())
    }
}

/// What whoever asked is told of a run.
fn answer(tenant: &TenantId, run: &Run) -> Value {
    let mut answer = shown(run);
    answer["tenant"] = json!(tenant);
    answer
}

/// A run whose lease is taken, and what was read for it.
struct Start {
    meta: Tenant,
    sync: Schedule,
    counts: Counts,
    run: Run,
    lease: Lease,
}

enum Worked {
    Done,
    Later(Duration),
}
