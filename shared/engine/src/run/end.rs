//! The end of a run, or of a slice of it: what is written down, and when it goes on.

use std::time::Duration;

use directory::{Kind, PerKind, TenantId};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Job, MOST_TRIES, World, begin::same_settings};
use crate::{
    connection::mended,
    keys,
    lease::{self, Lease, Stop, put},
    no_contact,
    outcomes::{self, Totals},
    ports::{Change, Clock, Fault, Graph, Item, Message, Queue, QueueName, Secrets, Store, Write},
    records::{Action, Counts, Phase, Run, RunCounts, RunState, Schedule, Seen, Status, Tenant, Warning, read, write},
    schedule,
};

/// The longest that a message can wait (SQS, "Amazon SQS message timers").
const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// A slice that was handed over and not taken up for so long is lost.
pub(super) const HANDOVER_SECONDS: i64 = 900;

impl<G: Graph, S: Store, X: Secrets, Q: Queue, C: Clock> World<'_, G, S, X, Q, C> {
    /// Write down the end of the run, let the lease go, and set the next due time.
    pub(super) async fn finish(
        &self,
        lease: &Lease,
        run: &mut Run,
        mut meta: Tenant,
        sync: &Schedule,
        counts: &Counts,
    ) -> Result<(), Stop> {
        let (tenant, now) = (&lease.tenant, self.clock.now());
        run.state = match (&run.error, run.action, &run.held) {
            (Some(_), ..) => RunState::Failed,
            (None, Action::Preview | Action::Undo, _) => RunState::Planned,
            (None, Action::Sync, Some(_)) => RunState::Held,
            (None, ..) => RunState::Applied,
        };
        run.finished_at = Some(now);
        let mut totals = Totals::default();
        match run.state {
            // Given up while its plan was being carried out: what is done is done.
            RunState::Failed if !matches!(run.phase, Phase::Apply { .. } | Phase::Finish) => {
                run.chunks = 0;
                run.counts = RunCounts::default();
            }
            RunState::Applied | RunState::Held | RunState::Failed if run.chunks > 0 => {
                totals = outcomes::totals(self.store, tenant, run).await?;
                run.applied = Some(totals.applied);
                run.counts.failed = totals.failed;
                run.counts.stale = totals.stale;
            }
            _ => (),
        }
        let counts = if run.is_idle() { *counts } else { self.counts(tenant).await? };
        count_standing(run, &counts);
        if matches!(run.state, RunState::Applied | RunState::Held) {
            run.billable.after = counts.billable;
        }
        if let Some(seats) = run.billable.seats.filter(|seats| run.billable.after > i64::from(*seats)) {
            run.warnings.push(Warning {
                code: "seats_exceeded".to_owned(),
                message: format!("there are {} billable users for {seats} seats", run.billable.after),
            });
        }
        run.warnings.extend(no_contact::warning(&meta, now));
        for _ in 0..MOST_TRIES {
            match lease.commit(self.store, ending(lease, run, &meta, sync, totals, now)).await {
                // Somebody has just changed the settings, on which the next due time depends.
                Err(Stop::Raced) => {
                    let item = self.store.get(&[keys::meta(tenant)]).await?.pop().flatten();
                    meta = read("the tenant", item.unwrap_or_default())?;
                }
                Err(stop) => return Err(stop),
                Ok(()) => {
                    tracing::info!(run = %run.run, state = ?run.state, slices = run.slices, graph = run.requests.graph, "run ends");
                    return Ok(());
                }
            }
        }
        Err(Stop::Raced)
    }

    /// Leave the rest to the next invocation: what is done is committed, the run goes on by a message.
    pub(super) async fn hand_over(&self, lease: &Lease, run: &mut Run, pause: Duration) -> Result<(), Stop> {
        let now = self.clock.now();
        let seconds = i64::try_from(pause.as_secs()).unwrap_or(HANDOVER_SECONDS);
        // A pause that no message can wait for is left to dispatch.
        let by_message = pause <= LONGEST_DELAY;
        let due = now.as_second() + seconds + if by_message { HANDOVER_SECONDS } else { 0 };
        let mut set = schedule::due_attributes(&lease.tenant, Some(due));
        set.extend(["owner", "lease_until"].map(|name| (name.to_owned(), Value::Null)));
        set.extend(run.seen.take().map(|seen| ("seen".to_owned(), json!(seen))));
        let release = lease::set(keys::sync(&lease.tenant), set);
        lease.commit(self.store, vec![release, put(keys::run(&lease.tenant, &run.run), write(run))]).await?;
        if !by_message {
            tracing::info!(run = %run.run, slice = run.slices, seconds, "goes on when Microsoft's pause is over");
            return Ok(());
        }
        let job = Job {
            tenant: lease.tenant.clone(),
            action: "sync".to_owned(),
            run: Some(run.run.clone()),
            now: self.fixed_clock.then_some(now),
        };
        let body =
            serde_json::to_string(&job).map_err(|err| Fault::permanent("cannot write a message").because(err))?;
        let message = Message { group: lease.tenant.to_string(), body, delay: pause };
        self.queue.send(QueueName::Sync, vec![message]).await?;
        tracing::info!(run = %run.run, slice = run.slices, "goes on in the next invocation");
        Ok(())
    }
}

