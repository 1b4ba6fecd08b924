//! The way through a stored plan and the standing verdicts, from any place on, until whoever looks has enough.

use std::collections::{BTreeMap, BTreeSet};

use directory::{Change, Kind, Outcome, Skipped, TenantId};
use serde::{Deserialize, Serialize};

use super::{Row, filter::folded};
use crate::{
    chunk, contents, keys, outcomes, packed,
    ports::{Fault, Key, Range, Store, Table},
    records::{ChunkProgress, Contents, Run, Standing, read},
};

/// So many standing verdicts are read at once.
const AT_ONCE: usize = 500;
/// The progress of so many parts of a plan is read at once.
const PROGRESS: usize = 500;

/// Where a list goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// The stored plan: the number of the part, and how many of what it holds were looked at.
    Plan(u32, usize),
    /// The standing verdicts of a kind, behind this sort key.
    Standing(Kind, Option<String>),
}

/// What a list is made of.
pub(crate) trait Listed: Sized {
    /// Of a run under the saved settings it is what stands now, rather than a part of the plan.
    const STANDS: bool;
    /// What of it is in a part of a plan, which has this number.
    fn of_part(part: outcomes::Part, number: u32) -> Vec<Self>;
    /// Whether a standing verdict is such a thing.
    fn of_standing(standing: Standing) -> Option<Self>;
}

impl Listed for Row {
    const STANDS: bool = false;

    fn of_part(part: outcomes::Part, number: u32) -> Vec<Self> {
        part.changes.into_iter().map(|followed| Self::new(followed, number)).collect()
    }

    fn of_standing(_: Standing) -> Option<Self> {
        None
    }
}

/// What is not enabled.
impl Listed for Change {
    const STANDS: bool = true;

    fn of_part(part: outcomes::Part, _: u32) -> Vec<Self> {
        part.not_enabled
    }

    fn of_standing(standing: Standing) -> Option<Self> {
        if let Standing::NotEnabled(change) = standing { Some(*change) } else { None }
    }
}

impl Listed for Skipped {
    const STANDS: bool = true;

    fn of_part(part: outcomes::Part, _: u32) -> Vec<Self> {
        part.skipped
    }

    fn of_standing(standing: Standing) -> Option<Self> {
        match standing {
            Standing::Skipped(skipped) => Some(skipped),
            Standing::Waiting(waiting) => Some(waiting.skipped),
            Standing::NotEnabled(_) => None,
        }
    }
}

/// Who takes what a walk finds, until it has enough.
pub(crate) trait Taker<T> {
    /// Whether a part of the plan may have something for it.
    fn wants(&self, contents: &Contents) -> bool;
    /// What must stand somewhere in a part, in folded letters, for it to be worth unpacking.
    fn text(&self) -> Option<&str>;
    /// The outcome that it wants, of which a part's progress tells whether it has it; nothing where it wants any.
    fn outcome(&self) -> Option<Outcome> {
        None
    }
    /// The progress of so many parts was read.
    fn read_progress(&mut self, _parts: usize) {}
    /// A part was read; `unpacked` where all of it was looked at.
    fn read_part(&mut self, unpacked: bool);
    /// A standing verdict was read.
    fn read_standing(&mut self);
    /// Something that was found.
    fn take(&mut self, found: T);
    /// Users or groups, where it wants no others.
    fn kind(&self) -> Option<Kind>;
    /// Whether it has enough.
    fn is_full(&self) -> bool;
    /// Whether so much was read for it that the rest is left for another time.
    fn is_spent(&self) -> bool;
}

/// Which parts of a plan have something of an outcome, as far as their progress was looked at.
#[derive(Default)]
struct Marked {
    parts: BTreeSet<u32>,
    /// The first part that was not looked at.
    until: u32,
}

/// The way through a run.
pub(crate) struct Walk<'a, S> {
    store: &'a S,
    tenant: &'a TenantId,
    run: &'a Run,
    contents: BTreeMap<u32, Contents>,
}

impl<'a, S: Store> Walk<'a, S> {
    /// Through every part of the plan.
    pub(crate) fn new(store: &'a S, tenant: &'a TenantId, run: &'a Run) -> Self {
        Self { store, tenant, run, contents: BTreeMap::new() }
    }

