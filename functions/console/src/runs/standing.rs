//! How a run stands among the others: which is at work, which plan may still be applied, which run holds changes.

use directory::{RunId, TenantId};
use engine::{
    keys,
    ports::{Fault, Store as _},
    records::{Run, RunState, Schedule, Tenant, read},
};
use jiff::Timestamp;

use crate::{Console, moment::Moment};

/// The schedule of a tenant, and its settings.
pub(crate) struct Standing {
    pub(crate) sync: Schedule,
    pub(crate) meta: Option<Tenant>,
}

/// What may become of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// It can be applied.
    Open,
    /// It is too old.
    Expired,
    /// This run came after it.
    Superseded(Option<RunId>),
}

impl Standing {
    /// As it is now.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn of(console: &Console, tenant: &TenantId) -> Result<Self, Fault> {
        let items = console.store.get(&[keys::sync(tenant), keys::meta(tenant)]).await?;
        let [sync, meta] = <[_; 2]>::try_from(items).unwrap_or_default();
        Ok(Self {
            sync: read("the schedule", sync.unwrap_or_default())?,
            meta: meta.map(|item| read("the tenant", item)).transpose()?,
        })
    }

    /// Whether a run should go on and nobody goes on with it.
    pub(super) fn has_left(&self, run: &Run) -> bool {
        run.state == RunState::Continuing && self.sync.run.as_ref() != Some(&run.run)
    }

    /// The run that is at work, or that goes on in a moment (rule 4.3).
    pub(super) fn at_work(&self, now: Timestamp) -> Option<&RunId> {
        let Schedule { owner, lease_until, due_at, run, .. } = &self.sync;
        let leased = owner.is_some() && lease_until.is_some_and(|until| until >= now.as_millisecond());
        let goes_on = owner.is_none() && due_at.is_some_and(|due| due >= now.as_second());
        run.as_ref().filter(|_| leased || goes_on)
    }

    /// ` since …`: when the run began that is at work, where that is known.
    pub(super) fn since(&self) -> String {
        let report = self.meta.as_ref().map(|meta| meta.settings.report.clone()).unwrap_or_default();
        let since = |since| format!(" since {}", Moment::new(since, &report.time_zone).words);
        self.sync.since.map_or_else(String::new, since)
    }

    /// Whether a plan may still be applied.
    pub(super) fn plan(&self, run: &Run, now: Timestamp) -> Plan {
        if self.sync.newest.as_ref() != Some(&run.run) {
            Plan::Superseded(self.sync.newest.clone())
        } else if run.is_too_old(now) {
            Plan::Expired
        } else {
            Plan::Open
        }
    }
}
