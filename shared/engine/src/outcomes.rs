//! A stored plan together with what became of it: for people who look at a run, and for the daily report.

use directory::{Change, Outcome, Planned, Skipped, TenantId};

use crate::{
    chunk, keys,
    ports::{Fault, Store},
    records::{ChunkProgress, Entry, Run, read},
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

fn follow(entries: Vec<Entry>, progress: &ChunkProgress) -> Part {
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
        Some((outcome, error)) => {
            change.outcome = Some(*outcome);
            change.error.clone_from(error);
        }
        None if passed => change.outcome = Some(Outcome::Applied),
        None => (),
    }
    planned
}
