//! Looking back on runs, and lists that go on where they ended.

use serde_json::{Value, json};

use super::Desk;

#[test]
fn r4_12_runs_are_looked_back_on_page_by_page() {
    let desk = Desk::new();
    for number in 0..620 {
        desk.world.entra.hire(&format!("u{number:03}"));
    }
    let foreign = desk.world.entra.hire_as("foreign", &["SMTP:x@elsewhere.example"]);
    let silent = desk.world.entra.hire_as("silent", &[]);
    let preview = desk.world.sync();
    let run = preview["run"].as_str().unwrap().to_owned();
    let (mut changes, mut skipped, mut pages, mut cursor) = (Vec::new(), Vec::new(), 0, Value::Null);
    loop {
        let page = desk.done("get_run", json!({"run": run, "cursor": cursor}));
        assert_eq!((&page["run"]["run"], &page["run"]["trigger"]), (&json!(run), &json!("schedule")));
        changes.extend(page["changes"].as_array().unwrap().clone());
        skipped.extend(page["skipped"].as_array().unwrap().clone());
        pages += 1;
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!((changes.len(), skipped.len(), pages), (620, 2, 2));
    assert!(changes.iter().all(|change| change["outcome"] == "applied"));
    let ids: std::collections::BTreeSet<String> =
        changes.iter().map(|change| change["object_id"].to_string()).collect();
    assert_eq!(ids.len(), 620, "each once");
    assert_eq!(
        skipped[0],
        json!({
            "object": "user", "object_id": foreign, "address": "x@elsewhere.example", "reason": "domain_not_registered",
            "why": skipped[0]["why"],
        })
    );
    assert_eq!((&skipped[1]["object_id"], &skipped[1]["reason"]), (&json!(silent), &json!("no_smtp_address")));

    desk.world.entra.rename(&tests::entra::id("u007"), "Bond");
    desk.world.entra.rename(&tests::entra::id("u008"), "Bill");
    desk.done(
        "put_tenant",
        json!({"settings": {"domains": [{"name": "contoso.com"}, {"name": "elsewhere.example"}], "add_users": false}}),
    );
    let preview = desk.world.preview();
    let page = desk.done("get_run", json!({"run": preview["run"]}));
    let shown = |page: &Value| {
        let line = |change: &Value| {
            format!(
                "{} {} {}",
                change["category"].as_str().unwrap(),
                change["object_id"].as_str().unwrap(),
                change["outcome"]
            )
        };
        let mut lines: Vec<String> = page["changes"].as_array().unwrap().iter().map(line).collect();
        lines.sort();
        lines
    };
    assert_eq!(shown(&page), ["not_enabled foreign null", "updating u007 null", "updating u008 null"]);
    let changes = page["changes"].as_array().unwrap();
    let bill = changes.iter().find(|change| change["object_id"] == "u008").unwrap()["id"].as_str().unwrap().to_owned();
    desk.world.apply(&preview, &[&bill]);
    let page = desk.done("get_run", json!({"run": preview["run"]}));
    assert_eq!(shown(&page), ["not_enabled foreign null", "updating u007 \"applied\"", "updating u008 \"unchecked\""]);

    let runs = desk.done("list_runs", json!({}))["runs"].clone();
    assert_eq!((runs.as_array().unwrap().len(), &runs[0]["run"]), (2, &preview["run"]), "the newest first");
    assert_eq!(
        desk.refused("get_run", json!({"run": run, "cursor": "x"})),
        "invalid_input: cursor: expected one that an answer to this action gave"
    );
    assert!(desk.refused("get_run", json!({"run": "01JD0000000000000000000000"})).starts_with("not_found: "));
}

#[test]
fn r4_4_a_plan_is_reviewed_by_whoever_asks() {
    let desk = Desk::new();
    for name in ["ann", "bob"] {
        desk.world.entra.hire(name);
    }
    let preview = desk.world.preview();
    let plan = desk.done("get_run", json!({"run": preview["run"]}));
    let mark = json!([{"category": "adding", "object": "user", "uncheck": [plan["changes"][0]["id"]]}]);
    let answer = desk.done("review", json!({"run": preview["run"], "by": "ann@contoso.com", "marks": mark}));
    assert_eq!((&answer["run"], &answer["unchecked"]["adding"]["users"]), (&preview["run"], &json!(1)));
    let audits = desk.world.store.snapshot().into_keys().filter(|key| key.sk.starts_with("AUD#")).count();
    assert_eq!(audits, 0, "a click is no entry of the audit: the run says who applied it");
    let request = engine::run::Request {
        run: Some(preview["run"].as_str().unwrap().parse().unwrap()),
        reviewed: Some(answer["review"].as_str().unwrap().to_owned()),
        by: "ann@contoso.com".to_owned(),
        ..desk.world.request(engine::records::Action::Apply)
    };
    assert_eq!(desk.world.ask(request)["state"], "applied");
    assert_eq!(desk.done("list_users", json!({}))["users"].as_array().unwrap().len(), 1);
    let run = &desk.done("list_runs", json!({}))["runs"][0];
    assert_eq!((&run["by"], &run["applied"]["adding"]["users"]), (&json!("ann@contoso.com"), &json!(1)));
    assert!(desk.refused("review", json!({"run": preview["run"], "marks": mark})).starts_with("superseded: "));
}

#[test]
fn r4_4_a_run_with_settings_of_its_own_shows_its_own_verdicts() {
    let desk = Desk::new();
    desk.world.entra.hire("ann");
    let guest = desk.world.entra.hire("guest");
    desk.world.entra.user_type(&guest, "Guest");
    desk.world.sync();
    let settings = Some(json!({"sync_guests": true, "add_users": false}));
    let run = desk.world.ask(engine::run::Request { settings, ..desk.world.request(engine::records::Action::Preview) });
    let page = desk.done("get_run", json!({"run": run["run"]}));
    assert_eq!(
        (&page["changes"][0]["category"], &page["changes"][0]["object_id"]),
        (&json!("not_enabled"), &json!(guest))
    );
    assert_eq!((page["changes"].as_array().unwrap().len(), &page["skipped"]), (1, &json!([])));
}

#[test]
fn s9_lists_go_on_where_they_ended() {
    let desk = Desk::new();
    for number in 0..40 {
        desk.world.entra.hire(&format!("u{number:02}"));
        desk.world.entra.group(
            &format!("g{number:02}"),
            &[&format!("SMTP:g{number:02}@contoso.com")],
            true,
            false,
            &[],
        );
    }
    desk.world.sync();
    desk.world.store.page_of(3);
    for (action, name) in [("list_users", "users"), ("list_groups", "groups")] {
        assert_eq!(desk.done(action, json!({}))[name].as_array().unwrap().len(), 40, "pages of the store do not show");
    }
    desk.world.store.page_of(1000);
    let twins = [desk.world.entra.security("twin-a"), desk.world.entra.security("twin-b")];
    for twin in &twins {
        desk.world.entra.rename(twin, "Twin");
    }
    desk.done("put_tenant", json!({"settings": {"sync_security_groups": true}}));
    desk.world.sync();
    let refused = desk.refused("get_group", json!({"name": "Twin"}));
    assert_eq!(
        refused,
        "invalid_input: name: several groups have this name; ask for one of them by its id: twin-a, twin-b"
    );
    let group = desk.done("get_group", json!({"id": "twin-a"}))["group"].clone();
    assert_eq!(
        (&group["kind"], &group["primary_email"], &group["members"]),
        (&json!("security"), &Value::Null, &json!([]))
    );
    assert_eq!(desk.done("get_group", json!({"name": "The g01"}))["group"]["id"], "g01");
}
