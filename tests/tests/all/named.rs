//! Runs whose id was chosen by whoever asked for them: asking twice, being killed in between, ids that cannot be.

use directory::RunId;
use engine::{
    ports::QueueName,
    records::{Action, RunState},
    run::Request,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tests::{
    entra::id,
    turnstile::{Deed, Side, Switch},
    world::World,
};

/// More than any lease.
const LATER: i64 = 1000;

fn ulid(at: Timestamp) -> RunId {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut milliseconds = u64::try_from(at.as_millisecond()).unwrap();
    let mut text = vec![b'7'; 26];
    for digit in text[..10].iter_mut().rev() {
        *digit = DIGITS[usize::try_from(milliseconds % 32).unwrap()];
        milliseconds /= 32;
    }
    String::from_utf8(text).unwrap().try_into().unwrap()
}

fn named(world: &World, action: Action, name: &RunId) -> Request {
    Request { name: Some(name.clone()), ..world.request(action) }
}

fn runs(world: &World) -> usize {
    world.store.snapshot().keys().filter(|key| key.sk.starts_with("RUN#")).count()
}

#[test]
fn s9_asking_twice_for_a_run_by_its_id_is_one_run() {
    let world = World::company(3);
    for action in [Action::Preview, Action::Sync] {
        world.entra.hire(if action == Action::Preview { "ann" } else { "bob" });
        let name = ulid(world.now());
        let before = runs(&world);
        let first = world.ask(named(&world, action, &name));
        assert_eq!(first["run"], json!(name));
        let moment = world.store.snapshot();
        world.wait(3600);
        assert_eq!(world.once(named(&world, action, &name)), first, "the stored run as it stands");
        assert_eq!((world.store.snapshot(), runs(&world)), (moment, before + 1));
        let other = if action == Action::Preview { Action::Sync } else { Action::Preview };
        let refused = world.once(named(&world, other, &name));
        assert_eq!(refused["error"]["code"], "invalid_input", "{refused}");
    }
}

#[test]
fn s9_a_plan_that_was_applied_meanwhile_is_shown_as_it_stands() {
    let world = World::company(3);
    world.entra.hire("ann");
    let name = ulid(world.now());
    let preview = world.ask(named(&world, Action::Preview, &name));
    let applied = world.apply(&preview, &[]);
    assert_eq!(applied["state"], "applied");
    assert_eq!(world.once(named(&world, Action::Preview, &name)), applied);
    let undo = ulid(world.now());
    let ask = |run: &Value, name: &RunId| {
        let run = Some(run["run"].as_str().unwrap().parse().unwrap());
        world.once(Request { run, ..named(&world, Action::Undo, name) })
    };
    let planned = ask(&preview, &undo);
    assert_eq!((&planned["run"], &planned["state"]), (&json!(undo), &json!("planned")));
    assert_eq!(ask(&preview, &undo), planned);
    assert_eq!(ask(&planned, &undo)["error"]["code"], "invalid_input", "another run's undo");
    world.apply(&planned, &[]);
    assert_eq!(ask(&preview, &undo)["state"], "applied");
}

#[test]
fn s9_a_named_run_that_was_killed_goes_on_when_it_is_asked_for_again() {
    let world = World::company(5);
    world.entra.hire("ann");
    world.entra.bin(&id("p0001"));
    let start = world.moment();
    for action in [Action::Preview, Action::Sync] {
        world.go_back(&start);
        let name = ulid(world.now());
        let before = world.turnstile.calls();
        let expected = world.ask(named(&world, action, &name));
        let calls = world.turnstile.calls() - before;
        let shown = world.shown();
        for at in 1..=calls {
            world.go_back(&start);
            let _ =
                world.invoke_under(named(&world, action, &name), Switch { at, side: Side::After, deed: Deed::Halt });
            let leased = world.schedule().owner.is_some();
            let at_once = world.once(named(&world, action, &name));
            if leased {
                assert_eq!(at_once["error"]["code"], "busy", "call {at}: {at_once}");
                assert_eq!(at_once["error"]["run"], json!(name));
            }
            world.wait(LATER);
            let answer = world.ask(named(&world, action, &name));
            assert_eq!((&answer["run"], &answer["state"]), (&json!(name), &expected["state"]), "call {at}: {answer}");
            assert_eq!((world.shown(), runs(&world)), (shown.clone(), 2), "call {at}");
        }
    }
}

#[test]
fn s9_a_named_run_goes_on_in_slices() {
    let world = World::company(40);
    for number in 0..40 {
        world.entra.rename(&id(&format!("p{number:04}")), "Other");
    }
    world.calls_per_invocation(Some(12));
    let name = ulid(world.now());
    let answer = world.once(named(&world, Action::Sync, &name));
    assert_eq!(answer["state"], "continuing");
    assert_eq!(world.once(named(&world, Action::Sync, &name))["error"]["run"], json!(name), "it is at work");
    let mut answer = answer;
    while answer["state"] == "continuing" {
        let messages = world.queues.take(QueueName::Sync);
        answer = world.once(world.of_message(&messages[0]));
    }
    assert_eq!((&answer["run"], &answer["state"]), (&json!(name), &json!("applied")));
    assert!(world.stored_run(name.as_str()).slices > 1);
}

#[test]
fn s9_ids_that_cannot_be_are_refused_and_change_nothing() {
    let world = World::company(3);
    let at = |seconds: i64| ulid(Timestamp::from_second(world.now().as_second() + seconds).unwrap());
    let text = |text: &str| RunId::try_from(text.to_owned()).unwrap();
    for (name, expected) in [
        (at(-1000), "as: expected an id whose time is no further than 15 minutes from now"),
        (at(1000), "as: expected an id whose time is no further than 15 minutes from now"),
        (text("ILLEGAL00000000000000000OU"), "as: expected a ULID, such as a run's answer names"),
        (text("ZZZZZZZZZZZZZZZZZZZZZZZZZZ"), "as: expected a ULID, such as a run's answer names"),
    ] {
        let before = world.store.snapshot();
        let refused = world.once(named(&world, Action::Preview, &name));
        assert_eq!(refused["error"]["message"], expected, "{name}");
        assert_eq!(world.store.snapshot(), before);
    }
    for seconds in [-800, 800] {
        let name = at(seconds);
        assert_eq!(world.ask(named(&world, Action::Sync, &name))["run"], json!(name));
    }
    let busy = ulid(world.now());
    let _ = world.invoke_under(world.request(Action::Sync), Switch { at: 5, side: Side::Before, deed: Deed::Halt });
    assert_eq!(world.once(named(&world, Action::Preview, &busy))["error"]["code"], "busy", "another is at work");
    assert!(runs(&world) < 6 && !world.store.snapshot().keys().any(|key| key.sk.ends_with(busy.as_str())));
}

/// An id may be a little ahead of the time: what is asked for meanwhile is not cleared with the run.
#[test]
fn r3_7_what_comes_in_between_a_named_run_stays_on_the_worklist() {
    let world = World::company(3);
    world.entra.rename(&id("p0001"), "Other");
    let name = ulid(Timestamp::from_second(world.now().as_second() + 600).unwrap());
    world.calls_per_invocation(Some(12));
    let first = world.once(named(&world, Action::Sync, &name));
    assert_eq!(
        (first["state"].as_str(), world.stored_run(name.as_str()).state),
        (Some("continuing"), RunState::Continuing)
    );
    world.calls_per_invocation(None);
    world.wait(1);
    let asked = engine::operator::Asked {
        tenant: world.tenant.clone(),
        by: "ann".to_owned(),
        now: world.now(),
        nonce: "request".to_owned(),
    };
    world.store.fenced(false);
    let address = directory::Address::parse("p0002@contoso.com").unwrap();
    tests::turnstile::drive(engine::edits::delete_user(&world.store, &asked, &address)).unwrap().unwrap();
    let mut answer = first;
    while answer["state"] == "continuing" {
        let messages = world.queues.take(QueueName::Sync);
        answer = world.once(world.of_message(&messages[0]));
    }
    assert_eq!(answer["state"], "applied", "{answer}");
    // Whoever is deleted by hand and still in Entra comes back with the next run (rule 3.4).
    let next = world.sync();
    assert!(world.shown().contains("p0002@contoso.com"), "{} {next} {answer}", world.shown());
    world.assert_settled();
}
