//! Stories of secrets that renew themselves (rule 7.3): at every moment the one in use works.

use std::pin::pin;

use directory::Code;
use engine::{
    operator::Asked,
    ports::Secrets as _,
    records::ExpirySource,
    rotate::Step,
    tenants::{self, Patch},
};
use lambda_runtime::{Context, LambdaEvent};
use platform::Environment;
use serde_json::{Value, json};
use tests::{
    application::May,
    rotation::STEPS,
    turnstile::{Deed, Side, Switch, drive, poll},
    world::World,
};

/// The key ids that the application lists.
fn listed(world: &World) -> Vec<String> {
    world.entra.application(|application| application.secrets.iter().map(|one| one.key_id.clone()).collect())
}

fn removed(world: &World) -> Vec<String> {
    world.entra.application(|application| application.removed.clone())
}

/// A tenant that has been through so many rotations, two weeks apart.
fn after(rotations: u32) -> World {
    let world = World::rotating();
    for number in 1..=rotations {
        world.rotate(&format!("rotation-{number}")).unwrap();
        world.wait(14 * 86_400);
    }
    world
}

#[test]
fn r7_3_a_rotation_renews_the_secret_and_removes_the_one_before_last() {
    let world = World::rotating();
    world.entra.hire("ann");
    world.sync();
    world.rotate("first").unwrap();
    assert_eq!((listed(&world), removed(&world)), (vec!["key-1".into(), "key-2".into()], vec![]), "nothing goes yet");
    let facts = world.tenant().credential.unwrap();
    let working = world.working().unwrap();
    assert_eq!(working.name, "entra-sync/test/contoso first");
    assert_eq!((facts.key_id.as_deref(), facts.hint.as_deref()), (Some("key-2"), Some("002")));
    assert_eq!((facts.source, facts.expires_on.to_string().as_str()), (ExpirySource::Entra, "2027-05-21"));
    assert_eq!(facts.saved_at, world.now());
    let told = world.schedule().seen.unwrap().told.unwrap();
    assert_eq!((told.application.as_str(), told.ours.unwrap().key_id.as_str()), ("Entra Sync for Contoso", "key-2"));
    world.rotate("second").unwrap();
    assert_eq!((listed(&world), removed(&world)), (vec!["key-2".into(), "key-3".into()], vec!["key-1".into()]));
    world.rotate("third").unwrap();
    assert_eq!(listed(&world), ["key-3", "key-4"]);
    // The cache of the function that synchronises lags behind by all of this.
    assert_eq!(world.sync()["state"], "applied");
    let audit: Vec<_> = world.store.snapshot().into_iter().filter(|(key, _)| key.sk.starts_with("AUD#")).collect();
    assert_eq!(audit.len(), 3);
    assert!(audit.iter().all(|(_, entry)| entry["by"] == "rotate" && entry["action"] == "rotate_secret"), "{audit:?}");
    assert!(!format!("{:?}", world.store.snapshot()).contains("made-by-entra"), "r1_3: no secret is in the tables");
}

#[test]
fn r7_3_each_step_may_be_asked_for_twice() {
    let world = after(2);
    let before = listed(&world);
    world.vault.begin(&world.tenant, "twice");
    for step in STEPS {
        world.step(step, "twice").unwrap().unwrap();
        let (items, secrets) = (world.store.snapshot(), listed(&world));
        world.step(step, "twice").unwrap().unwrap();
        assert_eq!((items, secrets), (world.store.snapshot(), listed(&world)), "{step:?} twice");
    }
    // Also when all is over.
    for step in STEPS {
        world.step(step, "twice").unwrap().unwrap();
    }
    assert_eq!(listed(&world), [before[1].clone(), "key-4".to_owned()]);
    assert_eq!(removed(&world), ["key-1", "key-2"]);
}

