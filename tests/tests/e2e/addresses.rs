//! Addresses move between people, in one run each, and never belong to two.

use serde_json::{Value, json};

use crate::company::{Company, counts};

/// Two people who are here, ann with an alias.
async fn two(seed: u64) -> (Company, Value, Value) {
    let company = Company::connected(0, 0, seed).await;
    company.change(json!([company.person("ann", &json!({})), company.person("bob", &json!({}))])).await;
    company.change(company.readdress("ann", &["SMTP:ann", "smtp:sales"])).await;
    company.automatic().await;
    let (ann, bob) = (company.user("ann").await, company.user("bob").await);
    assert_eq!(ann["alias_emails"], json!([company.address("sales")]), "{ann}");
    (company, ann, bob)
}

/// The next run does this, and the one after it nothing.
async fn settles(company: &Company, expected: &str) {
    let run = company.automatic().await;
    assert_eq!((&run["state"], counts(&run).as_str()), (&json!("applied"), expected), "{run}");
    let here = company.everything().await;
    let again = company.automatic().await;
    assert_eq!((&again["state"], counts(&again).as_str()), (&json!("applied"), ""), "{again}");
    assert_eq!(company.everything().await, here);
}

/// Who has which addresses, by id, the primary first.
async fn shows(company: &Company, id: &Value, expected: &[&str]) {
    let user = company.admin(json!({"action": "get_user", "id": id})).await["user"].clone();
    let primary = user["primary_email"].as_str().unwrap_or_else(|| panic!("{user}")).to_owned();
    let aliases = user["alias_emails"].as_array().unwrap().iter().map(|alias| alias.as_str().unwrap().to_owned());
    let shown: Vec<String> = std::iter::once(primary).chain(aliases).collect();
    let expected: Vec<String> = expected.iter().map(|name| company.address(name)).collect();
    assert_eq!(shown, expected, "{user}");
    for address in expected {
        let found = company.admin(json!({"action": "get_user", "address": address})).await;
        assert_eq!(found["user"], user, "{address}");
    }
}

#[tokio::test]
async fn r3_6_two_people_swap_their_primary_addresses_in_one_run() {
    let (company, ann, bob) = two(1501).await;
    let swap = [company.readdress("ann", &["SMTP:bob", "smtp:sales"]), company.readdress("bob", &["SMTP:ann"])];
    company.change(json!(swap)).await;
    settles(&company, "updating users 2").await;
    shows(&company, &ann["id"], &["bob", "sales"]).await;
    shows(&company, &bob["id"], &["ann"]).await;
}

#[tokio::test]
async fn r3_6_an_alias_becomes_the_primary_address_of_somebody_new() {
    let (company, ann, bob) = two(1502).await;
    company.change(json!([company.readdress("ann", &["SMTP:ann"]), company.person("sales", &json!({}))])).await;
    settles(&company, "adding users 1, updating users 1").await;
    let sales = company.user("sales").await;
    assert!(sales["id"] != ann["id"] && sales["id"] != bob["id"], "{sales}");
    shows(&company, &sales["id"], &["sales"]).await;
    shows(&company, &ann["id"], &["ann"]).await;
}

#[tokio::test]
async fn r3_6_a_leavers_address_goes_to_somebody_new_and_the_leaver_may_come_back() {
    let (company, ann, bob) = two(1503).await;
    let ada =
        json!({"userPrincipalName": company.address("ada"), "mail": company.address("ada"), "displayName": "The ada"});
    company.change(json!([{"op": "delete_user", "user": ann["entra_id"]}, company.person("ann", &ada)])).await;
    settles(&company, "adding users 1, deleting users 1").await;
    let new = company.user("ann").await;
    assert_eq!((&new["display_name"], &new["is_active"]), (&json!("The ada"), &json!(true)), "{new}");
    assert_ne!(new["id"], ann["id"]);
    let left = company.admin(json!({"action": "get_user", "id": ann["id"]})).await["user"].clone();
    assert_eq!(
        (&left["is_active"], &left["primary_email"]),
        (&json!(false), &json!(company.address("sales"))),
        "{left}"
    );

    let proxies = json!([format!("SMTP:{}", company.address("ann.2")), format!("smtp:{}", company.address("sales"))]);
    company
        .change(json!([
            {"op": "restore_user", "user": ann["entra_id"]},
            {"op": "update_user", "user": ann["entra_id"], "properties": {"proxyAddresses": proxies}},
        ]))
        .await;
    settles(&company, "updating users 1").await;
    shows(&company, &ann["id"], &["ann.2", "sales"]).await;
    shows(&company, &new["id"], &["ann"]).await;
    shows(&company, &bob["id"], &["bob"]).await;
}