/// The writes that end a run, refused where the settings are not `meta` any longer.
fn ending(lease: &Lease, run: &Run, meta: &Tenant, sync: &Schedule, totals: Totals, now: Timestamp) -> Vec<Write> {
    let tenant = &lease.tenant;
    let applied = matches!(run.state, RunState::Applied | RunState::Held);
    let mut set: Item =
        ["owner", "lease_until", "run", "since"].into_iter().map(|name| (name.to_owned(), Value::Null)).collect();
    if applied && run.settings.is_none() {
        let mut done = sync.done;
        for kind in Kind::ALL.into_iter().filter(|kind| run.complete[*kind]) {
            done[kind] = done[kind].max(run.everybody[kind].unwrap_or_default());
        }
        set.insert("done".to_owned(), json!(done));
    }
    if applied || run.state == RunState::Planned {
        set.insert("newest".to_owned(), json!(run.run));
    }
    match run.state {
        RunState::Held => drop(set.insert("holding".to_owned(), json!(run.run))),
        RunState::Applied if holds_nothing(run, sync, totals) => {
            drop(set.insert("holding".to_owned(), Value::Null));
        }
        _ => (),
    }
    if run.action == Action::Sync {
        let failures = if applied { 0 } else { sync.failures + 1 };
        set.insert("last_error".to_owned(), json!(run.error));
        let refused = run.error.as_ref().is_some_and(|failure| failure.code.refuses_credential());
        if applied || refused {
            let since = refused.then(|| sync.refused_since.unwrap_or(now));
            set.insert("refused_since".to_owned(), json!(since));
        }
        set.insert("failures".to_owned(), json!(failures));
        set.insert("due_since".to_owned(), Value::Null);
    }
    if run.action == Action::Preview && checked(run, meta, now).green {
        set.extend(mended(&mut sync.clone()));
    }
    if applied && run.undoes.is_some() {
        set.insert("undone".to_owned(), json!(true));
    }
    if applied {
        set.insert("last_success".to_owned(), json!(now));
    }
    // What a check has seen of a credential that was saved meanwhile is newer.
    let present = |seen: &&Seen| meta.credential.as_ref().is_some_and(|facts| facts.saved_at == seen.of);
    set.extend(run.seen.as_ref().filter(present).map(|seen| ("seen".to_owned(), json!(seen))));
    set.extend(schedule::due_attributes(tenant, next_due(tenant, run, meta, sync, now)));
    let mut writes = vec![put(keys::run(tenant, &run.run), write(run))];
    let mut settings = same_settings(tenant, meta);
    if run.action == Action::Preview {
        let status = Item::from_iter([("status".to_owned(), json!(checked(run, meta, now)))]);
        settings.change = Change::Set { set: status, add: Vec::new() };
    }
    let stopped = if run.action == Action::Sync && no_contact::is_overdue(meta, now) {
        no_contact::stop(tenant, meta, now)
    } else {
        Vec::new()
    };
    if stopped.is_empty() {
        writes.push(settings);
    } else {
        set.extend(schedule::due_attributes(tenant, None));
        writes.extend(stopped);
    }
    writes.push(lease::set(keys::sync(tenant), set));
    writes
}

/// Whether nothing is held any longer once a run was applied: it has planned everything anew, it has released what it held,
/// or a person has carried out all of it.
fn holds_nothing(run: &Run, sync: &Schedule, totals: Totals) -> bool {
    let everything = run.settings.is_none() && (run.action != Action::Apply || totals.unchecked == 0);
    everything || sync.holding.as_ref() == Some(&run.run)
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

/// The next due time. After a scheduled run it is the regular one, or sooner where what failed may pass; what a person asks
/// for leaves it as it was.
fn next_due(tenant: &TenantId, run: &Run, meta: &Tenant, sync: &Schedule, now: Timestamp) -> Option<i64> {
    let regular = schedule::next_run(tenant, meta.settings.sync_frequency, now)?;
    if run.action != Action::Sync {
        // Beyond its first slice what was due before is no longer known.
        let before = sync.due_at.filter(|_| run.slices == 1 && sync.run.is_none());
        return Some(before.map_or(regular, |before| before.min(regular)));
    }
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
