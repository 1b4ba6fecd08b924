//! The page of exemptions.

use axum::http::StatusCode;
use serde_json::json;

use super::{door::administrator, plan::hostile};
use crate::world::World;

#[tokio::test]
async fn r5_3_an_address_is_exempted_and_no_longer() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let token = browser.token().await;
    let added = browser.post("/exemptions/add", &format!("token={token}&address=AlexW%40contoso.com")).await;
    let page = browser.get(&added.location()).await;
    assert!(page.body.contains("The address is exempt.") && page.body.contains("alexw@contoso.com"), "{page:?}");
    assert!(page.body.contains("<bdi>adelev@contoso.com</bdi>"), "the audit's name: {page:?}");
    let removed = browser.post("/exemptions/remove", &format!("token={token}&address=alexw@contoso.com")).await;
    let page = browser.get(&removed.location()).await;
    assert!(page.body.contains("No address is exempt.") && page.body.contains("The exemption has ended."), "{page:?}");
}

#[tokio::test]
async fn exemptions_are_paged_and_pages_are_small() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    for number in 0..30 {
        let address = format!("{number}{}@contoso.com", "x".repeat(40));
        world.admin(json!({"action": "exempt", "address": address, "by": hostile()[3][..200]})).await;
    }
    let first = browser.get("/exemptions").await;
    assert!(first.body.len() < 30_000, "{}", first.body.len());
    let (before, _) = first.body.split_once("\">Next page</a>").unwrap();
    let next = browser.get(before.rsplit_once("href=\"").unwrap().1).await;
    assert!(next.body.contains(">First page</a>") && !next.body.contains(">Next page</a>"), "{next:?}");
    assert_eq!([&first, &next].map(|page| page.body.matches(">End</button>").count()).iter().sum::<usize>(), 30);
}

#[tokio::test]
async fn what_is_no_address_is_refused_with_what_was_typed() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let token = browser.token().await;
    let page = browser.post("/exemptions/add", &format!("token={token}&address=%22%3E%3Cscript%3E")).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.body.contains("expected an address") && !page.body.contains("<script>"), "{page:?}");
    assert!(page.body.contains("value=\"&#34;&#62;&#60;script&#62;\""), "{page:?}");
}
