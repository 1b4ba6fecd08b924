//! The one door: who gets in, whose form counts, and whose tenant it is.

use axum::http::StatusCode;

use crate::{browser::Browser, world::World};

/// Every page behind the sign-in, and every form.
const PAGES: [&str; 8] = [
    "/audit",
    "/exemptions",
    "/runs",
    "/runs/01JD0000000000000000000000",
    "/runs/01JD0000000000000000000000/changes/0123456789abcdef",
    "/reports",
    "/reports/2026-11-21",
    "/reports/2026-11-21/mail",
];
const FORMS: [&str; 7] = [
    "/exemptions/add",
    "/exemptions/remove",
    "/runs/search",
    "/runs/01JD0000000000000000000000/review",
    "/runs/01JD0000000000000000000000/apply",
    "/runs/01JD0000000000000000000000/release",
    "/runs/01JD0000000000000000000000/undo",
];

/// Contoso's administrator, signed in.
pub(crate) async fn administrator(world: &World) -> Browser {
    world
        .admin(serde_json::json!({"action": "convert", "address": "adelev@contoso.com", "to": "organization_admin"}))
        .await;
    let browser = world.browser();
    browser.sign_in("adelev@contoso.com").await;
    browser
}

#[tokio::test]
async fn nobody_gets_in_without_a_session() {
    let world = World::new().await;
    let browser = world.browser();
    for page in PAGES {
        assert!(browser.get(page).await.location().ends_with("example.com/"), "{page}");
    }
    for form in FORMS {
        let page = browser.post(form, "token=x").await;
        assert_eq!(
            (page.status, page.title()),
            (StatusCode::UNAUTHORIZED, "You are not signed in any longer"),
            "{form}"
        );
    }
}

#[tokio::test]
async fn only_administrators_manage() {
    let world = World::new().await;
    let browser = world.browser();
    browser.sign_in("adelev@contoso.com").await;
    let token = browser.token().await;
    for page in PAGES {
        let page = browser.get(page).await;
        assert_eq!((page.status, page.title()), (StatusCode::FORBIDDEN, "This page is for administrators"));
    }
    for form in FORMS {
        let page = browser.post(form, &format!("token={token}")).await;
        assert_eq!((page.status, page.title()), (StatusCode::FORBIDDEN, "This page is for administrators"), "{form}");
    }
    assert!(world.log().contains("reason=\"role\""));
}

#[tokio::test]
async fn a_form_that_is_not_ours_changes_nothing() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    for form in FORMS {
        for forged in ["", "token=", "token=forged", "Token=x"] {
            let page = browser.post(form, &format!("{forged}&address=adelev@contoso.com")).await;
            assert_eq!((page.status, page.title()), (StatusCode::FORBIDDEN, "Nothing was changed"), "{form} {forged}");
        }
        let huge = format!("token={}&address={}", browser.token().await, "a".repeat(300_000));
        assert_eq!(browser.post(form, &huge).await.status, StatusCode::PAYLOAD_TOO_LARGE, "{form}");
    }
    assert!(world.log().contains("reason=\"token\""));
    assert!(browser.get("/exemptions").await.body.contains("No address is exempt."));
}

#[tokio::test]
async fn an_administrator_who_is_none_any_longer_is_out_at_once() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    assert_eq!(browser.get("/exemptions").await.status, StatusCode::OK);
    world.admin(serde_json::json!({"action": "convert", "address": "adelev@contoso.com", "to": "end_user"})).await;
    assert_eq!(browser.get("/exemptions").await.status, StatusCode::FORBIDDEN);
}
