//! The parts of a stored plan, and how far each was carried out.

use std::collections::BTreeMap;

use directory::{Change, Held, Kind, ObjectId, Outcome, Planned, Skipped, settle::Local};
use serde::{Deserialize, Serialize};

/// An entry of a stored plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A unit: changes that belong together, and the objects that may lose an address to them.
    Unit {
        /// The changes.
        changes: Vec<Planned>,
        /// Everybody else of the unit who is here.
        bystanders: Vec<Local>,
        /// For a change of a group: whether it would empty the group (rule 4.8).
        #[serde(default)]
        empties: bool,
        /// Those that failed before, by Entra's id: their standing verdict goes when they succeed.
        #[serde(default)]
        waiting: Vec<ObjectId>,
    },
    /// Left alone, under settings of this run only: other runs have it as a standing verdict.
    Skipped(Skipped),
    /// Not enabled, under settings of this run only.
    NotEnabled(Box<Change>),
    /// A part of the membership changes that belong to the change of a group.
    Members {
        /// The change.
        change: String,
        /// Entra's id of the group.
        group: ObjectId,
        /// Our id of the group.
        local: ObjectId,
        /// Users who become members, by Entra's id.
        join: Vec<ObjectId>,
        /// Users who leave, by our id.
        leave: Vec<ObjectId>,
        /// Whether it belongs to a change that would empty the group.
        #[serde(default)]
        empties: bool,
        /// Whether it belongs to a change that a person has undone.
        #[serde(default)]
        undone: bool,
        /// Whoever is to leave leaves, whatever Entra says: somebody undoes that they joined.
        #[serde(default)]
        undoes: bool,
    },
}

/// What became of a change that was not simply applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// Of a user or a group.
    pub object: Kind,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it failed or is stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How far a chunk was carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChunkProgress {
    /// Entries done.
    pub through: usize,
    /// What became of changes that were not simply applied.
    pub exceptions: BTreeMap<String, Exception>,
    /// Entries of which the held changes were released.
    pub released: usize,
    /// Who lost an address to others, which no change of their own says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bereft: Vec<Bereft>,
}

/// An object that lost addresses to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bereft {
    /// As it was.
    pub before: Held,
    /// Its revision once it had lost them.
    pub rev: u64,
}
