//! A secret that Entra refuses: what is said of it day after day, and how it is mended.

use serde_json::{Value, json};

use crate::company::{Company, SECRET, counts};

#[tokio::test]
async fn r7_1_a_secret_refused_for_a_week_is_reported_every_day_and_mended_by_a_new_one() {
    let company = Company::empty_at(1901, "2027-03-01T06:00:00Z").await;
    let daily = json!({"action": "put_tenant", "settings": {"sync_frequency": 24}, "now": "2027-03-01T06:00:00Z"});
    company.admin(daily).await;
    company.change(["ann", "bob"].iter().map(|name| company.person(name, &json!({}))).collect()).await;
    let mailed = company.subjects().await.len();
    let subject = |verdict: &str| format!("[Azure AD Summary] {} – {verdict}", company.domain);
    let warning = |what: &str| format!("[Azure AD Credential] {} – {what}", company.domain);
    let sync =
        async |day: u32| company.sync(json!({"action": "sync", "now": format!("2027-03-{day:02}T12:00:00Z")})).await;
    // The report of a day goes out the next morning; a second time it sends nothing.
    let report = async |day: u32| {
        let next = day + 1;
        let event = json!({"date": format!("2027-03-{day:02}"), "now": format!("2027-03-{next:02}T07:00:00Z")});
        let before = company.subjects().await.len();
        let first = company.invoke("Report", event.clone()).await;
        assert_eq!(first["sent"], json!(true), "{day}: {first}");
        let sent = company.subjects().await.split_off(before);
        let second = company.invoke("Report", event).await;
        assert_eq!(second["sent"], json!(false), "{day}: {second}");
        assert_eq!(company.subjects().await.len(), before + sent.len(), "{day}: mailed once");
        sent
    };
    let state = async |day: u32| {
        let shown = company.admin(json!({"action": "get_tenant", "now": format!("2027-03-{day:02}T13:00:00Z")})).await;
        shown["credential_state"].clone()
    };
    assert_eq!(counts(&sync(1).await), "adding users 2");
    assert_eq!(state(1).await, "working");
    assert_eq!(report(1).await, [subject("OK – 2 added, 0 updated, 0 removed")]);
    let here = company.everything().await;

    // Another one each time: functions that are still warm may know the last.
    let new = format!("another-company-value-{}", std::process::id());
    let other = json!([{"value": new, "ends": "2029-03-01T00:00:00Z"}]);
    company
        .change(
            json!([{"op": "set_application", "secrets": other}, {"op": "delete_user", "user": company.address("bob")}]),
        )
        .await;
    // Tokens from before have run out by the next day.
    let run_out = |kind: &str| json!({"match": {"kind": kind, "tenant": company.directory}, "times": 1000, "fault": "expire_token"});
    company.stack.control("faults", &json!([run_out("users"), run_out("groups")])).await.unwrap();
    for day in 2..=9 {
        let failed = sync(day).await;
        assert_eq!(
            (&failed["state"], &failed["error"]["code"]),
            (&json!("failed"), &json!("credential_secret_invalid")),
            "{day}: {failed}"
        );
        assert_eq!(state(day).await, "refused", "{day}");
        // The warning is daily for a week, then weekly; the report never stops.
        let said = [subject("ATTENTION – 1 error, secret refused"), warning("secret refused")];
        assert_eq!(report(day).await, said[..if day < 9 { 2 } else { 1 }], "{day}");
        assert_eq!(company.everything().await, here, "r4_9: nobody is deleted meanwhile");
    }

    company.stack.clear_faults(&company.directory).await.unwrap();
    let wrong = company.admin(json!({"action": "put_secret", "ad_key": SECRET, "now": "2027-03-10T09:00:00Z"})).await;
    assert_eq!(wrong["error"]["code"], "credential_secret_invalid", "{wrong}");
    assert_eq!(state(10).await, "refused");
    let saved = company.admin(json!({"action": "put_secret", "ad_key": new, "now": "2027-03-10T10:00:00Z"})).await;
    assert_eq!((&saved["message"], &saved["credential_state"]), (&json!("SUCCESS"), &json!("working")), "{saved}");
    assert_eq!(
        (&saved["connection"]["status"], &saved["connection"]["error"]),
        (&json!("green"), &Value::Null),
        "{saved}"
    );
    assert_eq!(counts(&sync(10).await), "deleting users 1", "what happened meanwhile is made up for");
    assert_eq!(report(10).await, [subject("OK – 0 added, 0 updated, 1 removed"), warning("resolved: secret renewed")]);
    assert_eq!(counts(&sync(11).await), "");
    assert_eq!(report(11).await, [subject("OK – 0 added, 0 updated, 0 removed")]);
    assert_eq!(
        company.subjects().await.len() - mailed,
        11 + 7 + 1,
        "a report a day, a warning a day for a week, and the end of it"
    );
}
