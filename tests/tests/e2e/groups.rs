//! Groups in groups, around in circles, and groups that do not show who is in them.

use serde_json::json;

use crate::company::{Company, counts};

#[tokio::test]
async fn r2_10_a_cycle_of_groups_is_flattened() {
    let company = Company::connected(0, 0, 1801).await;
    company.admin(json!({"action": "put_tenant", "settings": {"sync_security_groups": false}})).await;
    company.change(["ann", "bob", "cy"].iter().map(|name| company.person(name, &json!({}))).collect()).await;
    let security =
        json!({"displayName": "The two", "mailNickname": "two", "mailEnabled": false, "securityEnabled": true});
    company
        .change(json!([
            company.list("three", &["cy"]),
            {"op": "create_group", "properties": security, "members": [company.address("bob"), company.address("three")]},
            company.list("one", &["ann"]),
            {"op": "add_member", "group": company.address("one"), "member": "two"},
            {"op": "add_member", "group": company.address("three"), "member": company.address("one")},
        ]))
        .await;
    let run = company.automatic().await;
    assert_eq!(counts(&run), "adding users 3, adding groups 2", "the way leads through a kind that is off: {run}");
    assert_eq!(company.members("one").await, ["ann", "bob", "cy"]);
    assert_eq!(company.members("three").await, ["ann", "bob", "cy"]);

    company.change(json!({"op": "remove_member", "group": "two", "member": company.address("three")})).await;
    company.automatic().await;
    assert_eq!(company.members("one").await, ["ann", "bob"], "the circle is open");
    assert_eq!(company.members("three").await, ["ann", "bob", "cy"]);
    company.change(json!({"op": "add_member", "group": "two", "member": company.address("three")})).await;
    company.change(json!({"op": "delete_user", "user": company.address("bob")})).await;
    company.automatic().await;
    let here = company.everything().await;
    for full in [false, true] {
        assert_eq!(company.members("one").await, ["ann", "cy"], "and closed again, without the leaver");
        assert_eq!(company.members("three").await, ["ann", "cy"]);
        let again = company.sync(json!({"action": "sync", "full": full})).await;
        assert_eq!(counts(&again), "", "{again}");
        assert_eq!(company.everything().await, here);
    }
}

#[tokio::test]
async fn r2_10_a_group_that_hides_its_members_says_so() {
    let company = Company::connected(0, 0, 1802).await;
    let properties = json!({
        "displayName": "The board", "mail": company.address("board"), "mailEnabled": true, "securityEnabled": false,
        "proxyAddresses": [format!("SMTP:{}", company.address("board"))], "groupTypes": ["Unified"],
        "visibility": "HiddenMembership",
    });
    company.change(json!([company.person("ann", &json!({})), {"op": "create_group", "properties": properties}])).await;
    let run = company.automatic().await;
    assert_eq!(counts(&run), "adding users 1, adding groups 1", "{run}");
    let (changes, _) = company.changes(&run).await;
    let board = changes.iter().find(|change| change["object"] == "group").unwrap_or_else(|| panic!("{changes:?}"));
    assert!(board["notes"].to_string().contains("Member.Read.Hidden"), "the permission is named: {board}");
    let again = company.automatic().await;
    assert_eq!(counts(&again), "", "{again}");
}
