//! What people leave out of a plan while reviewing it: kept with the plan, until it is applied or forgotten with it.
//!
//! Each category of users or groups is one item: whether its changes are carried out, and of which the opposite holds. So a
//! category of a hundred thousand changes is left out with one mark.

use std::collections::{BTreeMap, BTreeSet};

use directory::{Category, Code, Failure, Kind, RunId, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    browse, keys,
    operator::{self, Asked, Refused, TRIES, committed},
    ports::{Change, Condition, Fault, Key, Store, Write},
    records::{Run, RunState, read, write},
};

/// So many changes of a category can be marked one by one: they are one item.
const MOST_SINGLE: usize = 10_000;
/// No id of a change is longer.
const LONGEST_ID: usize = 64;

/// What somebody clicks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Of which category.
    pub category: Category,
    /// Users or groups.
    pub object: Kind,
    /// Check or uncheck all of them, whatever was marked before.
    #[serde(default)]
    pub all: Option<bool>,
    /// The ids of changes that are to be carried out.
    #[serde(default)]
    pub check: Vec<String>,
    /// The ids of changes that are to be left out.
    #[serde(default)]
    pub uncheck: Vec<String>,
}

/// What people have left out of a plan so far: all who review it see and change the same marks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Review {
    categories: BTreeMap<(Category, Kind), Marked>,
}

/// What is marked of a category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marked {
    /// Goes up with each change; 0 where nothing is stored.
    pub(crate) rev: u64,
    /// Whether its changes are carried out.
    pub(crate) all: bool,
    /// Of these the opposite holds.
    pub(crate) except: BTreeSet<String>,
    /// When it is forgotten, in epoch seconds.
    ttl: i64,
}

impl Default for Marked {
    fn default() -> Self {
        Self { rev: 0, all: true, except: BTreeSet::new(), ttl: 0 }
    }
}

impl Marked {
    fn take(&mut self, mark: &Mark) -> Result<(), Failure> {
        if let Some(all) = mark.all {
            (self.all, self.except) = (all, BTreeSet::new());
        }
        for (checked, ids) in [(true, &mark.check), (false, &mark.uncheck)] {
            for id in ids {
                if checked == self.all {
                    self.except.remove(id);
                } else {
                    self.except.insert(id.clone());
                }
            }
        }
        if self.except.len() > MOST_SINGLE {
            let (category, kind) = (mark.category.name(), mark.object.name());
            let (whole, others) = if self.all { ("uncheck", "check") } else { ("check", "uncheck") };
            return Err(Failure::invalid(format!(
                "marks: at most {MOST_SINGLE} changes of a category can be marked one by one ({category}, {kind}s); {whole} \
                 the whole category instead, and {others} the others"
            )));
        }
        Ok(())
    }
}

impl Review {
    /// Whether a change is carried out when the plan is applied.
    pub fn is_checked(&self, change: &directory::Change) -> bool {
        let marked = self.categories.get(&(change.category, change.object));
        marked.is_none_or(|marked| marked.all != marked.except.contains(&change.id))
    }

    /// How many of `total` changes of a category are left out.
    pub fn unchecked_of(&self, category: Category, kind: Kind, total: u64) -> u64 {
        match self.categories.get(&(category, kind)) {
            None => 0,
            Some(Marked { all: true, except, .. }) => total.min(except.len() as u64),
            Some(Marked { all: false, except, .. }) => total.saturating_sub(except.len() as u64),
        }
    }

    /// A name of these marks: whoever has seen them names them, and others have another name.
    pub fn name(&self) -> String {
        self.each().map(|(_, marked)| marked.rev.to_string()).collect::<Vec<_>>().join(".")
    }

    /// What is marked of every category.
    pub(crate) fn each(&self) -> impl Iterator<Item = ((Category, Kind), Marked)> {
        let of = |name| (name, self.categories.get(&name).cloned().unwrap_or_default());
        names().map(of)
    }
}

/// Every category of users and groups that is carried out.
fn names() -> impl Iterator<Item = (Category, Kind)> {
    Category::CARRIED_OUT.into_iter().flat_map(|category| Kind::ALL.map(|kind| (category, kind)))
}

