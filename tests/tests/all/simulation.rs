//! A run killed at every port call, before and after the call's effect; the next run ends where an undisturbed one would.

use std::collections::BTreeSet;

use directory::{Code, Failure, Kind, RunId};
use engine::{
    records::{Action, Contents, Run, read},
    run::Request,
};
use serde_json::json;
use tests::{
    entra::{Trouble, id},
    integrity,
    turnstile::{Deed, Side, Switch, drive, poll},
    world::{Moment, World},
};

/// Longer than a lease lives, and than a slice that was handed over is waited for.
const LATER: i64 = 2000;

/// A tenant with some history, at the moment before a run that has a bit of everything to do.
fn eventful() -> (World, Moment) {
    let world = World::new();
    world.set(json!({"sync_security_groups": true, "recovery_days": 0, "brake": {"enabled": false}}));
    let entra = &world.entra;
    entra.manner(|manner| (manner.page, manner.slice) = (4, 2));
    let [ann, bob, cy, dee, eve, fay] = ["ann", "bob", "cy", "dee", "eve", "fay"].map(|name| entra.hire(name));
    let guest = entra.hire("guest");
    entra.user_type(&guest, "Guest");
    let (all, staff, old) = (entra.list("all"), entra.security("staff"), entra.list("old"));
    let crew = entra.list("crew");
    entra.join(&crew, &ann);
    entra.join(&crew, &fay);
    for user in [&ann, &bob, &cy, &dee, &eve] {
        entra.join(&staff, user);
    }
    entra.join(&all, &staff);
    entra.join(&all, &fay);
    entra.join(&staff, &all);
    entra.join(&old, &ann);
    world.sync();
    entra.swap(&ann, &bob);
    entra.bin(&cy);
    entra.readdress(&dee, &["SMTP:dee@contoso.com", "smtp:cy@contoso.com"]);
    entra.purge(&eve);
    entra.hire_as("eve-2", &["SMTP:eve@contoso.com"]);
    entra.join(&all, &id("eve-2"));
    entra.leave(&all, &fay);
    entra.leave(&crew, &ann);
    entra.sign_in(&fay, false);
    entra.purge(&old);
    entra.rename(&staff, "Everybody");
    let moment = world.moment();
    (world, moment)
}

/// A first sync.
fn first() -> (World, Moment) {
    let (world, _) = eventful();
    let fresh = World::new();
    fresh.set(json!({"sync_security_groups": true, "brake": {"enabled": false}}));
    fresh.entra.restore_state(world.entra.snapshot());
    let moment = fresh.moment();
    (fresh, moment)
}

/// A full round after the delta state was lost, with somebody gone in the meantime.
fn full() -> (World, Moment) {
    let (world, _) = eventful();
    world.entra.expire_delta();
    let moment = world.moment();
    (world, moment)
}

/// What must be the same however the run was disturbed: the directory, and who is not imported.
fn outcome(world: &World) -> (String, String) {
    integrity::of_rest(&world.store.snapshot());
    (world.shown(), world.standing())
}

/// What all runs together have carried out, as their records say.
fn carried_out(world: &World) -> Contents {
    let runs = world.store.snapshot().into_iter().filter(|(key, _)| key.sk.starts_with("RUN#"));
    let mut sum = Contents::default();
    for (_, item) in runs {
        sum += read::<Run>("a run", item).unwrap().applied.unwrap_or_default();
    }
    sum
}

/// The undisturbed outcome, and how many calls it takes.
fn undisturbed(world: &World, moment: &Moment) -> ((String, String), u64) {
    world.go_back(moment);
    let before = world.turnstile.calls();
    world.sync();
    let calls = world.turnstile.calls() - before;
    let expected = outcome(world);
    world.assert_settled();
    assert_eq!(outcome(world), expected);
    world.go_back(moment);
    (expected, calls)
}

