//! People.

use std::time::Instant;

use axum::http::StatusCode;
use graph_standin::{CONTOSO, Change};
use serde_json::{Value, json};

use super::door::administrator;
use crate::world::World;

async fn user(world: &World, address: &str) -> Value {
    world.admin(json!({"action": "get_user", "address": address})).await["user"].clone()
}

fn rename(world: &World, user: &str, name: &str) {
    let change = json!({"op": "update_user", "user": user, "properties": {"displayName": name}});
    world.microsoft.change(CONTOSO.name, serde_json::from_value::<Change>(change).unwrap()).unwrap();
}

#[tokio::test]
async fn r4_13_one_search_box_tells_why_somebody_is_here_or_not() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let page = browser.get("/people").await;
    assert_eq!((page.status, page.title()), (StatusCode::OK, "People"));
    let page = browser.get("/people?q=AlexW%40contoso.com").await;
    let text = page.text();
    assert!(text.contains("The next run would do: Nothing: it is as it should be."), "{text}");
    assert!(text.contains("3.6 who has its address here? itself"), "{text}");
    assert!(text.contains("Here: Alex Wilber") && text.contains("Primary address alexw@contoso.com"), "{text}");
    assert!(page.body.len() < 30_000, "{}", page.body.len());
    let page = browser.get("/people?q=nobody%40elsewhere.example").await;
    let text = page.text();
    assert!(text.contains("neither Entra nor the directory knows it"), "{text}");
    assert!(text.contains("No user or group here has this address or ID."), "{text}");
    let page = browser.get("/people?q=wilber").await;
    assert!(
        page.text().contains("All users with “wilber”") && page.body.contains("/people?q=alexw%40contoso.com"),
        "{page:?}"
    );
    let groups = browser.get("/people?type=group").await;
    assert!(groups.text().contains("Groups (5)"), "{}", groups.text());
    let query = groups.body.split("/people?q=").nth(1).unwrap().split('"').next().unwrap();
    let group = browser.get(&format!("/people?q={query}")).await;
    assert!(group.text().contains("Members") && !group.body.contains(">Convert</button>"), "{}", group.text());
}

#[tokio::test]
async fn r5_4_a_leaver_is_converted_and_exempted_in_one_step() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let form = browser.get("/people?q=alexw@contoso.com").await.form("Convert");
    let page = form.with("to", "functional_account").with("exempt", "1").done(&browser).await;
    assert!(page.text().contains("The account is converted and exempt."), "{}", page.text());
    assert!(page.text().contains("Type Functional account") && page.text().contains("Exempt yes"), "{}", page.text());
    let user = user(&world, "alexw@contoso.com").await;
    assert_eq!((&user["type"], &user["exempt"]), (&json!("functional_account"), &json!(true)));
    let listed = browser.get("/people?type=functional_account").await;
    assert!(listed.text().contains("Functional accounts (1)"), "{}", listed.text());
    assert!(listed.text().contains("Alex Wilber alexw@contoso.com Functional account Exempt"), "{}", listed.text());
    let page = page.form("End the exemption").done(&browser).await;
    assert!(page.text().contains("The exemption has ended.") && page.text().contains("Exempt no"), "{}", page.text());
    let page = page.form("Convert").with("to", "silent_user").done(&browser).await;
    assert!(page.text().contains("Type Silent user State Active Digests no"), "{}", page.text());
    let page = page.form("Send digests").done(&browser).await;
    assert!(page.text().contains("Digests yes"), "{}", page.text());
    let page = page.form("Stop digests").done(&browser).await;
    assert!(page.text().contains("Digests no"), "{}", page.text());
    let page = page.form("Exempt: no run touches it").done(&browser).await;
    assert!(page.text().contains("Exempt yes"), "{}", page.text());
}

