//! The main job, end to end. Each story runs its last step twice: the second time changes and sends nothing.

use serde_json::{Value, json};

use crate::company::{Company, SECRET, counts};

#[tokio::test]
async fn r4_4_first_sync_then_only_what_changed() {
    let company = Company::connected(60, 8, 1001).await;
    let run = company.sync(json!({"action": "sync"})).await;
    assert_eq!(run["state"], "applied", "{run}");
    let users = company.all("list_users", "users").await;
    let active = users.iter().filter(|user| user["is_active"] == json!(true)).count();
    assert_eq!(run["counts"]["adding"]["users"], json!(users.len()));
    assert_eq!(run["billable"]["after"], json!(active));
    let groups = company.all("list_groups", "groups").await;
    assert_eq!(run["counts"]["adding"]["groups"], json!(groups.len()));
    assert!(groups.iter().any(|group| group["member_count"].as_u64() > Some(0)), "{groups:?}");
    for group in &groups {
        assert_eq!(
            group["members"].as_array().unwrap().len() as u64,
            group["member_count"].as_u64().unwrap(),
            "{group}"
        );
    }

    let before = company.graph_requests().await;
    let again = company.sync(json!({"action": "sync"})).await;
    let unchanged = counts(&again);
    assert!(!unchanged.contains("adding") && !unchanged.contains("updating"), "{unchanged}");
    assert_eq!(company.graph_requests().await - before, 2, "an unchanged run asks Graph twice");
    assert_eq!(company.all("list_users", "users").await, users, "and changes nobody");

    let (one, two) = (users[0]["upn"].clone(), users[1]["upn"].clone());
    company
        .change(json!([
            {"op": "update_user", "user": one, "properties": {"department": "Elsewhere"}},
            {"op": "delete_user", "user": two},
        ]))
        .await;
    let before = company.graph_requests().await;
    let run = company.sync(json!({"action": "sync"})).await;
    assert_eq!(company.graph_requests().await - before, 2);
    assert_eq!(
        (&run["counts"]["updating"]["users"], &run["counts"]["deleting"]["users"]),
        (&json!(1), &json!(1)),
        "{run}"
    );
    let gone = company.admin(json!({"action": "get_user", "id": users[1]["id"]})).await;
    assert_eq!(gone["user"]["is_active"], json!(false));
    assert!(gone["user"]["deleted_at"].is_string(), "r3_4: marked first, removed later: {gone}");
    let groups = company.all("list_groups", "groups").await;
    assert!(groups.iter().all(|group| !group["members"].as_array().unwrap().contains(&users[1]["id"])), "r2_10");

    company.change(json!([{"op": "restore_user", "user": two}])).await;
    let run = company.sync(json!({"action": "sync"})).await;
    assert_eq!(run["counts"]["updating"]["users"], json!(1), "{run}");
    let back = company.admin(json!({"action": "get_user", "id": users[1]["id"]})).await;
    assert_eq!((&back["user"]["is_active"], &back["user"]["deleted_at"]), (&json!(true), &Value::Null));
}

#[tokio::test]
async fn r4_4_preview_review_apply_twice() {
    let company = Company::connected(10, 2, 1002).await;
    let plan = company.sync(json!({"action": "preview"})).await;
    assert_eq!(plan["state"], "planned", "{plan}");
    assert!(company.all("list_users", "users").await.is_empty(), "a preview changes nothing");
    let (changes, _) = company.changes(&plan).await;
    let users: Vec<&Value> = changes.iter().filter(|change| change["object"] == "user").collect();
    let left_out = users[0];
    assert!(left_out["outcome"].is_null() && left_out["selected"] == json!(true), "{left_out}");
    let apply = json!({"action": "apply", "run": plan["run"], "except": [left_out["id"]]});
    let done = company.sync(apply.clone()).await;
    assert_eq!(done["state"], "applied", "{done}");
    let here = company.all("list_users", "users").await;
    assert_eq!(here.len(), users.len() - 1);
    assert!(here.iter().all(|user| user["entra_id"] != left_out["object_id"]));
    let (changes, _) = company.changes(&done).await;
    for change in &changes {
        let expected = if change["id"] == left_out["id"] { "unchecked" } else { "applied" };
        assert_eq!(change["outcome"], expected, "{change}");
    }

    let twice = company.sync(apply).await;
    assert_eq!(twice["error"]["code"], "superseded", "r4_6: {twice}");
    assert_eq!(company.all("list_users", "users").await, here, "applying twice changes nothing twice");
    let next = company.sync(json!({"action": "preview"})).await;
    let (changes, _) = company.changes(&next).await;
    assert!(changes.iter().any(|change| change["object_id"] == left_out["object_id"]), "r4_7: it comes back");
}