#[test]
fn r7_3_killed_at_every_call_the_secret_in_use_works_and_nothing_is_left_behind() {
    let mut kills = 0;
    for rotations in 0..=2 {
        let calls = {
            let world = after(rotations);
            let before = world.turnstile.calls();
            world.rotate("clean").unwrap();
            world.turnstile.calls() - before
        };
        for number in 1..=calls {
            for side in [Side::Before, Side::After] {
                for deed in [Deed::Halt, Deed::Fault { passes: true }, Deed::Fault { passes: false }] {
                    for next in ["killed", "another"] {
                        let name = format!("{rotations} rotations, call {number}, {side:?}, {deed:?}, then {next}");
                        let world = after(rotations);
                        world.turnstile.set(Some(Switch { at: number, side, deed }));
                        let first = world.rotate("killed");
                        assert!(world.turnstile.has_worked(), "{name}");
                        world.turnstile.set(None);
                        assert!(world.working().is_some(), "the secret in use does not work: {name}: {first:?}");
                        assert_eq!(world.sync()["state"], "applied", "{name}");
                        world.wait(60);
                        world.rotate(next).unwrap_or_else(|err| panic!("{name}: {err:?}"));
                        check_whole(&world, &name);
                        kills += 1;
                    }
                }
            }
        }
    }
    assert!(kills > 500, "{kills}");
}

/// A rotation has been done: the one in use and the one before are on the application, and nothing else is.
#[track_caller]
fn check_whole(world: &World, name: &str) {
    let Some(working) = world.working() else { panic!("{name}: the secret in use does not work") };
    let (listed, removed) = (listed(world), removed(world));
    assert_eq!(listed.len(), 2, "{name}: {listed:?} are left, {removed:?} are gone");
    assert_eq!(listed[1], working.key_id, "{name}");
    let once: std::collections::BTreeSet<_> = removed.iter().collect();
    assert_eq!(once.len(), removed.len(), "{name}: removed twice: {removed:?}");
    let facts = world.tenant().credential.unwrap();
    assert_eq!(facts.key_id.as_deref(), Some(working.key_id.as_str()), "{name}");
    assert!(world.schedule().rotation.is_none(), "{name}: a failure that is over");
}

#[test]
fn r7_3_the_directorys_policy_decides_how_long_a_secret_lasts() {
    for (most, lasts) in
        [(None, 180), (Some(180), 180), (Some(100), 90), (Some(90), 90), (Some(60), 60), (Some(30), 30)]
    {
        let world = World::rotating();
        world.entra.application(|application| application.most_days = most);
        world.rotate("first").unwrap();
        let working = world.working().unwrap();
        assert_eq!(working.ends.duration_since(working.starts).as_hours(), lasts * 24, "{most:?}");
    }
    let world = World::rotating();
    world.entra.application(|application| application.most_days = Some(7));
    let (step, why) = world.rotate("first").unwrap_err();
    assert_eq!(
        (step, why.as_str()),
        (Step::Create, "the directory's policy does not even allow a client secret that lasts 30 days")
    );
    let kept = world.schedule().rotation.unwrap();
    assert!(kept.error.help.contains("federated"), "{kept:?}");
    assert!(world.working().is_some());
}

#[test]
fn r7_3_whether_rotations_are_possible_is_tried_before_the_setting_is_saved() {
    let world = World::rotating();
    world.set(json!({"rotate_secret": false}));
    world.vault.begin(&world.tenant, "try");
    world.step(Step::Test, "try").unwrap().unwrap();
    assert!(world.schedule().rotation.is_none());
}

#[test]
#[rustfmt::skip]
fn r7_3_what_stands_in_the_way_is_said_and_kept_until_a_rotation_is_done() {
    //    what is wrong                 how                                                                            step           said
    check("the registration is hidden", |world| world.entra.application(|a| a.may = May::Nothing),                     Step::Create, "the application's registration cannot be read, so that its secret cannot be renewed");
    check("it may only be read",        |world| world.entra.application(|a| a.may = May::Read),                        Step::Create, "the application may not change its own credentials");
    check("it does not own itself",     |world| world.entra.application(|a| a.may = May::NotOwner),                    Step::Create, "the application may not change its own credentials");
    check("the setting is off",         |world| world.set(json!({"rotate_secret": false})),                            Step::Create, "the secret of tenant contoso is not to be renewed by itself");
    check("it is no secret",            |world| world.set(json!({"credential": {"kind": "certificate"}})),             Step::Create, "the secret of tenant contoso is not to be renewed by itself");
    check("no application is named",    |world| world.set(json!({"application_id": null})),                            Step::Create, "the connection of tenant contoso is not configured: application_id is missing");
    check("the secret has ended",       |world| world.wait(400 * 86_400),                                              Step::Create, "Failed to connect. Please check your Azure (Entra ID) Credential: the client secret has expired");
    check("the new one is not known",   |world| world.entra.application(|a| a.unknown_for = 100),                      Step::Test,   "Failed to connect. Please check your Azure (Entra ID) Credential: the client secret is unknown");
}

