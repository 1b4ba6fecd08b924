//! The end of a run, or of a slice of it: what is written down, and when it goes on.

use std::time::Duration;

use directory::{Kind, PerKind, TenantId};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Job, World};
use crate::{
    keys,
    lease::{self, Lease, Stop, put},
    no_contact,
    ports::{Clock, Fault, Graph, Item, Message, Queue, QueueName, Secrets, Store},
    records::{Action, Counts, Run, RunCounts, RunState, Schedule, Status, Tenant, Warning, write},
    schedule,
};

/// A slice that was handed over and not taken up for so long is lost.
pub(super) const HANDOVER_SECONDS: i64 = 900;

impl<G: Graph, S: Store, X: Secrets, Q: Queue, C: Clock> World<'_, G, S, X, Q, C> {
    /// Write down the end of the run, let the lease go, and set the next due time.
    pub(super) async fn finish(
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
            set.insert("due_since".to_owned(), Value::Null);
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
    pub(super) async fn hand_over(&self, lease: &Lease, run: &mut Run, pause: Duration) -> Result<(), Stop> {
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
}

/// The attributes that let the lease go.
pub(super) fn released() -> Item {
    ["owner", "lease_until", "run", "since"].into_iter().map(|name| (name.to_owned(), Value::Null)).collect()
}

/// What a preview says of the connection: it is a manual check too (rule 1.6).
pub(super) fn checked(run: &Run, meta: &Tenant, now: Timestamp) -> Status {
    match &run.error {
        Some(failure) if !run.complete.users && !run.complete.groups => {
            Status { green: false, verified_at: meta.status.verified_at, error: Some(failure.clone()) }
        }
        _ => Status { green: true, verified_at: Some(now), error: None },
    }
}

/// The next due time: the regular one, or sooner where what failed may pass.
pub(super) fn next_due(tenant: &TenantId, run: &Run, meta: &Tenant, sync: &Schedule, now: Timestamp) -> Option<i64> {
    let regular = schedule::next_run(tenant, meta.settings.sync_frequency, now)?;
    let passes = run.error.as_ref().is_some_and(|failure| failure.code.passes());
    let soon = now.as_second() + (900 << sync.failures.min(6));
    Some(if passes { regular.min(soon) } else { regular })
}

pub(super) fn count_standing(run: &mut Run, counts: &Counts) {
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
