//! Where a verdict goes: into the plan, to the standing verdicts, back on the worklist.

use directory::{Category, Kind, ObjectId, Planned, Verdict};

use super::{Batch, Planner};
use crate::{
    keys,
    lease::{note, put},
    ports::Store,
    records::{Entry, Run, Standing, Work, write},
};

impl<S: Store> Planner<'_, S> {
    /// Put a verdict where it belongs.
    pub(super) fn verdict(
        &self,
        run: &mut Run,
        batch: &mut Batch,
        name: (Kind, ObjectId),
        verdict: Verdict,
        changes: &mut Vec<Planned>,
    ) {
        let kind = name.0;
        let standing = match verdict {
            Verdict::Settled => None,
            Verdict::Dormant(until) => {
                if self.saved {
                    let work = Work::found(run.mark(), false);
                    batch.other.push(put(keys::alarm(self.loader.tenant, until, kind, &name.1), write(&work)));
                }
                None
            }
            Verdict::Postponed => {
                if self.saved {
                    let work = Work::left(run.mark(), false);
                    batch.other.push(note(keys::work(self.loader.tenant, kind, &name.1), &work));
                }
                return;
            }
            Verdict::Skipped(skipped) => {
                if let Some(domain) = skipped.domain.as_ref().filter(|domain| !domain.is_microsofts()) {
                    run.foreign.insert(domain.to_string());
                }
                if !self.saved {
                    run.tally.skipped[kind] += 1;
                    batch.entries.push(Entry::Skipped(skipped));
                    return;
                }
                Some(Standing::Skipped(skipped))
            }
            Verdict::NotEnabled(planned) => {
                if !self.saved {
                    run.tally.not_enabled[kind] += 1;
                    batch.entries.push(Entry::NotEnabled(Box::new(planned.change)));
                    return;
                }
                Some(Standing::NotEnabled(Box::new(planned.change)))
            }
            Verdict::Change(planned) => {
                count(run, &planned);
                changes.push(*planned);
                // A failure is remembered until the object succeeds; what was skipped is so no longer.
                batch.changing.insert(name.clone());
                batch.standing.insert(name, None);
                return;
            }
            Verdict::Failed(planned) => {
                changes.push(*planned);
                return;
            }
        };
        batch.standing.insert(name, standing);
    }
}

/// Count a change for the run and for the brake.
pub(crate) fn count(run: &mut Run, planned: &Planned) {
    let kind = planned.change.object;
    let counter = match planned.change.category {
        Category::Adding => &mut run.counts.adding,
        Category::Updating => &mut run.counts.updating,
        Category::Disabling => &mut run.counts.disabling,
        Category::Deleting => &mut run.counts.deleting,
        Category::NotEnabled => &mut run.counts.not_enabled,
    };
    counter[kind] += 1;
    run.tally.brakes[kind] += u64::from(planned.brakes);
    run.tally.seats += i64::from(planned.seats);
    run.tally.undone += u64::from(planned.undone);
}
