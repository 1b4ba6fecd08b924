//! What holds for every unit, however its objects share addresses: section 3.6 above all.

use std::collections::{BTreeMap, BTreeSet};

use directory::{Address, Candidate, Category, Held, ManagedBy, Outcome, Planned, UserType, Verdict};
use proptest::{prelude::*, sample::select};

use crate::world::{World, changes};

const ADDRESSES: [&str; 7] = ["p", "q", "r", "s", "t", "u", "f@x.org"];
/// Whom synchronisation brought here, whom it may find, and what is here besides.
const HERE: [(&str, &[&str]); 9] = [
    ("a", SYNCED),
    ("b", SYNCED),
    ("c", SYNCED),
    ("d", SYNCED),
    ("G", &["", ":gone3", ":gone40"]),
    ("H", &[":hand", ":old"]),
    ("h", &[":hand", ":hand:fun", ":hand:off", ":hand:admin"]),
    ("i", &[":hand", ":old"]),
    ("o", &[":old", ":old:fun"]),
];
const SYNCED: &[&str] = &["", "", ":off", ":gone3", ":gone40", ":fun", ":fun:off", ":admin", ":silent"];
const ENTRA: [(&str, &[&str]); 9] = [
    ("a", SAID),
    ("b", SAID),
    ("c", SAID),
    ("d", SAID),
    ("e", SAID),
    ("f", SAID),
    ("G", KIND),
    ("J", KIND),
    ("K", KIND),
];
const SAID: &[&str] = &["", "", "", ":blocked", ":guest", ":hard", ":shared", ":room:blocked"];
const KIND: &[&str] = &["", "", ":security", ":unified", ":hard"];
const RULES: [&str; 14] = [
    "remove",
    "remove",
    "days=0",
    "no-add",
    "no-update",
    "no-users",
    "no-groups",
    "security",
    "guests",
    "short",
    "silent",
    "blocked=functional_account",
    "blocked=ignore",
    "kinds",
];

/// The three columns of a table row.
type Row = (String, String, String);

fn rows() -> impl Strategy<Value = Row> {
    let owners = proptest::collection::vec(0..HERE.len() + 2, ADDRESSES.len());
    let order = Just(ADDRESSES.to_vec()).prop_shuffle();
    let here_flags: Vec<_> = HERE.iter().map(|(_, flags)| select(*flags)).collect();
    let here = (owners, order, here_flags, proptest::collection::vec(any::<bool>(), HERE.len())).prop_map(
        |(owners, order, flags, bare)| {
            let mut objects = Vec::new();
            for (at, (name, _)) in HERE.iter().enumerate() {
                let own: Vec<&str> =
                    order.iter().zip(&owners).filter(|(_, owner)| **owner == at).map(|(address, _)| *address).collect();
                if !own.is_empty() || bare[at] {
                    objects.push(object(name, &own, flags[at]));
                }
            }
            objects.join(" ")
        },
    );
    let said: Vec<_> = ENTRA
        .iter()
        .map(|(name, flags)| {
            let list = proptest::sample::subsequence(ADDRESSES.to_vec(), 0..=3).prop_shuffle();
            proptest::option::weighted(
                0.6,
                (list, select(*flags)).prop_map(move |(list, flag)| object(name, &list, flag)),
            )
        })
        .collect();
    let entra = said.prop_map(|said| said.into_iter().flatten().collect::<Vec<_>>().join(" "));
    let exempt = proptest::option::weighted(0.3, select(&ADDRESSES[..]));
    let rules = (proptest::sample::subsequence(RULES.to_vec(), 0..=4), exempt).prop_map(|(rules, exempt)| {
        let exempt = exempt.map(|address| format!("exempt={address}"));
        rules.into_iter().map(str::to_owned).chain(exempt).collect::<Vec<_>>().join(" ")
    });
    (here, entra, rules)
}

fn object(name: &str, addresses: &[&str], flags: &str) -> String {
    if addresses.is_empty() { format!("{name}{flags}") } else { format!("{name}={}{flags}", addresses.join(",")) }
}

fn world((here, entra, rules): &Row) -> World {
    World::new(here, entra, rules)
}

/// What no run may touch, whatever of the plan is selected.
fn untouched(before: &World, after: &World, selected: &[Planned]) {
    let exempt = |candidate: &Candidate| candidate.addresses().iter().any(|address| before.exempt.contains(address));
    for candidate in before.candidates() {
        let Some(held) = &candidate.held else { continue };
        let local = (held.kind(), held.id().clone());
        let now = after.here.get(&local);
        if exempt(&candidate) {
            assert_eq!(now, Some(held), "r5_3 exempt");
        }
        let adopted = selected.iter().any(|planned| (planned.change.object, planned.local.clone()) == local);
        if held.managed_by() == ManagedBy::Hand && !adopted {
            assert_eq!(now, Some(held), "r3_5 made by hand");
        }
        if let (Held::User(was), Some(Held::User(is))) = (held, now) {
            let policy = is.kind == UserType::FunctionalAccount && was.kind != is.kind;
            assert!(was.kind == is.kind || policy, "r3_3 and r5_1: {:?} became {:?}", was.kind, is.kind);
            assert_eq!(was.digests, is.digests, "r3_3 digests");
            if was.kind == UserType::FunctionalAccount
                && was.is_active
                && is.deleted_at.is_none()
                && is.addresses.primary.is_some()
            {
                assert!(is.is_active, "r5_1 a functional account is not disabled");
            }
        }
    }
}

