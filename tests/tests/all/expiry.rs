//! Stories of the day on which a credential ends: who knows it, when it is asked for, and what is warned of.

use jiff::{SignedDuration, ToSpan as _};
use serde_json::json;
use tests::{application::May, tables::Tally, world::World};

use super::{
    contact::save,
    report::{ask, of_day, today, told},
};

/// A tenant whose secret ends in so many days, and of whom nobody stated that.
fn secret(days: i64, may: May) -> World {
    let world = World::new();
    world.entra.hire("ann");
    world.save_by_hand("our-secret", days);
    world.entra.application(|application| application.may = may);
    world
}

/// Requests to Graph of one run, and what it asked of the store.
fn cost(world: &World) -> (u32, Tally) {
    let (answer, tally) = world.measured(World::sync);
    assert_eq!(answer["state"], "applied");
    (world.stored_run(answer["run"].as_str().unwrap()).requests.graph, tally)
}

fn warnings(world: &World) -> Vec<String> {
    let subjects = told(world, &of_day(world, &today(world).to_string()));
    subjects
        .into_iter()
        .filter_map(|subject| {
            subject
                .split_once(" – ")
                .filter(|(start, _)| start.starts_with("[Azure AD Credential]"))
                .map(|(_, end)| end.to_owned())
        })
        .collect()
}

#[test]
fn r6_5_an_unchanged_run_asks_graph_twice_and_once_a_day_a_third_time() {
    let (hidden, shown) = (secret(400, May::Nothing), secret(400, May::Read));
    for world in [&hidden, &shown] {
        world.sync();
        world.sync_twice();
    }
    let hour = |world: &World| {
        world.wait(3_600);
        cost(world)
    };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..48 {
        let (hidden, shown) = (hour(&hidden), hour(&shown));
        assert_eq!(hidden.1.requests, shown.1.requests, "the store is asked as often: {:?}, {:?}", hidden.1, shown.1);
        assert_eq!(shown.1.requests, 8, "{:?}", shown.1);
        without.push(hidden.0);
        with.push(shown.0);
    }
    assert!(without.iter().all(|requests| *requests == 2), "{without:?}");
    assert_eq!(with.iter().filter(|requests| **requests == 3).count(), 2, "once in twenty hours: {with:?}");
    assert!(with.iter().all(|requests| matches!(requests, 2 | 3)), "{with:?}");
    assert_eq!(hidden.schedule().seen, None);
    // Once it was replaced, the next run looks at the new one.
    shown.save_by_hand("new-secret", 300);
    assert_eq!([hour(&shown).0, hour(&shown).0], [3, 2]);
    let seen = shown.schedule().seen.unwrap().told.unwrap();
    assert_eq!(seen.ours.unwrap().key_id, "key-2");
}

#[test]
fn r6_5_a_registration_that_cannot_be_read_fails_no_run_and_is_not_asked_for_all_day() {
    let world = secret(400, May::Read);
    world.sync();
    let seen = world.schedule().seen.unwrap();
    for (passes, hours) in [(true, 21), (false, 21)] {
        world.wait(hours * 3_600);
        let calls = world.turnstile.by_name()["registration"];
        let before = world.moment();
        // The number of the call is found by trying.
        let number = (1..).find(|number| {
            world.go_back(&before);
            let deed = tests::turnstile::Deed::Fault { passes };
            let switch = tests::turnstile::Switch { at: *number, side: tests::turnstile::Side::Before, deed };
            let answer = world.invoke_under(world.scheduled(), switch);
            let now = world.schedule().seen.unwrap();
            let failed = now.at > seen.at
                && now.told == seen.told
                && matches!(&answer, Some(Ok(answer)) if answer["state"] == "applied");
            failed && world.turnstile.by_name()["registration"] > calls && world.turnstile.has_worked()
        });
        assert!(number.is_some());
        let calls = world.turnstile.by_name()["registration"];
        world.sync();
        assert_eq!(world.turnstile.by_name()["registration"], calls, "not again today");
    }
}

#[test]
fn r6_4_a_day_that_is_corrected_repeats_no_step_and_loses_none() {
    // 24 months are assumed of a secret that was two days old when it was saved: at the first warning somebody grants the
    // permission, and Entra tells the true day.
    let world = secret(75, May::Nothing);
    let mut tenant = world.tenant();
    let assumed = today(&world) + 77.days();
    tenant.credential.as_mut().unwrap().expires_on = assumed;
    world.store.poke(engine::keys::meta(&world.tenant), engine::records::write(&tenant));
    let mut warned = Vec::new();
    for _ in 0..80 {
        let mails = warnings(&world);
        if !mails.is_empty() {
            world.entra.application(|application| application.may = May::Read);
        }
        warned.extend(mails);
        world.sync();
        world.wait(86_400);
    }
    let expected = [60, 30, 14, 7, 3, 1, 0, -1, -2, -3, -4];
    assert_eq!(warned, expected.map(words), "at the second the true day is known");

    // It was stated two days too early, and then a year too early.
    for (later, expected) in [(2, vec![14, 7, 3, 1, 0]), (365, vec![14, 60, 30, 14, 7, 3, 1, 0])] {
        let world = secret(14 + later, May::Nothing);
        let mut tenant = world.tenant();
        tenant.credential.as_mut().unwrap().expires_on = today(&world) + 14.days();
        world.store.poke(engine::keys::meta(&world.tenant), engine::records::write(&tenant));
        let mut warned = Vec::new();
        for _ in 0..=14 + later {
            warned.extend(warnings(&world));
            world.entra.application(|application| application.may = May::Read);
            world.sync();
            world.wait(86_400);
        }
        let expected: Vec<String> = expected.into_iter().map(words).collect();
        assert_eq!(warned, expected, "{later} days too early");
    }
}

