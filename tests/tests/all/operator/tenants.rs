//! Tenants: settings, secrets, domains, schedule, exemptions and the audit.

use directory::{Code, Failure, Kind};
use engine::{
    keys,
    operator::Asked,
    records::{Action, ExpirySource},
    run::Request,
    tenants::{self, Patch},
};
use serde_json::{Value, json};
use tests::{
    entra::Trouble,
    turnstile::{Deed, Side, Switch, poll},
};

use super::{DIRECTORY, Desk, OTHER, complete};

#[test]
fn s9_a_new_tenant_is_grey_until_it_has_a_secret_that_works() {
    let desk = Desk::new();
    let now = desk.world.now();
    let put = json!({"tenant": "fabrikam", "settings": complete("fabrikam.com"), "by": "ann"});
    let answer = desk.done("put_tenant", put.clone());
    assert_eq!(answer["connection"]["status"], "grey");
    assert_eq!(
        answer["connection"]["error"]["message"],
        "the connection of tenant fabrikam is not configured: the secret is missing"
    );
    assert_eq!(answer["credential_state"], "configure");
    assert_eq!(answer["settings"]["sync_frequency"], 24);
    assert_eq!(answer["secret_expiry"], Value::Null);
    let due = desk.schedule("fabrikam");
    assert_eq!(due.due_at, Some(now.as_second() + 1), "r4_1: a new tenant is due at once");
    assert_eq!(answer["next_sync"], "2026-11-22T10:00:01Z");
    let report = desk.world.store.peek(&keys::report(&"fabrikam".parse().unwrap())).unwrap();
    assert_eq!(report["due_at"], "2026-11-23T07:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second());

    let refused = desk.refused("put_secret", json!({"tenant": "fabrikam", "ad_key": "bad"}));
    assert_eq!(
        refused,
        "credential_secret_invalid: Failed to connect. Please check your Azure (Entra ID) Credential: the client secret is unknown"
    );
    assert_eq!(desk.done("get_tenant", json!({"tenant": "fabrikam"}))["credential_state"], "configure");

    let answer = desk.done("put_secret", json!({"tenant": "fabrikam", "ad_key": " good \n"}));
    assert_eq!((&answer["message"], &answer["connection"]["status"]), (&json!("SUCCESS"), &json!("green")));
    assert_eq!(
        (&answer["credential_state"], &answer["secret_expiry"]),
        (&json!("working"), &json!("2028-11-22")),
        "24 months are assumed"
    );
    let answer = desk.done("put_secret", json!({"tenant": "fabrikam", "ad_key": "good", "expires_on": "2026-12-24"}));
    assert_eq!((&answer["credential_state"], &answer["secret_expiry"]), (&json!("expiring"), &json!("2026-12-24")));

    let listed = desk.invoke(json!({"action": "list_tenants"})).unwrap();
    let names: Vec<&Value> = listed["tenants"].as_array().unwrap().iter().map(|tenant| &tenant["tenant"]).collect();
    assert_eq!(names, [&json!("fabrikam")], "only admin registers tenants");

    let before = desk.world.store.snapshot();
    let again = desk.done("put_tenant", put);
    assert_eq!(again["connection"]["status"], "green", "naming a connection key checks the connection");
    let changed = desk.world.store.snapshot().into_iter().filter(|(key, item)| before.get(key) != Some(item));
    assert_eq!(changed.map(|(key, _)| key.sk).collect::<Vec<_>>(), ["META"], "saving the same changes the status only");
}

#[test]
fn r6_5_a_day_of_expiry_is_stated_or_assumed_and_says_which() {
    let desk = Desk::new();
    for (put, day, source) in [
        (json!({"ad_key": "good"}), "2028-11-22", ExpirySource::Assumed),
        (json!({"ad_key": "good", "expires_on": "2027-05-01"}), "2027-05-01", ExpirySource::Stated),
    ] {
        assert_eq!(desk.done("put_secret", put)["secret_expiry"], day);
        assert_eq!(desk.world.tenant().credential.unwrap().source, source);
    }
}

#[test]
fn r7_2_a_refused_secret_changes_nothing() {
    let desk = Desk::new();
    desk.done("put_secret", json!({"ad_key": "good"}));
    desk.refused("put_secret", json!({"ad_key": "bad"}));
    desk.refused("put_secret", json!({"ad_key": "1b4f1c9e-7d5a-4c37-9f1e-2b7b6c1d0a11"}));
    let answer = desk.done("test_connection", json!({}));
    assert_eq!((&answer["connection"]["status"], &answer["connection"]["error"]), (&json!("green"), &Value::Null));
    assert!(!format!("{:?}", desk.world.store.snapshot()).contains("good"), "r1_3: a secret is never in the tables");
    let hint = desk.world.tenant().credential.unwrap().hint;
    assert_eq!(hint.as_deref(), Some("goo"), "r6_4: but how it begins, as the portal shows it");
}

#[test]
fn r1_6_a_check_that_fails_is_kept_and_one_that_succeeds_mends_it() {
    let desk = Desk::new();
    desk.done("put_secret", json!({"ad_key": "good"}));
    desk.world.vault.renew(&desk.world.tenant, "spoilt");
    let answer = desk.done("test_connection", json!({}));
    assert_eq!(answer["connection"]["status"], "grey");
    assert_eq!(answer["connection"]["error"]["code"], "credential_secret_invalid");
    assert_eq!(answer["credential_state"], "refused");
    let answer = desk.done("put_tenant", json!({"settings": {"seats": 7}}));
    assert_eq!(answer["connection"]["status"], "grey", "r1_5: other settings check nothing");
    assert_eq!(answer["credential_state"], "refused");
    desk.world.vault.renew(&desk.world.tenant, "good");
    assert_eq!(desk.done("test_connection", json!({}))["credential_state"], "working");
}

#[test]
fn r7_1_only_a_check_mends_what_a_run_was_refused_for() {
    let desk = Desk::new();
    desk.done("put_secret", json!({"ad_key": "good"}));
    let failure = Failure::new(Code::CredentialSecretInvalid, "Failed to connect.", "renew it");
    desk.world.entra.trouble(Kind::User, 1, Trouble::Failure(Box::new(failure)));
    desk.world.sync();
    let since = desk.schedule("contoso").refused_since;
    assert!(since.is_some());
    let answer = desk.done("put_tenant", json!({"settings": {"seats": 7}}));
    assert_eq!((&answer["connection"]["status"], &answer["credential_state"]), (&json!("green"), &json!("refused")));
    assert_eq!(desk.schedule("contoso").refused_since, since);
    assert_eq!(desk.done("test_connection", json!({}))["credential_state"], "working");
    let schedule = desk.schedule("contoso");
    assert!(schedule.refused_since.is_none() && schedule.last_error.is_none());
}

#[test]
fn r1_1_a_domain_belongs_to_one_tenant() {
    let desk = Desk::new();
    desk.done(
        "put_tenant",
        json!({"tenant": "fabrikam", "settings": {"domains": [{"name": "fabrikam.com"}, {"name": "shared.com"}]}}),
    );
    let taken = json!({"tenant": "third", "settings": {"domains": [{"name": "third.com"}, {"name": "Shared.COM"}]}});
    assert_eq!(
        desk.refused("put_tenant", taken.clone()),
        "invalid_input: settings.domains: shared.com belongs to another tenant"
    );
    desk.done("put_tenant", json!({"tenant": "fabrikam", "settings": {"domains": [{"name": "fabrikam.com"}]}}));
    desk.done("put_tenant", taken);
    let many: Vec<Value> = (0..300).map(|number| json!({"name": format!("d{number}.example")})).collect();
    let answer = desk.done("put_tenant", json!({"tenant": "fabrikam", "settings": {"domains": many}}));
    assert_eq!(answer["settings"]["domains"].as_array().unwrap().len(), 300);
    let owned = |name: &str| desk.world.store.peek(&keys::domain(&directory::Domain::parse(name).unwrap()));
    assert!(owned("d0.example").is_some() && owned("d299.example").is_some() && owned("fabrikam.com").is_none());
    let again = json!({"tenant": "third", "settings": {"domains": [{"name": "d299.example"}]}});
    assert_eq!(
        desk.refused("put_tenant", again),
        "invalid_input: settings.domains: d299.example belongs to another tenant"
    );
}

#[test]
fn r1_1_another_directory_is_refused_unless_asked_for() {
    let desk = Desk::new();
    desk.done("put_tenant", json!({"settings": {"directory_id": OTHER}}));
    desk.done("put_tenant", json!({"settings": {"directory_id": DIRECTORY}}));
    assert_eq!(desk.world.tenant().connection, 3, "nobody is here yet, so that it is free to point elsewhere");
    desk.world.entra.hire("ann");
    desk.world.sync();
    let elsewhere = json!({"settings": {"directory_id": OTHER}});
    let refused = desk.refused("put_tenant", elsewhere.clone());
    assert!(refused.starts_with("invalid_input: tenant contoso holds objects that were synchronised"), "{refused}");
    let mut asked_for = elsewhere;
    asked_for["replace_connection"] = json!(true);
    desk.done("put_tenant", asked_for);
    assert_eq!(desk.world.tenant().connection, 4);
    assert_eq!(desk.addresses("list_users"), ["ann@contoso.com"], "nothing is deleted");
}

#[test]
fn r1_1_another_name_of_the_directory_is_asked_for_and_keeps_everybody() {
    let desk = Desk::new();
    let made = desk.done("put_user", json!({"user": {"primary_email": "ann@contoso.com"}}))["user"]["id"].clone();
    let (ann, bob, cy) = (desk.world.entra.hire("ann"), desk.world.entra.hire("bob"), desk.world.entra.hire("cy"));
    let list = desk.world.entra.list("sales");
    for user in [&ann, &bob] {
        desk.world.entra.join(&list, user);
    }
    desk.world.sync_twice();
    desk.world.entra.bin(&cy);
    desk.world.sync_twice();
    let before = desk.world.view();
    assert_eq!(desk.done("get_user", json!({"id": ann}))["user"]["id"], made, "it was adopted");

    let named = json!({"settings": {"directory_id": DIRECTORY}});
    let refused = desk.refused("put_tenant", named.clone());
    assert!(refused.starts_with("invalid_input: tenant contoso holds objects that were synchronised"), "{refused}");
    let nowhere = json!({"settings": {"primary_domain": null}});
    desk.refused("put_tenant", nowhere.clone());
    let replaced = |mut settings: Value| {
        settings["replace_connection"] = json!(true);
        desk.done("put_tenant", settings);
        desk.world.sync_twice();
    };
    replaced(named);
    assert_eq!(desk.world.view(), before, "whoever has the same id stays as it is");
    desk.world.entra.rename(&ann, "Anna");
    desk.world.entra.bin(&bob);
    desk.world.sync_twice();
    let user = desk.done("get_user", json!({"id": ann}))["user"].clone();
    assert_eq!((&user["id"], &user["display_name"]), (&made, &json!("Anna")), "and is maintained");
    assert_eq!(desk.done("get_user", json!({"id": bob}))["user"]["is_active"], false);
}

#[test]
fn r1_1_a_plan_of_the_directory_before_cannot_be_carried_out() {
    let desk = Desk::new();
    let people: Vec<_> = (0..20).map(|number| desk.world.entra.hire(&format!("u{number}"))).collect();
    desk.world.sync();
    people.iter().for_each(|id| desk.world.entra.bin(id));
    let held = desk.world.sync();
    assert_eq!(held["state"], "held");
    let preview = desk.world.preview();
    let replace = json!({"settings": {"directory_id": OTHER}, "replace_connection": true});
    let switch = Switch { at: 6, side: Side::After, deed: Deed::Halt };
    let moment = desk.world.moment();
    assert!(desk.world.invoke_under(desk.world.scheduled(), switch).is_none(), "a run that is not done");
    assert_eq!(desk.refused("put_tenant", replace.clone()).split(':').next(), Some("busy"));
    desk.world.go_back(&moment);

    desk.done("put_tenant", replace);
    for (action, run) in [(Action::Apply, &preview), (Action::Release, &held)] {
        let run = run["run"].as_str().map(|run| run.parse().unwrap());
        let refused = desk.world.once(Request { run, ..desk.world.request(action) });
        assert_eq!(refused["error"]["code"], "superseded", "{action:?}: {refused}");
    }
}

#[test]
fn r4_1_a_run_that_was_handed_over_stays_due() {
    let desk = Desk::new();
    desk.done("put_tenant", json!({"settings": {"sync_frequency": 12}}));
    (0..300).for_each(|number| drop(desk.world.entra.hire(&format!("u{number}"))));
    desk.world.calls_per_invocation(Some(12));
    assert_eq!(desk.world.once(desk.world.scheduled())["state"], "continuing");
    let due = desk.schedule("contoso").due_at;
    for hours in [1, 0, 24] {
        desk.done("put_tenant", json!({"settings": {"sync_frequency": hours}}));
        assert_eq!(desk.schedule("contoso").due_at, due, "it is taken up should its message be lost");
    }
}

#[test]
fn r6_1_another_hour_takes_no_days_report_away() {
    let desk = Desk::new();
    desk.done("put_tenant", json!({"tenant": "fabrikam", "settings": {"report": {"hour": 20}}}));
    let due = || {
        let report = desk.world.store.peek(&keys::report(&"fabrikam".parse().unwrap())).unwrap();
        jiff::Timestamp::from_second(report["due_at"].as_i64().unwrap()).unwrap().to_string()
    };
    assert_eq!(due(), "2026-11-22T20:00:00Z");
    let report = |report: Value| {
        desk.done("put_tenant", json!({"tenant": "fabrikam", "settings": {"report": report}}));
    };
    report(json!({"hour": 7}));
    assert_eq!(due(), "2026-11-22T20:00:00Z", "today's is still to come");
    report(json!({"hour": 12}));
    assert_eq!(due(), "2026-11-22T12:00:00Z", "sooner is fine");
    desk.done("put_tenant", json!({"tenant": "fabrikam", "settings": {"sync_frequency": 0}}));
    desk.done("put_tenant", json!({"tenant": "fabrikam", "settings": {"sync_frequency": 24, "report": {"hour": 7}}}));
    assert_eq!(due(), "2026-11-23T07:00:00Z", "where none was due");
}

#[test]
fn r4_1_the_frequency_decides_when_a_tenant_is_due() {
    let desk = Desk::new();
    desk.done("put_tenant", json!({"tenant": "fabrikam", "settings": {}}));
    let refused = desk.refused("put_tenant", json!({"tenant": "fabrikam", "settings": {"sync_frequency": 2}}));
    assert_eq!(refused, "invalid_input: settings.sync_frequency: expected 0 (never), 1, 3, 6, 12 or 24 hours");
    let answer = desk.done("put_tenant", json!({"tenant": "fabrikam", "settings": {"sync_frequency": 0}}));
    assert_eq!((&answer["next_sync"], desk.schedule("fabrikam").due_shard), (&Value::Null, None));
    let report = desk.world.store.peek(&keys::report(&"fabrikam".parse().unwrap())).unwrap();
    assert!(!report.contains_key("due_shard"), "no report where nothing runs: {report:?}");
    desk.done("put_tenant", json!({"tenant": "fabrikam", "settings": {"sync_frequency": 1}}));
    let due = desk.schedule("fabrikam").due_at.unwrap() - desk.world.now().as_second();
    assert!((1..=3600).contains(&due), "spread over the hour: {due}");
}

#[test]
fn r4_10_settings_and_exemptions_look_at_everybody_again() {
    let desk = Desk::new();
    let guest = desk.world.entra.hire("guest");
    desk.world.entra.user_type(&guest, "Guest");
    desk.world.sync();
    assert_eq!(desk.addresses("list_users"), [""; 0]);
    desk.done("put_tenant", json!({"settings": {"sync_guests": true}}));
    desk.world.sync_twice();
    assert_eq!(desk.addresses("list_users"), ["guest@contoso.com"]);
    desk.done("put_tenant", json!({"settings": {"name": "Contoso Ltd"}}));
    let schedule = desk.world.schedule();
    assert_eq!(schedule.everybody(Kind::User), None, "a name decides nothing");

    desk.done("exempt", json!({"address": "guest@contoso.com", "by": "ann"}));
    desk.done("exempt", json!({"address": "guest@contoso.com", "by": "bob"}));
    desk.world.entra.rename(&guest, "Another");
    desk.world.sync();
    let user = desk.done("get_user", json!({"address": "guest@contoso.com"}))["user"].clone();
    assert_eq!((&user["exempt"], &user["display_name"]), (&json!(true), &json!("The guest")));
    let listed = desk.done("list_exemptions", json!({}))["exemptions"].clone();
    assert_eq!(
        (&listed[0]["address"], &listed[0]["by"], listed.as_array().unwrap().len()),
        (&json!("guest@contoso.com"), &json!("ann"), 1)
    );
    desk.done("unexempt", json!({"address": "guest@contoso.com"}));
    desk.world.sync_twice();
    assert_eq!(desk.done("get_user", json!({"id": guest}))["user"]["display_name"], "Another");
}

#[test]
fn s9_of_a_tenant_that_is_not_there_nothing_can_be_asked() {
    let desk = Desk::new();
    let address = "ann@contoso.com";
    for (action, mut more) in [
        ("get_tenant", json!({})),
        ("put_secret", json!({"ad_key": "good"})),
        ("test_connection", json!({})),
        ("move_secret", json!({"to": "kms"})),
        ("exempt", json!({"address": address})),
        ("unexempt", json!({"address": address})),
        ("list_exemptions", json!({})),
        ("convert", json!({"address": address, "to": "end_user"})),
        ("put_user", json!({"user": {"primary_email": address}})),
        ("delete_user", json!({"address": address})),
        ("delete_tenant", json!({"purge": true})),
        ("list_users", json!({})),
        ("list_groups", json!({})),
        ("get_user", json!({"address": address})),
        ("get_group", json!({"name": "x"})),
        ("list_runs", json!({})),
        ("get_run", json!({"run": "01JD0000000000000000000000"})),
    ] {
        more["tenant"] = json!("nobody");
        assert_eq!(desk.refused(action, more), "not_found: there is no tenant nobody", "{action}");
    }
}

#[test]
fn s9_changes_are_written_down_with_who_asked() {
    let desk = Desk::new();
    let before = desk.world.store.snapshot();
    desk.done("put_tenant", json!({"settings": {"seats": 5, "brake": {"users_min": 9}}, "by": "ann"}));
    desk.done("put_user", json!({"user": {"primary_email": "eve@contoso.com"}, "by": "bob"}));
    desk.done("put_secret", json!({"ad_key": "good-one"}));
    let entries: Vec<Value> = desk
        .world
        .store
        .snapshot()
        .into_iter()
        .filter(|(key, _)| key.sk.starts_with("AUD#") && !before.contains_key(key))
        .map(|(_, item)| json!(item))
        .collect();
    let who: Vec<String> =
        entries.iter().map(|entry| format!("{} {} {}", entry["by"], entry["action"], entry["what"])).collect();
    assert_eq!(who[0], r#""ann" "put_tenant" "brake, seats""#);
    assert!(who[1].starts_with(r#""bob" "put_user""#), "{who:?}");
    assert_eq!(who[2], r#""operator" "put_secret" "secret""#);
    assert_eq!((&entries[0]["from"]["seats"], &entries[0]["to"]["seats"]), (&Value::Null, &json!(5)));
    assert_eq!(entries[2]["ttl"], desk.world.now().as_second() + 400 * 86_400);
    assert!(!format!("{entries:?}").contains("good-one"));
}

#[test]
fn s9_a_fault_of_the_world_is_an_answer_that_quotes_the_invocation() {
    let desk = Desk::new();
    desk.world.turnstile.set(Some(Switch { at: 1, side: Side::Before, deed: Deed::Fault { passes: false } }));
    let answer = desk.ask("get_tenant", json!({}));
    assert_eq!(answer["error"]["code"], "unexpected");
    assert_eq!(
        answer["error"]["message"],
        "We have come across a problem, and cannot continue. Please contact support quoting request-1"
    );
}

#[test]
fn s9_settings_that_somebody_else_has_changed_are_not_overwritten() {
    let desk = Desk::new();
    let save = |settings: Value, expected: Value| json!({"settings": settings, "expected": expected});
    let seen = desk.done("get_tenant", json!({}))["settings"].clone();
    desk.done("put_tenant", save(json!({"seats": 5}), json!({"seats": seen["seats"], "brake": seen["brake"]})));
    let refused = desk.refused(
        "put_tenant",
        save(json!({"seats": 7, "name": "X"}), json!({"seats": seen["seats"], "name": seen["name"]})),
    );
    assert_eq!(refused, "superseded: settings of tenant contoso were changed meanwhile: seats");
    let refused = desk.refused("put_tenant", save(json!({"seats": 7}), json!({"seat": 5})));
    assert_eq!(refused, "invalid_input: expected.seat: there is no such setting");
    // All that was seen may be sent back, and what is expected need not be what is saved.
    let now = desk.done("get_tenant", json!({}))["settings"].clone();
    assert_eq!(desk.done("put_tenant", save(json!({"sync_frequency": 6}), now))["settings"]["sync_frequency"], 6);
    let refused = desk.refused("put_tenant", json!({"settings": {}, "expected": []}));
    assert!(refused.starts_with("invalid_input: expected: expected a map"), "{refused}");

    // A new tenant has the defaults, and many domains come in steps.
    let many: Vec<Value> = (0..150).map(|number| json!({"name": format!("d{number}.example")})).collect();
    let mut event = save(json!({"domains": many}), json!({"domains": [], "seats": 1}));
    event["tenant"] = json!("fabrikam");
    assert!(desk.refused("put_tenant", event.clone()).ends_with("meanwhile: seats"));
    event["expected"] = json!({"domains": [], "seats": null, "sync_frequency": 24});
    let made = desk.done("put_tenant", event);
    assert_eq!(made["settings"]["domains"].as_array().unwrap().len(), 150);
}

/// It is decided on what is then written: another's change in between is noticed.
#[test]
fn s9_settings_are_compared_in_the_commit_that_changes_them() {
    let desk = Desk::new();
    let world = &desk.world;
    let asked =
        Asked { tenant: world.tenant.clone(), by: "ann".to_owned(), now: world.now(), nonce: "slow".to_owned() };
    let expected = json!({"seats": null}).as_object().unwrap().clone();
    let patch = Patch { settings: json!({"seats": 7}), expected, replace_connection: false };
    let start = world.moment();
    for at in 1..20 {
        world.go_back(&start);
        world.turnstile.set(Some(Switch { at, side: Side::Before, deed: Deed::Halt }));
        let ports = (&world.entra, &world.store, &world.vault);
        let mut slow = Box::pin(tenants::put_settings(ports, &asked, &patch));
        if let Some(done) = poll(slow.as_mut()) {
            assert_eq!((done.unwrap()["settings"]["seats"].clone(), at > 2), (json!(7), true));
            return;
        }
        let own = desk.invoke(json!({"action": "put_tenant", "tenant": "contoso", "settings": {"seats": 5}}));
        assert_eq!(own.unwrap()["settings"]["seats"], 5);
        world.turnstile.resume();
        let refused = poll(slow.as_mut()).unwrap().unwrap_err().to_string();
        assert_eq!(refused, "settings of tenant contoso were changed meanwhile: seats", "call {at}");
        assert_eq!(world.tenant().settings.seats, Some(5));
    }
    panic!("it never came to its end");
}
