//! How far a run is that is under way.

use directory::{Kind, PerKind, TenantId};
use jiff::Timestamp;

use crate::{
    keys,
    ports::{Fault, Item, Key, Store},
    records::{ChunkProgress, Cursor, Phase, Run, RunState, Schedule, read},
};

/// So many parts of a plan are asked for at once.
const AT_ONCE: u32 = 16;

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What it does.
    pub doing: Doing,
    /// How many invocations have worked on it.
    pub slices: u32,
    /// It waits, and goes on by itself at this time at the latest.
    pub waits_until: Option<Timestamp>,
}

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It reads Entra.
    Reading {
        /// What it reads now.
        kind: Kind,
        /// Objects so far, where everything is read.
        objects: u64,
        /// Pages of Graph so far.
        pages: u64,
    },
    /// It plans.
    Planning {
        /// Changes so far.
        changes: u64,
    },
    /// It turns the plan of another run round.
    Undoing {
        /// Parts of that plan so far.
        parts: u32,
    },
    /// It carries out its plan.
    Applying {
        /// Parts of the plan that were begun.
        part: u32,
        /// Parts of the plan.
        of: u32,
    },
    /// It writes down its end.
    Finishing,
    /// It was interrupted; the next run does what it has not done.
    Interrupted,
    /// It is over.
    Done,
}

/// How far a run is. What it has come to since its last invocation ended is read from what it leaves behind.
///
/// # Errors
/// The store's.
pub async fn progress(store: &impl Store, tenant: &TenantId, run: &Run) -> Result<Progress, Fault> {
    // The schedule is read before the run: one that ends in between is seen to be over.
    let sync = one(store, keys::sync(tenant)).await?;
    let sync: Schedule = read("the schedule", sync.unwrap_or_default())?;
    let run: Run = match one(store, keys::run(tenant, &run.run)).await? {
        Some(item) => read("a run", item)?,
        None => run.clone(),
    };
    let at = |doing| Progress { doing, slices: run.slices, waits_until: None };
    if run.state != RunState::Continuing {
        return Ok(at(Doing::Done));
    }
    if sync.run.as_ref() != Some(&run.run) {
        return Ok(at(Doing::Interrupted));
    }
    let doing = match run.phase {
        Phase::Pull => reading(store, tenant).await?,
        Phase::Plan { .. } | Phase::Weigh => Doing::Planning { changes: run.counts.plan().changes(None, None) },
        Phase::Invert { chunk } => Doing::Undoing { parts: chunk },
        Phase::Apply { chunk } => Doing::Applying { part: begun(store, tenant, &run, chunk).await?, of: run.chunks },
        Phase::Finish => Doing::Finishing,
    };
    let due = sync.due_at.filter(|_| sync.owner.is_none());
    let waits_until = due.and_then(|due| Timestamp::from_second(due).ok());
    Ok(Progress { waits_until, ..at(doing) })
}

async fn one(store: &impl Store, key: Key) -> Result<Option<Item>, Fault> {
    Ok(store.get(&[key]).await?.pop().flatten())
}

async fn reading(store: &impl Store, tenant: &TenantId) -> Result<Doing, Fault> {
    let mut cursors = PerKind::<Cursor>::default();
    let items = store.get(&Kind::ALL.map(|kind| keys::cursor(tenant, kind))).await?;
    for (kind, item) in Kind::ALL.into_iter().zip(items) {
        cursors[kind] = read("a cursor", item.unwrap_or_default())?;
    }
    let under_way = |cursor: &Cursor| cursor.full || cursor.page.is_some();
    let kind = if under_way(&cursors.groups) && !under_way(&cursors.users) { Kind::Group } else { Kind::User };
    let Cursor { seen, pages, .. } = cursors[kind];
    Ok(Doing::Reading { kind, objects: seen, pages })
}

/// How many parts of a plan were begun: they are carried out in their order, and each leaves its progress.
async fn begun(store: &impl Store, tenant: &TenantId, run: &Run, known: u32) -> Result<u32, Fault> {
    let (mut begun, mut end) = (known, run.chunks);
    while begun < end {
        let step = (end - begun).div_ceil(AT_ONCE);
        let numbers: Vec<u32> = (begun..end).step_by(step as usize).collect();
        let keys: Vec<Key> = numbers.iter().map(|number| keys::chunk_progress(tenant, &run.run, *number)).collect();
        let (mut last, mut first) = (None, None);
        for (number, item) in numbers.into_iter().zip(store.get(&keys).await?) {
            let progress: ChunkProgress = read("the progress of a plan", item.unwrap_or_default())?;
            let through =
                if run.action == crate::records::Action::Release { progress.released } else { progress.through };
            if through > 0 {
                last = Some(number);
            } else if first.is_none() {
                first = Some(number);
            }
        }
        begun = last.map_or(begun, |last| last + 1);
        end = first.unwrap_or(end).max(begun);
        if last.is_none() {
            break;
        }
    }
    Ok(begun)
}
