//! The beginning of a run: whether it may, what it goes on with, and the lease.

use std::collections::BTreeSet;

use directory::{Code, Failure, Kind, PerKind, RunId, TenantId};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Request, World, read::per_run};
use crate::{
    chunk, keys,
    lease::{Lease, Stop, put},
    links::Pages,
    operator::written_down,
    outcomes,
    ports::{Change, Clock, Condition, Fault, Graph, Item, NotCommitted, Queue, Secrets, Store, Table, Write},
    records::{
        Action, Audit, Billable, Counts, Entry, KEPT_DAYS, PLAN_HOURS, Phase, Run, RunCounts, RunState, Schedule,
        Standing, Tally, Tenant, read, write,
    },
    run_id, schedule,
};

/// A person's run that was interrupted is taken up so long after its lease has ended.
const TAKEN_UP_SECONDS: i64 = 60;

/// What the end of a run warns of.
const END_WARNINGS: [&str; 2] = ["no_tech_contact", "seats_exceeded"];

impl<G: Graph, S: Store, X: Secrets, Q: Queue, C: Clock> World<'_, G, S, X, Q, C> {
    /// Whether somebody else is at work (rule 4.3).
    pub(super) fn busy(&self, request: &Request, sync: &Schedule) -> Option<Failure> {
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
    pub(super) async fn prepare(
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
                // The queue goes on with it, and so does a person who asks for the same once more.
                let same = [&request.run, &request.name].contains(&&Some(unfinished.clone()));
                if request.queued || (same && request.action == run.action && run.state == RunState::Continuing) {
                    if run.phase == Phase::Pull {
                        // A full round may have ended without the run's having written that down.
                        for kind in Kind::ALL {
                            run.everybody[kind] = run.everybody[kind].max(sync.everybody(kind));
                        }
                    }
                    return Ok(Ok(run));
                }
                if run.state == RunState::Continuing && !same {
                    run.state = RunState::Failed;
                    run.finished_at = Some(now);
                    if matches!(run.phase, Phase::Apply { .. } | Phase::Finish) {
                        run.applied = Some(outcomes::totals(self.store, &request.tenant, &run).await?.applied);
                    }
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
                let run = self.begin(request, meta, sync, counts);
                if request.action == Action::Sync && !request.queued {
                    writes.push(self.audit(request, &run));
                }
                Ok(Ok(run))
            }
            Action::Apply | Action::Release => {
                let run = self.again(request, sync, writes).await?;
                writes.extend(run.iter().map(|run| self.audit(request, run)));
                Ok(run)
            }
            Action::Undo => Ok(self.undo(request, meta, sync, counts).await?),
        }
    }

    /// The entry of the audit for a run by which a person changes something.
    fn audit(&self, request: &Request, run: &Run) -> Write {
        let (by, what) = (request.by.clone(), run.run.to_string());
        let action = match request.action {
            Action::Apply => "apply",
            Action::Release => "release",
            Action::Sync | Action::Preview | Action::Undo => "sync",
        };
        let (action, from, to) = (action.to_owned(), Value::Null, Value::Null);
        let entry = Audit { at: self.clock.now(), by, action, what, from, to, totals: None };
        written_down(&request.tenant, &entry, self.owner)
    }

    pub(super) fn begin(&self, request: &Request, meta: &Tenant, sync: &Schedule, counts: &Counts) -> Run {
        let now = self.clock.now();
        // Settings of this run only look at everybody: what stands was decided under the saved ones.
        let wants = |kind| sync.everybody(kind).or(request.settings.as_ref().map(|_| sync.done[kind]));
        let own = run_id::new(now, run_id::number(self.owner));
        Run {
            mark: request.name.is_some().then(|| own.clone()),
            run: request.name.clone().unwrap_or(own),
            trigger: if request.queued { "schedule" } else { "manual" }.to_owned(),
            action: request.action,
            by: request.by.clone(),
            state: RunState::Continuing,
            started_at: now,
            finished_at: None,
            requests: crate::ports::Requests::default(),
            counts: RunCounts::default(),
            applied: None,
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
            ahead_parts: 0,
            foreign: BTreeSet::new(),
            worked: false,
            undone: sync.undone,
            undoes: None,
            ttl: now.as_second() + KEPT_DAYS * 86_400,
            seen: None,
        }
    }

    /// A new run that plans the inverse of a stored one (rule 4.14).
    async fn undo(
        &self,
        request: &Request,
        meta: &Tenant,
        sync: &Schedule,
        counts: &Counts,
    ) -> Result<Result<Run, Failure>, Stop> {
        let Some(id) = &request.run else {
            return Ok(Err(Failure::invalid("run: expected the run that is to be undone")));
        };
        let item = self.store.get(&[keys::run(&request.tenant, id)]).await?.pop().flatten();
        let Some(of) = item.map(|item| read::<Run>("a run", item)).transpose()? else {
            return Ok(Err(Failure::not_found(format!("there is no run {id}"))));
        };
        if !of.is_carried_out() {
            return Ok(Err(Failure::invalid(format!(
                "run {id} was not carried out, so that there is nothing to undo"
            ))));
        }
        let phase = Phase::Invert { chunk: 0 };
        let everybody = PerKind::default();
        Ok(Ok(Run { phase, everybody, undoes: Some(id.clone()), ..self.begin(request, meta, sync, counts) }))
    }

    /// A stored run of which the plan, or what was held of it, is now to be carried out.
    pub(super) async fn again(
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
            match run.state {
                RunState::Planned => (),
                RunState::Applied | RunState::Held => {
                    return refuse(Code::Superseded, format!("the plan of run {id} was applied already"), None);
                }
                // Another request took it up after the schedule was read.
                RunState::Continuing => return Ok(Err(busy_failure(Some(id), None))),
                RunState::Failed => {
                    return refuse(Code::InvalidInput, format!("run {id} has no plan that can be applied"), None);
                }
            }
            if run.is_too_old(self.clock.now()) {
                return refuse(Code::Expired, format!("the plan of run {id} is older than {PLAN_HOURS} hours"), None);
            }
            if sync.newest.as_ref() != Some(id) {
                return refuse(
                    Code::Superseded,
                    format!("the plan of run {id} was superseded by a newer run"),
                    sync.newest.as_ref(),
                );
            }
            if let Some(unknown) = self.not_in_plan(request, &run).await? {
                let message = format!("except: the plan of run {id} has no change {unknown:?}");
                return Ok(Err(Failure::invalid(message)));
            }
            if let Err(failure) = self.left_out(request, &run, writes).await? {
                return Ok(Err(failure));
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
        }
        // A person's word: nothing is held, and what the end of a run warns of is said anew.
        run.held = None;
        run.warnings.retain(|warning| !END_WARNINGS.contains(&warning.code.as_str()));
        run.action = request.action;
        run.by.clone_from(&request.by);
        run.state = RunState::Continuing;
        run.finished_at = None;
        run.phase = Phase::Apply { chunk: 0 };
        Ok(Ok(run))
    }

    /// A change that is to be left out and that the plan does not have: whoever meant another must hear of it.
    async fn not_in_plan(&self, request: &Request, run: &Run) -> Result<Option<String>, Stop> {
        let mut unknown = request.except.clone();
        for number in (0..run.chunks).take_while(|_| !request.except.is_empty()) {
            for entry in chunk::load(self.store, &request.tenant, &run.run, number).await? {
                match entry {
                    Entry::Unit { changes, .. } => {
                        unknown.retain(|id| changes.iter().all(|planned| planned.change.id != *id));
                    }
                    Entry::NotEnabled(change) => unknown.retain(|id| *id != change.id),
                    Entry::Skipped(_) | Entry::Members { .. } => (),
                }
            }
        }
        // What is not enabled is listed with every plan, and was not to be carried out anyway.
        let mut pages = Pages::of(self.store, keys::all(Table::Control, keys::standing_pk(&request.tenant)));
        while !unknown.is_empty()
            && let Some(page) = pages.next().await?
        {
            for (_, item) in page {
                if let Standing::NotEnabled(change) = read("a standing verdict", item)? {
                    unknown.retain(|id| *id != change.id);
                }
            }
        }
        Ok(unknown.pop_first().map(|id| id.chars().take(64).collect()))
    }

    /// Take the lease, in one commit with the record of the run, if nobody else has and the settings are still those that
    /// were read. A person's run is due again soon after its lease, should it be interrupted.
    pub(super) async fn take(
        &self,
        lease: &Lease,
        request: &Request,
        meta: &Tenant,
        sync: &Schedule,
        run: &Run,
        mut writes: Vec<Write>,
    ) -> Result<bool, Fault> {
        let now = self.clock.now();
        let until = now.as_millisecond()
            + i64::try_from((self.clock.remaining() + self.grace).as_millis()).unwrap_or(i64::MAX / 2);
        let mut set = Item::from_iter([
            ("owner".to_owned(), json!(lease.owner)),
            ("lease_until".to_owned(), json!(until)),
            ("fence".to_owned(), json!(lease.fence)),
            ("run".to_owned(), json!(run.run)),
            ("since".to_owned(), json!(run.started_at)),
        ]);
        if !request.queued {
            set.extend(schedule::due_attributes(&lease.tenant, Some(until / 1000 + TAKEN_UP_SECONDS)));
        }
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
        writes.push(same_settings(&lease.tenant, meta));
        writes.push(put(keys::run(&lease.tenant, &run.run), write(run)));
        match self.store.commit(writes).await {
            Ok(()) => Ok(true),
            Err(NotCommitted::Refused(_)) => Ok(false),
            Err(NotCommitted::Fault(fault)) => Err(fault),
        }
    }
}

/// The condition that the settings are still those that were read.
pub(super) fn same_settings(tenant: &TenantId, meta: &Tenant) -> Write {
    let only_if = vec![Condition::Equals("rev", json!(meta.rev))];
    Write { key: keys::meta(tenant), change: Change::Check, only_if }
}

pub(super) fn busy_failure(run: Option<&RunId>, since: Option<Timestamp>) -> Failure {
    let message = run.map_or_else(
        || "another run of this tenant has just started".to_owned(),
        |run| format!("run {run} of this tenant is at work"),
    );
    let mut failure = Failure::new(Code::Busy, message, "wait until it is done, and ask again");
    failure.run = run.map(RunId::to_string);
    failure.since = since;
    failure
}
