//! The audit as a page.

use axum::http::StatusCode;
use serde_json::json;

use super::{door::administrator, plan::hostile};
use crate::world::World;

#[tokio::test]
async fn who_changed_what_is_listed_newest_first_and_says_no_secret() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    world
        .admin(json!({"action": "put_tenant", "by": hostile()[0], "settings": {"seats": 25, "name": hostile()[0]}}))
        .await;
    let page = browser.get("/audit").await;
    assert_eq!(page.title(), "Audit");
    assert!(page.body.contains("Seats: <bdi>nothing</bdi> → <bdi>25</bdi>"), "{page:?}");
    assert!(page.body.contains("Credential saved") && page.body.contains("User converted"), "{page:?}");
    assert!(!page.body.contains("<script>") && page.body.contains("&#60;script&#62;"), "{page:?}");
    assert!(!page.body.contains("demo-contoso-value"), "no secret: {page:?}");
    assert!(page.body.find("seats") < page.body.find("Credential saved"), "{page:?}");
}

#[tokio::test]
async fn the_audit_is_paged_and_pages_are_small() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    for number in 0..60 {
        let name = format!("{number} {}", "<".repeat(150));
        world.admin(json!({"action": "put_tenant", "settings": {"name": name}})).await;
    }
    let (mut path, mut pages) = ("/audit".to_owned(), 0);
    loop {
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
        assert!(page.body.len() < 30_000, "{}", page.body.len());
        pages += 1;
        let Some((before, _)) = page.body.split_once("\">Next page</a>") else { break };
        path = before.rsplit_once("example.com").unwrap().1.to_owned();
        assert!(pages < 30, "an audit without an end");
    }
    assert!(pages > 2, "{pages}");
    for cursor in ["x", "bnVsbA"] {
        assert_eq!(browser.get(&format!("/audit?from={cursor}")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}