#[tokio::test]
async fn r4_14_a_run_is_undone_and_stays_so() {
    let company = Company::connected(10, 2, 1014).await;
    company.sync(json!({"action": "sync"})).await;
    let users = company.all("list_users", "users").await;
    let user = &users[3]["entra_id"];
    let change =
        json!([{"op": "update_user", "user": user, "properties": {"department": "Another", "jobTitle": "Else"}}]);
    company.change(change).await;
    let done = company.sync(json!({"action": "sync"})).await;
    assert_eq!(done["counts"]["updating"]["users"], json!(1), "{done}");
    let undo = company.sync(json!({"action": "undo", "run": done["run"]})).await;
    assert_eq!(undo["state"], "planned", "{undo}");
    let (changes, _) = company.changes(&undo).await;
    assert_eq!(changes[0]["fields"]["department"]["from"], "Another", "{changes:?}");
    let applied = company.sync(json!({"action": "apply", "run": undo["run"]})).await;
    assert_eq!(applied["state"], "applied", "{applied}");
    assert_eq!(company.all("list_users", "users").await, users, "as it was");
    for _ in 0..2 {
        let held = company.sync(json!({"action": "sync"})).await;
        assert_eq!((&held["state"], &held["held"]["undone"]), (&json!("held"), &json!(1)), "{held}");
        assert_eq!(company.all("list_users", "users").await, users, "it stays undone");
    }
}

#[tokio::test]
async fn r4_1_the_schedule_runs_whoever_is_due() {
    // Long before the times of all other stories, none of which is due then.
    let company = Company::empty_at(1003, "2019-01-07T06:00:00Z").await;
    let dispatch = async |now: &str| company.stack.invoke("Dispatch", &json!({"now": now})).await.unwrap();
    dispatch("2019-01-07T06:01:00Z").await;
    let run = company.newest_run().await;
    assert_eq!(
        (&run["trigger"], &run["state"], &run["by"]),
        (&json!("schedule"), &json!("applied"), &json!("schedule")),
        "{run}"
    );
    let tenant = company.admin(json!({"action": "get_tenant"})).await;
    assert!(tenant["next_sync"].is_string() && tenant["last_successful_sync"].is_string(), "{tenant}");
    dispatch("2019-01-07T06:02:00Z").await;
    let runs = company.admin(json!({"action": "list_runs"})).await;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "not due again: {runs}");
}

#[tokio::test]
async fn r7_2_a_refused_secret_changes_nothing() {
    let company = Company::connected(5, 1, 1004).await;
    company.sync(json!({"action": "sync"})).await;
    let refused = company.admin(json!({"action": "put_secret", "ad_key": "wrong-on-purpose"})).await;
    assert_eq!(refused["error"]["code"], "credential_secret_invalid", "{refused}");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("Failed to connect. Please check your Azure (Entra ID) Credential"), "{message}");
    assert!(refused["error"]["microsoft"]["correlation_id"].is_string(), "{refused}");
    let guid = company.admin(json!({"action": "put_secret", "ad_key": "{1B4F1C9E-7D5A-4C37-9F1E-2B7B6C1D0A11}"})).await;
    assert_eq!(guid["error"]["code"], "invalid_input", "r1_8: {guid}");
    let run = company.sync(json!({"action": "sync", "full": true})).await;
    assert_eq!(run["state"], "applied", "the old one still works: {run}");
}

#[tokio::test]
async fn r1_7_an_expired_secret_fails_the_run_and_says_so() {
    let company = Company::connected(5, 1, 1005).await;
    company.sync(json!({"action": "sync"})).await;
    let ended = json!([{"value": SECRET, "ends": "2026-01-01T00:00:00Z"}]);
    company.change(json!([{"op": "set_application", "secrets": ended}])).await;
    let check = company.admin(json!({"action": "test_connection"})).await;
    assert_eq!(check["connection"]["status"], "grey", "{check}");
    assert_eq!(check["connection"]["error"]["code"], "credential_secret_expired", "{check}");
    let users = company.all("list_users", "users").await;
    assert!(users.iter().all(|user| user["deleted_at"].is_null()), "nobody is deleted meanwhile");
}