#[track_caller]
fn check(name: &str, change: fn(&World), step: Step, said: &str) {
    let world = World::rotating();
    let settings = world.tenant().settings;
    change(&world);
    assert_eq!(world.rotate("first"), Err((step, said.to_owned())), "{name}");
    assert_eq!(world.schedule().rotation.unwrap().error.message, said, "{name}");
    assert_eq!(world.tenant().credential.unwrap().hint.as_deref(), Some("han"), "{name}: nothing is changed");
    // It is put right: by a person's new secret, where the old one has ended.
    world.entra.application(|application| (application.may, application.unknown_for) = (May::Own, 0));
    let mut tenant = world.tenant();
    tenant.settings = settings;
    world.store.poke(engine::keys::meta(&world.tenant), engine::records::write(&tenant));
    if world.working().is_none() {
        world.save_by_hand("new-by-hand", 365);
    }
    world.rotate("second").unwrap_or_else(|err| panic!("{name}: {err:?}"));
    assert!(world.schedule().rotation.is_none(), "{name}");
    assert_eq!(world.working().unwrap().name, "entra-sync/test/contoso second", "{name}");
}

#[test]
fn r7_3_what_failed_is_forgotten_where_it_is_turned_off() {
    let world = World::rotating();
    world.entra.application(|application| application.may = May::Nothing);
    world.rotate("first").unwrap_err();
    let put = |patch: Value| {
        let (tenant, now) = (world.tenant.clone(), world.now());
        let asked = Asked { tenant, by: "ops".to_owned(), now, nonce: format!("put-{}", world.turnstile.calls()) };
        world.store.fenced(false);
        let ports = (&world.entra, &world.store, &world.vault);
        drive(tenants::put_settings(ports, &asked, &Patch { settings: patch, ..Patch::default() })).unwrap().unwrap();
        world.schedule().rotation.is_some()
    };
    assert!(put(json!({"seats": 7})));
    assert!(!put(json!({"rotate_secret": false})));
    assert!(!put(json!({"rotate_secret": true})));
}

#[test]
fn r7_3_a_new_secret_is_waited_for_until_entra_knows_it() {
    let world = World::rotating();
    world.entra.application(|application| application.unknown_for = 5);
    let before = world.now();
    world.rotate("first").unwrap();
    assert_eq!(world.now().duration_since(before).as_secs(), (5 + 1) * 5 + 4);
}

#[test]
fn r7_3_what_is_no_rotation_is_refused() {
    let world = World::rotating();
    for step in STEPS {
        let refused = world.step(step, "never staged").unwrap().unwrap_err().to_string();
        assert!(refused.contains("is not the one that is being made"), "{refused}");
    }
    // Before the first rotation Secrets Manager only asks whether rotations are possible.
    world.vault.begin(&world.tenant, "a test");
    world.step(Step::Test, "a test").unwrap().unwrap();
    for step in [Step::Set, Step::Finish] {
        let refused = world.step(step, "a test").unwrap().unwrap_err().to_string();
        assert_eq!(refused, "version a test of the secret holds nothing yet", "{step:?}");
    }
    world.vault.begin(&world.tenant, "first");
    let noted = world.schedule().rotation.unwrap().error.message;
    assert!(noted.contains("holds nothing yet"), "{noted}");
    world.rotate("first").unwrap();
    world.vault.stage("another");
    let name = world.vault.name(&world.tenant);
    world.vault.stage("test");
    let refused = world.step_of(Step::Create, &name, "first").unwrap().unwrap_err();
    assert_eq!(refused.to_string(), "the secret is not there, or is not one of this stack's tenants");
    world.step(Step::Create, "never staged").unwrap().unwrap_err();
    drive(world.vault.stop_rotation(&world.tenant)).unwrap().unwrap();
    let refused = world.step(Step::Create, "never staged").unwrap().unwrap_err().to_string();
    assert_eq!(refused, "the rotation of tenant contoso's secret is not switched on");
    assert!(world.schedule().rotation.is_none(), "none of these is a renewal that failed");
}

