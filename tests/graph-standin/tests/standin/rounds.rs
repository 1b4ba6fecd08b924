//! First rounds, later rounds, and their tokens.

use graph_standin::{Change, person};
use serde_json::{Value, json};

use crate::support::{GROUPS, Reader, USERS, names};

#[tokio::test]
async fn a_first_round_tells_everybody_in_pages_and_an_unchanged_one_nobody() {
    let reader = Reader::contoso().await;
    reader.standin.settings(|settings| settings.page_size = 5);
    let (pages, link) = reader.pages(USERS).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 5, 1]);
    assert_eq!(pages[0][0]["displayName"], "Adele Vance");
    assert!(pages.concat().iter().all(|user| user["id"].is_string() && user.get("jobTitle").is_none()));
    // Lee Gu's mobile phone was never set.
    let lee = pages.concat().into_iter().find(|user| user["displayName"] == "Lee Gu").unwrap();
    assert_eq!(lee.get("mobilePhone"), None);
    let (again, next) = reader.round(&link).await;
    assert_eq!(again, Vec::<Value>::new());
    assert_ne!(next, link);
}

#[tokio::test]
async fn a_later_round_tells_each_kind_of_change_once() {
    let reader = Reader::contoso().await;
    let (_, link) = reader.round(USERS).await;
    let standin = &reader.standin;
    let ann = standin.create_user("contoso", Value::Object(person("Ann", "Lee", "contoso.com"))).unwrap();
    standin
        .update_user("contoso", "Adele Vance", json!({ "mobilePhone": null, "displayName": "Adele Wilber" }))
        .unwrap();
    standin.update_user("contoso", "Alex Wilber", json!({ "jobTitle": "Not selected" })).unwrap();
    standin.update_user("contoso", "Lee Gu", json!({ "mobilePhone": null })).unwrap();
    let megan = standin.delete_user("contoso", "MeganB@contoso.com").unwrap();
    let nestor = standin.purge_user("contoso", "Nestor Wilke").unwrap();
    let (told, next) = reader.round(&link).await;
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!((&told[0]["id"], &told[0]["displayName"]), (&json!(ann), &json!("Ann Lee")));
    assert_eq!((&told[1]["displayName"], told[1].get("mobilePhone")), (&json!("Adele Wilber"), Some(&Value::Null)));
    assert!(told[1]["proxyAddresses"].is_array());
    assert_eq!(told[2], json!({ "id": megan, "@removed": { "reason": "changed" } }));
    assert_eq!(told[3], json!({ "id": nestor, "@removed": { "reason": "deleted" } }));

    // The old token still works: a replay.
    assert_eq!(reader.round(&link).await.0, told);

    standin.restore_user("contoso", megan).unwrap();
    assert_eq!(
        standin.restore_user("contoso", nestor),
        Err(graph_standin::Refusal::NoObject("user", nestor.to_string()))
    );
    let (told, next) = reader.round(&next).await;
    assert_eq!(names(&told), ["Megan Bowen"]);
    standin.delete_user("contoso", megan).unwrap();
    standin.purge_user("contoso", megan).unwrap();
    let (told, _) = reader.round(&next).await;
    assert_eq!(told, [json!({ "id": megan, "@removed": { "reason": "deleted" } })]);
}

#[tokio::test]
async fn what_happens_while_pages_are_read_is_told_in_the_next_round() {
    let reader = Reader::contoso().await;
    reader.standin.settings(|settings| settings.page_size = 10);
    let (_, first) = reader.get(USERS).await;
    reader.standin.create_user("contoso", Value::Object(person("Ann", "Lee", "contoso.com"))).unwrap();
    reader.standin.delete_user("contoso", "Adele Vance").unwrap();
    let (rest, link) = reader.round(first["@odata.nextLink"].as_str().unwrap()).await;
    assert_eq!(rest.len(), 6);
    let (told, _) = reader.round(&link).await;
    assert_eq!(names(&told), ["Ann Lee", "-"]);
}

#[tokio::test]
async fn a_first_round_tells_of_deleted_items_but_not_of_what_is_gone() {
    let reader = Reader::contoso().await;
    let adele = reader.standin.delete_user("contoso", "Adele Vance").unwrap();
    reader.standin.purge_user("contoso", "Alex Wilber").unwrap();
    let (told, _) = reader.round(USERS).await;
    assert_eq!(told.len(), 15);
    assert_eq!(told[0], json!({ "id": adele, "@removed": { "reason": "changed" } }));
    reader.standin.settings(|settings| settings.deleted_in_first_round = false);
    assert_eq!(reader.round(USERS).await.0.len(), 14);
}

#[tokio::test]
async fn latest_is_a_token_without_data_and_minimal_tells_only_what_changed() {
    let reader = Reader::contoso().await;
    let (told, link) = reader.round(&format!("{USERS}&$deltatoken=latest")).await;
    assert!(told.is_empty());
    reader.standin.update_user("contoso", "Lee Gu", json!({ "mobilePhone": "+1 425 555 0209" })).unwrap();
    let request = reader.client.get(&link).bearer_auth(&reader.token).header("prefer", "return=minimal");
    let page: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(page["value"][0].as_object().unwrap().len(), 2, "{page}");
    assert_eq!(page["value"][0]["mobilePhone"], "+1 425 555 0209");
}

#[tokio::test]
async fn expired_tokens_lead_to_a_new_first_round() {
    let mut reader = Reader::contoso().await;
    let (_, link) = reader.round(GROUPS).await;
    reader.standin.change("contoso", Change::ExpireDeltaTokens).unwrap();
    let response = reader.send(&link).await;
    assert_eq!(response.status(), 410);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(location, reader.url("groups/delta?$deltatoken="));
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "syncStateNotFound");

    let (told, link) = reader.round(&location).await;
    assert_eq!(told.len(), 7);
    let later = "2029-01-01T00:00:00Z".parse().ok();
    reader.standin.set_now(later);
    reader.sign_in(graph_standin::CONTOSO).await;
    let (status, body) = reader.get(&link).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("syncStateNotFound")));
}

#[tokio::test]
async fn senseless_requests_are_refused() {
    let reader = Reader::contoso().await;
    let (_, link) = reader.round(USERS).await;
    let (garbled, groups) = (&link[..link.len() - 3], link.replace("/users/", "/groups/"));
    let skip = link.replace("$deltatoken", "$skiptoken");
    let select = format!("{link}&$select=id");
    #[rustfmt::skip]
    let cases = [
        ("users/delta?$top=5",                        400, "Request_UnsupportedQuery"),
        ("groups/delta?$expand=members",              400, "Request_UnsupportedQuery"),
        ("users/delta?$filter=id%20eq%20'1'",         400, "Request_UnsupportedQuery"),
        ("users/delta?$select=shoeSize",              400, "BadRequest"),
        ("users/delta?$select=id,mailboxSettings",    501, "NotImplemented"),
        ("users/delta?$deltatoken=garbled",           400, "Request_BadRequest"),
        (garbled,                                     400, "Request_BadRequest"),
        (&groups,                                     400, "Request_BadRequest"),
        (&skip,                                       400, "Request_BadRequest"),
        (&select,                                     400, "Request_UnsupportedQuery"),
        ("nothing",                                   400, "Request_BadRequest"),
    ];
    for (link, status, code) in cases {
        let (actual, body) = reader.get(link).await;
        assert_eq!((actual, &body["error"]["code"]), (status, &json!(code)), "{link}");
    }
}
