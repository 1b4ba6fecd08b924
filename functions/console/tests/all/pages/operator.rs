//! The operator's table: who sees it, what it shows, and how it is exported.

use axum::http::StatusCode;
use serde_json::json;

use super::door::administrator;
use crate::{browser::Browser, world::World};

const GROUP: &str = "leadership@contoso.com";

/// A browser at a console whose operators are the members of a group of a tenant, by its id in Entra.
fn browser_of(world: &World, tenant: &str, group: &str) -> Browser {
    let named = (tenant.parse().unwrap(), directory::ObjectId::try_from(group).unwrap());
    world.browser_at(|console| console.settings.operator_group = Some(named))
}

/// The id in Entra of the operators' group.
async fn group(world: &World) -> String {
    let group = world.admin(json!({"action": "get_group", "address": GROUP})).await;
    group["group"]["entra_id"].as_str().unwrap().to_owned()
}

/// Somebody who is a member of the group, and somebody who is not.
async fn members(world: &World) -> (String, String) {
    let group = world.admin(json!({"action": "get_group", "address": GROUP})).await;
    let ids: Vec<String> = serde_json::from_value(group["group"]["members"].clone()).unwrap();
    let users = world.admin(json!({"action": "list_users"})).await;
    let users = users["users"].as_array().unwrap().iter().filter(|user| user["is_active"] == true).cloned();
    let (inside, outside): (Vec<_>, Vec<_>) = users.partition(|user| ids.iter().any(|id| user["id"] == id.as_str()));
    let address = |user: &serde_json::Value| user["primary_email"].as_str().unwrap().to_owned();
    (address(&inside[0]), address(&outside[0]))
}

#[tokio::test]
async fn only_members_of_the_operators_group_see_all_tenants() {
    let world = World::new().await;
    let (inside, outside) = members(&world).await;
    let group = group(&world).await;
    let operator = browser_of(&world, "contoso", &group);
    operator.sign_in(&inside).await;
    let page = operator.get("/operator").await;
    assert_eq!((page.status, page.title()), (StatusCode::OK, "All tenants"), "no administrator is needed: {page:?}");
    assert!(page.body.contains(">contoso</th>") && page.body.contains("1–1 of 1"), "{page:?}");
    assert!(operator.get("/").await.body.contains(">All tenants</a>"), "the way there");
    assert_eq!(operator.get("/runs").await.status, StatusCode::FORBIDDEN, "and no more than that");

    for (name, browser) in [
        ("another group", browser_of(&world, "contoso", "11111111-2222-4333-8444-555555555555")),
        ("another tenant", browser_of(&world, "fabrikam", &group)),
        ("none", world.browser()),
    ] {
        browser.sign_in(&inside).await;
        check_out(&world, name, &browser).await;
    }
    let browser = browser_of(&world, "contoso", &group);
    browser.sign_in(&outside).await;
    check_out(&world, "somebody else", &browser).await;
    let nobody = browser_of(&world, "contoso", &group);
    assert!(nobody.get("/operator.csv").await.status.is_redirection());
}

async fn check_out(world: &World, name: &str, browser: &Browser) {
    world.log();
    for path in ["/operator", "/operator.csv"] {
        let page = browser.get(path).await;
        assert_eq!((page.status, page.title()), (StatusCode::FORBIDDEN, "This page is for the operator"), "{name}");
        assert!(!page.body.contains("contoso</th>"), "{name}");
    }
    assert!(world.log().contains("reason=\"operator\""), "{name}");
    assert!(!browser.get("/").await.body.contains("/operator"), "{name}");
}

#[tokio::test]
async fn an_administrator_is_no_operator() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    assert_eq!(browser.get("/operator").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn tenants_are_filtered_ordered_paged_and_exported() {
    let world = World::new().await;
    let (inside, _) = members(&world).await;
    for number in 0..60 {
        let settings =
            json!({"name": if number == 7 { "=cmd|' /C calc'!A0".to_owned() } else { format!("Tenant <b>{number}") }});
        world.admin_of(&format!("t{number:02}"), json!({"action": "put_tenant", "settings": settings})).await;
    }
    let browser = browser_of(&world, "contoso", &group(&world).await);
    browser.sign_in(&inside).await;
    let page = browser.get("/operator").await;
    assert!(page.body.contains("1–50 of 61") && page.body.contains(">All: 61<"), "{page:?}");
    assert!(page.body.contains("Never ran: 60") && page.body.contains("aria-sort=\"ascending\""), "{page:?}");
    assert!(page.body.len() < 30_000 && !page.body.contains("<b>"), "{}", page.body.len());
    let page = browser.get("/operator?sort=id&order=down&page=2").await;
    assert!(page.body.contains("51–61 of 61") && page.body.contains("aria-sort=\"descending\""), "{page:?}");
    assert!(page.body.find(">t09</th>") < page.body.find(">t00</th>"), "{page:?}");
    let page = browser.get("/operator?only=never_ran").await;
    assert!(page.body.contains("of 60") && !page.body.contains(">contoso</th>"), "{page:?}");
    for column in ["id", "name", "state", "connection", "last", "next", "held", "failing", "expiry", "x"] {
        assert_eq!(browser.get(&format!("/operator?sort={column}")).await.status, StatusCode::OK, "{column}");
    }
    for page in ["0", "-1", "99999999999999999999", "x", "400"] {
        assert_eq!(browser.get(&format!("/operator?page={page}")).await.status, StatusCode::OK, "{page}");
    }
    world.log();
    let csv = browser.get("/operator.csv").await;
    assert!(csv.header("content-type").starts_with("text/csv; charset=utf-8"), "{csv:?}");
    assert!(csv.header("content-disposition").starts_with("attachment; filename=\"tenants-"), "{csv:?}");
    let lines: Vec<&str> = csv.body.split("\r\n").collect();
    assert_eq!(lines.len(), 63, "a heading, 61 tenants, and the end");
    assert!(lines[0].starts_with("\"Tenant\",\"Name\",\"State\""), "{}", lines[0]);
    assert!(csv.body.contains("\"t07\",\"'=cmd|' /C calc'!A0\""), "{csv:?}");
    assert!(world.log().contains("all tenants were exported"), "who exported is logged");
}