#[tokio::test]
async fn r2_6_a_manual_run_names_unknown_domains() {
    let company = Company::connected(5, 1, 1006).await;
    let person = json!({
        "displayName": "Ola Nord", "userPrincipalName": "ola@elsewhere.example", "mail": "ola@elsewhere.example",
        "proxyAddresses": ["SMTP:ola@elsewhere.example"], "accountEnabled": true, "userType": "Member",
    });
    company.change(json!([{"op": "create_user", "properties": person}])).await;
    let refused = company.sync(json!({"action": "preview"})).await;
    assert_eq!(refused["state"], "failed", "{refused}");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("The following domain(s) elsewhere.example are not associated with this account."),
        "{message}"
    );
    let automatic = company.sync(json!({"action": "sync"})).await;
    assert_eq!(
        (&automatic["state"], &automatic["counts"]["skipped"]["users"]),
        (&json!("applied"), &json!(1)),
        "{automatic}"
    );
    let (_, skipped) = company.changes(&automatic).await;
    assert_eq!(skipped[0]["reason"], "domain_not_registered", "{skipped:?}");
    let again = company.sync(json!({"action": "sync"})).await;
    assert_eq!(again["counts"]["skipped"]["users"], json!(1), "it stays listed");
}

#[tokio::test]
async fn r4_9_a_cut_answer_deletes_nobody() {
    let company = Company::connected(30, 3, 1007).await;
    company.sync(json!({"action": "sync"})).await;
    let users = company.all("list_users", "users").await;
    let rule = |fault: Value, kind: &str| json!({"match": {"kind": kind, "tenant": company.directory}, "times": 50, "fault": fault});
    let broken = [
        ("cut", json!("cut"), "users"),
        ("not JSON", json!("not_json"), "groups"),
        ("server error", json!({"status": {"code": 502}}), "groups"),
        ("forbidden", json!("forbidden"), "groups"),
    ];
    for (name, fault, kind) in broken {
        company.stack.control("faults", &rule(fault, kind)).await.unwrap();
        let run = company.sync(json!({"action": "sync", "full": true})).await;
        assert!(run["state"] == "applied" || run["state"] == "failed", "{name}: {run}");
        assert_eq!(run["counts"]["deleting"], json!({"users": 0, "groups": 0}), "{name}");
        if run["state"] == "applied" {
            assert_eq!(run["warnings"][0]["code"], "short_read", "{name}: {run}");
        }
        company.stack.clear_faults(&company.directory).await.unwrap();
        assert_eq!(company.all("list_users", "users").await, users, "{name}");
    }
    let healed = company.sync(json!({"action": "sync"})).await;
    assert_eq!(healed["state"], "applied", "{healed}");
    assert_eq!(company.all("list_users", "users").await, users);
}

#[tokio::test]
async fn r4_11_an_expired_delta_state_is_read_afresh() {
    let company = Company::connected(12, 2, 1008).await;
    company.sync(json!({"action": "sync"})).await;
    let users = company.all("list_users", "users").await;
    company.change(json!([{"op": "expire_delta_tokens"}])).await;
    let victim = users[3]["upn"].clone();
    company.change(json!([{"op": "purge_user", "user": victim}])).await;
    let run = company.sync(json!({"action": "sync"})).await;
    assert_eq!((&run["state"], &run["counts"]["deleting"]["users"]), (&json!("applied"), &json!(1)), "{run}");
    let again = company.sync(json!({"action": "sync"})).await;
    assert_eq!(counts(&again), "", "{again}");
}

#[tokio::test]
async fn r6_7_a_report_is_mailed_once() {
    let company = Company::connected(5, 1, 1009).await;
    let at = "2026-03-03T10:00:00Z";
    company.sync(json!({"action": "sync", "now": at})).await;
    let event = json!({"date": "2026-03-03", "now": at});
    let preview = company.invoke("Report", json!({"date": "2026-03-03", "now": at, "preview": true})).await;
    let subject = preview["subject"].as_str().unwrap_or_else(|| panic!("{preview}")).to_owned();
    assert!(subject.starts_with(&format!("[Azure AD Summary] {} – OK – ", company.domain)), "{subject}");
    assert!(preview["html"].as_str().unwrap().contains("<html"), "{preview}");
    let count = async || {
        let mails = company.stack.mails().await.unwrap();
        mails.iter().filter(|mail| mail.to_string().contains(&format!("it@{}", company.domain))).count()
    };
    let before = count().await;
    company.invoke("Report", json!({"date": "2026-03-03", "now": at, "preview": true})).await;
    assert_eq!(count().await, before, "a preview sends nothing");
    let first = company.invoke("Report", event.clone()).await;
    assert_eq!(first["sent"], json!(true), "{first}");
    let second = company.invoke("Report", event).await;
    assert_eq!(second["sent"], json!(false), "{second}");
    assert_eq!(count().await, before + 1);
}

