//! Secrets that are renewed by themselves or kept elsewhere, and the true day on which they end.

use std::time::Duration;

use serde_json::{Value, json};

use crate::company::{Company, SECRET, counts};

/// The client secrets that the application has in Entra.
async fn secrets_in_entra(company: &Company) -> Vec<Value> {
    let described = company.stack.described(&company.directory).await.unwrap();
    described["applications"][0]["secrets"].as_array().unwrap().clone()
}

/// Rotate once, as Secrets Manager would after two weeks; wait until it is done.
async fn rotate(company: &Company) {
    let before = company.admin(json!({"action": "get_tenant"})).await["secret_expiry"].clone();
    let mut started = company.stack.rotate_secret(&company.tenant).await;
    for _ in 0..300 {
        // Whether rotations are possible is being tried, right after they were switched on.
        if started.as_ref().is_err_and(|err| err.to_string().contains("A previous rotation isn't complete")) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            started = company.stack.rotate_secret(&company.tenant).await;
        }
    }
    let current = started.unwrap();
    for _ in 0..300 {
        if company.stack.current_version(&company.tenant).await.unwrap() == current {
            let after = company.admin(json!({"action": "get_tenant"})).await;
            if after["secret_expiry"] != before || secrets_in_entra(company).await.len() == 2 {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the rotation of {} did not end: {:?}", company.tenant, secrets_in_entra(company).await);
}

#[tokio::test]
async fn r7_3_a_secret_is_renewed_by_itself_and_the_one_before_last_is_removed() {
    let company = Company::connected(4, 1, 3101).await;
    let owned = json!(["Directory.Read.All", "Application.ReadWrite.OwnedBy"]);
    company.change(json!([{"op": "set_application", "roles": owned}])).await;
    let on = company.admin(json!({"action": "put_tenant", "settings": {"rotate_secret": true}})).await;
    assert!(on.get("error").is_none(), "{on}");
    assert_eq!(counts(&company.sync(json!({"action": "sync"})).await), "adding users 4, adding groups 1");

    rotate(&company).await;
    let first = secrets_in_entra(&company).await;
    assert_eq!(first.len(), 2, "the old one still works: {first:?}");
    assert!(first.iter().any(|secret| secret["value"] == SECRET), "{first:?}");
    let shown = company.admin(json!({"action": "test_connection"})).await;
    assert_eq!((&shown["connection"]["status"], &shown["credential_state"]), (&json!("green"), &json!("working")));

    rotate(&company).await;
    let second = secrets_in_entra(&company).await;
    assert_eq!(second.len(), 2, "{second:?}");
    assert!(second.iter().all(|secret| secret["value"] != SECRET), "the one before last is gone: {second:?}");
    let run_out = |kind: &str| json!({"match": {"kind": kind, "tenant": company.directory}, "fault": "expire_token"});
    company.stack.control("faults", &json!([run_out("users"), run_out("groups")])).await.unwrap();
    let run = company.sync(json!({"action": "sync"})).await;
    assert_eq!(
        (&run["state"], counts(&run).as_str()),
        (&json!("applied"), ""),
        "runs look past what they cached: {run}"
    );

    let refused = company.admin(json!({"action": "move_secret", "to": "kms"})).await;
    assert_eq!(
        refused["error"]["code"], "invalid_input",
        "what is renewed by itself stays where that is done: {refused}"
    );
    let log = company.stack.log().unwrap();
    for secret in first.iter().chain(&second) {
        assert!(!log.contains(secret["value"].as_str().unwrap()), "a secret shows in the log");
    }
}

#[tokio::test]
async fn r1_3_a_secret_moves_to_where_it_is_sealed_and_back() {
    let company = Company::connected(4, 1, 3102).await;
    let moved = async |to: &str| company.admin(json!({"action": "move_secret", "to": to})).await;
    let sync = async || company.sync(json!({"action": "sync", "full": true})).await;
    let sealed = moved("kms").await;
    assert_eq!((&sealed["moved"], &sealed["place"]), (&json!(true), &json!("kms")), "{sealed}");
    assert!(company.stack.current_version(&company.tenant).await.is_err(), "Secrets Manager has none any longer");
    assert_eq!(counts(&sync().await), "adding users 4, adding groups 1");
    let kept = company.stack.scan("ControlTable").await.unwrap().to_string();
    assert!(!kept.contains(SECRET), "it cannot be read there");
    let renewed = company.admin(json!({"action": "put_secret", "ad_key": SECRET})).await;
    assert_eq!(renewed["message"], "SUCCESS", "{renewed}");
    assert!(company.stack.current_version(&company.tenant).await.is_err(), "and it stays where it is: {renewed}");
    let back = moved("secrets_manager").await;
    assert_eq!((&back["moved"], &back["place"]), (&json!(true), &json!("secrets_manager")), "{back}");
    assert!(company.stack.current_version(&company.tenant).await.is_ok());
    assert_eq!(sync().await["state"], "applied");
}

#[tokio::test]
async fn r6_5_the_true_day_is_read_from_entra_where_that_is_allowed() {
    let company = Company::empty_at(3103, "2027-03-01T06:00:00Z").await;
    let shown = async |action: &str, now: &str| company.admin(json!({"action": action, "now": now})).await;
    let assumed = shown("get_tenant", "2027-03-01T07:00:00Z").await;
    assert_eq!(assumed["secret_expiry"], "2029-03-01", "nobody stated a day: {assumed}");
    let secrets = json!([{"value": SECRET, "name": "Mail filter", "ends": "2027-04-20T12:00:00Z"}]);
    let roles = json!(["Directory.Read.All", "Application.Read.All"]);
    company.change(json!([{"op": "set_application", "secrets": secrets, "roles": roles}])).await;
    let run_out = |kind: &str| json!({"match": {"kind": kind, "tenant": company.directory}, "fault": "expire_token"});
    company.stack.control("faults", &json!([run_out("users")])).await.unwrap();
    let run = company.sync(json!({"action": "sync", "now": "2027-03-02T06:00:00Z"})).await;
    assert_eq!(run["state"], "applied", "{run}");
    let known = shown("get_tenant", "2027-03-02T07:00:00Z").await;
    assert_eq!(
        (&known["secret_expiry"], &known["credential_state"]),
        (&json!("2027-04-20"), &json!("expiring")),
        "a run has read it: {known}"
    );
    let warned = json!({"date": "2027-03-02", "now": "2027-03-03T07:00:00Z", "preview": true});
    let warning = company.invoke("Report", warned).await["warning"].clone();
    let text = warning["text"].as_str().unwrap_or_else(|| panic!("{warning}"));
    for part in ["Mail filter", "read from Entra", "20 April 2027"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
