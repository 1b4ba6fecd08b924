//! The one door: who gets in, whose form counts, and whose tenant it is.

use axum::http::StatusCode;
use console::Others;
use engine::ports::Fault;

use crate::{browser::Browser, world::World};

/// Every page behind the sign-in, and every form.
pub(super) const PAGES: &[&str] = &[
    "/audit",
    "/exemptions",
    "/settings",
    "/people",
    "/runs",
    "/runs/01JD0000000000000000000000",
    "/runs/01JD0000000000000000000000/changes/0123456789abcdef",
    "/reports",
    "/reports/2026-11-21",
    "/reports/2026-11-21/mail",
];
pub(super) const FORMS: &[&str] = &[
    "/exemptions/add",
    "/exemptions/remove",
    "/settings",
    "/settings/secret",
    "/settings/test",
    "/people/convert",
    "/people/exempt",
    "/people/unexempt",
    "/people/digests",
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
        let asked = browser.get(page).await.location();
        assert!(asked.ends_with(&format!("example.com/?to={}", page.replace('/', "%2F"))), "{asked}");
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
async fn whoever_followed_a_link_gets_there_after_signing_in() {
    let world = World::new().await;
    let convert = serde_json::json!({"action": "convert", "address": "adelev@contoso.com", "to": "organization_admin"});
    world.admin(convert).await;
    for (disable_login, link, there) in [
        (false, "/exemptions", "/exemptions"),
        (true, "/exemptions?from=x", "/exemptions?from=x"),
        (false, "//evil.example/exemptions", "/"),
    ] {
        world.admin(serde_json::json!({"action": "put_tenant", "settings": {"disable_login": disable_login}})).await;
        let browser = world.browser();
        let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("to", link).finish();
        let page = browser.get(&format!("/?{query}")).await;
        assert_eq!(page.body.contains("<p>Sign in to go on.</p>"), there != "/", "{page:?}");
        let hidden = page.body.contains(&format!("name=\"to\" value=\"{link}\""));
        assert_eq!(hidden, there != "/", "{page:?}");
        let mut start = browser.get(&format!("/signin?address=adelev@contoso.com&{query}")).await;
        if disable_login {
            let button = start.body.split("href=\"").find(|part| part.contains("/signin/microsoft?")).unwrap();
            let button = button.split('"').next().unwrap().replace("&#38;", "&");
            start = browser.get(&button).await;
        }
        let back = browser.at_microsoft(&start.location()).await;
        assert_eq!(browser.get(&back).await.location(), format!("{}{there}", crate::world::BASE));
    }
}

#[tokio::test]
async fn every_page_tells_times_in_the_zone_of_the_tenant() {
    let world = World::new().await;
    let zone = serde_json::json!({"report": {"time_zone": "Pacific/Kiritimati"}});
    world.admin(serde_json::json!({"action": "put_tenant", "settings": zone})).await;
    world.admin(serde_json::json!({"action": "exempt", "address": "alexw@contoso.com"})).await;
    let browser = administrator(&world).await;
    for path in ["/", "/settings", "/runs", "/audit", "/exemptions"] {
        let page = browser.get(path).await;
        assert!(
            page.body.contains("(Pacific/Kiritimati)") && page.body.contains("<time datetime=\"20"),
            "{path}: {page:?}"
        );
        // The audit also says which zone it was before.
        assert!(path == "/audit" || !page.body.contains("UTC<"), "{path}: {page:?}");
    }
    let runs = browser.get("/runs").await;
    let run = runs.body.split("/runs/01").nth(1).unwrap().split('"').next().unwrap();
    let page = browser.get(&format!("/runs/01{run}")).await;
    assert!(page.text().contains("(Pacific/Kiritimati), ended "), "{}", page.text());
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
async fn a_form_of_which_nobody_knows_what_became_says_so() {
    let world = World::new().await;
    administrator(&world).await;
    let browser = world.browser_at(|console| {
        console.others = Others::Here(Box::new(|_, _| Box::pin(async { Err(Fault::passing("no answer")) })));
    });
    browser.sign_in("adelev@contoso.com").await;
    let token = browser.token().await;
    for form in ["/exemptions/add", "/settings/test", "/runs/search", "/runs/01JD0000000000000000000000/apply"] {
        let page = browser.post(form, &format!("token={token}&address=alexw@contoso.com")).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{form}");
        assert_eq!(page.title(), "It is not known whether this was done", "{form}: {page:?}");
        assert!(page.body.contains("Look whether it was done") && page.body.contains("<code>"), "{form}: {page:?}");
    }
    // What only looks, or does not pass the door, did nothing.
    assert_eq!(browser.post("/settings/test", "token=x").await.title(), "Nothing was changed");
}

#[tokio::test]
async fn an_administrator_who_is_none_any_longer_is_out_at_once() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    assert_eq!(browser.get("/exemptions").await.status, StatusCode::OK);
    world.admin(serde_json::json!({"action": "convert", "address": "adelev@contoso.com", "to": "end_user"})).await;
    assert_eq!(browser.get("/exemptions").await.status, StatusCode::FORBIDDEN);
}