#[tokio::test]
async fn nobody_leaves_their_own_office_unawares() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let form = browser.get("/people?q=adelev@contoso.com").await.form("Convert").with("to", "end_user");
    let refused = form.send(&browser).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text().contains("This is your own account"), "{}", refused.text());
    assert_eq!(user(&world, "adelev@contoso.com").await["type"], "organization_admin");
    let page = refused.form("Convert").with("to", "end_user").with("confirm", "1").done(&browser).await;
    assert_eq!(page.title(), "You are signed in", "{page:?}");
    assert_eq!(browser.get("/people").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn names_from_entra_are_only_names() {
    let world = World::new().await;
    let hostile = format!("\"'&<script>alert(1)</script>\u{202e}{}", "<b>".repeat(70));
    let hostile: String = hostile.chars().take(256).collect();
    rename(&world, "alexw@contoso.com", &hostile);
    world.sync().await;
    let browser = administrator(&world).await;
    for path in ["/people?q=alexw@contoso.com", "/people?type=end_user", "/people?q=script", "/people?q=%3Cb%3E%22%27"]
    {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(!page.body.contains("<script>alert") && !page.body.contains("<b>"), "{path}: {page:?}");
        assert!(page.body.len() < 30_000, "{path}: {}", page.body.len());
    }
    let page = browser.get("/people?q=alexw@contoso.com").await;
    assert!(page.body.contains("<bdi>&#34;&#39;&#38;&#60;script&#62;"), "{page:?}");
}

#[tokio::test]
async fn another_tenants_people_are_nobody_here() {
    let world = World::new().await;
    world.with_another_tenant().await;
    let theirs = world.admin_of("fabrikam", json!({"action": "list_users"})).await;
    let them =
        theirs["users"].as_array().unwrap().iter().find(|user| user["primary_email"].is_string()).unwrap().clone();
    let (id, address) = (them["id"].as_str().unwrap(), them["primary_email"].as_str().unwrap());
    let browser = administrator(&world).await;
    let token = browser.token().await;
    for query in [
        format!("q={id}"),
        format!("q={address}"),
        format!("q={address}&tenant=fabrikam"),
        "type=end_user&tenant=fabrikam".to_owned(),
    ] {
        let page = browser.get(&format!("/people?{query}")).await;
        let name = them["display_name"].as_str().unwrap();
        assert!(!page.body.contains(name) && !page.text().contains("Here: "), "{query}: {}", page.text());
    }
    for (path, form) in [
        ("/people/convert", format!("address={address}&to=organization_admin&tenant=fabrikam")),
        ("/people/digests", format!("id={id}&tenant=fabrikam")),
        ("/people/convert", format!("address={id}&to=end_user&by=root")),
    ] {
        let page = browser.post(path, &format!("token={token}&q=x&{form}")).await;
        assert!(page.status.is_client_error(), "{path} {form}: {page:?}");
    }
    // An address may be exempt whoever has it: here, and not there.
    let page =
        browser.post("/people/exempt", &format!("token={token}&q={address}&address={address}&tenant=fabrikam")).await;
    assert!(page.location().contains("done=exempt"));
    let after = world.admin_of("fabrikam", json!({"action": "get_user", "address": address})).await["user"].clone();
    assert_eq!(after, them);
}

#[tokio::test]
async fn what_cannot_be_looked_for_is_refused_and_leads_back() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let token = browser.token().await;
    for query in ["q=".to_owned() + &"a".repeat(400), "type=king".to_owned(), "type=end_user&from=%22x".to_owned()] {
        let page = browser.get(&format!("/people?{query}")).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {page:?}");
    }
    let page = browser
        .post("/people/convert", &format!("token={token}&q=alexw@contoso.com&address=alexw@contoso.com&to=king"))
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.text().contains("expected end_user, silent_user") && page.text().contains("Here: Alex Wilber"),
        "{}",
        page.text()
    );
    let away = browser
        .post(
            "/people/exempt",
            &format!("token={token}&q=https%3A//evil.example/%0d%0aSet-Cookie:x&address=a@contoso.com"),
        )
        .await;
    assert!(away.location().starts_with("https://console.example.com/people?q=https%3A%2F%2Fevil"), "{away:?}");
}

/// Every page has at most twenty people on it, whatever the tenant's size.
#[tokio::test]
async fn lists_have_pages() {
    let world = World::new().await;
    for at in 0..25 {
        let address = format!("room{at:02}@contoso.com");
        let user = json!({"primary_email": address, "type": "functional_account", "display_name": "Room"});
        world.admin(json!({"action": "put_user", "user": user})).await;
    }
    let browser = administrator(&world).await;
    let clock = Instant::now();
    let first = browser.get("/people?type=functional_account").await;
    assert!(clock.elapsed().as_millis() < 1_000, "{:?}", clock.elapsed());
    assert!(first.text().contains("Functional accounts (25)"), "{}", first.text());
    assert_eq!(first.body.matches("<tr>").count(), 21);
    let next = first.body.split("class=\"pager\"><a href=\"").nth(1).unwrap().split('"').next().unwrap();
    let second = browser.get(&next.replace("&#38;", "&")).await;
    assert_eq!(second.body.matches("<tr>").count(), 6, "{}", second.text());
}
