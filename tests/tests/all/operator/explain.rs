//! The way of an address through the rules, as operators ask for it.

use engine::explain::{explain, explain_within};
use serde_json::{Value, json};
use tests::{turnstile::drive, world::World};

/// The answer to a question, and what the next run would do.
fn asked(world: &World, text: &str, question: &str) -> String {
    let before = world.store.snapshot();
    let answer = drive(explain(&world.store, &world.tenant, text, world.now())).unwrap().unwrap().unwrap();
    assert_eq!(before, world.store.snapshot(), "it reads only");
    let steps = answer["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["question"] == question).unwrap_or_else(|| panic!("{answer}"));
    let said = |value: &Value| value.as_str().unwrap().to_owned();
    format!("{}: {}; next: {}", said(&step["answer"]), said(&step["detail"]), said(&answer["next"]))
}

#[test]
fn r4_13_who_has_an_address_comes_before_who_had_it() {
    let world = World::new();
    let ann = world.entra.hire_as("ann", &["SMTP:info@contoso.com", "smtp:ann@contoso.com"]);
    world.sync_twice();
    let found = |text: &str| asked(&world, text, "is it found in Entra?");
    world.entra.bin(&ann);
    world.sync_twice();
    let gone = found("info@contoso.com");
    assert!(gone.starts_with("no: user ann is deleted, and may be restored; next: nothing until"), "{gone}");
    let bob = world.entra.hire_as("bob", &["SMTP:info@contoso.com"]);
    world.sync_twice();
    assert_eq!(found("info@contoso.com"), "yes: user bob; next: nothing: it is as it should be");
    assert!(found("ann@contoso.com").starts_with("no: user ann is deleted"), "what it still has is its own");
    assert!(found("ann").starts_with("no: user ann is deleted"), "and so is its id");
    assert!(found("bob").starts_with("yes: user bob"), "{bob}");
    assert!(found("BOB@upn.example").starts_with("no: no object of Entra has it"));
}

#[test]
fn r4_13_a_principal_name_is_looked_for_among_so_many_users_as_a_caller_can_wait_for() {
    let world = World::new();
    for name in ["ann", "bob", "cy"] {
        world.entra.hire(name);
    }
    world.sync_twice();
    let next = |text: &str, most| {
        let answer =
            drive(explain_within(&world.store, &world.tenant, text, world.now(), most)).unwrap().unwrap().unwrap();
        answer["next"].as_str().unwrap().to_owned()
    };
    assert_eq!(next("nobody@upn.example", 100), "nothing: neither Entra nor the directory knows it");
    assert_eq!(next("nobody@upn.example", 2), "not known: look for it by an address or by a part of its name");
    assert_eq!(next("ann@contoso.com", 0), "nothing: it is as it should be", "an address is found at once");
}

#[test]
fn r4_13_whoever_is_gone_from_both_is_said_to_be() {
    let world = World::new();
    let ann = world.entra.hire_as("ann", &["SMTP:ann@contoso.com"]);
    world.set(json!({"add_users": false}));
    world.sync_twice();
    world.entra.bin(&ann);
    world.sync_twice();
    let found = asked(&world, "ann@contoso.com", "what would the next run do?");
    let said = "nothing: it is gone from Entra, and is not in the directory";
    assert_eq!(found, format!("nothing: {said}; next: {said}"));
}

#[test]
fn r4_13_what_was_undone_is_said_to_be_held() {
    let world = World::new();
    let ann = world.entra.hire("ann");
    world.sync_twice();
    world.entra.rename(&ann, "Another name");
    let done = world.sync();
    let would = || asked(&world, "ann@contoso.com", "what would the next run do?");
    assert!(would().starts_with("nothing: nothing: it is as it should be"), "{}", would());
    let undo = world.undo(&done);
    world.apply(&undo, &[]);
    for _ in 0..2 {
        assert_eq!(world.sync()["state"], "held");
        let said = would();
        let expected =
            "hold: hold what a person has undone, until it is released or Entra changes the object: update it:";
        assert!(said.starts_with(expected), "{said}");
    }
    world.entra.rename(&ann, "A third name");
    world.sync();
    assert!(would().starts_with("nothing: nothing: it is as it should be"), "{}", would());
}
