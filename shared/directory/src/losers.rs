//! Whoever cannot have its primary address, and the second chance that each gets (rule 3.6).

use std::collections::{BTreeMap, BTreeSet};

use crate::{Candidate, Rules, Verdict, unit::decide};

/// Who cannot have its primary address.
#[derive(Clone, Default)]
pub(crate) struct Losers {
    /// The verdict of each.
    pub(crate) failed: BTreeMap<usize, Verdict>,
    /// Who failed once and is decided again.
    again: BTreeSet<usize>,
    /// Who is decided again without taking anybody over.
    pub(crate) modest: BTreeSet<usize>,
}

impl Losers {
    /// Whoever lost to one that failed later may have its address after all, unless that takes it from another of those.
    pub(crate) fn second_chance(&self, rules: &Rules<'_>, candidates: &[Candidate], exempt: &[bool]) -> Option<Self> {
        let mut failed: Vec<usize> = self.failed.keys().copied().collect();
        failed.sort_by_key(|at| candidates[*at].entra_id());
        let with = |at: usize, modest: bool| {
            let mut losers = self.clone();
            losers.failed.remove(&at);
            let new = losers.again.insert(at) | (modest && losers.modest.insert(at));
            new.then_some(losers)
        };
        let attempts = [false, true].into_iter().flat_map(|modest| failed.iter().map(move |at| (*at, modest)));
        attempts.filter_map(|(at, modest)| with(at, modest)).find(|losers| {
            let (_, beaten) = decide(rules, candidates, exempt, losers);
            losers.again.iter().filter(|at| !losers.failed.contains_key(at)).all(|at| !beaten.contains_key(at))
        })
    }
}
