//! What a person leaves out of a plan comes back with the next, until it is exempt.

use serde_json::json;

use crate::company::{Company, counts};

#[tokio::test]
async fn r4_7_an_unchecked_change_comes_back_until_its_address_is_exempt() {
    let company = Company::connected(0, 0, 1401).await;
    company.change(["ann", "bob", "cy"].iter().map(|name| company.person(name, &json!({}))).collect()).await;
    company.automatic().await;
    let before = company.all("list_users", "users").await;
    company
        .change(json!([
            {"op": "update_user", "user": company.address("ann"), "properties": {"jobTitle": "Boss"}},
            {"op": "update_user", "user": company.address("bob"), "properties": {"jobTitle": "Boss"}},
            {"op": "delete_user", "user": company.address("cy")},
            company.person("dee", &json!({})),
        ]))
        .await;
    let plan = company.sync(json!({"action": "preview"})).await;
    let (changes, _) = company.changes(&plan).await;
    let id_of = |name: &str| {
        let change = changes.iter().find(|change| change["address"] == company.address(name));
        change.unwrap_or_else(|| panic!("{changes:?}"))["id"].clone()
    };
    let unchecked = [id_of("bob"), id_of("cy"), id_of("dee")];
    let done = company.sync(json!({"action": "apply", "run": plan["run"], "except": unchecked})).await;
    assert_eq!(done["state"], "applied", "{done}");
    let here = company.all("list_users", "users").await;
    assert_eq!(company.user("ann").await["job_title"], "Boss");
    assert_eq!(here.iter().filter(|user| !before.contains(user)).count(), 1, "ann alone: {here:?}");

    let next = company.sync(json!({"action": "preview"})).await;
    let (mut again, _) = company.changes(&next).await;
    again.sort_by_key(|change| change["address"].as_str().map(str::to_owned));
    let ids: Vec<_> = again.iter().map(|change| change["id"].clone()).collect();
    assert_eq!(ids, unchecked, "the same changes have the same ids: {again:?}");

    for name in ["bob", "cy", "dee"] {
        let exempt = company.admin(json!({"action": "exempt", "address": company.address(name)})).await;
        assert!(exempt.get("error").is_none(), "{exempt}");
    }
    let exempt = company.all("list_users", "users").await;
    for action in ["preview", "sync", "sync"] {
        let run = company.sync(json!({"action": action})).await;
        let (changes, skipped) = company.changes(&run).await;
        assert!(changes.is_empty(), "{action}: {changes:?}");
        assert!(skipped.iter().all(|skipped| skipped["reason"] == "exempt"), "{action}: {skipped:?}");
        assert!(counts(&run).starts_with("skipped users "), "{action}: {run}");
        assert_eq!(company.all("list_users", "users").await, exempt, "{action}");
    }

    for name in ["bob", "cy", "dee"] {
        company.admin(json!({"action": "unexempt", "address": company.address(name)})).await;
    }
    let back = company.automatic().await;
    assert_eq!(counts(&back), "adding users 1, updating users 1, deleting users 1", "{back}");
    let here = company.all("list_users", "users").await;
    let again = company.automatic().await;
    assert_eq!(counts(&again), "", "{again}");
    assert_eq!(company.all("list_users", "users").await, here);
}
