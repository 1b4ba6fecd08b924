//! A run, from its start to 90 days after its end.

use std::collections::BTreeSet;

use directory::{Failure, Kind, ObjectId, PerKind, RunId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{credential::Seen, plan::Contents};
use crate::ports::Requests;

/// How long runs, and the reports of their days, are kept (rule 4.12).
pub const KEPT_DAYS: i64 = 90;

/// How long a plan can be applied (rule 4.6).
pub const PLAN_HOURS: i64 = 24;

/// How many of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are the interface")]
pub struct RunCounts {
    pub adding: PerKind<u64>,
    pub updating: PerKind<u64>,
    pub disabling: PerKind<u64>,
    pub deleting: PerKind<u64>,
    pub skipped: PerKind<u64>,
    pub not_enabled: PerKind<u64>,
    pub failed: PerKind<u64>,
    pub stale: PerKind<u64>,
}

impl RunCounts {
    /// What the plan holds.
    pub fn plan(self) -> Contents {
        let Self { adding, updating, disabling, deleting, skipped, not_enabled, failed: _, stale: _ } = self;
        Contents { adding, updating, disabling, deleting, not_enabled, skipped }
    }
}

/// What the brake holds (rule 4.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    /// Users that would be disabled or deleted.
    pub users: u64,
    /// Groups that would be deleted.
    pub groups: u64,
    /// Groups that would be emptied.
    pub members: u64,
    /// Changes that a person has undone (rule 4.14).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub undone: u64,
    /// The limits that were in force.
    pub limits: Value,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Billable users before and after, and the limit (rule 5.5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the interface")]
pub struct Billable {
    pub before: i64,
    pub after: i64,
    pub seats: Option<u32>,
}

/// Something to say that is not an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable, for programs.
    pub code: String,
    /// The sentence.
    pub message: String,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// A preview: the plan is stored, and nothing was changed.
    Planned,
    /// Done.
    Applied,
    /// Done, but for what the brake holds.
    Held,
    /// It could not do its work.
    Failed,
    /// It goes on by itself.
    Continuing,
}

/// What a run was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Plan and apply.
    Sync,
    /// Plan only.
    Preview,
    /// Carry out a stored plan.
    Apply,
    /// Carry out what another run held.
    Release,
    /// Plan the inverse of another run.
    Undo,
}

/// What a run does next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum Phase {
    /// Read Entra.
    #[default]
    Pull,
    /// Evaluate the worklist, or everybody.
    Plan {
        /// Which kind.
        kind: Kind,
        /// The digit of the key range, where everybody is evaluated.
        shard: Option<char>,
        /// Go on behind this sort key.
        after: Option<String>,
    },
    /// Turn the plan of another run round, from this chunk on.
    Invert {
        /// Number of the chunk.
        chunk: u32,
    },
    /// Look at the plan as a whole: what the brake holds, whom a manual run has to name.
    Weigh,
    /// Carry out the plan from this chunk on.
    Apply {
        /// Number of the chunk.
        chunk: u32,
    },
    /// Clear what was done from the worklist, and finish.
    Finish,
}

/// A run, from its start to 90 days after its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// Its name.
    pub run: RunId,
    /// The name by which the worklist knows it, where whoever asked for the run chose its id: made when the run began, as
    /// every other of these names is, so that they are in the order of time.
    #[serde(default)]
    pub mark: Option<RunId>,
    /// `schedule` or `manual`.
    pub trigger: String,
    /// What it was asked to do.
    pub action: Action,
    /// Who asked.
    pub by: String,
    /// Where it stands.
    pub state: RunState,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    /// Requests made to Microsoft.
    pub requests: Requests,
    /// What its plan holds, by category.
    pub counts: RunCounts,
    /// What of that was carried out; nothing where no change was begun, or the run is from before this was counted.
    #[serde(default)]
    pub applied: Option<Contents>,
    /// What the brake holds.
    #[serde(default)]
    pub held: Option<HeldBack>,
    /// Before and after.
    pub billable: Billable,
    /// What else to say.
    pub warnings: Vec<Warning>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<Failure>,
    /// What it does next.
    pub phase: Phase,
    /// Parts of the plan.
    pub chunks: u32,
    /// How many invocations worked on it.
    pub slices: u32,
    /// Settings for this run only (rule 4.4), laid over the saved ones.
    #[serde(default)]
    pub settings: Option<Value>,
    /// Collections of which a full read was asked for, and has not begun (rule 4.11).
    pub full: PerKind<bool>,
    /// Which collections were read in full (rule 4.9).
    pub complete: PerKind<bool>,
    /// What the brake looks at, summed up while planning.
    pub tally: Tally,
    /// Everybody is evaluated, as asked for up to this number; nothing where only the worklist is.
    pub everybody: PerKind<Option<u64>>,
    /// Evaluated ahead of their turn, together with others of their unit: kept in parts beside the plan.
    #[serde(skip)]
    pub ahead: BTreeSet<(Kind, ObjectId)>,
    /// How many parts.
    #[serde(default)]
    pub ahead_parts: u32,
    /// Unregistered domains that a manual run met (rule 2.6).
    pub foreign: BTreeSet<String>,
    /// The worklist held something when the run looked: it is cleared at the end.
    pub worked: bool,
    /// Something was undone before: such changes are looked for.
    #[serde(default)]
    pub undone: bool,
    /// The run that this one undoes.
    #[serde(default)]
    pub undoes: Option<RunId>,
    /// When the record is removed, in epoch seconds.
    pub ttl: i64,
    /// What it has seen of the credential, until that is written to the schedule.
    #[serde(skip)]
    pub seen: Option<Seen>,
}

impl Run {
    /// The name by which the worklist knows it.
    pub fn mark(&self) -> &RunId {
        self.mark.as_ref().unwrap_or(&self.run)
    }

    /// Whether its plan was carried out, or a part of it before the run was interrupted.
    pub fn is_carried_out(&self) -> bool {
        let partly = self.applied.is_some_and(|applied| applied.changes(None, None) > 0);
        matches!(self.state, RunState::Applied | RunState::Held) || (self.state == RunState::Failed && partly)
    }

    /// Whether there is nobody to evaluate and no plan to carry out.
    pub fn is_idle(&self) -> bool {
        !self.worked && self.chunks == 0 && self.everybody == PerKind::default()
    }

    /// Whether its plan was made too long ago to be applied.
    pub fn is_too_old(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.finished_at.unwrap_or(self.started_at));
        age > SignedDuration::from_hours(PLAN_HOURS)
    }
}

/// What a plan amounts to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Users that would be disabled or deleted, and groups that would be deleted.
    pub brakes: PerKind<u64>,
    /// Groups that would be emptied.
    pub empties: u64,
    /// Changes that a person has undone.
    pub undone: u64,
    /// Billable users more or fewer.
    pub seats: i64,
    /// Skipped and not enabled under settings of this run only.
    pub skipped: PerKind<u64>,
    /// See `skipped`.
    pub not_enabled: PerKind<u64>,
}
