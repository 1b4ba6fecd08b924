//! The runs of a day, of those around it, and what was expected of them.

use directory::{Frequency, TenantId, facts::FailedRun};
use jiff::{SignedDuration, Timestamp};

use super::day::Day;
use crate::{
    keys,
    ports::{Fault, Item, Range, Store, Table},
    records::{Action, Run, RunState, Schedule, read},
    schedule,
};

/// A run that ends on a day has started so long before at the most; older plans that were released are looked up by name.
const MARGIN: SignedDuration = SignedDuration::from_hours(72);
/// So many runs make a page.
const PAGE: usize = 100;
/// So many pages are looked back for the beginning of what still goes on.
const MOST_PAGES: usize = 20;

/// When a run took place: its end, while it has one.
pub(crate) fn moment(run: &Run) -> Timestamp {
    run.finished_at.unwrap_or(run.started_at)
}

/// Runs from three days before a day until now, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// Those before the day.
    pub(crate) before: Vec<Run>,
    /// Those of the day.
    pub(crate) during: Vec<Run>,
    /// Those after the day.
    pub(crate) after: Vec<Run>,
}

impl Runs {
    /// The runs around a day.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn around(
        store: &impl Store,
        tenant: &TenantId,
        sync: &Schedule,
        day: &Day,
    ) -> Result<Self, Fault> {
        let from = from(day.start.checked_sub(MARGIN).unwrap_or(Timestamp::MIN));
        let range = Range { from: from.clone(), ..runs(tenant) };
        let mut items = crate::links::everything(store, range).await?;
        // A plan that was released or applied late keeps its name, and so its place.
        let old = [&sync.newest, &sync.holding].into_iter().flatten();
        let old: Vec<_> = old.map(|run| keys::run(tenant, run)).filter(|key| key.sk < from).collect();
        for (key, item) in old.iter().zip(store.get(&old).await?) {
            items.extend(item.map(|item| (key.sk.clone(), item)));
        }
        let mut found: Vec<Run> = items.into_iter().map(|(_, item)| read_slim(item)).collect::<Result<_, _>>()?;
        found.sort_by(|a, b| (moment(a), &a.run).cmp(&(moment(b), &b.run)));
        found.dedup_by(|a, b| a.run == b.run);
        let mut runs = Self::default();
        for run in found {
            match moment(&run) {
                at if at < day.start => runs.before.push(run),
                at if at < day.end => runs.during.push(run),
                _ => runs.after.push(run),
            }
        }
        Ok(runs)
    }

    /// What a report says of the day's runs.
    pub(crate) fn facts(&self, expected: u64, day: &Day, most: usize) -> directory::facts::Runs {
        let of = |state: fn(RunState) -> bool| self.during.iter().filter(|run| state(run.state)).count() as u64;
        let failed = self.during.iter().rev().filter(|run| run.state == RunState::Failed);
        let failures = failed.filter_map(|run| {
            let failure = run.error.clone()?;
            Some(FailedRun { run: run.run.clone(), at: day.local(moment(run)), failure })
        });
        directory::facts::Runs {
            expected,
            started: self.during.len() as u64,
            succeeded: of(|state| matches!(state, RunState::Applied | RunState::Held | RunState::Planned)),
            failed: of(|state| state == RunState::Failed),
            failures: failures.take(most).collect(),
        }
    }

    /// The newest run that ended by the end of the day.
    pub(crate) fn newest(&self) -> Option<&Run> {
        self.during.last().or(self.before.last())
    }
}

/// A run without what only its own slices need.
fn read_slim(item: Item) -> Result<Run, Fault> {
    let mut run: Run = read("a run", item)?;
    run.ahead.clear();
    Ok(run)
}

fn runs(tenant: &TenantId) -> Range {
    Range { limit: PAGE, ..keys::starting(Table::Control, keys::tenant_pk(tenant), "RUN#") }
}

/// The first sort key of runs that started at `at` or later.
fn from(at: Timestamp) -> String {
    let milliseconds = u64::try_from(at.as_millisecond()).unwrap_or_default();
    format!("RUN#{}", ulid::Ulid::from_parts(milliseconds, 0))
}

/// The runs back from the newest, as long as `goes_on`.
///
/// # Errors
/// The store's.
pub(crate) async fn back(
    store: &impl Store,
    tenant: &TenantId,
    goes_on: impl Fn(&Run) -> bool,
) -> Result<Vec<Run>, Fault> {
    let mut range = Range { newest_first: true, ..runs(tenant) };
    let mut found = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = store.list(&range).await?;
        for (_, item) in page.items {
            let run = read_slim(item)?;
            if !goes_on(&run) {
                return Ok(found);
            }
            found.push(run);
        }
        match page.more {
            Some(after) => range.after = Some(after),
            None => break,
        }
    }
    Ok(found)
}

/// Since when runs have held something, if that of the name of `holding` does.
///
/// # Errors
/// The store's.
pub(crate) async fn held_since(store: &impl Store, tenant: &TenantId, holding: &Run) -> Result<Timestamp, Fault> {
    let settled = |run: &Run| run.state == RunState::Applied && run.action == Action::Sync;
    let back = back(store, tenant, |run| holding.run < run.run || !settled(run)).await?;
    let held = back.iter().filter(|run| run.state == RunState::Held && run.run <= holding.run);
    Ok(held.map(|run| run.started_at).min().unwrap_or(holding.started_at))
}

/// How many runs a frequency asks for between two moments.
pub(crate) fn due(tenant: &TenantId, frequency: Frequency, from: Timestamp, to: Timestamp) -> u64 {
    let mut before = Timestamp::from_second(from.as_second() - 1).unwrap_or(from);
    let mut runs = 0;
    while let Some(due) = schedule::next_run(tenant, frequency, before).and_then(|due| Timestamp::from_second(due).ok())
    {
        if to <= due || due <= before {
            break;
        }
        runs += 1;
        before = due;
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn r6_3_expected_runs() {
        //    what                    hours   from                      to                        runs
        check("a day of every hour",  1,      "2026-11-22T00:00:00Z",   "2026-11-23T00:00:00Z",   24);
        check("a short day",          1,      "2026-03-28T23:00:00Z",   "2026-03-29T22:00:00Z",   23);
        check("every three hours",    3,      "2026-11-22T00:00:00Z",   "2026-11-23T00:00:00Z",   8);
        check("once a day",           24,     "2026-11-22T00:00:00Z",   "2026-11-23T00:00:00Z",   1);
        check("half a day",           12,     "2026-11-22T00:00:00Z",   "2026-11-22T12:00:00Z",   1);
        check("nothing of a day",     1,      "2026-11-22T00:00:00Z",   "2026-11-22T00:00:00Z",   0);
        check("backwards",            1,      "2026-11-23T00:00:00Z",   "2026-11-22T00:00:00Z",   0);
        check("never",                0,      "2026-11-22T00:00:00Z",   "2026-11-23T00:00:00Z",   0);
    }

    #[track_caller]
    fn check(name: &str, hours: u8, from: &str, to: &str, expected: u64) {
        let tenant = "contoso".parse().unwrap();
        assert_eq!(due(&tenant, Frequency(hours), from.parse().unwrap(), to.parse().unwrap()), expected, "{name}");
    }
}
