//! Lists, counts and single objects.

use graph_standin::{FABRIKAM, demo};
use serde_json::{Value, json};

use crate::support::{Reader, names};

#[tokio::test]
async fn lists_come_in_pages_and_can_be_counted() {
    let reader = Reader::contoso().await;
    let mut link = "users?$top=7&$select=displayName".to_owned();
    let mut sizes = Vec::new();
    loop {
        let (_, page) = reader.get(&link).await;
        sizes.push(page["value"].as_array().unwrap().len());
        match page["@odata.nextLink"].as_str() {
            Some(next) => link = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(sizes, [7, 7, 2]);
    assert_eq!(reader.get("users?$top=1000").await.0, 400);
    assert_eq!(reader.get("users?$skiptoken=old").await.1["error"]["code"], "Directory_ExpiredPageToken");

    assert_eq!(reader.get("users/$count").await.0, 400);
    for (link, count) in [("users/$count", "16"), ("groups/$count", "7")] {
        let request = reader.client.get(reader.url(link)).bearer_auth(&reader.token);
        let response = request.header("ConsistencyLevel", "eventual").send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/plain");
        assert_eq!(response.text().await.unwrap(), count);
    }
}

#[tokio::test]
async fn one_object_by_id_or_name() {
    let reader = Reader::of(FABRIKAM, demo()).await;
    let (status, guest) = reader.get("users/jane_adventure-works.com%23EXT%23@fabrikam.onmicrosoft.com").await;
    assert_eq!((status, &guest["displayName"]), (200, &json!("Jane Doe (Partner)")));
    let (_, by_id) = reader.get(&format!("users/{}?$select=id,userType", guest["id"].as_str().unwrap())).await;
    assert_eq!(by_id["userType"], "Guest");
    let (_, kind) = reader.get("users/rainier@fabrikam.com/mailboxSettings/userPurpose").await;
    assert_eq!(kind, json!({ "value": "room" }));
    let (status, body) = reader.get("users/nobody@fabrikam.com").await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("Request_ResourceNotFound")));
    let (_, organization) = reader.get("organization").await;
    assert_eq!(organization["value"][0]["verifiedDomains"][0]["name"], "fabrikam.com");
    // Reading applications needs a permission that Fabrikam did not give.
    let link = format!("applications(appId='{}')", FABRIKAM.application_id);
    assert_eq!(reader.get(&link).await.0, 403);
}

#[tokio::test]
async fn every_answer_says_which_request_it_answers() {
    let reader = Reader::contoso().await;
    let request = reader.client.get(reader.url("users")).bearer_auth(&reader.token);
    let response = request.header("client-request-id", "mine").send().await.unwrap();
    assert_eq!(response.headers()["client-request-id"], "mine");
    assert_eq!(response.headers()["x-ms-resource-unit"], "2");
    assert_eq!(response.headers()["request-id"].len(), 36);
}

#[tokio::test]
async fn names_arrive_as_hostile_as_they_are() {
    let reader = Reader::of(FABRIKAM, demo()).await;
    let (_, users) = reader.get("users?$select=displayName").await;
    let all = names(users["value"].as_array().unwrap()).join("|");
    assert!(all.contains("<script>") && all.contains('\u{7}') && all.contains('\u{202e}'), "{all}");
}

#[tokio::test]
async fn a_batch_answers_each_part_for_itself() {
    let reader = Reader::of(FABRIKAM, demo()).await;
    let purpose =
        |id: &str, user: &str| json!({ "id": id, "method": "GET", "url": format!("/users/{user}/mailboxSettings") });
    let count =
        json!({ "id": "3", "method": "GET", "url": "users/$count", "headers": { "ConsistencyLevel": "eventual" } });
    let parts = [purpose("1", "info@fabrikam.com"), purpose("2", "nobody@fabrikam.com"), count];
    let post = |parts: &[Value]| {
        let request = reader.client.post(reader.url("$batch")).bearer_auth(&reader.token);
        request.json(&json!({ "requests": parts })).send()
    };
    let body: Value = post(&parts).await.unwrap().json().await.unwrap();
    let statuses: Vec<_> = body["responses"].as_array().unwrap().iter().map(|part| part["status"].as_u64()).collect();
    assert_eq!(statuses, [Some(200), Some(404), Some(200)], "{body}");
    assert_eq!(body["responses"][0]["body"]["userPurpose"], "shared");
    assert_eq!(post(&vec![parts[0].clone(); 21]).await.unwrap().status(), 400);
}
