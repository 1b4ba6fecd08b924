//! The way of an address through the rules, as operators ask for it.

use engine::explain::explain;
use serde_json::Value;
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
