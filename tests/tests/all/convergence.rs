//! Whatever happens in Entra and whenever it is read: the directory ends where one look at the end would put it.

use std::collections::BTreeSet;

use directory::Address;
use engine::ports::QueueName;
use proptest::prelude::*;
use serde_json::{Value, json};
use tests::{
    ops::{self, Op},
    oracle::Oracle,
    turnstile::{Deed, Side, Switch},
    world::World,
};

fn check_oracle(world: &World, exempt: &BTreeSet<Address>) {
    let tenant = world.tenant();
    let entra = world.entra.snapshot();
    let oracle = Oracle { entra: &entra, settings: &tenant.settings, exempt, connection: tenant.connection };
    let wrong = oracle.check(&world.view());
    assert!(
        wrong.is_empty(),
        "{}\n--- the directory\n{}\n--- standing\n{}",
        wrong.join("\n"),
        world.shown(),
        world.standing()
    );
}

fn world(settings: &Value, manner: (usize, usize, bool, bool, bool)) -> World {
    let world = World::new();
    world.set(settings.clone());
    ops::behave(&world, manner);
    world.store.page_of(manner.0 + 1);
    world
}

const CASES: u32 = 100;

/// Something that happens at one of the first calls of a run.
fn interruption() -> impl Strategy<Value = Switch> {
    let side = prop_oneof![Just(Side::Before), Just(Side::After)];
    let deed = prop_oneof![
        3 => Just(Deed::Halt),
        1 => any::<bool>().prop_map(|passes| Deed::Fault { passes }),
    ];
    (1..80_u64, side, deed).prop_map(|(at, side, deed)| Switch { at, side, deed })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_first_sync_is_what_the_oracle_says(changes in ops::ops(40), settings in ops::settings(), manner in ops::manner()) {
        let world = world(&settings, manner);
        changes.iter().for_each(|change| change.make(&world.entra));
        world.sync();
        let tenant = world.tenant();
        let entra = world.entra.snapshot();
        let oracle = Oracle { entra: &entra, settings: &tenant.settings, exempt: &BTreeSet::new(), connection: 1 };
        prop_assert_eq!(world.shown(), oracle.first().to_string());
        prop_assert_eq!(world.view(), oracle.first());
        world.assert_settled();
    }

    #[test]
    fn every_sync_ends_where_the_rules_want_it(
        changes in ops::ops(40), settings in ops::settings(), manner in ops::manner(), every in 1..6_usize,
        full_at in prop::option::of(0..8_usize),
    ) {
        let world = world(&settings, manner);
        for (at, some) in changes.chunks(every).enumerate() {
            some.iter().for_each(|change| change.make(&world.entra));
            if full_at == Some(at) {
                world.entra.expire_delta();
            }
            world.sync();
            check_oracle(&world, &BTreeSet::new());
        }
        world.assert_settled();
    }

    #[test]
    fn syncing_often_or_once_ends_the_same(changes in ops::ops(40), settings in ops::settings(), manner in ops::manner()) {
        let mut settings = settings;
        settings["recovery_days"] = json!(0);
        let changes: Vec<Op> = changes.into_iter().filter(|change| !change.is_remembered()).collect();
        let (often, once) = (world(&settings, manner), world(&settings, manner));
        for change in &changes {
            change.make(&often.entra);
            change.make(&once.entra);
            often.sync();
        }
        once.sync();
        often.sync();
        prop_assert_eq!(often.shown(), once.shown());
    }

    #[test]
    fn slices_end_where_one_run_does(changes in ops::ops(30), more in ops::ops(15), settings in ops::settings(), calls in 12..60_u64) {
        let (whole, sliced) = (world(&settings, (3, 2, false, false, false)), world(&settings, (3, 2, false, false, false)));
        sliced.calls_per_invocation(Some(calls));
        for some in [&changes, &more] {
            for world in [&whole, &sliced] {
                some.iter().for_each(|change| change.make(&world.entra));
                world.sync();
            }
            prop_assert_eq!(whole.shown(), sliced.shown());
        }
        sliced.calls_per_invocation(None);
        sliced.assert_settled();
    }

    #[test]
    fn whatever_interrupts_it_ends_where_the_rules_want_it(
        rounds in prop::collection::vec((ops::ops(8), interruption(), prop::option::of(8..40_u64), any::<bool>()), 1..8),
        settings in ops::settings(), manner in ops::manner(),
    ) {
        let world = world(&settings, manner);
        for (changes, switch, calls, full) in rounds {
            changes.iter().for_each(|change| change.make(&world.entra));
            if full {
                world.entra.expire_delta();
            }
            world.calls_per_invocation(calls);
            let _ = world.invoke_under(world.scheduled(), switch);
            // Messages are hints: what was to go on goes on when it is due again.
            world.queues.take(QueueName::Sync);
            world.wait(2000);
        }
        world.calls_per_invocation(None);
        // What failed for reasons of the store's is tried again by the next run, and then after hours.
        for _ in 0..3 {
            world.sync();
            world.wait(25 * 3600);
        }
        world.sync();
        check_oracle(&world, &BTreeSet::new());
        world.assert_settled();
    }

    #[test]
    fn settings_and_exemptions_change_on_the_way(
        rounds in prop::collection::vec((ops::ops(8), ops::settings(), any::<bool>(), any::<bool>(), prop::option::of(0..6_u8)), 2..6),
    ) {
        let world = World::new();
        let mut exempt = BTreeSet::new();
        for (changes, settings, users, groups, exempted) in rounds {
            changes.iter().for_each(|change| change.make(&world.entra));
            world.set(settings);
            world.set(json!({"sync_active_users": users, "sync_distribution_groups": groups}));
            if let Some(number) = exempted {
                let address = Address::parse(&format!("p{number}@contoso.com")).unwrap();
                if exempt.remove(&address) {
                    world.unexempt(address.as_str());
                } else {
                    world.exempt(address.as_str());
                    exempt.insert(address);
                }
            }
            world.sync();
            check_oracle(&world, &exempt);
        }
        world.assert_settled();
        world.set(json!({"sync_active_users": true, "sync_distribution_groups": true}));
        exempt.iter().for_each(|address| world.unexempt(address.as_str()));
        world.sync();
        check_oracle(&world, &BTreeSet::new());
        world.assert_settled();
    }
}