fn words(days: i32) -> String {
    match days {
        1 => "secret expires in 1 day".to_owned(),
        0 => "secret expires today".to_owned(),
        -1 => "secret expired 1 day ago".to_owned(),
        2.. => format!("secret expires in {days} days"),
        _ => format!("secret expired {} days ago", -days),
    }
}

#[test]
fn r6_4_the_warning_names_the_credential_as_entra_does_and_one_that_was_made_and_not_saved() {
    let world = secret(14, May::Read);
    world.entra.add_password("the new one", "new-secret", 700);
    world.sync();
    let request = of_day(&world, &today(&world).to_string());
    let preview = ask(&world, &engine::report::Request { preview: true, ..request.clone() });
    let text = preview["warning"]["text"].as_str().unwrap();
    for said in [
        "Entra Sync for Contoso (11111111-2222-4333-8444-555555555555)",
        "Name: made by hand",
        "Key id: key-1",
        "Begins with: our",
        "in 14 days (read from Entra)",
        "the application has another one that ends later",
        "Name: the new one",
        "Begins with: new",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(preview["text"].as_str().unwrap().contains("read from Entra"), "the daily report says so too: {preview}");
    assert_eq!(warnings(&world), [words(14)]);
    world.vault.renew(&world.tenant, "new-secret");
    let mut tenant = world.tenant();
    let facts = tenant.credential.as_mut().unwrap();
    (facts.saved_at, facts.hint) = (world.now() + SignedDuration::from_secs(1), Some("new".to_owned()));
    world.store.poke(engine::keys::meta(&world.tenant), engine::records::write(&tenant));
    world.wait(86_400);
    world.sync();
    assert_eq!(warnings(&world), ["resolved: secret renewed"]);
}

#[test]
fn r6_4_a_secret_that_renews_itself_is_warned_of_only_where_that_fails() {
    // A policy of sixty days: it is always about to end.
    let world = World::rotating();
    world.entra.application(|application| application.most_days = Some(60));
    for number in 0..6 {
        world.rotate(&format!("rotation-{number}")).unwrap();
        for _ in 0..14 {
            world.sync();
            assert_eq!(warnings(&world), [""; 0]);
            world.wait(86_400);
        }
    }
    assert_eq!(
        ask(&world, &of_day(&world, &today(&world).to_string()))["subject"],
        json!("[Azure AD Summary] contoso.com – OK – 0 added, 0 updated, 0 removed")
    );
    world.post.take();
    world.entra.application(|application| application.may = May::Read);
    world.rotate("fails").unwrap_err();
    world.wait(86_400);
    let request = of_day(&world, &today(&world).to_string());
    assert_eq!(
        told(&world, &request),
        [
            "[Azure AD Summary] contoso.com – ATTENTION – secret expires in 45 days, secret not renewed",
            "[Azure AD Credential] contoso.com – secret expires in 45 days",
        ]
    );
    world.entra.application(|application| application.may = May::Own);
    world.rotate("succeeds").unwrap();
    world.wait(86_400);
    let request = of_day(&world, &today(&world).to_string());
    assert_eq!(
        told(&world, &request),
        [
            "[Azure AD Summary] contoso.com – OK – 0 added, 0 updated, 0 removed",
            "[Azure AD Credential] contoso.com – resolved: secret renewed",
        ]
    );
}

#[test]
fn r6_4_saving_the_same_secret_again_is_no_renewal() {
    for may in [May::Read, May::Nothing] {
        let world = World::new();
        world.entra.application(|application| application.may = may);
        world.save_by_hand("our-secret", 22);
        let stated = today(&world).checked_add(22.days()).unwrap();
        super::years::save(&world, "our-secret", Some(stated)).unwrap();
        assert_eq!(warnings(&world), [words(22)], "{may:?}");
        world.wait(86_400);
        super::years::save(&world, "our-secret", None).unwrap();
        assert_eq!(warnings(&world), Vec::<String>::new(), "{may:?}");
        world.wait(7 * 86_400);
        assert_eq!(warnings(&world), [words(14)], "{may:?}: nor is the day forgotten");
    }
}

#[test]
fn r6_4_a_federated_credential_in_the_place_of_a_secret_ends_its_warnings() {
    let world = secret(14, May::Read);
    world.sync();
    assert_eq!(warnings(&world), [words(14)]);
    world.wait(60);
    save(&world, &json!({"credential": {"kind": "federated"}}));
    let mut told = Vec::new();
    for _ in 0..20 {
        world.wait(86_400);
        world.sync();
        told.extend(warnings(&world));
    }
    assert_eq!(told, ["resolved: federated credential renewed"]);
}
