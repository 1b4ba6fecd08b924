//! What a run outlives: interruptions while the brake holds, objects that are too large, time that runs out, answers that
//! cannot be read, people who change settings meanwhile.

use directory::{Code, Failure, Kind};
use engine::{
    ports::QueueName,
    records::{Action, RunState},
    run::Request,
};
use serde_json::{Value, json};
use tests::{
    entra::{Trouble, id},
    turnstile::{Deed, Side, Switch, drive, poll},
    world::World,
};

/// Longer than a lease lives, and than a slice that was handed over is waited for.
const LATER: i64 = 2000;

fn active(world: &World) -> usize {
    world.view().users.values().filter(|user| user.is_active).count()
}

fn warns(answer: &Value, code: &str) -> bool {
    answer["warnings"].as_array().into_iter().flatten().any(|warning| warning["code"] == code)
}

#[test]
fn r4_8_the_brake_outlives_an_interruption_at_every_call() {
    let world = World::company(20);
    for number in 0..6 {
        world.entra.purge(&id(&format!("p{number:04}")));
    }
    world.entra.hire("zoe");
    let moment = world.moment();
    let before = world.turnstile.calls();
    assert_eq!(world.sync()["state"], "held");
    let calls = world.turnstile.calls() - before;
    for at in 1..=calls {
        for side in [Side::Before, Side::After] {
            world.go_back(&moment);
            let _ = world.invoke_under(world.scheduled(), Switch { at, side, deed: Deed::Halt });
            world.wait(LATER);
            let answer = world.sync();
            assert_eq!(active(&world), 21, "killed {side:?} call {at}: {answer}");
            assert_eq!(world.view().members[&id("all")].len(), 20, "whoever is held stays a member, call {at}");
        }
    }
}

#[test]
fn r3_7_an_object_of_many_addresses_stops_nobody() {
    let many = |name: &str| {
        let aliases = (0..150).map(|number| format!("smtp:{name}{number}@contoso.com"));
        std::iter::once(format!("SMTP:{name}@contoso.com")).chain(aliases).collect::<Vec<_>>()
    };
    let world = World::new();
    for number in 0..30 {
        world.entra.hire(&format!("p{number:04}"));
    }
    let addresses = many("many");
    world.entra.hire_as("many", &addresses.iter().map(String::as_str).collect::<Vec<_>>());
    let moment = world.moment();
    let before = world.turnstile.calls();
    let answer = world.sync_twice();
    assert_eq!(answer["counts"]["adding"]["users"], 31, "{answer}");
    let expected = world.shown();
    let calls = world.turnstile.calls() - before;
    for at in (1..=calls).step_by(2) {
        world.go_back(&moment);
        let _ = world.invoke_under(world.scheduled(), Switch { at, side: Side::After, deed: Deed::Halt });
        world.wait(LATER);
        world.sync();
        world.sync();
        assert_eq!(world.shown(), expected, "killed after call {at}");
        world.assert_settled();
    }
    let fewer = &many("other")[..120];
    world.entra.readdress(&id("many"), &fewer.iter().map(String::as_str).collect::<Vec<_>>());
    let answer = world.sync_twice();
    assert_eq!(
        (answer["counts"]["updating"]["users"].as_u64(), answer["counts"]["stale"]["users"].as_u64()),
        (Some(1), Some(0))
    );
    assert_eq!(world.view().users[&id("many")].addresses.all().count(), 120);
}

#[test]
fn r3_7_many_who_cannot_have_their_address_stop_nobody() {
    let world = World::new();
    for number in 0..70 {
        world.entra.hire_as(&format!("p{number:04}"), &["SMTP:same@contoso.com"]);
    }
    world.entra.hire("ann");
    let answer = world.sync();
    assert_eq!(answer["counts"]["failed"]["users"], 69, "{answer}");
    assert_eq!(world.view().users.len(), 2);
    let again = world.sync();
    assert_eq!((again["counts"]["adding"]["users"].as_u64(), world.view().users.len()), (Some(0), 2), "{again}");
}