fn disturb(world: &World, moment: &Moment, deed: Deed) {
    let (expected, calls) = undisturbed(world, moment);
    world.sync();
    let changes = carried_out(world);
    for at in 1..=calls {
        for side in [Side::Before, Side::After] {
            world.go_back(moment);
            let _ = world.invoke_under(world.scheduled(), Switch { at, side, deed });
            world.wait(LATER);
            let answer = world.sync();
            assert_eq!(outcome(world), expected, "{deed:?} {side:?} call {at}: {answer}");
            let stale = &answer["counts"]["stale"];
            assert_eq!(stale, &json!({"users": 0, "groups": 0}), "{deed:?} {side:?} call {at}: it took place");
            if deed == Deed::Halt {
                assert_eq!(carried_out(world), changes, "{side:?} call {at}: each counts once");
            }
            let (answer, tally) = world.measured(World::sync);
            let (again, last) = world.measured(World::sync);
            assert_eq!(outcome(world), expected, "{deed:?} {side:?} call {at}, once more");
            assert!(
                tally.directory_writes == 0 || last.directory_writes == 0,
                "{deed:?} {side:?} call {at}: {answer} {again}"
            );
        }
    }
}

/// People with more addresses than one transaction takes: one comes, one gets them, one loses them to the one before.
fn large() -> (World, Moment) {
    let world = World::new();
    let many = |name: &str| -> Vec<String> {
        let aliases = (0..80).map(|number| format!("smtp:{name}{number}@contoso.com"));
        std::iter::once(format!("SMTP:{name}@contoso.com")).chain(aliases).collect()
    };
    let hire = |name: &str, addresses: &[String]| {
        world.entra.hire_as(name, &addresses.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let (old, new) = (hire("old", &many("old")), world.entra.hire("new"));
    world.sync();
    hire("more", &many("more"));
    world.entra.readdress(&old, &["SMTP:old@contoso.com"]);
    let mut gained = many("old");
    gained[0] = "SMTP:new@contoso.com".to_owned();
    world.entra.readdress(&new, &gained.iter().map(String::as_str).collect::<Vec<_>>());
    let moment = world.moment();
    (world, moment)
}

#[test]
fn killed_at_every_call() {
    for (world, moment) in [eventful(), first(), full()] {
        disturb(&world, &moment, Deed::Halt);
    }
}

#[test]
fn killed_at_every_call_while_people_with_many_addresses_change() {
    let (world, moment) = large();
    disturb(&world, &moment, Deed::Halt);
}

#[test]
fn a_passing_fault_at_every_call() {
    for (world, moment) in [eventful(), first(), full()] {
        disturb(&world, &moment, Deed::Fault { passes: true });
    }
}

/// One write that the store refuses for good may cost its object a later retry, and no other object anything.
#[test]
fn a_lasting_fault_at_every_call() {
    let (world, moment) = eventful();
    let (expected, calls) = undisturbed(&world, &moment);
    for at in 1..=calls {
        world.go_back(&moment);
        let _ = world
            .invoke_under(world.scheduled(), Switch { at, side: Side::Before, deed: Deed::Fault { passes: false } });
        world.wait(LATER);
        world.sync();
        world.sync();
        assert_eq!(outcome(&world), expected, "call {at}");
    }
}

#[test]
fn killed_twice() {
    let (world, moment) = eventful();
    let (expected, calls) = undisturbed(&world, &moment);
    for at in (1..=calls).step_by(3) {
        for second in (1..=calls).step_by(7) {
            world.go_back(&moment);
            for at in [at, second] {
                let switch = Switch { at, side: Side::After, deed: Deed::Halt };
                let _ = world.invoke_under(world.scheduled(), switch);
                world.wait(LATER);
            }
            world.sync();
            assert_eq!(outcome(&world), expected, "killed at {at}, then at {second}");
        }
    }
}

/// A person's run takes the place of a run that was killed.
#[test]
fn killed_and_followed_by_a_preview() {
    let (world, moment) = eventful();
    let (expected, calls) = undisturbed(&world, &moment);
    world.sync();
    let changes = carried_out(&world);
    world.go_back(&moment);
    for at in (1..=calls).step_by(2) {
        world.go_back(&moment);
        let _ = world.invoke_under(world.scheduled(), Switch { at, side: Side::After, deed: Deed::Halt });
        world.wait(LATER);
        let preview = world.preview();
        assert_eq!(preview["state"], "planned", "{preview}");
        let applied = world.apply(&preview, &[]);
        assert_eq!(applied["state"], "applied", "{applied}");
        assert_eq!(outcome(&world), expected, "killed at {at}");
        let mut counted = carried_out(&world);
        // A group and its members may be two changes then.
        assert!(counted.updating.groups >= changes.updating.groups, "killed at {at}");
        counted.updating.groups = changes.updating.groups;
        assert_eq!(counted, changes, "killed at {at}: what the first has done counts");
    }
}

/// The fence: a worker that stalls, and wakes up after its lease ran out and another run did the work, changes nothing.
#[test]
fn a_stalled_run_wakes_up_and_changes_nothing() {
    for (world, moment) in [eventful(), full()] {
        let (expected, calls) = undisturbed(&world, &moment);
        for at in 1..=calls {
            for side in [Side::Before, Side::After] {
                world.go_back(&moment);
                world.turnstile.set(Some(Switch { at, side, deed: Deed::Halt }));
                let mut stalled = Box::pin(world.invoke(world.scheduled()));
                if poll(stalled.as_mut()).is_some() {
                    continue;
                }
                let leased = world.schedule().owner.is_some();
                world.wait(LATER);
                world.sync();
                let before = world.store.snapshot();
                world.turnstile.resume();
                let end = poll(stalled.as_mut());
                assert!(end.is_some());
                let after = world.store.snapshot();
                let changed: Vec<_> = before
                    .iter()
                    .filter(|(key, item)| after.get(key) != Some(item))
                    .map(|(key, _)| key.to_string())
                    .collect();
                // Without a lease yet, it is not stalled but late: a run like any other.
                assert!(!leased || before == after, "{side:?} call {at}: {changed:?}");
                drop(stalled);
                assert_eq!(outcome(&world), expected, "{side:?} call {at}");
            }
        }
    }
}

/// While the lease lives, nobody else gets in (rule 4.3); messages that come twice do nothing twice.
#[test]
fn overlapping_runs_and_doubled_messages() {
    let (world, moment) = eventful();
    let (expected, calls) = undisturbed(&world, &moment);
    for at in 2..=calls {
        world.go_back(&moment);
        world.turnstile.set(Some(Switch { at, side: Side::After, deed: Deed::Halt }));
        let mut slow = Box::pin(world.invoke(world.scheduled()));
        if poll(slow.as_mut()).is_some() {
            continue;
        }
        let second = drive(world.invoke(world.scheduled()));
        world.turnstile.resume();
        let first = poll(slow.as_mut()).unwrap();
        drop(slow);
        let refused = second.unwrap().unwrap();
        if first.is_ok_and(|first| first["run"].is_string()) && at < calls {
            assert!(refused["error"]["code"] == "busy" || refused["run"].is_string(), "call {at}: {refused}");
        }
        world.sync();
        assert_eq!(outcome(&world), expected, "call {at}");
    }
}

/// A button that is pressed twice: the second press stands still anywhere before its lease while the first comes as far as
/// it may. Either does the work or says that it is being done.
#[test]
fn a_plan_that_is_applied_twice_at_once() {
    let (world, moment) = eventful();
    world.go_back(&moment);
    let preview = world.preview();
    let moment = world.moment();
    let run: RunId = preview["run"].as_str().unwrap().parse().unwrap();
    let ask = || Request { run: Some(run.clone()), ..world.request(Action::Apply) };
    let before = world.turnstile.calls();
    assert_eq!(world.ask(ask())["state"], "applied");
    let calls = world.turnstile.calls() - before;
    let expected = outcome(&world);
    for at in 1..=8 {
        for reached in 1..=calls {
            world.go_back(&moment);
            world.turnstile.set(Some(Switch { at, side: Side::After, deed: Deed::Halt }));
            let mut second = Box::pin(world.invoke(ask()));
            assert!(poll(second.as_mut()).is_none(), "call {at}");
            if world.schedule().owner.is_some() {
                break;
            }
            let _ = world.invoke_under(ask(), Switch { at: reached, side: Side::After, deed: Deed::Halt });
            world.turnstile.resume();
            let answer = poll(second.as_mut()).unwrap().unwrap();
            drop(second);
            let code = answer["error"]["code"].as_str();
            assert!(matches!(code, None | Some("busy" | "superseded")), "calls {at} and {reached}: {answer}");
            world.wait(LATER);
            world.ask(ask());
            assert_eq!(outcome(&world), expected, "calls {at} and {reached}");
        }
    }
}

#[test]
fn killed_between_slices() {
    let (world, moment) = eventful();
    let (expected, calls) = undisturbed(&world, &moment);
    for at in 1..=calls {
        world.go_back(&moment);
        world.calls_per_invocation(Some(25));
        let _ = world.invoke_under(world.scheduled(), Switch { at, side: Side::After, deed: Deed::Halt });
        world.queues.take(engine::ports::QueueName::Sync);
        world.wait(LATER);
        world.sync();
        world.sync();
        assert_eq!(outcome(&world), expected, "killed at {at}");
        world.calls_per_invocation(None);
    }
}

/// Microsoft fails at any page, in any way: what is not read is not deleted, and the next run puts it right.
#[test]
fn trouble_at_every_page() {
    for (world, moment) in [eventful(), first(), full()] {
        let (expected, _) = undisturbed(&world, &moment);
        let failure = || Failure::new(Code::MicrosoftUnavailable, "503", "wait");
        for kind in Kind::ALL {
            for call in 1..=4 {
                for trouble in [Trouble::StateGone, Trouble::LinkDead, Trouble::Failure(Box::new(failure()))] {
                    world.go_back(&moment);
                    let before: BTreeSet<_> = world.view().users.into_keys().collect();
                    let short = matches!(trouble, Trouble::Failure(_));
                    let name = format!("{trouble:?} at page {call} of {kind:?}");
                    world.entra.trouble(kind, call, trouble);
                    let answer = world.sync();
                    if short && answer["warnings"].to_string().contains("short_read") {
                        let after: BTreeSet<_> = world
                            .view()
                            .users
                            .into_iter()
                            .filter(|(_, user)| user.deleted_at.is_none())
                            .map(|(id, _)| id)
                            .collect();
                        assert!(before.is_subset(&after), "{name}: somebody was deleted: {answer}");
                    }
                    world.wait(LATER);
                    world.sync();
                    assert_eq!(outcome(&world), expected, "{name}");
                }
            }
        }
    }
}

/// What Microsoft forbids at any page leaves a plan without deletions, of the other kind too.
#[test]
fn r4_9_a_forbidden_read_at_any_page_plans_no_deletion() {
    let mut cut = 0;
    for (world, moment) in [eventful(), first(), full()] {
        let codes = [Code::PermissionMissing, Code::ConsentMissing];
        for (code, kind) in codes.into_iter().flat_map(|code| Kind::ALL.map(|kind| (code, kind))) {
            for call in 1..=6 {
                let forbidden = || {
                    world.go_back(&moment);
                    world.entra.trouble(kind, call, Trouble::Failure(Box::new(Failure::new(code, "403", "permit it"))));
                };
                forbidden();
                let before = world.view();
                let plan = world.preview();
                let name = format!("{code:?} at page {call} of {kind:?}: {plan}");
                if plan["state"] != "failed" && !plan["warnings"].to_string().contains("short_read") {
                    assert!(call > 1, "there is no such page: {name}");
                    continue;
                }
                cut += 1;
                assert_eq!(plan["counts"]["deleting"], json!({"users": 0, "groups": 0}), "{name}");
                assert_eq!(world.view(), before, "{name}");
                forbidden();
                world.sync();
                let after = world.view();
                let user = |id| after.users.get(id).map(|user| user.deleted_at);
                let group = |id| after.groups.get(id).map(|group| group.deleted_at);
                assert!(before.users.iter().all(|(id, was)| user(id) == Some(was.deleted_at)), "{name}");
                assert!(before.groups.iter().all(|(id, was)| group(id) == Some(was.deleted_at)), "{name}");
            }
        }
    }
    assert!(cut >= 8, "{cut} reads were cut");
}
