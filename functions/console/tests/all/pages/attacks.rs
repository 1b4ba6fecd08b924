//! What no page of ours sends: each is refused with a page that says so, and nothing is changed or told.

use axum::http::StatusCode;
use directory::{Kind, TenantId};
use engine::{audit, browse, exemptions, people};
use serde_json::json;

use super::door::{FORMS, PAGES, administrator};
use crate::{browser::Page, world::World};

/// It is a page of ours, for people, and no failure of ours.
#[track_caller]
fn is_a_page(name: &str, page: &Page, status: &[StatusCode]) {
    assert!(status.contains(&page.status), "{name}: {page:?}");
    assert!(page.header("content-type").starts_with("text/html"), "{name}: {page:?}");
    assert!(page.body.contains("<h1") && page.body.contains("</html>"), "{name}: {page:?}");
    assert!(page.body.len() < 30_000, "{name}: {}", page.body.len());
}

#[tokio::test]
async fn pages_and_forms_are_asked_for_in_their_own_way_only() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let token = browser.token().await;
    let form = format!("token={token}");
    for page in PAGES {
        let head = browser.send("HEAD", page, "", &[]).await;
        assert!(!head.status.is_server_error() && head.body.is_empty(), "{page}: {head:?}");
        assert_eq!(head.status, browser.get(page).await.status, "{page}");
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            if method != "POST" || *page != "/settings" {
                let refused = browser.send(method, page, form.clone(), &[]).await;
                is_a_page(&format!("{method} {page}"), &refused, &[StatusCode::METHOD_NOT_ALLOWED]);
            }
        }
    }
    for form in FORMS.iter().filter(|form| **form != "/settings") {
        // What is no form of a run could be the name of one.
        let status = [StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_FOUND];
        is_a_page(form, &browser.get(&format!("{form}?token={token}&address=alexw@contoso.com")).await, &status);
    }
    assert!(browser.get("/exemptions").await.body.contains("No address is exempt."));
    assert_eq!(browser.get("/signin/callback").await.status, StatusCode::BAD_REQUEST);
    is_a_page("callback", &browser.post("/signin/callback", "code=x").await, &[StatusCode::METHOD_NOT_ALLOWED]);
}

#[tokio::test]
async fn paths_that_are_none_are_not_found() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    world.log();
    for path in [
        "/runs/",
        "/runs/x",
        "/runs/x/y",
        "/runs/x/changes",
        "/runs/x/changes/y",
        "/runs/x/changes/y/z",
        "/runs/..",
        "/runs/%2e%2e",
        "/runs/%2e%2e%2fsettings",
        "/runs/%00",
        "/runs/%ff",
        "/runs/01JD0000000000000000000000/changes/%ff%fe",
        "/runs/%22%3E%3Cscript%3E",
        "/reports/%ff",
        "/%ff",
        "/runs/%0d%0aset-cookie:x",
    ] {
        let page = browser.get(path).await;
        is_a_page(path, &page, &[StatusCode::NOT_FOUND]);
        assert!(!page.body.contains("<script>") && page.header("set-cookie").len() < 4_096, "{path}: {page:?}");
    }
    for path in ["/runs/x/apply", "/runs/%ff/apply", "/runs/%2e%2e/undo", "/runs/%0d%0a/release", "/runs/x/review"] {
        let page = browser.post(path, &format!("token={}", browser.token().await)).await;
        let leads_back = page.status == StatusCode::SEE_OTHER && page.location().ends_with("/runs/x");
        assert!(leads_back || page.status.is_client_error(), "{path}: {page:?}");
    }
    assert!(!world.log().contains('@'), "no address is logged");
}

#[tokio::test]
async fn queries_of_any_size_lead_to_a_page() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let run = browser.get("/runs").await;
    let run = format!("/runs/01{}", run.body.split("/runs/01").nth(1).unwrap().split('"').next().unwrap());
    let status = [StatusCode::OK, StatusCode::UNPROCESSABLE_ENTITY, StatusCode::NOT_FOUND];
    for path in PAGES.iter().copied().filter(|path| !path.ends_with("/mail")).chain(["/", &run]) {
        for name in ["from", "q", "text", "type", "show", "asked", "to", "done", "page", "x"] {
            let query = format!("{path}?{name}={}", "%3C".repeat(3_000));
            is_a_page(name, &browser.get(&query).await, &status);
            is_a_page(name, &browser.get(&format!("{path}?{}", format!("{name}=a&").repeat(2_000))).await, &status);
        }
    }
    let nobody = world.browser();
    let asked = nobody.get(&format!("/runs?from={}", "a".repeat(9_000))).await.location();
    assert!(asked.len() < 300, "{asked}");
}