#[tokio::test]
async fn r1_1_a_domain_belongs_to_one_tenant() {
    let company = Company::connected(3, 1, 1010).await;
    let other = Company::new(3, 1, 1011).await;
    other.admin(json!({"action": "delete_tenant", "purge": true})).await;
    let settings = json!({"domains": [{"name": company.domain.to_uppercase()}]});
    let refused = other.admin(json!({"action": "put_tenant", "settings": settings})).await;
    assert_eq!(refused["error"]["code"], "invalid_input", "{refused}");
    let none = other.admin(json!({"action": "get_tenant"})).await;
    assert_eq!(none["error"]["code"], "not_found", "nothing was half written: {none}");
}

#[tokio::test]
async fn r3_5_a_user_made_by_hand_is_adopted_and_keeps_its_id() {
    let company = Company::connected(4, 1, 1012).await;
    let plan = company.sync(json!({"action": "preview"})).await;
    let (changes, _) = company.changes(&plan).await;
    let address = changes.iter().find(|change| change["object"] == "user").unwrap()["address"].clone();
    let user = json!({"primary_email": address, "firstname": "By", "surname": "Hand", "type": "organization_admin"});
    let made = company.admin(json!({"action": "put_user", "user": user})).await;
    assert!(made.get("error").is_none(), "{made}");
    let before = company.admin(json!({"action": "get_user", "address": address})).await;
    let run = company.sync(json!({"action": "sync"})).await;
    assert_eq!(run["counts"]["updating"]["users"], json!(1), "{run}");
    let after = company.admin(json!({"action": "get_user", "address": address})).await;
    assert_eq!(before["user"]["id"], after["user"]["id"], "{after}");
    assert_eq!(
        (&after["user"]["managed_by"], &after["user"]["type"]),
        (&json!("sync"), &json!("organization_admin")),
        "{after}"
    );
    let deleted = company.admin(json!({"action": "delete_user", "address": address})).await;
    assert!(deleted.get("error").is_none(), "{deleted}");
    let run = company.sync(json!({"action": "sync"})).await;
    assert_eq!(run["counts"]["adding"]["users"], json!(1), "r3_4: Entra still has it: {run}");
}

#[tokio::test]
async fn r4_13_explain_says_why_somebody_is_or_is_not_here() {
    let company = Company::connected(6, 1, 1013).await;
    let before = company.sync(json!({"action": "explain", "address": format!("nobody@{}", company.domain)})).await;
    assert_eq!(before["steps"][0]["answer"], "no", "before any run: {before}");
    company.sync(json!({"action": "sync"})).await;
    let user = company.all("list_users", "users").await.swap_remove(0);
    for asked in [&user["primary_email"], &user["entra_id"], &user["upn"]] {
        let told = company.sync(json!({"action": "explain", "address": asked})).await;
        let answers: Vec<String> = told["steps"]
            .as_array()
            .unwrap_or_else(|| panic!("{told}"))
            .iter()
            .map(|step| format!("{} {}", step["rule"].as_str().unwrap(), step["answer"].as_str().unwrap()))
            .collect();
        let expected = "2.13 yes, 2.3 yes, 2.4 yes, 2.1 yes, 2.7 yes, 2.8 no, 5.3 no, 3.6 itself, 4.4 nothing, 4.12 nothing stands against it";
        assert_eq!(answers.join(", "), expected, "{told}");
        assert_eq!(told["next"], "nothing: it is as it should be");
    }
    company.change(json!([{"op": "update_user", "user": user["upn"], "properties": {"userType": "Guest"}}])).await;
    company.sync(json!({"action": "sync"})).await;
    let guest = company.sync(json!({"action": "explain", "address": user["primary_email"]})).await;
    assert_eq!(guest["next"], "nothing: it is a guest, and guests are not synchronised", "{guest}");
    let unknown = company.sync(json!({"action": "explain", "address": "Who@Else.Example"})).await;
    assert!(unknown["steps"].to_string().contains("else.example is not registered here"), "{unknown}");
}
