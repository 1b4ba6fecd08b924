//! A stored plan together with what became of it: for people who look at a run, and for the daily report.

use directory::{Change, Outcome, PerKind, Planned, Skipped, TenantId};

use crate::{
    chunk, keys,
    links::Pages,
    ports::{Fault, Store, Table},
    records::{ChunkProgress, Contents, Entry, Run, read},
};

/// A part of a plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    /// Its changes, each with its outcome; none where nothing has happened to it yet.
    pub changes: Vec<Followed>,
    /// Who was left alone under settings of this run only.
    pub skipped: Vec<Skipped>,
    /// What was not enabled under settings of this run only.
    pub not_enabled: Vec<Change>,
}

/// A change of a plan, followed to its outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    /// The change as it was planned, with outcome and error filled in.
    pub planned: Planned,
    /// Whether its unit would empty a group (rule 4.8).
    pub empties: bool,
}

/// Part `number` of the plan of a run.
///
/// # Errors
/// The store's.
pub async fn part(store: &impl Store, tenant: &TenantId, run: &Run, number: u32) -> Result<Part, Fault> {
    let entries = chunk::load(store, tenant, &run.run, number).await?;
    let item = store.get(&[keys::chunk_progress(tenant, &run.run, number)]).await?.pop().flatten();
    let progress = item.map(|item| read("the progress of a plan", item)).transpose()?.unwrap_or_default();
    Ok(follow(entries, &progress))
}

/// How many changes of a plan took place, and how many did not, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// They were carried out.
    pub applied: Contents,
    /// They could not be carried out.
    pub failed: PerKind<u64>,
    /// Their objects had moved on.
    pub stale: PerKind<u64>,
    /// A person left them out.
    pub unchecked: u64,
}

/// What became of a run, over all parts of its plan.
///
/// # Errors
/// The store's.
pub async fn totals(store: &impl Store, tenant: &TenantId, run: &Run) -> Result<Totals, Fault> {
    let mut totals = Totals::default();
    let mut pages = Pages::of(store, keys::starting(Table::Control, keys::plan_pk(tenant, &run.run), "KP#"));
    while let Some(items) = pages.next().await? {
        for (_, item) in items {
            let progress: ChunkProgress = read("the progress of a plan", item)?;
            totals.applied += progress.applied;
            for exception in progress.exceptions.into_values() {
                match exception.outcome {
                    Outcome::Failed => totals.failed[exception.object] += 1,
                    Outcome::Stale => totals.stale[exception.object] += 1,
                    Outcome::Unchecked => totals.unchecked += 1,
                    Outcome::Applied | Outcome::Held => (),
                }
            }
        }
    }
    Ok(totals)
}

/// Entries of a plan, followed to what became of them.
pub(crate) fn follow(entries: Vec<Entry>, progress: &ChunkProgress) -> Part {
    let mut part = Part::default();
    for (at, entry) in entries.into_iter().enumerate() {
        match entry {
            Entry::Unit { changes, empties, .. } => {
                let passed = at < progress.through;
                let followed =
                    changes.into_iter().map(|planned| Followed { planned: told(planned, passed, progress), empties });
                part.changes.extend(followed);
            }
            Entry::Skipped(skipped) => part.skipped.push(skipped),
            Entry::NotEnabled(change) => part.not_enabled.push(*change),
            Entry::Members { .. } => (),
        }
    }
    part
}

fn told(mut planned: Planned, passed: bool, progress: &ChunkProgress) -> Planned {
    let change = &mut planned.change;
    match progress.exceptions.get(&change.id) {
        Some(exception) => {
            change.outcome = Some(exception.outcome);
            change.error.clone_from(&exception.error);
        }
        None if passed => change.outcome = Some(Outcome::Applied),
        None => (),
    }
    planned
}
