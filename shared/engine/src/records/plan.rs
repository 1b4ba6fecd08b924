//! The parts of a stored plan, and how far each was carried out.

use std::{
    collections::BTreeMap,
    ops::{AddAssign, Index, IndexMut},
};

use directory::{Category, Change, Held, Kind, ObjectId, Outcome, PerKind, Planned, Skipped, settle::Local};
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

impl Entry {
    /// Whether it tells membership changes that belong to a change.
    pub fn is_of_members(&self, change: &str) -> bool {
        matches!(self, Self::Members { change: of, .. } if of == change)
    }
}

/// What a part of a plan holds, or what of it was carried out: so many changes of each category, and who is left out of
/// this run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are the interface")]
pub struct Contents {
    #[serde(skip_serializing_if = "nobody")]
    pub adding: PerKind<u64>,
    #[serde(skip_serializing_if = "nobody")]
    pub updating: PerKind<u64>,
    #[serde(skip_serializing_if = "nobody")]
    pub disabling: PerKind<u64>,
    #[serde(skip_serializing_if = "nobody")]
    pub deleting: PerKind<u64>,
    #[serde(skip_serializing_if = "nobody")]
    pub not_enabled: PerKind<u64>,
    #[serde(skip_serializing_if = "nobody")]
    pub skipped: PerKind<u64>,
}

fn nobody(number: &PerKind<u64>) -> bool {
    *number == PerKind::default()
}

impl Contents {
    /// What some entries amount to.
    pub fn of(entries: &[Entry]) -> Self {
        let mut contents = Self::default();
        for entry in entries {
            match entry {
                Entry::Unit { changes, .. } => {
                    for Planned { change, .. } in changes {
                        contents[change.category][change.object] += 1;
                    }
                }
                Entry::Skipped(skipped) => contents.skipped[skipped.object] += 1,
                Entry::NotEnabled(change) => contents.not_enabled[change.object] += 1,
                Entry::Members { .. } => (),
            }
        }
        contents
    }

    /// How many changes of a category, or of all that may be carried out, are there of a kind, or of both.
    pub fn changes(&self, category: Option<Category>, kind: Option<Kind>) -> u64 {
        let of = |category: Category| of_kind(&self[category], kind);
        category.map_or_else(|| Category::CARRIED_OUT.into_iter().map(of).sum(), of)
    }

    /// How many of a kind, or of both, are skipped.
    pub fn skipped(&self, kind: Option<Kind>) -> u64 {
        of_kind(&self.skipped, kind)
    }
}

impl Index<Category> for Contents {
    type Output = PerKind<u64>;

    fn index(&self, category: Category) -> &PerKind<u64> {
        match category {
            Category::Adding => &self.adding,
            Category::Updating => &self.updating,
            Category::Disabling => &self.disabling,
            Category::Deleting => &self.deleting,
            Category::NotEnabled => &self.not_enabled,
        }
    }
}

impl IndexMut<Category> for Contents {
    fn index_mut(&mut self, category: Category) -> &mut PerKind<u64> {
        match category {
            Category::Adding => &mut self.adding,
            Category::Updating => &mut self.updating,
            Category::Disabling => &mut self.disabling,
            Category::Deleting => &mut self.deleting,
            Category::NotEnabled => &mut self.not_enabled,
        }
    }
}

impl AddAssign for Contents {
    fn add_assign(&mut self, other: Self) {
        for category in Category::CARRIED_OUT {
            for kind in Kind::ALL {
                self[category][kind] += other[category][kind];
            }
        }
    }
}

/// The number of a kind, or of both.
pub(crate) fn of_kind(number: &PerKind<u64>, kind: Option<Kind>) -> u64 {
    kind.map_or(number.users + number.groups, |kind| number[kind])
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
    /// Changes carried out.
    pub applied: Contents,
    /// What became of changes that were not simply applied.
    pub exceptions: BTreeMap<String, Exception>,
    /// Entries of which the held changes were released.
    pub released: usize,
    /// The change of a group whose members moved last: it is told in several entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<String>,
    /// Of a unit that is too large for one transaction and under way, the objects and the revisions that it gave them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub halfway: Vec<(Local, u64)>,
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
