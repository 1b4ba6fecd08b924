//! Who leaves Entra leaves here: not too many at once, in two steps, and not without a way back.

use serde_json::{Value, json};

use crate::company::{Company, counts};

/// Names of people, `p00` and on.
fn names(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("p{number:02}")).collect()
}

/// The changes that do the same to each of these people.
fn each(company: &Company, op: &str, names: &[String]) -> Value {
    names.iter().map(|name| json!({"op": op, "user": company.address(name)})).collect()
}

/// A company of so many people, who are all in one group, synchronised with the brake on.
async fn braked(people: usize, seed: u64) -> Company {
    let company = Company::connected(0, 0, seed).await;
    let names = names(0..people);
    let hires = names.iter().map(|name| company.person(name, &json!({}))).collect();
    company.change(hires).await;
    company.change(company.list("all", &names.iter().map(String::as_str).collect::<Vec<_>>())).await;
    let saved = company.admin(json!({"action": "put_tenant", "settings": {"brake": {"enabled": true}}})).await;
    assert_eq!(saved["settings"]["brake"]["users_percent"], 10, "{saved}");
    let first = company.automatic().await;
    assert_eq!(counts(&first), format!("adding users {people}, adding groups 1"), "{first}");
    company
}

async fn active(company: &Company) -> usize {
    company.all("list_users", "users").await.iter().filter(|user| user["is_active"] == true).count()
}

#[tokio::test]
async fn r4_8_the_brake_holds_until_the_newest_run_is_released() {
    let company = braked(60, 1301).await;
    company.change(each(&company, "delete_user", &names(0..6))).await;
    let few = company.automatic().await;
    assert_eq!(
        (&few["state"], counts(&few).as_str()),
        (&json!("applied"), "updating groups 1, deleting users 6"),
        "6 is 10 % of 60: {few}"
    );

    company.change(each(&company, "delete_user", &names(6..12))).await;
    company.change(company.person("zoe", &json!({}))).await;
    let held = company.automatic().await;
    assert_eq!((&held["state"], &held["counts"]["adding"]["users"]), (&json!("held"), &json!(1)), "{held}");
    assert_eq!((&held["held"]["users"], &held["held"]["limits"]["users"]), (&json!(6), &json!(5)), "6 of 54: {held}");
    assert_eq!(active(&company).await, 55, "zoe came, nobody went");
    assert_eq!(company.members("all").await.len(), 54, "who is held stays a member");
    let (changes, _) = company.changes(&held).await;
    let users: Vec<&Value> = changes.iter().filter(|change| change["object"] == "user").collect();
    let outcomes = |outcome: &str| users.iter().filter(|change| change["outcome"] == outcome).count();
    assert_eq!((outcomes("applied"), outcomes("held")), (1, 6), "{users:?}");

    let again = company.automatic().await;
    assert_eq!((&again["state"], &again["held"]), (&json!("held"), &held["held"]), "{again}");
    let old = company.sync(json!({"action": "release", "run": held["run"]})).await;
    assert_eq!((&old["error"]["code"], &old["error"]["run"]), (&json!("superseded"), &again["run"]), "{old}");
    assert_eq!(active(&company).await, 55, "a refusal changes nothing");

    let release = json!({"action": "release", "run": again["run"]});
    let released = company.sync(release.clone()).await;
    assert_eq!((&released["state"], &released["held"]), (&json!("applied"), &Value::Null), "{released}");
    assert_eq!((active(&company).await, company.members("all").await.len()), (49, 48));
    let here = company.everything().await;
    let twice = company.sync(release).await;
    assert!(twice["error"]["code"].is_string(), "{twice}");
    let next = company.automatic().await;
    assert_eq!((&next["state"], counts(&next).as_str()), (&json!("applied"), ""), "{next}");
    assert_eq!(company.everything().await, here);
}

#[tokio::test]
async fn r4_8_a_person_may_do_what_the_brake_would_hold() {
    let company = braked(12, 1302).await;
    company.change(each(&company, "delete_user", &names(0..6))).await;
    let plan = company.sync(json!({"action": "preview"})).await;
    assert_eq!((&plan["state"], &plan["held"]["users"]), (&json!("planned"), &json!(6)), "the verdict: {plan}");
    assert_eq!(active(&company).await, 12);
    let done = company.sync(json!({"action": "apply", "run": plan["run"]})).await;
    assert_eq!((&done["state"], &done["counts"]["deleting"]["users"]), (&json!("applied"), &json!(6)), "{done}");
    assert_eq!(active(&company).await, 6);
    let here = company.everything().await;
    let next = company.automatic().await;
    assert_eq!((&next["state"], counts(&next).as_str()), (&json!("applied"), ""), "{next}");
    assert_eq!(company.everything().await, here);
}

