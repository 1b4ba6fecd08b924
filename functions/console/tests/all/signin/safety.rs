//! What every page keeps to, whatever is asked.

use axum::http::StatusCode;
use console::Secret;
use serde_json::json;

use crate::world::{BASE, SERVICE, World};

#[tokio::test]
async fn every_answer_is_safe_to_show() {
    let world = World::new().await;
    let browser = world.browser();
    for path in [
        "/",
        "/signin",
        "/signin?address=adelev@contoso.com",
        "/signin?address=nonsense",
        "/signin/callback",
        "/nothing",
        "/signout",
    ] {
        let page = browser.get(path).await;
        let policy = page.header("content-security-policy");
        for part in ["default-src 'none'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        assert_eq!(page.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert!(page.header("strict-transport-security").contains("max-age=31536000"), "{path}");
        for active in ["<script", "<style", " style=", " onclick", "javascript:"] {
            assert!(!page.body.contains(active), "{path}: {}", page.body);
        }
        for set in page.headers.get_all("set-cookie") {
            let set = set.to_str().unwrap();
            let safe = ["__Host-", "; HttpOnly", "; SameSite=Lax", "; Secure", "; Path=/"];
            assert!(safe.iter().all(|part| set.contains(part)), "{path}: {set}");
        }
    }
    browser.sign_in("adelev@contoso.com").await;
    let signed_in = browser.get("/").await;
    assert!(signed_in.header("content-security-policy").contains("form-action 'self';"), "{signed_in:?}");
    let page = browser.get("/nothing").await;
    assert_eq!((page.status, page.title()), (StatusCode::NOT_FOUND, "There is no such page"));
    let style = browser.get("/").await.body.split("href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let sheet = browser.get(&style).await;
    assert_eq!((sheet.status, sheet.header("content-type")), (StatusCode::OK, "text/css; charset=utf-8"));
    assert!(sheet.header("cache-control").contains("immutable"));
}

#[tokio::test]
async fn r8_4_hostile_addresses_lead_nowhere() {
    let world = World::new().await;
    let browser = world.browser();
    let long = "a".repeat(5_000);
    let longer = "a".repeat(50_000);
    for address in [
        "adelev",
        "a@b@contoso.com",
        "@contoso.com",
        "adelev@",
        "adelev@contoso.com%0d%0aSet-Cookie:%20a=b",
        "adelev@contoso.com%0aLocation:%20https://evil.example",
        "%00adelev@contoso.com",
        "adelev@contoso.com/..%2f..",
        "adelev@[127.0.0.1]",
        "%22%3E%3Cscript%3Ealert(1)%3C/script%3E@contoso.com",
        "adelev@contoso.com%3Cscript%3E",
        "https://evil.example/?@contoso.com",
        "ad%C3%A8le@contoso.com",
        "%ff%fe@contoso.com",
        &long,
        &longer,
    ] {
        for path in ["/signin", "/signin/microsoft"] {
            let page = browser.get(&format!("{path}?address={address}")).await;
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{address}");
            assert!(!page.headers.contains_key("location") && !page.body.contains("<script"), "{address}: {page:?}");
            assert!(page.body.len() < 5_000 && browser.cookies().is_empty(), "{address}");
        }
    }
    // What is an address goes on as one, whatever stands in it.
    let page = browser.get("/signin?address=a%26b%3Dc%23d@example.org&standard=1").await;
    assert_eq!(page.location(), format!("{SERVICE}?address=a%26b%3Dc%23d%40example.org"));
    for query in ["return=https://evil.example", "redirect_uri=https://evil.example", "standard=1&next=//evil.example"]
    {
        let page = browser.get(&format!("/signin?address=adelev@contoso.com&{query}")).await;
        assert!(!page.location().contains("evil"), "{}", page.location());
    }
    assert!(!world.log().contains('@'), "logs name nobody");
}

#[tokio::test]
async fn r8_4_a_clients_host_has_no_say_in_where_people_come_back_to() {
    let world = World::new().await;
    let headers = [("host", "evil.example"), ("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example")];
    let page = world.browser().send("GET", "/signin?address=adelev@contoso.com", "", &headers).await;
    let redirect = format!("{BASE}/signin/callback").replace(':', "%3A").replace('/', "%2F");
    assert!(page.location().contains(&format!("redirect_uri={redirect}")), "{}", page.location());
    let page = world.browser().send("GET", "/", "", &headers).await;
    assert!(!page.body.contains("evil"), "{}", page.body);
}

#[tokio::test]
async fn large_bodies_are_not_read() {
    let world = World::empty().await;
    let page = world.browser().post("/signout", &"a".repeat(100_000)).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn our_own_failures_are_named_on_the_page_and_in_the_log() {
    let world = World::new().await;
    let broken = world.browser_at(|console| console.session_key = Secret::Known("short".into()));
    world.log();
    assert_eq!(broken.get("/").await.status, StatusCode::OK, "nobody needs the key yet");
    assert_eq!(broken.post("/signout", "").await.location(), format!("{BASE}/"));
    let page = broken.get("/signin?address=adelev@contoso.com").await;
    assert_eq!(page.location(), format!("{SERVICE}?address=adelev%40contoso.com"));
    assert!(world.log().contains("ERROR"));
    broken.set_cookies([("__Host-session".to_owned(), "any".to_owned())].into());
    let page = broken.get("/").await;
    assert_eq!((page.status, page.title()), (StatusCode::SERVICE_UNAVAILABLE, "Something went wrong"));
    let request = page.body.split("<code>").nth(1).unwrap().split("</code>").next().unwrap();
    assert!(world.log().lines().any(|line| line.contains("ERROR") && line.contains(request)));
}

#[tokio::test]
async fn r8_4_an_application_that_microsoft_refuses_is_the_operators_business() {
    let world = World::new().await;
    let wrong = world.browser_at(|console| console.client_secret = Some(Secret::Known("wrong".into())));
    world.log();
    let page = wrong.sign_in("adelev@contoso.com").await;
    assert_eq!((page.status, page.title()), (StatusCode::BAD_GATEWAY, "Signing in with Microsoft is out of order"));
    assert!(page.body.contains(SERVICE), "people get in by the other way: {}", page.body);
    let log = world.log();
    assert!(log.contains("ERROR") && log.contains("invalid_client") && !log.contains('@'), "{log}");

    // A public client proves itself by PKCE alone.
    world.sign_ins(json!({"public": true}));
    let public = world.browser_at(|console| console.client_secret = None);
    public.sign_in("adelev@contoso.com").await;
    assert!(public.signed_in_as().await.is_some());
}
