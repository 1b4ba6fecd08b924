//! The control addresses, as a script uses them.

use serde_json::{Value, json};

use crate::support::{Reader, USERS, names};

async fn control(reader: &Reader, method: &str, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/_control{path}", reader.standin.graph_endpoint());
    let request = match method {
        "GET" => reader.client.get(url),
        "DELETE" => reader.client.delete(url),
        _ => reader.client.post(url).json(&body),
    };
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn changes_by_http() {
    let reader = Reader::contoso().await;
    let (_, link) = reader.round(USERS).await;
    let changes = json!([
        { "op": "create_user", "properties": { "displayName": "Ann Lee", "mail": "ann@contoso.com" } },
        { "op": "update_user", "user": "adelev@contoso.com", "properties": { "mobilePhone": null } },
        { "op": "delete_user", "user": "Lee Gu" },
        { "op": "create_group", "properties": { "displayName": "New" }, "members": ["ann@contoso.com"] },
        { "op": "add_member", "group": "New", "member": "Alex Wilber" },
        { "op": "set_application", "roles": [], "secrets": [{ "value": "demo-new-value", "ends": "2030-01-01T00:00:00Z" }] },
    ]);
    let (status, body) = control(&reader, "POST", "/contoso/changes", changes).await;
    assert_eq!((status, body["ids"].as_array().map(Vec::len)), (200, Some(6)), "{body}");
    let (told, _) = reader.round(&link).await;
    assert_eq!(names(&told), ["Ann Lee", "Adele Vance", "-"]);

    for (tenant, change, status) in [
        ("nobody", json!({ "op": "delete_user", "user": "x" }), 404),
        ("contoso.com", json!({ "op": "delete_user", "user": "Nobody" }), 404),
        ("contoso", json!({ "op": "restore_user", "user": "Alex Wilber" }), 409),
        ("contoso", json!({ "op": "restore_user" }), 400),
        ("contoso", json!({ "op": "no_such_thing" }), 400),
    ] {
        let (actual, body) = control(&reader, "POST", &format!("/{tenant}/changes"), change).await;
        assert_eq!(actual, status, "{body}");
    }
}

#[tokio::test]
async fn faults_settings_clock_and_log_by_http() {
    let reader = Reader::contoso().await;
    let faults = json!([
        { "match": { "kind": "users", "tenant": "contoso" }, "times": 1, "fault": { "throttle": { "retry_after": "2" } } },
        { "match": { "kind": "any", "path": "delta" }, "fault": "expire_token" },
        { "fault": { "expire_delta": {} } },
    ]);
    let (status, body) = control(&reader, "POST", "/faults", faults).await;
    assert_eq!((status, body["faults"].as_array().map(Vec::len)), (200, Some(3)), "{body}");
    assert_eq!(control(&reader, "POST", "/faults", json!({ "fault": "explode" })).await.0, 400);
    assert_eq!(reader.get(USERS).await.0, 429);
    assert_eq!(reader.get(USERS).await.0, 401);
    assert_eq!(reader.get(USERS).await.0, 200);
    control(&reader, "DELETE", "/faults", Value::Null).await;

    let (_, log) = control(&reader, "GET", "/requests", Value::Null).await;
    assert_eq!(log["counters"]["users_delta"], 3);
    let first = &log["requests"][1];
    assert_eq!(
        (&first["status"], &first["tenant"], &first["fault"]),
        (&json!(429), &json!("contoso"), &json!("throttle"))
    );
    control(&reader, "DELETE", "/requests", Value::Null).await;

    let (status, settings) = control(&reader, "POST", "/settings", json!({ "page_size": 4 })).await;
    assert_eq!((status, &settings["page_size"], &settings["link_page_size"]), (200, &json!(4), &json!(500)));
    assert_eq!(control(&reader, "POST", "/settings", json!({ "page": 4 })).await.0, 400);
    assert_eq!(reader.pages(USERS).await.0.len(), 4);
    control(&reader, "POST", "/clock", json!({ "now": "2126-01-01T00:00:00Z" })).await;
    assert_eq!(reader.get(USERS).await.0, 401);

    let (_, added) = control(&reader, "POST", "/companies", json!({ "users": 30, "groups": 4, "seed": 1 })).await;
    assert_eq!((&added["users"], &added["groups"]), (&json!(30), &json!(4)));
    control(&reader, "POST", "/reset", Value::Null).await;
    let (_, all) = control(&reader, "GET", "", Value::Null).await;
    assert_eq!(all["directories"].as_array().unwrap().len(), 3);
    assert_eq!(reader.pages(USERS).await.0.len(), 1);
}

#[tokio::test]
async fn a_dropped_stand_in_is_gone() {
    let reader = Reader::contoso().await;
    let url = reader.url(USERS);
    let Reader { standin, client, .. } = reader;
    drop(standin);
    assert!(client.get(url).send().await.is_err());
}
