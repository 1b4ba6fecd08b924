//! A unit that is too large for one transaction, cut into steps that each stand by themselves.

use std::collections::BTreeSet;

use directory::{Address, Held, settle::Move};

use super::ENOUGH;

/// So many addresses move in one step, where a unit is too large for one transaction.
pub(super) const STEP: usize = 40;

/// Moves cut into steps of which each fits into one transaction: first everybody lets go, then everybody takes.
pub(super) fn steps(moves: Vec<Move>) -> Vec<Vec<Move>> {
    let size = |moved: &Move| {
        let before: BTreeSet<&Address> = moved.before.iter().flat_map(|held| held.addresses().all()).collect();
        let after: BTreeSet<&Address> = moved.after.iter().flat_map(|held| held.addresses().all()).collect();
        1 + before.symmetric_difference(&after).count()
    };
    if moves.iter().map(size).sum::<usize>() <= ENOUGH - 10 {
        return if moves.is_empty() { Vec::new() } else { vec![moves] };
    }
    let mut shrinking = Vec::new();
    let mut growing = Vec::new();
    for Move { local, before, after } in moves {
        let mut now = before.clone();
        let target: BTreeSet<Address> = after.iter().flat_map(|held| held.addresses().all()).cloned().collect();
        let lost: Vec<Address> = before
            .iter()
            .flat_map(|held| held.addresses().all())
            .filter(|address| !target.contains(*address))
            .cloned()
            .collect();
        for part in lost.chunks(STEP) {
            let smaller =
                now.as_ref().map(|held| held.readdressed(held.addresses().without(&part.iter().cloned().collect())));
            shrinking.push(vec![Move { local: local.clone(), before: now, after: smaller.clone() }]);
            now = smaller;
        }
        let Some(after) = after else {
            growing.push(vec![Move { local, before: now, after: None }]);
            continue;
        };
        let has: BTreeSet<Address> = now.iter().flat_map(|held| held.addresses().all()).cloned().collect();
        let gained: Vec<Address> =
            after.addresses().aliases.iter().filter(|alias| !has.contains(*alias)).cloned().collect();
        let first = after.addresses().without(&gained.iter().cloned().collect());
        let mut next = now
            .as_ref()
            .map_or_else(|| after.clone(), |held| at_revision(&after, held.rev() + 1))
            .with_addresses(first);
        growing.push(vec![Move { local: local.clone(), before: now, after: Some(next.clone()) }]);
        for part in gained.chunks(STEP) {
            let mut more = next.addresses().clone();
            more.aliases.extend(part.iter().cloned());
            let larger = next.readdressed(more);
            growing.push(vec![Move { local: local.clone(), before: Some(next), after: Some(larger.clone()) }]);
            next = larger;
        }
    }
    shrinking.into_iter().chain(growing).collect()
}

pub(super) fn at_revision(held: &Held, rev: u64) -> Held {
    let mut held = held.clone();
    match &mut held {
        Held::User(user) => user.rev = rev,
        Held::Group(group) => group.rev = rev,
    }
    held
}
