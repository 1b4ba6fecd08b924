//! Reading both collections of a directory, and what makes a read short (rules 1.7 and 4.9).

use std::time::Duration;

use directory::{Code, Failure, Kind, PerKind, Settings};
use jiff::SignedDuration;
use serde_json::Value;

use super::{Worked, World};
use crate::{
    credential, keys,
    lease::{Lease, Stop},
    ports::{Clock, Connection, Graph, Queue, Secrets, Store},
    pull::{Pulled, Reader},
    reach,
    records::{Cursor, Run, Schedule, Seen, Tenant, Warning, read},
    registration,
};

/// How many objects that could not be read a run names, of each kind.
const MOST_NAMED: usize = 20;
/// The longest that the application's registration is asked for.
const LONGEST_LOOK: Duration = Duration::from_secs(30);

impl<G: Graph, S: Store, X: Secrets, Q: Queue, C: Clock> World<'_, G, S, X, Q, C> {
    /// Read both collections (rules 1.7 and 4.9).
    pub(super) async fn pull(
        &self,
        lease: &Lease,
        run: &mut Run,
        meta: &Tenant,
        sync: &Schedule,
        cursors: &mut PerKind<Cursor>,
        margin: Duration,
    ) -> Result<Worked, Stop> {
        let mut who = match reach::kept(self.secrets, &lease.tenant, &meta.settings).await? {
            Ok(who) => who,
            Err(failure) => {
                run.error = Some(of_run(failure, run));
                return Ok(Worked::Done);
            }
        };
        // Kept tokens age by the real clock: where a test has let an hour pass, the next run signs in again.
        let hour = SignedDuration::from_hours(1);
        let (last_success, seen) = (sync.last_success, sync.seen.as_ref());
        if self.fixed_clock && last_success.is_none_or(|at| self.clock.now().duration_since(at) > hour) {
            self.graph.forget(&who);
        }
        let mut failures = Vec::new();
        let mut afresh = false;
        let mut fresh = true;
        let mut at = 0;
        while let Some(kind) = Kind::ALL.get(at).copied() {
            at += 1;
            if run.complete[kind] {
                continue;
            }
            let (graph, store, clock) = (self.graph, self.store, self.clock);
            let reader = Reader { graph, store, clock, lease, who: &who, connection: meta.connection, margin };
            let pulled = reader.pull(run, &mut cursors[kind], kind, fresh).await?;
            fresh = false;
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
                    match reach::afresh(self.secrets, &lease.tenant, &meta.settings).await? {
                        Ok(renewed) if !same_secret(&renewed, &before) => {
                            (who, fresh) = (renewed, true);
                            at -= 1;
                        }
                        _ => {
                            run.error = Some(of_run(failure, run));
                            return Ok(Worked::Done);
                        }
                    }
                }
                Pulled::Short(failure) if failure.code.refuses_credential() => {
                    run.error = Some(of_run(failure, run));
                    return Ok(Worked::Done);
                }
                Pulled::Short(failure) => {
                    tracing::warn!(collection = kind.name(), code = %failure.code.name(), "short read");
                    failures.push((kind, failure));
                }
            }
        }
        if !run.complete.users && !run.complete.groups {
            run.error = failures.into_iter().next().map(|(_, failure)| of_run(failure, run));
            return Ok(Worked::Done);
        }
        for (kind, failure) in failures {
            let (failure, kind) = (of_run(failure, run), kind.name());
            let message = format!(
                "{kind}s could not be read in full, so that nothing is deleted: {failure} ({})",
                failure.code.name()
            );
            run.warnings.push(Warning { code: "short_read".to_owned(), message });
        }
        for kind in Kind::ALL {
            for (id, why) in cursors[kind].unreadable.iter().take(MOST_NAMED) {
                let message = format!("{} {id:?} of Entra could not be read and is left as it is: {why}", kind.name());
                run.warnings.push(Warning { code: "unreadable_object".to_owned(), message });
            }
        }
        self.look(&who, run, meta, seen, margin).await;
        Ok(Worked::Done)
    }

    /// Once a day, and after the credential was replaced, read what the application's registration says of it (rule 6.5).
    async fn look(&self, who: &Connection, run: &mut Run, meta: &Tenant, seen: Option<&Seen>, margin: Duration) {
        let now = self.clock.now();
        let budget = self.clock.remaining().saturating_sub(margin).min(LONGEST_LOOK);
        let Some(facts) = credential::facts(meta).filter(|facts| credential::is_due(facts, seen, now)) else { return };
        if budget.is_zero() {
            return;
        }
        run.seen = registration::look(self.graph, who, facts, seen, now, budget).await;
        let made = who.meter.read();
        run.requests.graph += made.graph;
        run.requests.sign_in += made.sign_in;
    }
}

/// Saved settings with those of one run laid over them: only What and How may differ (rule 4.4).
///
/// # Errors
/// `invalid_input` naming the key.
pub fn per_run(saved: &Settings, patch: &Value) -> Result<Settings, Failure> {
    const ALLOWED: [&str; 14] = [
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
    ];
    let keys = patch.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    if let Some(key) = keys.into_iter().find(|key| !ALLOWED.contains(key)) {
        return Err(Failure::invalid(format!("settings.{key}: cannot be set for one run only")));
    }
    saved.with(patch)
}

/// What is unforeseen quotes the run, beside what Microsoft said (rule 1.7).
fn of_run(failure: Failure, run: &Run) -> Failure {
    if failure.code != Code::Unexpected {
        return failure;
    }
    Failure { microsoft: failure.microsoft, ..Failure::unexpected(run.run.as_str()) }
}

fn same_secret(who: &Connection, before: &secrecy::SecretString) -> bool {
    use secrecy::ExposeSecret as _;
    who.secret.expose_secret() == before.expose_secret()
}