#[test]
fn r7_3_a_stalled_step_that_wakes_up_spoils_nothing() {
    for at in 1..=12 {
        let world = after(2);
        world.vault.begin(&world.tenant, "token");
        world.turnstile.set(Some(Switch { at, side: Side::After, deed: Deed::Halt }));
        let name = world.vault.name(&world.tenant);
        let mut stalled = pin!(world.stepping(Step::Create, &name, "token"));
        let done = poll(stalled.as_mut());
        if done.is_some() {
            assert!(at > 8, "{at} calls are too few for a step");
            return;
        }
        // It was given up and asked for again, which is quicker.
        world.rotate("token").unwrap();
        world.turnstile.resume();
        let _ = poll(stalled.as_mut()).unwrap();
        assert!(world.working().is_some(), "call {at}");
        world.rotate("next").unwrap();
        check_whole(&world, &format!("call {at}"));
    }
    panic!("a step without an end");
}

#[test]
fn r7_3_two_stacks_on_one_application_leave_each_other_alone() {
    let (ours, theirs) = (World::rotating(), World::rotating());
    theirs.vault.stage("other");
    // They share the application: what one does to it the other finds.
    let share = |from: &World, to: &World| {
        let application = from.entra.application(|application| application.clone());
        to.entra.application(|own| *own = application);
    };
    for number in 1..=6 {
        ours.rotate(&format!("ours-{number}")).unwrap();
        share(&ours, &theirs);
        assert!(theirs.working().is_some(), "month {number}");
        theirs.rotate(&format!("theirs-{number}")).unwrap();
        share(&theirs, &ours);
        assert!(ours.working().is_some(), "month {number}");
        for world in [&ours, &theirs] {
            world.wait(14 * 86_400);
        }
    }
    assert_eq!(listed(&ours).len(), 4, "{:?}", listed(&ours));
}

#[test]
fn r7_3_a_secret_saved_by_a_person_is_renewed_and_removed_like_any_other() {
    let world = after(2);
    world.save_by_hand("per-son", 365);
    world.rotate("rotation-3").unwrap();
    // The one that the rotation before made has gone, the person's stays for those who still have it.
    let names = |world: &World| -> Vec<String> {
        world.entra.application(|application| application.secrets.iter().map(|one| one.name.clone()).collect())
    };
    assert_eq!(names(&world), ["made by hand", "entra-sync/test/contoso rotation"]);
    world.rotate("rotation-4").unwrap();
    assert_eq!(names(&world), ["entra-sync/test/contoso rotation", "entra-sync/test/contoso rotation"]);
    // One that begins like another is nobody's to remove.
    world.save_by_hand("per-son-2", 365);
    world.entra.add_password("somebody else's", "per-haps", 365);
    world.rotate("rotation-5").unwrap();
    world.rotate("rotation-6").unwrap();
    assert_eq!(names(&world).len(), 4, "{:?}", names(&world));
}

#[test]
fn r7_3_secrets_manager_hears_of_a_failure_and_of_nothing_secret() {
    let world = World::rotating();
    let (id, store, graph, versions) = (world.vault.name(&world.tenant), &world.store, &world.entra, &world.vault);
    world.store.fenced(false);
    world.vault.begin(&world.tenant, "token");
    let environment = Environment::from_lookup(|name| (name == "TEST_CLOCK").then(|| "on".to_owned()));
    let pause = async |_| ();
    let parts = rotate::Parts { graph, store, versions, pause, environment: &environment };
    let handle = |step: &str, token: &str| {
        let event = json!({"Step": step, "SecretId": id, "ClientRequestToken": token, "now": world.now()});
        let mut context = Context::default();
        context.request_id = "request".to_owned();
        context.deadline = u64::MAX / 4_000_000;
        drive(rotate::handle(&parts, LambdaEvent::new(event, context))).unwrap().map_err(|err| err.to_string())
    };
    world.entra.application(|application| application.may = May::Nothing);
    let said = handle("createSecret", "token").unwrap_err();
    assert!(
        said.contains("(permission_missing): grant the application permission Application.ReadWrite.OwnedBy"),
        "{said}"
    );
    assert!(handle("create_secret", "another").unwrap_err().contains("(invalid_input): start the rotation"));
    world.entra.application(|application| application.may = May::Own);
    for step in ["create_secret", "setSecret", "test_secret", "finishSecret"] {
        assert_eq!(handle(step, "token"), Ok(json!({"done": true})), "{step}");
    }
    assert_eq!(world.working().unwrap().name, format!("{id} token"));
    world.turnstile.set(Some(Switch { at: 1, side: Side::Before, deed: Deed::Fault { passes: true } }));
    assert_eq!(handle("finish_secret", "token"), Err("switched off: rotated".to_owned()));
}

