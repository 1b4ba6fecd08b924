//! An application's own registration: secrets are listed, added and removed.

use graph_standin::{ApplicationChange, CONTOSO, Change, Policy};
use serde_json::{Value, json};

use crate::support::{Reader, SCOPE};

/// A reader whose application has these roles.
async fn with_roles(roles: &[&str]) -> Reader {
    at(None, roles).await
}

/// The same, with its clock set.
async fn at(now: Option<&str>, roles: &[&str]) -> Reader {
    let mut reader = Reader::contoso().await;
    reader.standin.set_now(now.map(|now| now.parse().unwrap()));
    let roles = Some(roles.iter().map(|&role| role.to_owned()).collect());
    reader.application(ApplicationChange { roles, ..Default::default() });
    reader.sign_in(CONTOSO).await;
    reader
}

fn link() -> String {
    format!("applications(appId='{}')", CONTOSO.application_id)
}

async fn post(reader: &Reader, action: &str, body: Value) -> (u16, Value) {
    let url = reader.url(&format!("{}/{action}", link()));
    let response = reader.client.post(url).bearer_auth(&reader.token).json(&body).send().await.unwrap();
    let status = response.status().as_u16();
    (status, if status == 204 { Value::Null } else { response.json().await.unwrap() })
}

async fn add(reader: &Reader, ends: Option<&str>) -> (u16, Value) {
    let mut asked = json!({ "displayName": "new" });
    if let Some(ends) = ends {
        asked["endDateTime"] = ends.into();
    }
    post(reader, "addPassword", json!({ "passwordCredential": asked })).await
}

async fn signs_in(reader: &Reader, secret: &str) -> Option<u64> {
    let (_, body) = reader.ask("contoso.com", &CONTOSO.application_id.to_string(), secret, SCOPE).await;
    body["error_codes"][0].as_u64()
}

#[tokio::test]
async fn a_secret_can_be_read_added_used_and_removed() {
    let reader = at(Some("2028-02-29T10:00:00Z"), &["Directory.Read.All", "Application.ReadWrite.OwnedBy"]).await;
    let (_, application) = reader.get(&link()).await;
    let old = &application["passwordCredentials"][0];
    assert_eq!((&old["hint"], &old["endDateTime"]), (&json!("dem"), &json!("2030-01-31T10:00:00.0000000Z")));
    let (_, added) = add(&reader, None).await;
    assert_eq!((&added["displayName"], &added["endDateTime"]), (&json!("new"), &json!("2030-02-28T10:00:00.0000000Z")));
    assert_eq!(signs_in(&reader, added["secretText"].as_str().unwrap()).await, None);
    assert_eq!(post(&reader, "removePassword", json!({ "keyId": old["keyId"] })).await.0, 204);
    let (status, body) = post(&reader, "removePassword", json!({ "keyId": old["keyId"] })).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("Request_BadRequest")));
    assert_eq!(signs_in(&reader, CONTOSO.client_secret).await, Some(7_000_215));
}

#[tokio::test]
async fn an_application_that_does_not_own_itself_may_not_change_itself() {
    let reader = with_roles(&["Application.ReadWrite.OwnedBy"]).await;
    reader.application(ApplicationChange { owned: Some(false), ..Default::default() });
    assert_eq!((reader.get(&link()).await.0, add(&reader, None).await.0), (403, 403));
    let reader = with_roles(&["Application.ReadWrite.All"]).await;
    reader.application(ApplicationChange { owned: Some(false), ..Default::default() });
    assert_eq!((reader.get(&link()).await.0, add(&reader, None).await.0), (200, 200));
    let reader = with_roles(&["Application.Read.All"]).await;
    assert_eq!((reader.get(&link()).await.0, add(&reader, None).await.0), (200, 403));
}

#[tokio::test]
async fn the_directorys_policy_stops_new_secrets_only() {
    let reader = at(Some("2026-03-01T00:00:00Z"), &["Application.ReadWrite.OwnedBy"]).await;
    let policy = |policy| reader.standin.change("contoso", Change::SetPolicy(policy)).unwrap();
    policy(Policy { password_lifetime_days: Some(90), ..Policy::default() });
    let (status, body) = add(&reader, None).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("CredentialInvalidLifetimeAsPerAppPolicy")));
    assert_eq!(body["error"]["details"][0]["code"], "InvalidKeyEndDate");
    assert_eq!(add(&reader, Some("2026-05-30T00:00:00Z")).await.0, 200);
    policy(Policy { passwords_forbidden: true, ..Policy::default() });
    let (status, body) = add(&reader, Some("2026-03-02T00:00:00Z")).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("CredentialTypeNotAllowedAsPerAppPolicy")));
    assert_eq!(signs_in(&reader, CONTOSO.client_secret).await, None);
}

#[tokio::test]
async fn a_new_secret_may_not_work_at_once() {
    let reader = with_roles(&["Application.ReadWrite.OwnedBy"]).await;
    reader.standin.settings(|settings| settings.new_secret_delay = 2);
    let (_, added) = add(&reader, None).await;
    let secret = added["secretText"].as_str().unwrap();
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        outcomes.push(signs_in(&reader, secret).await);
    }
    assert_eq!(outcomes, [Some(7_000_215), Some(7_000_215), None]);
    assert_eq!(signs_in(&reader, CONTOSO.client_secret).await, None);
}
