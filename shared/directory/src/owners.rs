//! Who takes over whom, and who gets which address, within a unit (rules 3.5 and 3.6).

use std::collections::{BTreeMap, BTreeSet};

use crate::{Address, Addresses, Candidate, Held, Kind, ManagedBy, ObjectId, Rules, Verdict, unit::Wish};

/// What is known of a unit before its addresses are shared out. Everything stands in the candidates' order.
pub(crate) struct Round<'a> {
    pub(crate) candidates: &'a [Candidate],
    /// Whether one of its addresses is exempt.
    pub(crate) exempt: &'a [bool],
    /// The object here that it is or takes over.
    pub(crate) base: Vec<Option<&'a Held>>,
    /// What the rules want of it.
    pub(crate) wishes: Vec<Wish>,
}

/// What a candidate gets of the addresses that the rules want for it.
#[derive(Debug, Default)]
pub(crate) struct Share {
    /// Not for it, and which candidate has it instead.
    pub(crate) lost: BTreeMap<Address, usize>,
    /// Taken from another candidate.
    pub(crate) taken: BTreeMap<Address, usize>,
}

/// Who adopts whom: an object that the rules want and that is not here takes over one that was made by hand, or that a
/// connection before managed, if it has one of its addresses (rules 1.1 and 3.5). The primary decides, then the id.
/// Whoever cannot have its primary address (`out`) adopts nobody.
pub(crate) fn adopt(
    rules: &Rules<'_>,
    candidates: &[Candidate],
    exempt: &[bool],
    out: impl Fn(usize) -> bool,
) -> BTreeMap<usize, usize> {
    let mut takers: Vec<(bool, &ObjectId, &ObjectId, usize, usize)> = Vec::new();
    for (at, candidate) in candidates.iter().enumerate().filter(|(at, candidate)| !out(*at) && candidate.held.is_none())
    {
        let Some((id, entra, _)) = &candidate.entra else { continue };
        for (from, other) in candidates.iter().enumerate() {
            let Some(held) = other.held.as_ref().filter(|held| held.kind() == entra.kind()) else { continue };
            let free =
                other.entra.is_none() && (held.managed_by() == ManagedBy::Hand || held.connection() < rules.connection);
            if !free || exempt[from] {
                continue;
            }
            // As if it were its own already: whoever is here and may not sign in is adopted, and disabled (rule 2.7).
            let Wish::In { addresses, .. } = candidate.wish(Some(held), rules, exempt[at]) else { continue };
            if addresses.all().any(|address| held.addresses().contains(address)) {
                let primary = addresses.primary.as_ref().is_some_and(|primary| held.addresses().contains(primary));
                takers.push((!primary, id, held.id(), at, from));
            }
        }
    }
    takers.sort();
    let mut adopted = BTreeMap::new();
    for (.., at, from) in takers {
        if !adopted.contains_key(&at) && !adopted.values().any(|taken| *taken == from) {
            adopted.insert(at, from);
        }
    }
    adopted
}

impl Round<'_> {
    /// Share out every address among those who want it (rule 3.6); whoever cannot have its primary address (`out`) wants
    /// nothing.
    pub(crate) fn share(&self, rules: &Rules<'_>, out: impl Fn(usize) -> bool) -> Vec<Share> {
        let mut wanted: BTreeMap<&Address, Vec<usize>> = BTreeMap::new();
        for (at, addresses) in self.wanted().filter(|(at, _)| !out(*at)) {
            for address in addresses.all() {
                wanted.entry(address).or_default().push(at);
            }
        }
        let primaries: BTreeSet<(usize, &Address)> =
            self.wanted().filter_map(|(at, addresses)| Some((at, addresses.primary.as_ref()?))).collect();
        let mut shares: Vec<Share> = self.candidates.iter().map(|_| Share::default()).collect();
        for (address, mut contenders) in wanted {
            let holder = self.holder(address);
            let keeps = holder.filter(|at| {
                // What was made by hand gives nothing away unless a run adopts it.
                let adopted = self.candidates[*at]
                    .entra
                    .as_ref()
                    .is_some_and(|(_, entra, _)| rules.settings.updates(entra.kind()));
                let by_hand = !adopted && self.base[*at].is_some_and(|held| held.managed_by() == ManagedBy::Hand);
                self.exempt[*at] || by_hand || self.candidates[*at].claims().contains(address)
            });
            contenders.sort_by_key(|at| (!primaries.contains(&(*at, address)), self.candidates[*at].entra_id()));
            let Some(winner) = keeps.or(contenders.first().copied()) else { continue };
            for at in contenders {
                if at != winner {
                    shares[at].lost.insert(address.clone(), winner);
                } else if let Some(holder) = holder.filter(|holder| *holder != at) {
                    shares[at].taken.insert(address.clone(), holder);
                }
            }
        }
        shares
    }

    /// What the rules want for everybody whom they want.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = (usize, &Addresses)> {
        self.wishes.iter().enumerate().filter_map(|(at, wish)| match wish {
            Wish::In { addresses, .. } => Some((at, addresses)),
            _ => None,
        })
    }

    /// Who has an address here. Whoever adopts an object stands for it.
    fn holder(&self, address: &Address) -> Option<usize> {
        let holders =
            (0..self.base.len()).filter(|at| self.base[*at].is_some_and(|held| held.addresses().contains(address)));
        holders.max_by_key(|at| self.candidates[*at].entra.is_some())
    }

    /// A candidate by the name under which people find it.
    pub(crate) fn name(&self, at: usize) -> String {
        match (&self.candidates[at].entra, &self.candidates[at].held) {
            (Some((id, entra, _)), _) => format!("{} {id}", entra.kind().name()),
            (None, Some(held)) if held.managed_by() == ManagedBy::Hand => {
                format!("{} {}, made by hand", held.kind().name(), held.id())
            }
            (None, Some(held)) => format!("{} {}", held.kind().name(), held.id()),
            (None, None) => String::new(),
        }
    }
}

/// Whoever loses its last address to others, without a change of its own, is made inactive: the change that takes it says
/// so, and counts the seat (rules 3.6 and 5.5).
pub(crate) fn bereave(round: &Round<'_>, shares: &[Share], verdicts: &mut [Verdict]) {
    let mut losses: BTreeMap<(String, usize), (usize, BTreeSet<Address>)> = BTreeMap::new();
    let mut takers: Vec<usize> = (0..shares.len()).filter(|at| matches!(verdicts[*at], Verdict::Change(_))).collect();
    takers.sort_by_key(|at| round.candidates[*at].entra_id());
    for taker in takers {
        for (address, holder) in &shares[taker].taken {
            let (last, lost) = losses.entry((round.name(*holder), *holder)).or_default();
            *last = taker;
            lost.insert(address.clone());
        }
    }
    for ((name, holder), (taker, lost)) in losses {
        let Some(held) = round.base[holder].filter(|_| !matches!(verdicts[holder], Verdict::Change(_))) else {
            continue;
        };
        if held.is_active()
            && held.addresses().without(&lost).primary.is_none()
            && let Verdict::Change(planned) = &mut verdicts[taker]
        {
            let then = if held.kind() == Kind::User { " and is made inactive" } else { "" };
            planned.change.notes.push(format!("{name} is left without an address{then}"));
            planned.seats -= i32::from(held.is_billable());
        }
    }
}
