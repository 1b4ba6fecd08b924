//! How long somebody stays signed in (rules 8.4 and 8.5): everything is looked up again with each request.

use axum::http::StatusCode;
use graph_standin::CONTOSO;
use serde_json::json;

use crate::{
    browser::Browser,
    world::{BASE, World},
};

async fn signed_in(world: &World) -> Browser {
    let browser = world.browser();
    let page = browser.sign_in("adelev@contoso.com").await;
    let signed_in = browser.signed_in_as().await;
    assert_eq!(signed_in.as_deref(), Some("adelev@contoso.com"), "{page:?} {}", world.log());
    browser
}

#[tokio::test]
async fn r8_4_a_session_ends_after_an_hour_of_silence_and_after_eight_in_any_case() {
    let world = World::new().await;
    let browser = signed_in(&world).await;
    let stolen = browser.cookies();
    for _ in 0..9 {
        world.wait(50 * 60);
        assert!(browser.signed_in_as().await.is_some(), "somebody who is there stays");
    }
    world.wait(31 * 60);
    assert_eq!(browser.signed_in_as().await, None, "eight hours");
    assert!(browser.cookies().is_empty());
    browser.set_cookies(stolen);
    assert_eq!(browser.signed_in_as().await, None);

    // Microsoft's clock stood still meanwhile.
    let world = World::new().await;
    let browser = signed_in(&world).await;
    world.wait(61 * 60);
    assert_eq!(browser.signed_in_as().await, None, "an hour of silence");
}

#[tokio::test]
async fn r8_5_a_session_ends_with_the_right_to_sign_in() {
    let world = World::new().await;
    let convert = |to: &str| json!({"action": "convert", "address": "adelev@contoso.com", "to": to});
    for to in ["silent_user", "functional_account"] {
        let browser = signed_in(&world).await;
        world.admin(convert(to)).await;
        assert_eq!(browser.signed_in_as().await, None, "{to}");
        assert!(browser.cookies().is_empty(), "{to}");
        world.admin(convert("end_user")).await;
    }
    let browser = signed_in(&world).await;
    world.admin(convert("organization_admin")).await;
    assert!(browser.signed_in_as().await.is_some(), "an administrator may sign in");

    let blocked = json!({"accountEnabled": false});
    world.microsoft.update_user(CONTOSO.name, "AdeleV@contoso.com", blocked).unwrap();
    world.sync().await;
    world.log();
    assert_eq!(browser.signed_in_as().await, None, "disabled");
    let log = world.log();
    assert!(log.contains("a session is over") && log.contains("disabled") && !log.contains('@'), "{log}");
}

#[tokio::test]
async fn r8_4_an_operator_ends_the_sessions_of_a_tenant() {
    let world = World::new().await;
    let browser = signed_in(&world).await;
    let ended = world.admin(json!({"action": "end_sessions"})).await;
    assert_eq!(ended["ended"], true, "{ended}");
    assert_eq!(browser.signed_in_as().await, None);
    signed_in(&world).await;
}

#[tokio::test]
async fn r8_4_a_session_ends_with_its_tenant() {
    let world = World::new().await;
    let browser = signed_in(&world).await;
    let session = browser.cookies();
    world.admin(json!({"action": "delete_tenant", "purge": true})).await;
    assert_eq!(browser.signed_in_as().await, None);
    world.connect(json!({})).await;
    world.sync().await;
    browser.set_cookies(session);
    assert_eq!(browser.signed_in_as().await, None, "a tenant of the same name is another one");
}

#[tokio::test]
async fn r8_4_signing_out_takes_our_own_form() {
    let world = World::new().await;
    let browser = signed_in(&world).await;
    let page = browser.get("/").await;
    let token = page.body.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(page.body.contains(&format!("action=\"{BASE}/signout\" method=\"post\"")), "{}", page.body);
    for form in ["", "token=", "token=forged", "other=1"] {
        let page = browser.post("/signout", form).await;
        assert_eq!((page.status, page.title()), (StatusCode::FORBIDDEN, "You are still signed in"), "{form}");
        assert!(browser.signed_in_as().await.is_some(), "{form}");
    }
    assert_eq!(browser.get("/signout").await.status, StatusCode::METHOD_NOT_ALLOWED);
    let page = browser.post("/signout", &format!("token={token}")).await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, format!("{BASE}/")));
    assert!(browser.cookies().is_empty());
    assert_eq!(browser.signed_in_as().await, None);
    assert_eq!(browser.post("/signout", "").await.location(), format!("{BASE}/"), "nobody is signed in");
}

#[tokio::test]
async fn r8_4_an_answer_that_comes_after_signing_out_signs_nobody_in() {
    let world = World::new().await;
    let convert = json!({"action": "convert", "address": "adelev@contoso.com", "to": "organization_admin"});
    world.admin(convert).await;
    let browser = signed_in(&world).await;
    let session = browser.cookies();
    let page = browser.get("/").await;
    let token = page.form("Sign out").value("token").unwrap().to_owned();
    browser.post("/signout", &format!("token={token}")).await;
    // A request that was sent before, with the cookie of then, is answered now.
    for path in ["/", "/runs", "/settings"] {
        browser.set_cookies(session.clone());
        let late = browser.get(path).await;
        assert_eq!((late.status, late.header("set-cookie")), (StatusCode::OK, ""), "{path}");
    }
    // Whoever is there stays: the session is written anew from time to time, and only for what a person asks.
    world.wait(6 * 60);
    for (method, headers) in [("HEAD", &[][..]), ("GET", &[("x-watch", "1")][..])] {
        for path in ["/", "/runs"] {
            let looked = browser.send(method, path, "", headers).await;
            assert_eq!((looked.status, looked.header("set-cookie")), (StatusCode::OK, ""), "{method} {path}");
        }
    }
    for path in ["/", "/runs"] {
        browser.set_cookies(session.clone());
        assert!(browser.get(path).await.header("set-cookie").starts_with("__Host-session="), "{path}");
        assert_eq!(browser.get(path).await.header("set-cookie"), "", "{path}");
    }
}