/// The condition that what is marked is still as it was read.
pub(crate) fn unchanged(marked: &Marked) -> Condition {
    if marked.rev == 0 { Condition::NoItem } else { Condition::Equals("rev", json!(marked.rev)) }
}

/// What people have left out of a plan so far.
///
/// # Errors
/// The store's.
pub async fn load(store: &impl Store, tenant: &TenantId, run: &RunId) -> Result<Review, Fault> {
    let keys: Vec<Key> = names().map(|(category, kind)| keys::review(tenant, run, category, kind)).collect();
    let mut review = Review::default();
    for (name, item) in names().zip(store.get(&keys).await?) {
        if let Some(item) = item {
            review.categories.insert(name, read("a review", item)?);
        }
    }
    Ok(review)
}

/// Mark changes of a plan. Marks of one request are taken in their order, all or none. Answers how many changes are left
/// out, and the [`Review::name`] of the marks `before` and after this (`review`).
///
/// # Errors
/// There is no such run; its plan waits for nobody's review; too much is marked one by one.
pub async fn mark(store: &impl Store, asked: &Asked, run: &RunId, marks: &[Mark]) -> Result<Value, Refused> {
    let tenant = &asked.tenant;
    if marks.iter().any(|mark| mark.category == Category::NotEnabled) {
        return Err(Failure::invalid("marks: what is not enabled is not carried out anyway").into());
    }
    let mut ids = marks.iter().flat_map(|mark| mark.check.iter().chain(&mark.uncheck));
    if ids.any(|id| id.is_empty() || id.len() > LONGEST_ID) {
        return Err(Failure::invalid("marks: expected the ids of changes, as the plan lists them").into());
    }
    for _ in 0..TRIES {
        operator::tenant(store, tenant).await?;
        let missing = || Failure::not_found(format!("tenant {tenant} has no run {run}"));
        let stored = browse::run(store, tenant, run).await?.ok_or_else(missing)?;
        reviewable(&stored)?;
        let before = load(store, tenant, run).await?;
        let mut after = before.clone();
        for mark in marks {
            after.categories.entry((mark.category, mark.object)).or_default().take(mark)?;
        }
        let mut writes = Vec::new();
        for ((category, kind), marked) in &mut after.categories {
            let old = before.categories.get(&(*category, *kind)).cloned().unwrap_or_default();
            if *marked != old {
                (marked.rev, marked.ttl) = (old.rev + 1, stored.ttl);
                let key = keys::review(tenant, run, *category, *kind);
                writes.push(Write { key, change: Change::Put(write(marked)), only_if: vec![unchanged(&old)] });
            }
        }
        if writes.is_empty() {
            return Ok(shown(&stored, &before, &after));
        }
        let planned = vec![Condition::Equals("state", json!(RunState::Planned))];
        writes.push(Write { key: keys::run(tenant, run), change: Change::Check, only_if: planned });
        writes.push(asked.tenant_is_there());
        if committed(store, writes).await? {
            return Ok(shown(&stored, &before, &after));
        }
    }
    Err(operator::raced())
}

/// Only a plan that waits to be applied is reviewed.
fn reviewable(run: &Run) -> Result<(), Failure> {
    let help = "make a new preview, and review that one";
    match run.state {
        RunState::Planned => Ok(()),
        RunState::Applied | RunState::Held => {
            Err(Failure::new(Code::Superseded, format!("the plan of run {} was applied already", run.run), help))
        }
        RunState::Continuing => Err(Failure::new(Code::Busy, format!("run {} is at work", run.run), help)),
        RunState::Failed => {
            Err(Failure::new(Code::InvalidInput, format!("run {} has no plan that can be reviewed", run.run), help))
        }
    }
}

fn shown(run: &Run, before: &Review, after: &Review) -> Value {
    let plan = run.counts.plan();
    let mut unchecked = Map::new();
    for category in Category::CARRIED_OUT {
        let of = |kind| after.unchecked_of(category, kind, plan[category][kind]);
        unchecked.insert(category.name().to_owned(), json!({"users": of(Kind::User), "groups": of(Kind::Group)}));
    }
    json!({"run": run.run, "unchecked": unchecked, "before": before.name(), "review": after.name()})
}
