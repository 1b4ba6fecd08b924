//! What is still to be done or decided: the worklist, and standing verdicts.

use directory::{Change, RunId, Skipped};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An entry of the worklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// The run that put it there last: what a later run put is not cleared by an earlier plan.
    pub by: RunId,
    /// For groups: evaluate every member, not only those that changed. For users: evaluate them in all their groups.
    #[serde(default)]
    pub members: bool,
    /// The run that found it unfinished, and so leaves it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<RunId>,
}

impl Work {
    /// Work that a run found in Entra.
    pub fn found(by: &RunId, members: bool) -> Self {
        Self { by: by.clone(), members, keep: None }
    }

    /// Work that a run leaves for the next.
    pub fn left(by: &RunId, members: bool) -> Self {
        Self { by: by.clone(), members, keep: Some(by.clone()) }
    }
}

/// The standing verdict of an object that is not as Entra has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Left alone.
    Skipped(Skipped),
    /// Its switch is off.
    NotEnabled(Box<Change>),
    /// It failed, and is tried again.
    Waiting(Waiting),
}

/// An object that failed (rule 3.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The object as a skip with the reason `waiting_for_retry`.
    pub skipped: Skipped,
    /// Since when it fails.
    pub since: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried again.
    pub retry_at: Timestamp,
}

/// An object of which a person has undone something (rule 4.14).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// A hash of what Entra said of it then.
    pub said: String,
}