#[tokio::test]
async fn a_form_of_another_session_changes_nothing() {
    let world = World::new().await;
    let (ann, bob) = (administrator(&world).await, administrator(&world).await);
    let bobs = bob.token().await;
    assert_ne!(ann.token().await, bobs, "each session has its own");
    world.log();
    for form in FORMS {
        let page = ann.post(form, &format!("token={bobs}&address=alexw@contoso.com")).await;
        is_a_page(form, &page, &[StatusCode::FORBIDDEN]);
        assert_eq!(page.title(), "Nothing was changed", "{form}");
    }
    let page = ann.post("/signout", &format!("token={bobs}")).await;
    assert_eq!((page.status, page.title()), (StatusCode::FORBIDDEN, "You are still signed in"));
    let log = world.log();
    assert_eq!(log.matches("reason=\"token\"").count(), FORMS.len() + 1, "{log}");
    assert!(!log.contains('@') && !log.contains(&bobs), "{log}");
    assert!(ann.get("/exemptions").await.body.contains("No address is exempt."));
}

#[tokio::test]
async fn bodies_that_are_no_form_are_refused() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let token = browser.token().await;
    world.log();
    for form in FORMS {
        for body in [
            b"\xff\xfe\x00token".to_vec(),
            format!("{{\"token\":\"{token}\"}}").into_bytes(),
            [b"address=\xff\xff&token=\xff".as_slice(), token.as_bytes()].concat(),
            format!("token={token}%00").into_bytes(),
            format!("token[]={token}&token={}", "x".repeat(32)).into_bytes(),
        ] {
            is_a_page(form, &browser.send("POST", form, body, &[]).await, &[StatusCode::FORBIDDEN]);
        }
    }
    // Ours, with what is no text in it: it is asked for as it was read, and refused as that.
    for path in ["/exemptions/add", "/exemptions/remove", "/people/exempt", "/people/unexempt"] {
        let body = [b"address=\xff\xfe%ff%00&q=%ff&token=".as_slice(), token.as_bytes()].concat();
        is_a_page(path, &browser.send("POST", path, body, &[]).await, &[StatusCode::UNPROCESSABLE_ENTITY]);
    }
    assert!(!world.log().contains('@'), "no address is logged");
    is_a_page("signout", &browser.post("/signout", &"a".repeat(5_000)).await, &[StatusCode::PAYLOAD_TOO_LARGE]);
    assert!(browser.signed_in_as().await.is_some());
}

#[tokio::test]
async fn no_field_ends_a_header_or_leads_away() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let token = browser.token().await;
    let (run, _) = super::runs::search(&browser, "").await;
    for evil in [
        "\r\nSet-Cookie: a=b",
        "?text=a\r\nLocation: https://evil.example",
        "?from=\r\n\r\n<script>",
        "//evil.example",
        "https://evil.example",
        "?change=..%2f..%2fevil",
        "?category=\r\nx",
        "?show=skipped&kind=user\n",
        "\u{202e}\u{0}",
    ] {
        for (name, form) in [("go", "review"), ("view", "review"), ("text", "review")] {
            let field = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, evil).finish();
            let page = browser.post(&format!("{run}/{form}"), &format!("token={token}&find=1&{field}")).await;
            let location = page.location();
            assert!(location.starts_with(&format!("https://console.example.com{run}")), "{name} {evil:?}: {location}");
            let path = location.split('?').next().unwrap();
            assert!(path.ends_with(&run) && location.is_ascii(), "{name} {evil:?}: {location}");
            assert!(page.header("set-cookie").is_empty(), "{page:?}");
        }
    }
}

#[tokio::test]
async fn a_cursor_of_another_tenant_shows_nothing_of_it() {
    let world = World::new().await;
    world.with_another_tenant().await;
    let theirs: TenantId = "fabrikam".parse().unwrap();
    for address in ["a@fabrikam.com", "b@fabrikam.com"] {
        world.admin_of("fabrikam", json!({"action": "exempt", "address": address})).await;
    }
    let everybody = people::Sought { kind: Kind::User, user_type: None, text: None };
    let store = world.tables();
    let cursors = [
        ("/audit", audit::list(&store, &theirs, None, 1).await.unwrap().next.unwrap()),
        ("/exemptions", exemptions::browse(&store, &theirs, None, 1).await.unwrap().next.unwrap()),
        ("/runs", browse::runs(&store, &theirs, None, 1).await.unwrap().next.unwrap_or_default()),
        ("/people", people::browse(&store, &theirs, &everybody, None, 1).await.unwrap().next.unwrap()),
    ];
    let browser = administrator(&world).await;
    for (_, cursor) in &cursors {
        for (path, _) in &cursors {
            let page = browser.get(&format!("{path}?type=user&from={cursor}")).await;
            is_a_page(path, &page, &[StatusCode::OK, StatusCode::UNPROCESSABLE_ENTITY]);
            assert!(!page.body.to_lowercase().contains("fabrikam"), "{path} {cursor}: {page:?}");
        }
    }
}