#[tokio::test]
async fn r4_8_everybody_deleted_by_accident_and_restored_loses_nothing() {
    let company = braked(12, 1303).await;
    let team = json!({
        "displayName": "The team", "mail": company.address("team"), "groupTypes": ["Unified"], "mailEnabled": true,
        "proxyAddresses": [format!("SMTP:{}", company.address("team"))], "securityEnabled": false,
    });
    let members = [company.address("p01"), company.address("p02")];
    company.change(json!({"op": "create_group", "properties": team, "members": members})).await;
    company.automatic().await;
    let here = company.everything().await;

    company.change(each(&company, "delete_user", &names(0..12))).await;
    for _ in 0..2 {
        let held = company.automatic().await;
        assert_eq!((&held["state"], &held["held"]["users"]), (&json!("held"), &json!(12)), "{held}");
        assert_eq!(company.everything().await, here, "nobody went, nobody left a group");
    }
    let report = company.invoke("Report", json!({"date": "2026-11-22", "preview": true})).await;
    let subject = report["subject"].as_str().unwrap_or_else(|| panic!("{report}"));
    assert!(subject.contains(" – HELD – 13 removals wait for you"), "twelve people and an emptied group: {subject}");
    company.change(json!({"op": "delete_group", "group": company.address("team")})).await;
    let held = company.automatic().await;
    assert_eq!(held["counts"]["deleting"]["groups"], json!(1), "one group of two is below the limit: {held}");

    company.change(each(&company, "restore_user", &names(0..12))).await;
    company.change(json!({"op": "restore_group", "group": company.address("team")})).await;
    let restored = company.automatic().await;
    assert_eq!((&restored["state"], &restored["held"]), (&json!("applied"), &Value::Null), "{restored}");
    assert_eq!(counts(&restored), "updating groups 1", "the group is back: {restored}");
    for full in [false, true] {
        assert_eq!(company.everything().await, here, "nothing is lost");
        let again = company.sync(json!({"action": "sync", "full": full})).await;
        assert_eq!((&again["state"], counts(&again).as_str()), (&json!("applied"), ""), "{again}");
    }
    assert_eq!(company.everything().await, here);
}

#[tokio::test]
async fn r3_4_a_leaver_is_marked_first_and_gone_for_good_after_the_recovery_days() {
    let company = Company::empty_at(1304, "2027-03-01T08:00:00Z").await;
    company.change(json!([company.person("ann", &json!({})), company.person("bob", &json!({}))])).await;
    company.change(json!([company.list("inner", &["ann", "bob"]), company.list("outer", &["inner"])])).await;
    let sync = async |now: &str| {
        let run = company.sync(json!({"action": "sync", "now": now})).await;
        assert_eq!(run["state"], "applied", "{run}");
        counts(&run)
    };
    sync("2027-03-01T09:00:00Z").await;
    let (ann, bob) = (company.user("ann").await, company.user("bob").await);

    company.change(each(&company, "delete_user", &["ann".to_owned(), "bob".to_owned()])).await;
    assert_eq!(sync("2027-03-02T09:00:00Z").await, "updating groups 2, deleting users 2");
    for name in ["ann", "bob"] {
        let marked = company.user(name).await;
        assert_eq!((&marked["is_active"], marked["deleted_at"].is_string()), (&json!(false), true), "{marked}");
    }
    assert_eq!((company.members("inner").await, company.members("outer").await), (vec![], vec![]));

    company.change(json!({"op": "restore_user", "user": company.address("bob")})).await;
    assert_eq!(sync("2027-03-20T09:00:00Z").await, "updating users 1, updating groups 2");
    assert_eq!(company.user("bob").await, bob, "the same with everything it had");
    assert_eq!(
        (company.members("inner").await, company.members("outer").await),
        (vec!["bob".to_owned()], vec!["bob".to_owned()])
    );

    assert_eq!(sync("2027-04-01T08:59:59Z").await, "", "one second is left of 30 days");
    assert!(company.user("ann").await["deleted_at"].is_string());
    assert_eq!(sync("2027-04-01T09:00:00Z").await, "deleting users 1");
    let gone = company.admin(json!({"action": "get_user", "id": ann["id"]})).await;
    assert_eq!(gone["error"]["code"], "not_found", "{gone}");
    let here = company.everything().await;
    assert_eq!(here.0, [bob]);
    assert_eq!(sync("2027-05-01T09:00:00Z").await, "");
    assert_eq!(company.everything().await, here);
}
