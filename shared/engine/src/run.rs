//! A run: take the lease, pull, plan, apply, and say what happened. In slices, where one invocation is too short.

use std::{collections::BTreeSet, time::Duration};

use directory::{Code, Failure, Kind, PerKind, Rules, RunId, Settings, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    apply::{self, Applier, Selection},
    keys,
    lease::{self, Lease, Stop, put},
    links,
    load::Loader,
    no_contact,
    plan::{self, Planner},
    ports::{
        Change, Clock, Condition, Connection, Fault, Graph, Item, Message, Meter, Queue, QueueName, Secrets, Store,
        Table, Write,
    },
    pull::{Pulled, Reader},
    records::{
        Action, Billable, Counts, Cursor, Phase, Run, RunCounts, RunState, Schedule, Status, Tally, Tenant, Warning,
        read, write,
    },
    schedule, standing,
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
    /// Changes that are left out (`apply`).
    pub except: BTreeSet<String>,
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
/// How long a plan can be applied (rule 4.6).
const PLAN_HOURS: i64 = 24;
/// How long runs are kept (rule 4.12).
const KEPT_DAYS: i64 = 90;
/// A slice that was handed over and not taken up for so long is lost.
const HANDOVER_SECONDS: i64 = 900;

impl<G: Graph, S: Store, X: Secrets, Q: Queue, C: Clock> World<'_, G, S, X, Q, C> {
    /// Carry out a request. Answers what the caller is told: the run, or `{"error": …}` where nothing was changed.
    ///
    /// # Errors
    /// A fault of the world. The run goes on from what is stored when it is asked for again.
    pub async fn run(&self, request: &Request) -> Result<Value, Stop> {
        let margin = (self.clock.remaining() / 5).min(Duration::from_secs(60));
        let now = self.clock.now();
        let tenant = &request.tenant;
        let items = self.store.get(&[keys::meta(tenant), keys::sync(tenant), keys::counts(tenant)]).await?;
        let [meta, sync, counts] = <[Option<Item>; 3]>::try_from(items).unwrap_or_default();
        let Some(meta) = meta else {
            return Ok(refused(&Failure::not_found(format!("there is no tenant {tenant}"))));
        };
        let meta: Tenant = read("the tenant", meta)?;
        let sync: Schedule = read("the schedule", sync.unwrap_or_default())?;
        let counts: Counts = read("the totals", counts.unwrap_or_default())?;
        if request.queued && sync.run.is_none() && meta.settings.sync_frequency.0 == 0 {
            return Ok(refused(&Failure::invalid(format!("tenant {tenant} never runs by itself: its frequency is 0"))));
        }
        if let Some(busy) = self.busy(request, &sync) {
            return Ok(refused(&busy));
        }
        let mut writes = Vec::new();
        let mut run = match self.prepare(request, &meta, &sync, &counts, &mut writes).await? {
            Ok(run) => run,
            Err(failure) => return Ok(refused(&failure)),
        };
        let lease =
            Lease { tenant: tenant.clone(), run: run.run.clone(), owner: self.owner.to_owned(), fence: sync.fence + 1 };
        run.slices += 1;
        if let Err(stop) = self.take(&lease, &sync, &run, writes).await {
            return match stop {
                Stop::LeaseLost | Stop::Raced => Ok(refused(&busy_failure(None, None))),
                Stop::Fault(fault) => Err(Stop::Fault(fault)),
            };
        }
        tracing::info!(run = %run.run, slice = run.slices, action = ?run.action, "run starts or goes on");
        let worked = self.work(&lease, &mut run, &meta, &counts, margin).await?;
        match worked {
            Worked::Later(pause) if run.slices < MOST_SLICES => self.hand_over(&lease, &mut run, pause).await?,
            Worked::Later(_) => {
                tracing::error!(run = %run.run, "given up after {MOST_SLICES} invocations");
                run.error = Some(Failure::unexpected(run.run.as_str()));
                self.finish(&lease, &mut run, &meta, &sync, &counts, now).await?;
            }
            Worked::Done => self.finish(&lease, &mut run, &meta, &sync, &counts, now).await?,
        }
        Ok(self.answer(tenant, &run).await?)
    }

    /// Whether somebody else is at work (rule 4.3).
    fn busy(&self, request: &Request, sync: &Schedule) -> Option<Failure> {
        let now = self.clock.now();
        let leased = sync.owner.is_some() && sync.lease_until.is_some_and(|until| until >= now.as_millisecond());
        let goes_on = request.queued && sync.run.is_some() && (request.run.is_none() || request.run == sync.run);
        let handed_over =
            sync.owner.is_none() && sync.run.is_some() && sync.due_at.is_some_and(|due| due >= now.as_second());
        let stale_message = request.queued && request.run.is_some() && request.run != sync.run;
        let busy = leased || (handed_over && !(goes_on && request.run.is_some())) || stale_message;
        busy.then(|| busy_failure(sync.run.as_ref(), sync.since))
    }

    /// The run that this invocation works on: a new one, or the one that goes on.
    async fn prepare(
        &self,
        request: &Request,
        meta: &Tenant,
        sync: &Schedule,
        counts: &Counts,
        writes: &mut Vec<Write>,
    ) -> Result<Result<Run, Failure>, Stop> {
        let now = self.clock.now();
        if let Some(unfinished) = &sync.run {
            let item = self.store.get(&[keys::run(&request.tenant, unfinished)]).await?.pop().flatten();
            if let Some(mut run) = item.map(|item| read::<Run>("a run", item)).transpose()? {
                if request.queued {
                    if run.phase == Phase::Pull {
                        // A full round may have ended without the run's having written that down.
                        for kind in Kind::ALL {
                            run.everybody[kind] = run.everybody[kind].max(sync.everybody(kind));
                        }
                    }
                    return Ok(Ok(run));
                }
                if run.state == RunState::Continuing {
                    run.state = RunState::Failed;
                    run.finished_at = Some(now);
                    run.error = Some(Failure::new(
                        Code::Unexpected,
                        "the run was interrupted before it was done",
                        "nothing: what it had not done is done by the next run",
                    ));
                    writes.push(put(keys::run(&request.tenant, unfinished), write(&run)));
                }
            }
        }
        match request.action {
            Action::Sync | Action::Preview => {
                if let Some(patch) = &request.settings
                    && let Err(failure) = per_run(&meta.settings, patch)
                {
                    return Ok(Err(failure));
                }
                Ok(Ok(self.begin(request, meta, sync, counts)))
            }
            Action::Apply | Action::Release => Ok(self.again(request, sync, writes).await?),
        }
    }

    fn begin(&self, request: &Request, meta: &Tenant, sync: &Schedule, counts: &Counts) -> Run {
        let now = self.clock.now();
        // Settings of this run only look at everybody: what stands was decided under the saved ones.
        let wants = |kind| sync.everybody(kind).or(request.settings.as_ref().map(|_| sync.done[kind]));
        Run {
            run: run_id(now, self.owner),
            trigger: if request.queued { "schedule" } else { "manual" }.to_owned(),
            action: request.action,
            by: request.by.clone(),
            state: RunState::Continuing,
            started_at: now,
            finished_at: None,
            requests: crate::ports::Requests::default(),
            counts: RunCounts::default(),
            held: None,
            billable: Billable { before: counts.billable, after: counts.billable, seats: meta.settings.seats },
            warnings: Vec::new(),
            error: None,
            phase: Phase::Pull,
            chunks: 0,
            slices: 0,
            settings: request.settings.clone(),
            full: PerKind { users: request.full, groups: request.full },
            complete: PerKind::default(),
            tally: Tally::default(),
            everybody: PerKind { users: wants(Kind::User), groups: wants(Kind::Group) },
            ahead: BTreeSet::new(),
            foreign: BTreeSet::new(),
            worked: false,
            settings_rev: meta.rev,
            ttl: now.as_second() + KEPT_DAYS * 86_400,
        }
    }

    /// A stored run of which the plan, or what was held of it, is now to be carried out.
    async fn again(
        &self,
        request: &Request,
        sync: &Schedule,
        writes: &mut Vec<Write>,
    ) -> Result<Result<Run, Failure>, Stop> {
        let Some(id) = &request.run else {
            return Ok(Err(Failure::invalid("run: expected the run whose plan is meant")));
        };
        let item = self.store.get(&[keys::run(&request.tenant, id)]).await?.pop().flatten();
        let Some(mut run) = item.map(|item| read::<Run>("a run", item)).transpose()? else {
            return Ok(Err(Failure::not_found(format!("there is no run {id}"))));
        };
        let refuse = |code, message: String, other: Option<&RunId>| {
            let mut failure = Failure::new(code, message, "make a new preview, and apply that one");
            failure.run = other.map(RunId::to_string);
            Ok(Err(failure))
        };
        if request.action == Action::Apply {
            let age = self.clock.now().duration_since(run.finished_at.unwrap_or(run.started_at));
            match run.state {
                RunState::Planned => (),
                RunState::Applied | RunState::Held => {
                    return refuse(Code::Superseded, format!("the plan of run {id} was applied already"), None);
                }
                RunState::Failed | RunState::Continuing => {
                    return refuse(Code::InvalidInput, format!("run {id} has no plan that can be applied"), None);
                }
            }
            if age > SignedDuration::from_hours(PLAN_HOURS) {
                return refuse(Code::Expired, format!("the plan of run {id} is older than {PLAN_HOURS} hours"), None);
            }
            if sync.newest.as_ref() != Some(id) {
                return refuse(
                    Code::Superseded,
                    format!("the plan of run {id} was superseded by a newer run"),
                    sync.newest.as_ref(),
                );
            }
            let except: Vec<&String> = request.except.iter().collect();
            for (part, ids) in except.chunks(5000).enumerate() {
                let item = Item::from_iter([("ids".to_owned(), json!(ids)), ("ttl".to_owned(), json!(run.ttl))]);
                writes.push(put(keys::unchecked(&request.tenant, id, part), item));
            }
        } else {
            if sync.holding.as_ref() != Some(id) {
                let newest = sync.holding.as_ref();
                let message = newest.map_or_else(
                    || format!("run {id} holds nothing"),
                    |newest| format!("run {id} is not the newest run that holds changes: that is {newest}"),
                );
                return refuse(Code::Superseded, message, newest);
            }
            run.held = None;
        }
        run.action = request.action;
        run.by.clone_from(&request.by);
        run.state = RunState::Continuing;
        run.finished_at = None;
        run.phase = Phase::Apply { chunk: 0 };
        Ok(Ok(run))
    }

    /// Take the lease, in one commit with the record of the run.
    async fn take(&self, lease: &Lease, sync: &Schedule, run: &Run, mut writes: Vec<Write>) -> Result<(), Stop> {
        let now = self.clock.now();
        let until = now.as_millisecond()
            + i64::try_from((self.clock.remaining() + self.grace).as_millis()).unwrap_or(i64::MAX / 2);
        let set = Item::from_iter([
            ("owner".to_owned(), json!(lease.owner)),
            ("lease_until".to_owned(), json!(until)),
            ("fence".to_owned(), json!(lease.fence)),
            ("run".to_owned(), json!(lease.run)),
            ("since".to_owned(), json!(run.started_at)),
        ]);
        let owner =
            sync.owner.as_ref().map_or(Condition::Without("owner"), |owner| Condition::Equals("owner", json!(owner)));
        let fence =
            if sync.fence == 0 { Condition::Without("fence") } else { Condition::Equals("fence", json!(sync.fence)) };
        let lease_write = Write {
            key: keys::sync(&lease.tenant),
            change: Change::Set { set, add: Vec::new() },
            only_if: vec![owner, fence],
        };
        writes.insert(0, lease_write);
        writes.push(put(keys::run(&lease.tenant, &run.run), write(run)));
        self.store.commit(writes).await.map_err(|err| match err {
            crate::ports::NotCommitted::Refused(_) => Stop::LeaseLost,
            crate::ports::NotCommitted::Fault(fault) => Stop::Fault(fault),
        })
    }

    /// Pull, plan and apply, from wherever the run stands, until it is done or time is up.
    async fn work(
        &self,
        lease: &Lease,
        run: &mut Run,
        meta: &Tenant,
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
            match self.pull(lease, run, meta, &mut cursors, margin).await? {
                Worked::Later(pause) => return Ok(Worked::Later(pause)),
                Worked::Done if run.error.is_some() => return Ok(Worked::Done),
                Worked::Done => (),
            }
            plan::ring(self.store, lease, self.clock.now()).await?;
            run.worked = self.has_work(tenant).await?;
            run.phase = Phase::Plan { kind: Kind::User, shard: None, after: None };
        }
        if run.is_idle() {
            run.phase = if run.action == Action::Preview { run.phase.clone() } else { Phase::Finish };
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
        if matches!(run.phase, Phase::Plan { .. }) {
            if !run.is_idle() {
                let empty = counts.users + counts.groups == 0;
                let (rules, saved) = (rules.clone(), run.settings.is_none());
                let planner = Planner { store: self.store, lease, rules, loader: loader(empty), saved };
                if !planner.plan(run, self.clock, margin).await? {
                    return Ok(Worked::Later(Duration::ZERO));
                }
            }
            if run.action == Action::Preview {
                let mut foreign = std::mem::take(&mut run.foreign);
                foreign.extend(standing::foreign_domains(self.store, tenant).await?);
                if !foreign.is_empty() {
                    run.error = Some(foreign_failure(&foreign));
                    return Ok(Worked::Done);
                }
            }
            run.held = plan::brake(&settings, run, &self.counts(tenant).await?);
            run.billable.after = run.billable.before + run.tally.seats;
            if run.action == Action::Preview {
                return Ok(Worked::Done);
            }
        }
        if matches!(run.phase, Phase::Apply { .. }) {
            let selection = self.selection(tenant, run).await?;
            let applier = Applier { store: self.store, lease, rules, loader: loader(false), selection };
            if !applier.apply(run, self.clock, margin).await? {
                return Ok(Worked::Later(Duration::ZERO));
            }
        }
        if run.phase == Phase::Finish && run.settings.is_none() && !run.is_idle() {
            apply::clear(self.store, lease, run).await?;
        }
        Ok(Worked::Done)
    }

    async fn selection(&self, tenant: &TenantId, run: &Run) -> Result<Selection, Stop> {
        let mut selection = Selection { releasing: run.action == Action::Release, ..Selection::default() };
        match run.action {
            Action::Sync => selection.held.clone_from(&run.held),
            Action::Apply => {
                let range = keys::starting(Table::Control, keys::plan_pk(tenant, &run.run), "SEL#");
                for (_, item) in links::everything(self.store, range).await? {
                    selection.unchecked.extend(read::<Unchecked>("the unchecked changes", item)?.ids);
                }
            }
            Action::Preview | Action::Release => (),
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

    /// Read both collections (rules 1.7 and 4.9).
    async fn pull(
        &self,
        lease: &Lease,
        run: &mut Run,
        meta: &Tenant,
        cursors: &mut PerKind<Cursor>,
        margin: Duration,
    ) -> Result<Worked, Stop> {
        let mut who = match self.connection(&lease.tenant, meta, false).await? {
            Ok(who) => who,
            Err(failure) => {
                run.error = Some(failure);
                return Ok(Worked::Done);
            }
        };
        let mut failures = Vec::new();
        let mut afresh = false;
        let mut at = 0;
        while let Some(kind) = Kind::ALL.get(at).copied() {
            at += 1;
            if run.complete[kind] {
                continue;
            }
            let (graph, store, clock) = (self.graph, self.store, self.clock);
            let reader = Reader { graph, store, clock, lease, who: &who, connection: meta.connection, margin };
            let pulled = reader.pull(run, &mut cursors[kind], kind).await?;
            let made = std::mem::take(&mut who.meter).read();
            run.requests.graph += made.graph;
            run.requests.sign_in += made.sign_in;
            match pulled {
                Pulled::Complete => run.complete[kind] = true,
                Pulled::CompleteAfresh => {
                    run.complete[kind] = true;
                    let item = self.store.get(&[keys::sync(&lease.tenant)]).await?.pop().flatten().unwrap_or_default();
                    run.everybody[kind] = read::<Schedule>("the schedule", item)?.everybody(kind);
                }
                Pulled::Later(pause) => return Ok(Worked::Later(pause)),
                Pulled::Short(failure) if failure.code.refuses_credential() && !afresh => {
                    // Somebody may have renewed the secret since it was cached: look once past the cache.
                    afresh = true;
                    let before = who.secret;
                    match self.connection(&lease.tenant, meta, true).await? {
                        Ok(fresh) if !same_secret(&fresh, &before) => {
                            who = fresh;
                            at -= 1;
                        }
                        _ => {
                            run.error = Some(failure);
                            return Ok(Worked::Done);
                        }
                    }
                }
                Pulled::Short(failure) if failure.code.refuses_credential() => {
                    run.error = Some(failure);
                    return Ok(Worked::Done);
                }
                Pulled::Short(failure) => {
                    tracing::warn!(collection = kind.name(), code = %failure.code.name(), "short read");
                    failures.push((kind, failure));
                }
            }
        }
        if !run.complete.users && !run.complete.groups {
            run.error = failures.into_iter().next().map(|(_, failure)| failure);
            return Ok(Worked::Done);
        }
        for (kind, failure) in failures {
            run.warnings.push(Warning {
                code: "short_read".to_owned(),
                message: format!(
                    "{}s could not be read in full, so that nothing is deleted: {failure} ({})",
                    kind.name(),
                    failure.code.name()
                ),
            });
        }
        Ok(Worked::Done)
    }

    /// How to reach the tenant's directory, or what is missing.
    async fn connection(
        &self,
        tenant: &TenantId,
        meta: &Tenant,
        afresh: bool,
    ) -> Result<Result<Connection, Failure>, Stop> {
        let secret =
            if afresh { self.secrets.secret_afresh(tenant).await? } else { self.secrets.secret(tenant).await? };
        Ok(connection(tenant, &meta.settings, secret))
    }

    /// Write down the end of the run, let the lease go, and set the next due time.
    async fn finish(
        &self,
        lease: &Lease,
        run: &mut Run,
        meta: &Tenant,
        sync: &Schedule,
        counts: &Counts,
        now: Timestamp,
    ) -> Result<(), Stop> {
        let tenant = &lease.tenant;
        let planned = run.action == Action::Preview && run.error.is_none();
        run.state = match (&run.error, planned, run.action, &run.held) {
            (Some(_), ..) => RunState::Failed,
            (None, true, ..) => RunState::Planned,
            (None, false, Action::Sync, Some(_)) => RunState::Held,
            (None, false, ..) => RunState::Applied,
        };
        run.finished_at = Some(now);
        if run.state == RunState::Failed {
            run.chunks = 0;
            run.counts = RunCounts::default();
        }
        let counts = if run.is_idle() { *counts } else { self.counts(tenant).await? };
        count_standing(run, &counts);
        if matches!(run.state, RunState::Applied | RunState::Held) {
            run.billable.after = counts.billable;
        }
        run.warnings.extend(no_contact::warning(meta, now));
        if let Some(seats) = run.billable.seats.filter(|seats| run.billable.after > i64::from(*seats)) {
            run.warnings.push(Warning {
                code: "seats_exceeded".to_owned(),
                message: format!("there are {} billable users for {seats} seats", run.billable.after),
            });
        }
        let mut set = released();
        let applied = matches!(run.state, RunState::Applied | RunState::Held);
        if applied && run.settings.is_none() {
            let mut done = sync.done;
            for kind in Kind::ALL.into_iter().filter(|kind| run.complete[*kind]) {
                done[kind] = done[kind].max(run.everybody[kind].unwrap_or_default());
            }
            set.insert("done".to_owned(), json!(done));
        }
        if planned || applied {
            set.insert("newest".to_owned(), json!(run.run));
        }
        match run.state {
            RunState::Held => drop(set.insert("holding".to_owned(), json!(run.run))),
            RunState::Applied
                if run.settings.is_none()
                    && (run.action != Action::Apply || sync.holding.as_ref() == Some(&run.run)) =>
            {
                drop(set.insert("holding".to_owned(), Value::Null));
            }
            _ => (),
        }
        if run.action == Action::Sync {
            let due = next_due(tenant, run, meta, sync, now);
            set.insert("due_at".to_owned(), json!(due));
            set.insert("due_shard".to_owned(), json!(due.map(|_| schedule::run_shard(tenant))));
            if applied {
                set.insert("last_success".to_owned(), json!(now));
                set.insert("last_error".to_owned(), Value::Null);
                set.insert("failures".to_owned(), json!(0));
            } else {
                set.insert("last_error".to_owned(), json!(run.error));
                set.insert("failures".to_owned(), json!(sync.failures + 1));
            }
        } else if applied {
            set.insert("last_success".to_owned(), json!(now));
        }
        let end = |set: Item| vec![lease::set(keys::sync(tenant), set), put(keys::run(tenant, &run.run), write(run))];
        if run.action == Action::Sync && no_contact::is_overdue(meta, now) {
            let mut never = set.clone();
            never.extend(["due_at", "due_shard"].map(|name| (name.to_owned(), Value::Null)));
            let writes = end(never).into_iter().chain(no_contact::stop(tenant, meta, now)).collect();
            match lease.commit(self.store, writes).await {
                // Somebody has just changed the settings: the next run looks again.
                Err(Stop::Raced) => (),
                done => return done,
            }
        }
        let mut writes = end(set);
        if run.action == Action::Preview {
            let status = Item::from_iter([("status".to_owned(), json!(checked(run, meta, now)))]);
            writes.push(lease::set(keys::meta(tenant), status));
        }
        lease.commit(self.store, writes).await?;
        tracing::info!(run = %run.run, state = ?run.state, slices = run.slices, graph = run.requests.graph, "run ends");
        Ok(())
    }

    /// Leave the rest to the next invocation: what is done is committed, the run goes on by a message.
    async fn hand_over(&self, lease: &Lease, run: &mut Run, pause: Duration) -> Result<(), Stop> {
        let now = self.clock.now();
        let seconds = i64::try_from(pause.as_secs()).unwrap_or(HANDOVER_SECONDS);
        let mut set = released();
        set.retain(|name, _| name == "owner" || name == "lease_until");
        set.insert("due_at".to_owned(), json!(now.as_second() + seconds + HANDOVER_SECONDS));
        set.insert("due_shard".to_owned(), json!(schedule::run_shard(&lease.tenant)));
        let release = lease::set(keys::sync(&lease.tenant), set);
        lease.commit(self.store, vec![release, put(keys::run(&lease.tenant, &run.run), write(run))]).await?;
        let job = Job {
            tenant: lease.tenant.clone(),
            action: "sync".to_owned(),
            run: Some(run.run.clone()),
            now: self.fixed_clock.then_some(now),
        };
        let body =
            serde_json::to_string(&job).map_err(|err| Fault::permanent("cannot write a message").because(err))?;
        let message = Message { group: lease.tenant.to_string(), body, delay: pause.min(Duration::from_secs(900)) };
        self.queue.send(QueueName::Sync, vec![message]).await?;
        tracing::info!(run = %run.run, slice = run.slices, "goes on in the next invocation");
        Ok(())
    }

    async fn answer(&self, tenant: &TenantId, run: &Run) -> Result<Value, Fault> {
        let mut answer = shown(run);
        answer["tenant"] = json!(tenant);
        Ok(answer)
    }
}

/// The attributes that let the lease go.
fn released() -> Item {
    ["owner", "lease_until", "run", "since"].into_iter().map(|name| (name.to_owned(), Value::Null)).collect()
}

/// What a preview says of the connection: it is a manual check too (rule 1.6).
fn checked(run: &Run, meta: &Tenant, now: Timestamp) -> Status {
    match &run.error {
        Some(failure) if !run.complete.users && !run.complete.groups => {
            Status { green: false, verified_at: meta.status.verified_at, error: Some(failure.clone()) }
        }
        _ => Status { green: true, verified_at: Some(now), error: None },
    }
}

/// The next due time: the regular one, or sooner where what failed may pass.
fn next_due(tenant: &TenantId, run: &Run, meta: &Tenant, sync: &Schedule, now: Timestamp) -> Option<i64> {
    let regular = schedule::next_run(tenant, meta.settings.sync_frequency, now)?;
    let passes = run.error.as_ref().is_some_and(|failure| failure.code.passes());
    let soon = now.as_second() + (900 << sync.failures.min(6));
    Some(if passes { regular.min(soon) } else { regular })
}

#[derive(Deserialize)]
struct Unchecked {
    ids: Vec<String>,
}

enum Worked {
    Done,
    Later(Duration),
}

/// A run as callers see it (section 9).
pub fn shown(run: &Run) -> Value {
    json!({
        "run": run.run, "state": run.state, "counts": run.counts, "held": run.held, "billable": run.billable,
        "warnings": run.warnings, "error": run.error,
    })
}

/// A run as `list_runs` and `get_run` show it.
pub fn recorded(tenant: &TenantId, run: &Run) -> Value {
    let mut shown = shown(run);
    shown["tenant"] = json!(tenant);
    shown["trigger"] = json!(run.trigger);
    shown["action"] = json!(run.action);
    shown["by"] = json!(run.by);
    shown["started_at"] = json!(run.started_at);
    shown["finished_at"] = json!(run.finished_at);
    shown["requests"] = json!(run.requests.graph + run.requests.sign_in);
    shown
}

/// An error as callers see it.
pub fn refused(failure: &Failure) -> Value {
    json!({"error": failure})
}

fn busy_failure(run: Option<&RunId>, since: Option<Timestamp>) -> Failure {
    let message = run.map_or_else(
        || "another run of this tenant has just started".to_owned(),
        |run| format!("run {run} of this tenant is at work"),
    );
    let mut failure = Failure::new(Code::Busy, message, "wait until it is done, and ask again");
    failure.run = run.map(RunId::to_string);
    failure.since = since;
    failure
}

fn foreign_failure(domains: &BTreeSet<String>) -> Failure {
    let names = domains.iter().cloned().collect::<Vec<_>>().join(", ");
    let message = format!(
        "The following domain(s) {names} are not associated with this account. All domains in the Azure AD directory must \
         be added in order to perform a sync."
    );
    Failure::new(
        Code::InvalidInput,
        message,
        "add the domains to the tenant's settings, or let the automatic run skip their users",
    )
}

/// How to reach a directory with these settings and this secret, or what is missing.
///
/// # Errors
/// Names the setting that is missing.
pub fn connection(
    tenant: &TenantId,
    settings: &Settings,
    secret: Option<secrecy::SecretString>,
) -> Result<Connection, Failure> {
    let missing = |what: &str| {
        Failure::new(
            Code::InvalidInput,
            format!("the connection of tenant {tenant} is not configured: {what} is missing"),
            "complete the connection with put_tenant and put_secret",
        )
    };
    let authority = settings.authority().ok_or_else(|| missing("directory_id or primary_domain"))?;
    let application = settings.application_id.as_ref().ok_or_else(|| missing("application_id"))?;
    let secret = secret.ok_or_else(|| missing("the secret"))?;
    Ok(Connection {
        tenant: tenant.clone(),
        authority: authority.to_owned(),
        application_id: application.as_str().to_owned(),
        cloud: settings.cloud,
        kind: settings.credential.kind,
        secret,
        meter: Meter::default(),
    })
}

/// Saved settings with those of one run laid over them: only What and How may differ (rule 4.4).
///
/// # Errors
/// `invalid_input` naming the key.
pub fn per_run(saved: &Settings, patch: &Value) -> Result<Settings, Failure> {
    const ALLOWED: [&str; 15] = [
        "sync_active_users",
        "sync_distribution_groups",
        "sync_security_groups",
        "sync_guests",
        "add_users",
        "update_users",
        "remove_deleted_users",
        "add_groups",
        "update_groups",
        "remove_deleted_groups",
        "blocked_sign_in",
        "recovery_days",
        "brake",
        "default_user_role_name",
        "domains",
    ];
    let keys = patch.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    if let Some(key) = keys.into_iter().find(|key| !ALLOWED.contains(key)) {
        return Err(Failure::invalid(format!("settings.{key}: cannot be set for one run only")));
    }
    saved.with(patch)
}

/// A run's name: its time, and a number made of the invocation's name.
fn run_id(now: Timestamp, owner: &str) -> RunId {
    let hash = blake3::hash(owner.as_bytes());
    let random = hash.as_bytes()[..10].iter().fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or_default();
    let text = ulid::Ulid::from_parts(milliseconds, random).to_string();
    RunId::try_from(text).unwrap_or_else(|_| unreachable!("a ULID is 26 capitals and digits"))
}

fn same_secret(who: &Connection, before: &secrecy::SecretString) -> bool {
    use secrecy::ExposeSecret as _;
    who.secret.expose_secret() == before.expose_secret()
}

fn count_standing(run: &mut Run, counts: &Counts) {
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    if run.settings.is_some() {
        run.counts.skipped = run.tally.skipped;
        run.counts.not_enabled = run.tally.not_enabled;
    } else {
        run.counts.skipped = PerKind { users: number(counts.skipped_users), groups: number(counts.skipped_groups) };
        run.counts.not_enabled =
            PerKind { users: number(counts.not_enabled_users), groups: number(counts.not_enabled_groups) };
    }
}
