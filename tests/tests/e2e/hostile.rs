//! What cannot be is refused with a clear error, on the deployed stack, and nothing is lost or half written.

use serde_json::{Value, json};

use crate::company::Company;

#[tokio::test]
async fn s9_impossible_requests_are_answered_not_thrown() {
    let company = Company::connected(3, 1, 1101).await;
    let before = company.admin(json!({"action": "get_tenant"})).await;
    let long = "x".repeat(10_000);
    let events: Vec<(&str, Value)> = vec![
        ("Admin", json!({"action": "put_tenant", "tenant": company.tenant, "settings": {"sync_users": true}})),
        ("Admin", json!({"action": "put_tenant", "tenant": company.tenant, "settings": {"sync_frequency": 5}})),
        ("Admin", json!({"action": "put_tenant", "tenant": company.tenant, "settings": {"add_users": "yes"}})),
        ("Admin", json!({"action": "put_tenant", "tenant": company.tenant, "settings": []})),
        ("Admin", json!({"action": "put_tenant", "tenant": "a/b#c", "settings": {}})),
        ("Admin", json!({"action": "put_tenant", "tenant": long, "settings": {}})),
        ("Admin", json!({"action": "explode", "tenant": company.tenant})),
        ("Admin", json!({"action": "delete_tenant", "tenant": company.tenant})),
        ("Admin", json!({"action": "get_user", "tenant": company.tenant, "address": "no-at-sign"})),
        ("Admin", json!({"action": "get_user", "tenant": company.tenant, "id": "😀/#"})),
        ("Admin", json!({"action": "get_run", "tenant": company.tenant, "run": long})),
        ("Admin", json!({"action": "list_users", "tenant": company.tenant, "cursor": "made up"})),
        ("Admin", json!({"action": "put_secret", "tenant": company.tenant, "ad_key": ""})),
        ("Admin", json!({"action": "put_secret", "tenant": company.tenant, "ad_key": 7})),
        ("Admin", json!(["not", "an", "object"])),
        ("Sync", json!({"action": "sync"})),
        ("Sync", json!({"action": "sync", "tenant": "nobody-here"})),
        ("Sync", json!({"action": "apply", "tenant": company.tenant, "run": "01JD0000000000000000000000"})),
        ("Sync", json!({"action": "sync", "tenant": company.tenant, "settings": {"tech_contact": "x@y.example"}})),
        ("Sync", json!("sync")),
        ("Sync", json!({"Records": "all"})),
        ("Report", json!({"tenant": company.tenant, "date": "yesterday"})),
        ("Report", json!({"tenant": "nobody-here", "date": "2026-03-03"})),
        ("Report", json!({"Records": [5]})),
        ("Dispatch", json!({"now": 5})),
        ("Dispatch", json!(["now"])),
    ];
    for (function, event) in events {
        let answer =
            company.stack.invoke(function, &event).await.unwrap_or_else(|err| panic!("{function} {event}: {err}"));
        let code = answer["error"]["code"].as_str().unwrap_or_else(|| panic!("{function} {event}: {answer}"));
        assert!(["invalid_input", "not_found"].contains(&code), "{function} {event}: {answer}");
        assert!(answer["error"]["help"].as_str().is_some_and(|help| !help.is_empty()), "{answer}");
        assert!(answer.to_string().len() < 2000, "an answer does not repeat ten kilobytes");
    }
    assert_eq!(company.admin(json!({"action": "get_tenant"})).await, before, "and nothing has changed");
}

#[tokio::test]
async fn s9_hostile_names_and_addresses_arrive_or_are_skipped_with_a_reason() {
    let company = Company::connected(3, 1, 1102).await;
    let domain = &company.domain;
    let person = |name: &str, proxies: Value| {
        json!({"op": "create_user", "properties": {
            "displayName": name, "surname": name, "userPrincipalName": format!("u{}@{domain}", name.len()), "proxyAddresses": proxies,
            "accountEnabled": true, "userType": "Member",
        }})
    };
    company
        .change(json!([
            person(
                "<script>alert(1)</script>",
                json!([format!("SMTP:script@{domain}"), "no-colon", "smtp:", ":", "smtp:a@b@c"])
            ),
            person(
                "line\r\nbreak and \u{202e}right to left",
                json!([format!("SMTP:break@{domain}"), format!("smtp:\"quoted x\"@{domain}")])
            ),
            person("two ats", json!([format!("SMTP:a@b@{domain}")])),
            person("no domain", json!(["SMTP:nobody"])),
            person("umlaut", json!([format!("SMTP:jörg@{domain}")])),
        ]))
        .await;
    let run = company.sync(json!({"action": "sync"})).await;
    assert_eq!(run["state"], "applied", "{run}");
    let script = company.admin(json!({"action": "get_user", "address": format!("script@{domain}")})).await;
    assert_eq!(script["user"]["display_name"], "<script>alert(1)</script>", "{script}");
    assert_eq!(script["user"]["alias_emails"], json!([]));
    let broken =
        company.admin(json!({"action": "get_user", "address": format!("BREAK@{}", domain.to_uppercase())})).await;
    assert_eq!(broken["user"]["surname"], "line\r\nbreak and \u{202e}right to left");
    let (_, skipped) = company.changes(&run).await;
    let invalid = skipped.iter().filter(|skipped| skipped["reason"] == "invalid_address").count();
    assert_eq!(invalid, 3, "{skipped:?}");
    let report = company.invoke("Report", json!({"date": "2026-11-22", "preview": true})).await;
    assert!(!report["html"].as_str().unwrap_or_else(|| panic!("{report}")).contains("<script"));
    assert!(!report["subject"].as_str().unwrap().contains('\n'));
}

#[tokio::test]
async fn s9_one_unreadable_object_does_not_stop_the_rest() {
    let company = Company::connected(12, 2, 1103).await;
    let fault = json!({"match": {"kind": "users", "tenant": company.directory}, "fault": "wrong_types"});
    company.stack.control("faults", &fault).await.unwrap();
    let run = company.sync(json!({"action": "sync"})).await;
    assert_eq!(run["state"], "applied", "{run}");
    assert!(run["warnings"].as_array().unwrap().iter().any(|warning| warning["code"] == "unreadable_object"), "{run}");
    assert!(company.all("list_users", "users").await.len() >= 10);
    let run = company.sync(json!({"action": "sync", "full": true})).await;
    assert_eq!((&run["state"], run["warnings"].as_array().map(Vec::len)), (&json!("applied"), Some(0)), "{run}");
}
