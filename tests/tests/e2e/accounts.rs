//! Accounts that are not people: shared mailboxes, and leavers whose mail must keep flowing.

use serde_json::json;

use crate::company::{Company, counts};

#[tokio::test]
async fn r5_2_a_mailbox_with_blocked_sign_in_becomes_a_functional_account() {
    let company = Company::connected(0, 0, 1701).await;
    let settings = json!({"blocked_sign_in": "functional_account", "seats": 2});
    company.admin(json!({"action": "put_tenant", "settings": settings})).await;
    let blocked = json!({"accountEnabled": false});
    company
        .change(json!([
            company.person("ann", &json!({})),
            company.person("bob", &json!({})),
            company.person("info", &blocked)
        ]))
        .await;
    company.change(company.list("all", &["ann", "bob", "info"])).await;
    let run = company.automatic().await;
    assert_eq!(counts(&run), "adding users 3, adding groups 1", "{run}");
    assert_eq!(run["billable"], json!({"before": 0, "after": 2, "seats": 2}), "{run}");
    assert_eq!(run["warnings"], json!([]), "two seats are enough: {run}");
    let info = company.user("info").await;
    assert_eq!(
        (&info["type"], &info["is_active"], &info["digests"]),
        (&json!("functional_account"), &json!(true), &json!(false)),
        "{info}"
    );
    assert_eq!(company.members("all").await, ["ann", "bob", "info"]);

    company.change(json!({"op": "update_user", "user": company.address("bob"), "properties": blocked})).await;
    let run = company.automatic().await;
    assert_eq!(counts(&run), "updating users 1", "r5_1: nobody is disabled: {run}");
    assert_eq!(run["billable"], json!({"before": 2, "after": 1, "seats": 2}), "{run}");
    let bob = company.user("bob").await;
    assert_eq!((&bob["type"], &bob["is_active"]), (&json!("functional_account"), &json!(true)), "{bob}");

    // A conversion is sticky, whatever Entra or the settings say later.
    company
        .change(json!({"op": "update_user", "user": company.address("info"), "properties": {"accountEnabled": true}}))
        .await;
    company.admin(json!({"action": "put_tenant", "settings": {"blocked_sign_in": "disable"}})).await;
    let here = company.everything().await;
    for _ in 0..2 {
        let run = company.automatic().await;
        assert_eq!((&run["state"], counts(&run).as_str()), (&json!("applied"), ""), "{run}");
        assert_eq!(company.everything().await, here);
    }
}

#[tokio::test]
async fn r5_4_a_leaver_is_converted_and_exempted_in_one_step() {
    let company = Company::empty_at(1702, "2027-03-01T08:00:00Z").await;
    company.change(json!([company.person("ann", &json!({})), company.person("bob", &json!({}))])).await;
    company.change(company.list("all", &["ann", "bob"])).await;
    let sync = async |now: &str| {
        let run = company.sync(json!({"action": "sync", "now": now})).await;
        assert_eq!(run["state"], "applied", "{run}");
        run
    };
    sync("2027-03-01T09:00:00Z").await;
    let convert = json!({
        "action": "convert", "address": company.address("ann"), "to": "functional_account", "exempt": true,
        "now": "2027-03-01T10:00:00Z",
    });
    let ann = company.admin(convert.clone()).await["user"].clone();
    assert_eq!(
        (&ann["type"], &ann["exempt"], &ann["is_active"]),
        (&json!("functional_account"), &json!(true), &json!(true)),
        "{ann}"
    );
    assert_eq!(company.admin(convert).await["user"], ann, "once is enough");
    let listed = company.admin(json!({"action": "list_exemptions"})).await;
    assert!(listed.to_string().contains(&company.address("ann")), "{listed}");
    let here = company.everything().await;

    // The account is blocked, then deleted, then gone for good in Entra.
    let steps = [
        json!({"op": "update_user", "user": company.address("ann"), "properties": {"accountEnabled": false}}),
        json!({"op": "delete_user", "user": company.address("ann")}),
        json!({"op": "purge_user", "user": ann["entra_id"]}),
    ];
    for (step, day) in steps.into_iter().zip(["2027-03-02", "2027-03-03", "2027-04-02"]) {
        company.change(step).await;
        for hour in ["09", "10"] {
            let run = sync(&format!("{day}T{hour}:00:00Z")).await;
            let counts = counts(&run);
            assert!(counts.is_empty() || counts == "skipped users 1", "{day}: {run}");
            assert_eq!(run["billable"], json!({"before": 1, "after": 1, "seats": null}), "{run}");
            assert_eq!(company.everything().await, here, "{day}: its mail flows, through the lists as well");
        }
    }
    let months_later = sync("2027-08-01T09:00:00Z").await;
    assert_eq!(months_later["counts"]["deleting"]["users"], json!(0), "{months_later}");
    assert_eq!(company.everything().await, here);
}