/// Time that is up in the middle of a read is not Microsoft's failure.
#[test]
fn r4_9_time_that_is_up_is_no_short_read() {
    for calls in 8..40 {
        let world = World::new();
        let all = world.entra.list("all");
        for number in 0..60 {
            let person = world.entra.hire(&format!("p{number:04}"));
            world.entra.join(&all, &person);
        }
        world.entra.manner(|manner| (manner.page, manner.slice) = (10, 20));
        world.calls_per_invocation(Some(calls));
        let answer = world.sync();
        assert_eq!(answer["state"], "applied", "{calls} calls: {answer}");
        assert!(!warns(&answer, "short_read"), "{calls} calls: {answer}");
        assert_eq!(world.view().members[&id("all")].len(), 60, "{calls} calls");
        world.entra.purge(&id("p0003"));
        world.entra.expire_delta();
        let full = world.sync();
        assert_eq!((full["state"].as_str(), full["counts"]["deleting"]["users"].as_u64()), (Some("applied"), Some(1)));
        assert!(!warns(&full, "short_read"), "{calls} calls: {full}");
        world.calls_per_invocation(None);
        world.assert_settled();
    }
}

#[test]
fn r3_7_what_cannot_be_read_is_read_again() {
    let world = World::company(12);
    let (ann, all) = (id("p0001"), id("all"));
    world.entra.rename(&ann, "Ann");
    world.entra.garble(&[&ann]);
    let answer = world.sync();
    assert!(warns(&answer, "unreadable_object"), "{answer}");
    assert!(warns(&world.sync(), "unreadable_object"), "it stays in the report");
    let pages = world.entra.pages.get();
    assert!(warns(&world.sync(), "unreadable_object"));
    assert_eq!(world.entra.pages.get() - pages, 2, "not read in full again before its time");
    world.entra.garble(&[]);
    world.wait(6 * 3600);
    let read = world.sync();
    assert_eq!(
        (read["counts"]["updating"]["users"].as_u64(), warns(&read, "unreadable_object")),
        (Some(1), false),
        "{read}"
    );
    assert_eq!(world.view().users[&ann].profile.display_name.as_deref(), Some("Ann"));
    world.assert_settled();
    // A group that cannot be read in a full round keeps its members, and loses none of those that join meanwhile.
    let zoe = world.entra.hire("zoe");
    world.entra.join(&all, &zoe);
    world.entra.expire_delta();
    world.entra.garble(&[&all]);
    let answer = world.sync();
    assert!(warns(&answer, "unreadable_object"), "{answer}");
    assert_eq!(world.view().members[&all].len(), 12, "{answer}");
    world.entra.garble(&[]);
    world.sync();
    assert_eq!(world.view().members[&all].len(), 13);
    world.assert_settled();
}

#[test]
fn r4_1_what_a_person_asks_for_leaves_the_due_time() {
    let world = World::company(30);
    let due = world.schedule().due_at;
    assert!(due.is_some());
    let preview = world.preview();
    assert_eq!((preview["state"].as_str(), world.schedule().due_at), (Some("planned"), due));
    world.entra.expire_delta();
    world.entra.manner(|manner| manner.page = 5);
    world.calls_per_invocation(Some(12));
    let long = world.preview();
    assert_eq!(long["state"], "planned", "{long}");
    let after = world.schedule().due_at.expect("a due time");
    assert!(after - world.now().as_second() > 1800, "a long preview brings no run of its own");
    world.set(json!({"sync_frequency": 0}));
    world.entra.expire_delta();
    world.preview();
    assert_eq!(world.schedule().due_at, None, "never is never");
}

#[test]
fn r4_1_settings_that_change_during_a_run_decide_when_the_next_is() {
    let world = World::company(5);
    world.set(json!({"sync_frequency": 0}));
    world.turnstile.set(Some(Switch { at: 6, side: Side::After, deed: Deed::Halt }));
    let mut run = Box::pin(world.invoke(world.request(Action::Sync)));
    assert!(poll(run.as_mut()).is_none());
    world.set(json!({"sync_frequency": 1}));
    world.turnstile.resume();
    assert_eq!(poll(run.as_mut()).unwrap().unwrap()["state"], "applied");
    drop(run);
    let due = world.schedule().due_at.expect("a due time");
    assert!((1..=3600).contains(&(due - world.now().as_second())), "{due}");
}