/// Settle, and settle again.
fn settled(world: &mut World, selected: &[Planned]) -> Vec<Outcome> {
    let before = world.clone();
    let first = world.settle(selected);
    world.owners();
    untouched(&before, world, selected);
    for held in world.here.values().filter(|held| held.deleted_at().is_some()) {
        assert!(!held.is_active(), "r3_4 marked as deleted, and active: {held:?}");
    }
    let second = world.settle(selected);
    assert_eq!(second.moves, [], "r4_6 applying twice changes nothing twice");
    for (first, second) in first.outcomes.iter().zip(&second.outcomes) {
        // A stale change may turn out to be done: what it was to give away has been taken.
        assert!(
            first.0 != Outcome::Applied || second.0 == Outcome::Applied,
            "r4_6 applying twice: {first:?}, {second:?}"
        );
    }
    first.outcomes.into_iter().map(|(outcome, _)| outcome).collect()
}

fn billable(world: &World) -> i32 {
    world.here.values().map(|held| i32::from(held.is_billable())).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// One run carries it all: everything planned can be done, and after it there is nothing left to plan.
    #[test]
    fn r3_6_one_run_carries_it_all(row in rows()) {
        let mut world = world(&row);
        let before = billable(&world);
        let plan = world.plan();
        let selected = changes(&plan);
        let outcomes = settled(&mut world, &selected);
        prop_assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Applied), "{:?}", outcomes);
        let seats: i32 = selected.iter().map(|planned| planned.seats).sum();
        prop_assert_eq!(billable(&world) - before, seats, "r5_5");
        let again = world.plan();
        prop_assert_eq!(changes(&again), [], "nothing is left to do");
        for (name, verdict) in &plan {
            let listed = matches!(verdict, Verdict::Failed(_) | Verdict::Skipped(_) | Verdict::Postponed);
            prop_assert!(!listed || again[name] != Verdict::Settled, "r3_7 {:?} is not forgotten", name);
        }
    }

    /// Whatever a person leaves out, no address has two owners; and the next full run mends the rest.
    #[test]
    fn r3_6_any_part_of_a_plan(row in rows(), chosen in proptest::collection::vec(any::<bool>(), 12)) {
        let mut world = world(&row);
        let mut selected = changes(&world.plan());
        let mut chosen = chosen.into_iter().cycle();
        selected.retain(|_| chosen.next().unwrap_or_default());
        settled(&mut world, &selected);
        world.bury();
        let rest = changes(&world.plan());
        let outcomes = settled(&mut world, &rest);
        prop_assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Applied), "{:?}", outcomes);
        prop_assert_eq!(changes(&world.plan()), [], "one more run is enough");
    }

    /// A plan meets objects that have changed since: still no address has two owners.
    #[test]
    fn r4_6_an_old_plan(row in rows(), chosen in proptest::collection::vec(any::<bool>(), 12)) {
        let mut world = world(&row);
        let selected = changes(&world.plan());
        let mut chosen = chosen.into_iter().cycle();
        for held in world.here.values_mut() {
            if chosen.next().unwrap_or_default() {
                *held = held.readdressed(held.addresses().clone());
            }
        }
        settled(&mut world, &selected);
    }

    /// Neither the order in a unit nor who else is evaluated with it matters.
    #[test]
    fn r3_6_order_and_company_do_not_matter(row in rows(), order in Just((0..64).collect::<Vec<usize>>()).prop_shuffle()) {
        let world = world(&row);
        let candidates = world.candidates();
        let plan = world.plan_of(&candidates);
        let shuffled: Vec<Candidate> = order.into_iter().filter_map(|at| candidates.get(at).cloned()).collect();
        prop_assert_eq!(shuffled.len(), candidates.len());
        prop_assert_eq!(&world.plan_of(&shuffled), &plan, "another order");
        let mut apart = BTreeMap::new();
        for unit in components(candidates) {
            apart.extend(world.plan_of(&unit));
        }
        prop_assert_eq!(&apart, &plan, "unit by unit");
    }

    /// What a short read, a switch or an exemption forbids is not in the plan.
    #[test]
    fn r4_9_r3_1_r5_3_what_is_forbidden_is_not_planned(row in rows()) {
        let world = world(&row);
        for planned in changes(&world.plan()) {
            let kind = planned.change.object;
            match planned.change.category {
                Category::Adding => prop_assert!(world.settings.adds(kind)),
                Category::Updating | Category::Disabling => prop_assert!(world.settings.updates(kind)),
                Category::Deleting => prop_assert!(world.settings.removes(kind) && world.deletions),
                Category::NotEnabled => prop_assert!(false, "not enabled, and selected"),
            }
            prop_assert!(planned.change.selected && planned.change.error.is_none() && !planned.change.fields.is_empty());
            prop_assert!(planned.change.address.is_none_or(|address| !world.exempt.contains(&address)));
        }
        let ids: Vec<String> = changes(&world.plan()).into_iter().map(|planned| planned.change.id).collect();
        let distinct: BTreeSet<&String> = ids.iter().collect();
        prop_assert_eq!(distinct.len(), ids.len(), "each change has its own id");
    }
}

/// Candidates that share addresses, directly or through others.
fn components(candidates: Vec<Candidate>) -> Vec<Vec<Candidate>> {
    let mut units: Vec<(BTreeSet<Address>, Vec<Candidate>)> = Vec::new();
    for candidate in candidates {
        let mut joined = (candidate.addresses(), vec![candidate]);
        let (meet, apart): (Vec<_>, Vec<_>) =
            units.into_iter().partition(|(addresses, _)| !addresses.is_disjoint(&joined.0));
        for (addresses, members) in meet {
            joined.0.extend(addresses);
            joined.1.extend(members);
        }
        units = apart;
        units.push(joined);
    }
    units.into_iter().map(|(_, unit)| unit).collect()
}
