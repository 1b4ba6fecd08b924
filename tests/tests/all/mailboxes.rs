//! Rule 5.2: shared mailboxes, rooms and equipment become functional accounts by themselves, and what asking costs.

use directory::{Kind, MailboxKind};
use engine::keys;
use serde_json::{Value, json};
use tests::{
    turnstile::{Deed, Side, Switch},
    world::World,
};

/// Ann, a shared mailbox that may sign in, and a room that may not.
fn contoso() -> World {
    let world = World::new();
    world.set(json!({"read_mailbox_kind": true}));
    world.entra.hire("ann");
    let (info, room) = (world.entra.hire("info"), world.entra.hire("room"));
    world.entra.purpose(&info, MailboxKind::Shared);
    world.entra.purpose(&room, MailboxKind::Room);
    world.entra.sign_in(&room, false);
    world
}

const ALL: &str = "ann: ann@contoso.com, The ann\n\
    info: info@contoso.com, The info, functional\n\
    room: room@contoso.com, The room, functional";

/// Who was asked for since the last time, question by question.
fn asked(world: &World) -> String {
    let questions = world.entra.questions.take();
    let names = questions.iter().map(|users| users.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    names.collect::<Vec<_>>().join(", ")
}

fn requests(world: &World, answer: &Value) -> u32 {
    world.stored_run(answer["run"].as_str().unwrap()).requests.graph
}

fn warned(answer: &Value) -> bool {
    answer["warnings"].as_array().unwrap().iter().any(|warning| warning["code"] == "mailbox_kind_not_readable")
}

/// Users that are still to be asked for.
fn left(world: &World) -> usize {
    let range = keys::unasked(&world.tenant);
    world.store.snapshot().keys().filter(|key| key.pk == range.pk && key.sk.starts_with(&range.from)).count()
}

#[test]
fn r5_2_by_themselves_and_asked_once() {
    let world = contoso();
    let answer = world.sync();
    assert_eq!(world.shown(), ALL);
    assert_eq!((requests(&world, &answer), answer["billable"]["after"].clone()), (3, json!(1)));
    assert_eq!(world.entra.questions.take().concat().len(), 3);
    world.assert_settled();
    let answer = world.sync();
    assert_eq!((requests(&world, &answer), asked(&world)), (2, String::new()), "asked once");
    world.everybody();
    world.sync();
    assert_eq!(asked(&world), "", "nor when everybody is evaluated");
    world.entra.rename(&"ann".parse().unwrap(), "Anna");
    world.entra.purpose(&"ann".parse().unwrap(), MailboxKind::Equipment);
    let answer = world.sync();
    assert_eq!((requests(&world, &answer), asked(&world).as_str()), (3, "ann"), "but when it changes");
    assert!(world.shown().starts_with("ann: ann@contoso.com, Anna, functional"));
    world.assert_settled();
}

#[test]
fn r5_2_a_preview_shows_it() {
    let world = contoso();
    let preview = world.preview();
    assert_eq!(preview["counts"]["adding"]["users"], 3, "{preview}");
    world.apply(&preview, &[]);
    assert_eq!(world.shown(), ALL);
}

#[test]
fn r1_9_nothing_is_asked_unless_it_is_switched_on() {
    let world = contoso();
    world.set(json!({"read_mailbox_kind": false}));
    let answer = world.sync_twice();
    assert_eq!((requests(&world, &answer), asked(&world), left(&world)), (2, String::new(), 0));
    assert_eq!(world.shown(), "ann: ann@contoso.com, The ann\ninfo: info@contoso.com, The info");
    world.set(json!({"read_mailbox_kind": true}));
    world.sync_twice();
    assert_eq!(world.shown(), ALL);
}

#[test]
fn r1_9_a_missing_permission_is_reported_and_nothing_else_fails() {
    let world = contoso();
    world.entra.deny_mailboxes(true);
    for run in ["the first", "the second"] {
        let answer = world.sync();
        assert!(warned(&answer) && answer["state"] == "applied", "{run}: {answer}");
        assert_eq!((requests(&world, &answer), left(&world)), (3, 3), "{run}: one question");
    }
    assert_eq!(world.shown(), "ann: ann@contoso.com, The ann\ninfo: info@contoso.com, The info");
    world.entra.deny_mailboxes(false);
    let answer = world.sync_twice();
    assert!(!warned(&answer), "{answer}");
    assert_eq!((world.shown().as_str(), left(&world)), (ALL, 0));
}

#[test]
fn r5_2_what_is_not_told_is_asked_by_a_later_run() {
    let world = contoso();
    let info = "info".parse().unwrap();
    world.entra.keep_purposes(&[&info]);
    let answer = world.sync();
    assert!(!warned(&answer), "{answer}");
    assert!(world.shown().contains("The info\n"), "{}", world.shown());
    world.entra.questions.take();
    world.sync();
    assert_eq!((asked(&world).as_str(), left(&world)), ("info", 1));
    world.entra.keep_purposes(&[]);
    world.sync_twice();
    assert_eq!((world.shown().as_str(), left(&world)), (ALL, 0));
    // Whoever is gone meanwhile is not asked for any more.
    let gone = world.entra.hire("gone");
    world.entra.keep_purposes(&[&gone]);
    world.sync();
    world.entra.purge(&gone);
    world.sync();
    world.sync();
    assert_eq!(left(&world), 0);
}

#[test]
fn r5_2_converted_by_hand_stays_converted() {
    let world = contoso();
    world.sync();
    world.entra.purpose(&"info".parse().unwrap(), MailboxKind::User);
    world.entra.rename(&"info".parse().unwrap(), "The info");
    world.sync_twice();
    assert_eq!(world.shown(), ALL);
}

#[test]
fn r5_2_a_large_tenant_is_asked_for_bit_by_bit() {
    let world = World::new();
    for number in 0..10_030 {
        let user = world.entra.hire(&format!("p{number:05}"));
        world.entra.purpose(&user, MailboxKind::Equipment);
    }
    world.set(json!({"read_mailbox_kind": true}));
    let functional = |world: &World| world.shown().lines().filter(|line| line.ends_with("functional")).count();
    world.sync();
    assert_eq!((world.entra.questions.take().len(), left(&world), functional(&world)), (500, 30, 10_000));
    let answer = world.sync();
    assert_eq!((world.entra.questions.take().len(), left(&world), functional(&world)), (2, 0, 10_030));
    assert_eq!((requests(&world, &answer), world.view().number(Kind::User)), (4, 10_030));
    world.sync();
    assert_eq!(asked(&world), "");
}

#[test]
fn r5_2_asking_ends_with_the_time() {
    let world = contoso();
    world.calls_per_invocation(Some(25));
    for number in 0..100 {
        world.entra.hire(&format!("p{number:03}"));
    }
    for _ in 0..12 {
        world.sync();
    }
    world.calls_per_invocation(None);
    world.sync_twice();
    assert_eq!(left(&world), 0);
    assert!(world.entra.questions.take().iter().all(|users| users.len() <= 20));
    assert!(world.shown().starts_with(&ALL[..40]));
}

#[test]
fn r5_2_killed_anywhere_it_ends_the_same() {
    let world = contoso();
    world.entra.keep_purposes(&[&"room".parse().unwrap()]);
    world.sync();
    world.entra.keep_purposes(&[]);
    world.entra.rename(&"info".parse().unwrap(), "The info!");
    let moment = world.moment();
    let expected = ALL.replace("The info", "The info!");
    for side in [Side::Before, Side::After] {
        for at in 1.. {
            world.go_back(&moment);
            let switch = Switch { at, side, deed: Deed::Halt };
            if world.invoke_under(world.scheduled(), switch).is_some() {
                assert!(at > 10, "it was killed nowhere");
                break;
            }
            world.wait(3600);
            world.sync();
            world.sync_twice();
            assert_eq!((world.shown(), left(&world)), (expected.clone(), 0), "killed at {at} {side:?}");
        }
    }
}