#[test]
fn r1_7_a_pause_longer_than_a_message_can_wait_is_kept() {
    let world = World::company(5);
    let mut failure = Failure::new(Code::Throttled, "Microsoft Graph asks us to send fewer requests", "nothing");
    failure.retry_after = Some(std::time::Duration::from_secs(3600));
    world.entra.trouble(Kind::User, 1, Trouble::Failure(Box::new(failure)));
    let answer = world.once(world.scheduled());
    assert_eq!(answer["state"], "continuing", "{answer}");
    assert!(world.queues.take(QueueName::Sync).is_empty(), "no message can wait so long");
    let schedule = world.schedule();
    assert_eq!(schedule.due_at, Some(world.now().as_second() + 3600));
    assert_eq!(world.once(world.scheduled())["error"]["code"], "busy", "before the pause is over");
    world.wait(3600);
    let on = world.once(Request { run: schedule.run, ..world.scheduled() });
    assert_eq!((on["state"].as_str(), &on["run"]), (Some("applied"), &answer["run"]), "{on}");
}

#[test]
fn r4_6_an_apply_that_was_interrupted_goes_on_when_it_is_asked_for_again() {
    let world = World::company(20);
    for number in 0..3 {
        world.entra.bin(&id(&format!("p{number:04}")));
    }
    let preview = world.preview();
    let moment = world.moment();
    let before = world.turnstile.calls();
    world.apply(&preview, &[]);
    let calls = world.turnstile.calls() - before;
    let run = preview["run"].as_str().unwrap().to_owned();
    let again = || Request { run: Some(run.clone().try_into().unwrap()), ..world.request(Action::Apply) };
    for at in 1..=calls {
        world.go_back(&moment);
        let _ = world.invoke_under(again(), Switch { at, side: Side::After, deed: Deed::Halt });
        world.wait(LATER);
        let due = world.schedule().due_at.is_some_and(|due| due <= world.now().as_second());
        let interrupted = world.stored_run(&run).state == RunState::Continuing;
        assert_eq!(due, interrupted, "dispatch takes it up, should nobody ask, call {at}");
        let answer = world.once(again());
        assert!(answer["state"] == "applied" || answer["error"]["code"] == "superseded", "call {at}: {answer}");
        assert_eq!(active(&world), 17, "call {at}");
    }
}

#[test]
fn r2_10_whoever_joins_a_group_that_shares_an_address_joins_it() {
    let world = World::company(3);
    let list = world.entra.group("list", &["SMTP:list@contoso.com", "smtp:shared@contoso.com"], true, false, &[]);
    world.sync_twice();
    let bob = id("p0002");
    world.entra.readdress(&bob, &["SMTP:p0002@contoso.com", "smtp:shared@contoso.com"]);
    world.entra.join(&list, &bob);
    world.sync();
    assert_eq!(world.view().members[&list].len(), 1);
    world.assert_settled();
}

#[test]
fn r2_10_whoever_is_taken_over_joins_his_groups_where_nobody_is_added() {
    let world = World::new();
    let asked = engine::operator::Asked {
        tenant: world.tenant.clone(),
        by: "ann".to_owned(),
        now: world.now(),
        nonce: "by hand".to_owned(),
    };
    let user = json!({"primary_email": "bob@contoso.com", "firstname": "Bob"});
    drive(engine::by_hand::put_user(&world.store, &asked, user.as_object().unwrap())).unwrap().unwrap();
    world.set(json!({"add_users": false}));
    let (bob, list) = (world.entra.hire("bob"), world.entra.list("list"));
    world.entra.join(&list, &bob);
    world.sync_twice();
    assert_eq!(world.view().members[&list].len(), 1, "{}", world.shown());
}

#[test]
fn r4_3_whoever_comes_second_is_told_who_is_at_work() {
    let world = World::company(3);
    world.turnstile.set(Some(Switch { at: 2, side: Side::Before, deed: Deed::Halt }));
    let mut late = Box::pin(world.invoke(world.scheduled()));
    assert!(poll(late.as_mut()).is_none(), "it has read that nobody is at work");
    world.turnstile.set(Some(Switch { at: 4, side: Side::After, deed: Deed::Halt }));
    let mut first = Box::pin(world.invoke(world.request(Action::Sync)));
    assert!(poll(first.as_mut()).is_none(), "it is at work");
    world.turnstile.resume();
    let refused = poll(late.as_mut()).unwrap().unwrap();
    assert_eq!(refused["error"]["code"], "busy", "{refused}");
    assert!(refused["error"]["run"].is_string() && refused["error"]["since"].is_string(), "{refused}");
    assert_eq!(poll(first.as_mut()).unwrap().unwrap()["state"], "applied");
}