#[test]
fn r7_3_a_renewed_secret_is_not_refused_any_longer() {
    let world = World::rotating();
    let failure = directory::Failure::new(Code::CredentialSecretInvalid, "Failed to connect.", "renew it");
    world.entra.trouble(directory::Kind::User, 1, tests::entra::Trouble::Failure(Box::new(failure)));
    world.sync();
    assert!(world.schedule().refused_since.is_some());
    world.rotate("first").unwrap();
    let schedule = world.schedule();
    assert!(schedule.refused_since.is_none() && schedule.last_error.is_none());
}

#[test]
fn r7_3_what_cannot_be_removed_fails_no_rotation_and_is_removed_later() {
    let world = after(1);
    let keeps = |all: bool| world.entra.application(|application| application.keeps_all = all);
    keeps(true);
    for token in ["second", "third"] {
        world.rotate(token).unwrap();
        assert!(world.schedule().rotation.is_none());
        world.wait(14 * 86_400);
    }
    assert_eq!(listed(&world), ["key-1", "key-2", "key-3", "key-4"]);
    world.save_by_hand("per-son", 365);
    keeps(false);
    world.rotate("fourth").unwrap();
    assert_eq!(listed(&world), ["key-5", "key-6"], "that which a person made first, and those of the rotations");
}

#[test]
fn r7_3_a_version_that_can_no_longer_work_is_given_up() {
    for ended in [false, true] {
        let world = after(1);
        world.vault.begin(&world.tenant, "token");
        world.step(Step::Create, "token").unwrap().unwrap();
        assert_eq!(listed(&world).len(), 3);
        world.entra.application(|application| {
            if !ended {
                application.secrets.retain(|one| !one.name.ends_with("token"));
            }
        });
        if ended {
            world.save_by_hand("per-son", 1_000);
            world.wait(200 * 86_400);
        }
        let said = world.step(Step::Create, "token").unwrap().unwrap_err().to_string();
        assert!(said.contains("its secret has ended, or somebody has removed it"), "{said}");
        assert!(world.schedule().rotation.unwrap().error.help.contains("begins anew with the next attempt"));
        world.rotate("next").unwrap();
        assert_eq!(world.working().unwrap().name, "entra-sync/test/contoso next");
        assert!(world.schedule().rotation.is_none());
    }
}

#[test]
fn r6_5_a_new_secret_says_itself_when_it_ends() {
    let world = World::rotating();
    world.vault.begin(&world.tenant, "first");
    for step in STEPS {
        if step == Step::Finish {
            world.entra.application(|application| application.may = May::Nothing);
        }
        world.step(step, "first").unwrap().unwrap();
    }
    let facts = world.tenant().credential.unwrap();
    assert_eq!((facts.source, facts.expires_on.to_string().as_str()), (ExpirySource::Entra, "2027-05-21"));
    assert!(world.schedule().seen.is_none_or(|seen| seen.told.is_none()));
}

#[test]
fn r7_3_a_stalled_last_step_leaves_what_is_known_of_a_secret_that_a_person_saved_meanwhile() {
    for side in [Side::Before, Side::After] {
        for at in 1.. {
            // It was killed once the new secret was in use, before that was written down.
            let world = World::rotating();
            world.vault.begin(&world.tenant, "first");
            for step in [Step::Create, Step::Set, Step::Test] {
                world.step(step, "first").unwrap().unwrap();
            }
            world.turnstile.set(Some(Switch { at: 5, side: Side::Before, deed: Deed::Halt }));
            assert!(world.step(Step::Finish, "first").is_none());
            assert_eq!(world.working().unwrap().name, "entra-sync/test/contoso first");
            world.turnstile.set(Some(Switch { at, side, deed: Deed::Halt }));
            let name = world.vault.name(&world.tenant);
            let mut stalled = pin!(world.stepping(Step::Finish, &name, "first"));
            if poll(stalled.as_mut()).is_some() {
                assert!(at > 5, "{at} calls are too few");
                break;
            }
            world.save_by_hand("per-son", 365);
            world.turnstile.resume();
            poll(stalled.as_mut()).unwrap().unwrap();
            let hint = world.tenant().credential.unwrap().hint.unwrap();
            let current = world.vault.current(&world.tenant).unwrap();
            assert!(current.starts_with(&hint), "{current} is in use, {hint} is known: call {at}, {side:?}");
            // What begins only then finds one that is being made, and puts it to use.
            let before = (at, side) == (1, Side::Before);
            assert_eq!(current == "per-son", !before, "call {at}, {side:?}");
        }
    }
}