    /// Through the parts that have what is looked for.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn selecting(store: &'a S, tenant: &'a TenantId, run: &'a Run) -> Result<Self, Fault> {
        let contents = if run.chunks > 0 { contents::load(store, tenant, &run.run).await? } else { BTreeMap::new() };
        Ok(Self { store, tenant, run, contents })
    }

    /// What `count` makes of all parts together; nothing where it is not known of each what it holds.
    pub(crate) fn sum(&self, count: impl Fn(&Contents) -> u64) -> Option<u64> {
        (0..self.run.chunks).map(|number| self.contents.get(&number).map(&count)).sum()
    }

    /// Whether a list is one of standing verdicts rather than a part of the plan.
    pub(crate) fn stands<T: Listed>(&self) -> bool {
        T::STANDS && self.run.settings.is_none()
    }

    /// Go on from a place, or from the beginning. Answers where to go on after that; nothing at the end.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn fill<T: Listed>(
        &self,
        from: Option<Place>,
        taker: &mut impl Taker<T>,
    ) -> Result<Option<Place>, Fault> {
        let kind = taker.kind().unwrap_or(Kind::User);
        let first = if self.stands::<T>() { Place::Standing(kind, None) } else { Place::Plan(0, 0) };
        let mut next = Some(from.unwrap_or(first));
        let mut marked = Marked::default();
        while let Some(place) = next.take() {
            next = match place {
                Place::Plan(part, looked) => self.parts(part, looked, taker, &mut marked).await?,
                Place::Standing(kind, after) => self.standing(kind, after, taker).await?,
            };
            if taker.is_full() || taker.is_spent() {
                break;
            }
        }
        Ok(next)
    }

    /// Look at a part of the plan, of which some was looked at before; at several where most may have nothing.
    async fn parts<T: Listed>(
        &self,
        part: u32,
        looked: usize,
        taker: &mut impl Taker<T>,
        marked: &mut Marked,
    ) -> Result<Option<Place>, Fault> {
        let together = if taker.text().is_some() { 8 } else { 1 };
        // An undo is planned with changes that are stale from the beginning, of which no progress tells.
        let outcome = taker.outcome().filter(|outcome| *outcome != Outcome::Stale || self.run.undoes.is_none());
        let mut rest = None;
        if let Some(outcome) = outcome {
            if marked.until <= part {
                let read = self.mark(part, outcome, taker.kind(), marked).await?;
                taker.read_progress(read);
            }
            rest = Some(marked.until).filter(|until| *until < self.run.chunks);
        }
        let wanted = |number: &u32| {
            self.contents.get(number).is_none_or(|contents| taker.wants(contents))
                && (outcome.is_none() || marked.parts.contains(number))
        };
        let mut numbers: Vec<u32> = (part..rest.unwrap_or(self.run.chunks)).filter(wanted).take(together + 1).collect();
        let behind = if numbers.len() > together { numbers.pop() } else { rest };
        let chunk = |number: &u32| keys::chunk(self.tenant, &self.run.run, *number);
        let progress = |number: &u32| keys::chunk_progress(self.tenant, &self.run.run, *number);
        let keys: Vec<Key> = numbers.iter().flat_map(|number| [chunk(number), progress(number)]).collect();
        let mut items = self.store.get(&keys).await?.into_iter();
        for (at, number) in numbers.iter().enumerate() {
            let (item, progress) = (items.next().flatten(), items.next().flatten());
            let after = numbers.get(at + 1).copied().or(behind).map(|next| Place::Plan(next, 0));
            let Some(item) = item else { continue };
            let key = chunk(number);
            let json = packed::unpack(&key, &item)?;
            let worth = taker.text().is_none_or(|text| folded(&String::from_utf8_lossy(&json)).contains(text));
            taker.read_part(worth);
            if worth {
                let progress: ChunkProgress =
                    progress.map(|item| read("the progress of a plan", item)).transpose()?.unwrap_or_default();
                let found = T::of_part(outcomes::follow(chunk::entries(&key, &json)?, &progress), *number);
                let many = found.len();
                let before = if *number == part { looked } else { 0 };
                for (at, found) in found.into_iter().enumerate().skip(before) {
                    taker.take(found);
                    if taker.is_full() {
                        return Ok(if at + 1 < many { Some(Place::Plan(*number, at + 1)) } else { after });
                    }
                }
            }
            if taker.is_full() || taker.is_spent() {
                return Ok(after);
            }
        }
        Ok(behind.map(|next| Place::Plan(next, 0)))
    }

    /// Note which parts have something of an outcome, from a part on, as their progress tells: it names whatever did not
    /// simply go as planned. Answers of how many parts it was read.
    async fn mark(&self, part: u32, outcome: Outcome, kind: Option<Kind>, marked: &mut Marked) -> Result<usize, Fault> {
        let progress = keys::starting(Table::Control, keys::plan_pk(self.tenant, &self.run.run), "KP#");
        let from = keys::chunk_progress(self.tenant, &self.run.run, part).sk;
        let page = self.store.list(&Range { from, limit: PROGRESS, ..progress }).await?;
        let parts = page.items.len();
        let mut last = None;
        for (sk, item) in page.items {
            let Some(number) = sk.strip_prefix("KP#").and_then(|number| number.parse().ok()) else { continue };
            let progress: ChunkProgress = read("the progress of a plan", item)?;
            let mut exceptions = progress.exceptions.values();
            if exceptions.any(|one| one.outcome == outcome && kind.is_none_or(|kind| one.object == kind)) {
                marked.parts.insert(number);
            }
            last = Some(number);
        }
        marked.until = match (page.more, last) {
            (Some(_), Some(last)) => last.saturating_add(1),
            _ => self.run.chunks.max(part.saturating_add(1)),
        };
        Ok(parts)
    }

    /// Look at a stretch of the standing verdicts.
    async fn standing<T: Listed>(
        &self,
        kind: Kind,
        after: Option<String>,
        taker: &mut impl Taker<T>,
    ) -> Result<Option<Place>, Fault> {
        let range = Range { after, limit: AT_ONCE, ..keys::standings(self.tenant, kind) };
        let found = self.store.list(&range).await?;
        let behind = match (found.more, kind) {
            (Some(after), _) => Some(Place::Standing(kind, Some(after))),
            (None, Kind::User) if taker.kind().is_none() => Some(Place::Standing(Kind::Group, None)),
            (None, _) => None,
        };
        let many = found.items.len();
        for (at, (sk, item)) in found.items.into_iter().enumerate() {
            taker.read_standing();
            if let Some(found) = T::of_standing(read("a standing verdict", item)?) {
                taker.take(found);
            }
            if (taker.is_full() || taker.is_spent()) && at + 1 < many {
                return Ok(Some(Place::Standing(kind, Some(sk))));
            }
        }
        Ok(behind)
    }
}