#[test]
fn r4_6_what_entra_says_otherwise_meanwhile_is_stale() {
    let world = World::company(20);
    let back = id("p0000");
    for number in 0..6 {
        world.entra.bin(&id(&format!("p{number:04}")));
    }
    let held = world.sync();
    assert_eq!(held["state"], "held", "{held}");
    world.entra.restore(&back);
    assert_eq!(world.preview()["state"], "planned", "it has read that somebody is back");
    let released = world.release(&held);
    assert_eq!(released["counts"]["stale"]["users"], 1, "{released}");
    assert!(world.view().users[&back].is_active, "whoever is back in Entra is not deleted");
    assert_eq!(active(&world), 15);
    world.assert_settled();
    assert_eq!(world.view().members[&id("all")].len(), 15);
    // The same of a plan that a person applies after a later preview has failed.
    world.entra.bin(&id("p0010"));
    let ann = id("p0011");
    world.entra.rename(&ann, "Ann");
    let preview = world.preview();
    world.entra.restore(&id("p0010"));
    world.entra.rename(&ann, "Anna");
    world.entra.hire_as("far", &["SMTP:far@elsewhere.example"]);
    assert_eq!(world.preview()["state"], "failed");
    let applied = world.apply(&preview, &[]);
    assert_eq!(applied["counts"]["stale"]["users"], 2, "{applied}");
    assert!(world.view().users[&id("p0010")].is_active);
    world.sync();
    assert_eq!(world.view().users[&ann].profile.display_name.as_deref(), Some("Anna"));
    world.assert_settled();
}

#[test]
fn r4_8_a_group_waits_for_the_users_whom_a_run_holds() {
    let world = World::company(20);
    for number in 0..6 {
        world.entra.bin(&id(&format!("p{number:04}")));
    }
    let held = world.sync();
    assert_eq!(held["held"]["users"], 6, "{held}");
    let run = held["run"].as_str().unwrap().to_owned().try_into().unwrap();
    let shown = drive(engine::history::get_run(&world.store, &world.tenant, &run, None)).unwrap().unwrap();
    let outcomes: Vec<&Value> = shown["changes"].as_array().unwrap().iter().map(|change| &change["outcome"]).collect();
    assert_eq!(outcomes, vec![&json!("held"); 7], "the list as well: {shown}");
    world.release(&held);
    assert_eq!(world.view().members[&id("all")].len(), 14);
    world.assert_settled();
}

#[test]
fn r4_4_a_change_that_the_plan_does_not_have_cannot_be_left_out() {
    let world = World::company(3);
    world.entra.rename(&id("p0001"), "Ann");
    let preview = world.preview();
    let refused = world.apply(&preview, &["0000000000000000"]);
    assert_eq!(refused["error"]["code"], "invalid_input", "{refused}");
    assert_eq!(world.apply(&preview, &[])["state"], "applied", "and nothing was changed");
}

/// Whoever is in a group is read and written by pages: ten times the members cost ten times the requests, and one more
/// member costs what it costs in a small group.
#[test]
fn r2_10_a_group_of_twenty_thousand_members_costs_what_its_members_cost() {
    let costs = [2_000, 20_000].map(|people| {
        let world = World::new();
        let all = world.entra.list("all");
        for number in 0..people {
            let person = world.entra.hire(&format!("p{number:05}"));
            world.entra.join(&all, &person);
        }
        let (first, whole) = world.measured(World::sync);
        assert_eq!(first["counts"]["adding"], json!({"users": people, "groups": 1}), "{first}");
        assert_eq!(world.view().members[&id("all")].len(), people);
        let one = world.entra.hire("one");
        world.entra.join(&all, &one);
        let (_, more) = world.measured(World::sync);
        (whole.requests, more)
    });
    let [(small, one), (large, another)] = costs;
    assert!(large < small * 11, "{small} requests for 2,000 members, {large} for 20,000");
    assert_eq!(one, another, "one more member");
}
