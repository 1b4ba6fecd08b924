//! Undo (rule 4.14): the inverse plan of a run, and what later runs do about it.

use engine::{records::Action, run::Request};
use proptest::prelude::*;
use serde_json::{Value, json};
use tests::{
    entra::id,
    ops,
    turnstile::{Deed, Side, Switch},
    view::View,
    world::World,
};

/// The directory without revisions, and without those whom an undone addition has marked as deleted.
fn before_and_after(world: &World) -> String {
    let mut view: View = world.view();
    view.users.retain(|_, user| user.deleted_at.is_none());
    view.groups.retain(|_, group| group.deleted_at.is_none());
    view.to_string()
}

fn all_applied(world: &World, answer: &Value) {
    assert_eq!(answer["state"], "applied", "{answer}");
    for outcome in ["failed", "stale"] {
        assert_eq!(answer["counts"][outcome], json!({"users": 0, "groups": 0}), "{answer} {}", world.shown());
    }
}

/// Something of everything.
fn eventful() -> World {
    let world = World::company(12);
    let entra = &world.entra;
    let (list, old) = (entra.list("list"), entra.list("old"));
    entra.join(&old, &id("p0006"));
    entra.readdress(&id("p0003"), &["SMTP:p0003@contoso.com", "smtp:info@contoso.com"]);
    world.sync_twice();
    entra.rename(&id("p0001"), "Another name");
    entra.swap(&id("p0002"), &id("p0005"));
    entra.readdress(&id("p0003"), &["SMTP:p0003@contoso.com"]);
    entra.readdress(&id("p0004"), &["SMTP:info@contoso.com", "smtp:p0004@contoso.com"]);
    entra.sign_in(&id("p0007"), false);
    entra.bin(&id("p0008"));
    entra.leave(&id("all"), &id("p0009"));
    let zoe = entra.hire("zoe");
    entra.join(&list, &zoe);
    entra.join(&list, &id("p0001"));
    entra.purge(&old);
    world
}

#[test]
fn r4_14_undo_gives_the_state_before() {
    let world = eventful();
    let before = before_and_after(&world);
    let done = world.sync();
    all_applied(&world, &done);
    let after = before_and_after(&world);
    assert_ne!(before, after);
    let undo = world.undo(&done);
    assert_eq!(undo["state"], "planned", "{undo}");
    assert_eq!(before_and_after(&world), after, "a plan changes nothing");
    all_applied(&world, &world.apply(&undo, &[]));
    assert_eq!(before_and_after(&world), before);
    // What was undone is held, until a person releases it.
    for _ in 0..2 {
        let held = world.sync();
        assert_eq!(held["state"], "held", "{held}");
        assert!(held["held"]["undone"].as_u64().unwrap() > 5, "{held}");
        assert_eq!(before_and_after(&world), before, "{held}");
    }
    let held = world.sync();
    all_applied(&world, &world.release(&held));
    world.sync();
    assert_eq!(before_and_after(&world), after);
    world.assert_settled();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r4_14_undo_after_apply_gives_the_state_before(
        first in ops::ops(30), then in ops::ops(12), settings in ops::settings(), manner in ops::manner(),
    ) {
        let world = World::new();
        world.set(settings);
        world.set(json!({"recovery_days": 30, "brake": {"enabled": false}}));
        ops::behave(&world, manner);
        first.iter().for_each(|change| change.make(&world.entra));
        world.sync();
        world.sync();
        let before = before_and_after(&world);
        then.iter().for_each(|change| change.make(&world.entra));
        let done = world.sync();
        let after = before_and_after(&world);
        let undo = world.undo(&done);
        let applied = world.apply(&undo, &[]);
        prop_assert_eq!(&applied["counts"]["stale"], &json!({"users": 0, "groups": 0}), "{} {}", applied, after);
        prop_assert_eq!(before_and_after(&world), before, "after: {}", after);
        let held = world.sync();
        prop_assert_eq!(&held["counts"]["stale"], &json!({"users": 0, "groups": 0}));
    }
}

#[test]
fn r4_14_an_undo_that_is_killed_goes_on() {
    let world = eventful();
    let before = before_and_after(&world);
    let done = world.sync();
    let moment = world.moment();
    let asked = |run: &Value, action| {
        let run = run["run"].as_str().unwrap().to_owned().try_into().unwrap();
        Request { run: Some(run), ..world.request(action) }
    };
    let from = world.turnstile.calls();
    let undo = world.undo(&done);
    world.apply(&undo, &[]);
    let calls = world.turnstile.calls() - from;
    for at in 1..=calls {
        world.go_back(&moment);
        let switch = |at| Switch { at, side: Side::After, deed: Deed::Halt };
        let _ = world.invoke_under(asked(&done, Action::Undo), switch(at));
        world.wait(2000);
        let undo = world.undo(&done);
        assert_eq!(undo["state"], "planned", "killed after call {at}: {undo}");
        let _ = world.invoke_under(asked(&undo, Action::Apply), switch(at));
        world.wait(2000);
        world.once(asked(&undo, Action::Apply));
        assert_eq!(before_and_after(&world), before, "killed after call {at}");
    }
}

#[test]
fn r4_14_what_entra_changes_is_held_no_longer() {
    let world = World::company(5);
    let (ann, bob, all) = (id("p0001"), id("p0002"), id("all"));
    world.entra.rename(&ann, "Ann");
    world.entra.rename(&bob, "Bob");
    world.entra.leave(&all, &id("p0003"));
    let done = world.sync();
    let undo = world.undo(&done);
    all_applied(&world, &world.apply(&undo, &[]));
    let name = |user| world.view().users[user].profile.display_name.clone().unwrap();
    assert_eq!((name(&ann), world.view().members[&all].len()), ("The p0001".to_owned(), 5));
    world.entra.rename(&ann, "Anna");
    world.entra.leave(&all, &id("p0004"));
    world.sync();
    let held = world.sync();
    assert_eq!((name(&ann), name(&bob)), ("Anna".to_owned(), "The p0002".to_owned()), "{held}");
    assert_eq!((held["state"].as_str(), held["held"]["undone"].as_u64()), (Some("held"), Some(1)));
    // A person's apply is a person's word.
    let preview = world.preview();
    all_applied(&world, &world.apply(&preview, &[]));
    assert_eq!((name(&bob), world.view().members[&all].len()), ("Bob".to_owned(), 3));
    world.assert_settled();
}

#[test]
fn r4_14_what_has_changed_since_is_left_alone() {
    let world = World::company(5);
    let (ann, bob) = (id("p0001"), id("p0002"));
    world.entra.rename(&ann, "Ann");
    world.entra.rename(&bob, "Bob");
    let done = world.sync();
    world.entra.rename(&ann, "Anna");
    world.sync();
    let undo = world.undo(&done);
    assert_eq!(undo["counts"]["updating"]["users"], 1, "{undo}");
    let applied = world.apply(&undo, &[]);
    assert_eq!(applied["counts"]["stale"]["users"], 1, "{applied}");
    let name = |user| world.view().users[user].profile.display_name.clone().unwrap();
    assert_eq!((name(&ann), name(&bob)), ("Anna".to_owned(), "The p0002".to_owned()));
    // Undoing what was undone does it again.
    let redo = world.undo(&applied);
    all_applied(&world, &world.apply(&redo, &[]));
    assert_eq!(name(&bob), "Bob");
    let nothing = world.undo(&world.preview());
    assert_eq!(nothing["error"]["code"], "invalid_input", "{nothing}");
}
