//! Sign-ins that belong to somebody else: forged, replayed, carried to another browser (rule 8.4).

use graph_standin::{About, Fault, Rule};
use serde_json::json;

use console::Secret;

use crate::{
    browser::Browser,
    world::{BASE, SERVICE, World},
};

const NOT_HERE: &str = "This sign-in was not started here";

/// A sign-in as far as Microsoft's answer.
async fn begin(browser: &Browser) -> String {
    let start = browser.get("/signin?address=adelev@contoso.com").await;
    browser.at_microsoft(&start.location()).await
}

#[tokio::test]
async fn r8_4_an_answer_counts_once_and_only_where_it_was_asked_for() {
    let world = World::new().await;
    let ann = world.browser();
    let back = begin(&ann).await;
    let kept = ann.cookies();
    world.log();

    let stranger = world.browser();
    let page = stranger.get(&back).await;
    world.refused("a browser that began nothing", &stranger, &page, NOT_HERE, "no_transaction");

    let other = world.browser();
    begin(&other).await;
    world.log();
    let page = other.get(&back).await;
    world.refused("a browser that began something else", &other, &page, NOT_HERE, "state");

    let forged = back.split("state=").next().unwrap().to_owned() + "state=forged";
    let page = ann.get(&forged).await;
    world.refused("a forged state", &ann, &page, NOT_HERE, "state");
    let page = ann.get(forged.split("&state=").next().unwrap()).await;
    world.refused("no state", &ann, &page, NOT_HERE, "state");
    assert_eq!(ann.cookies(), kept, "what this browser began may still come back");

    assert_eq!(ann.get(&back).await.location(), format!("{BASE}/"));
    let session = ann.cookies();
    world.log();
    let page = ann.get(&back).await;
    assert_eq!((page.title(), ann.cookies()), (NOT_HERE, session), "the same answer again");

    // With the cookie brought back: Microsoft does not take a code twice.
    let thief = world.browser();
    thief.set_cookies(kept);
    world.log();
    let page = thief.get(&back).await;
    world.refused("a replayed code", &thief, &page, "This sign-in has expired", "code");
}

#[tokio::test]
async fn r8_4_a_code_of_another_sign_in_is_of_no_use() {
    let world = World::new().await;
    let (ann, mallory) = (world.browser(), world.browser());
    let theirs = begin(&mallory).await;
    let ours = begin(&ann).await;
    let code = theirs.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let state = ours.split("state=").nth(1).unwrap();
    world.log();
    // Whoever slips a code of their own into somebody's sign-in is stopped by PKCE.
    let page = ann.get(&format!("/signin/callback?code={code}&state={state}")).await;
    world.refused("another's code", &ann, &page, "This sign-in has expired", "code");
}

#[tokio::test]
async fn r8_4_a_sign_in_that_takes_too_long_is_over() {
    let world = World::new().await;
    let browser = world.browser();
    let back = begin(&browser).await;
    world.wait(901);
    world.log();
    let page = browser.get(&back).await;
    world.refused("too late", &browser, &page, "This sign-in has expired", "too_late");
    assert!(browser.cookies().is_empty());
}

#[tokio::test]
async fn r8_4_cookies_that_were_changed_or_swapped_are_none() {
    let world = World::new().await;
    let browser = world.browser();
    let back = begin(&browser).await;
    let transaction = browser.cookies()["__Host-signin"].clone();
    for (name, value) in [
        ("cut", transaction[..transaction.len() - 8].to_owned()),
        ("another beginning", format!("AAAA{}", &transaction[4..])),
        ("empty", String::new()),
        ("plain", "{\"tenant\":\"contoso\"}".replace('"', "%22")),
    ] {
        let thief = world.browser();
        thief.set_cookies([("__Host-signin".to_owned(), value)].into());
        world.log();
        let page = thief.get(&back).await;
        world.refused(name, &thief, &page, NOT_HERE, "no_transaction");
    }
    let swapped = world.browser();
    swapped.set_cookies([("__Host-session".to_owned(), transaction)].into());
    assert_eq!(swapped.signed_in_as().await, None, "a transaction is no session");
}

#[tokio::test]
async fn r8_4_a_session_cannot_be_planted() {
    let world = World::new().await;
    let browser = world.browser();
    browser.set_cookies([("__Host-session".to_owned(), "planted".to_owned())].into());
    browser.sign_in("adelev@contoso.com").await;
    let first = browser.cookies()["__Host-session"].clone();
    assert_ne!(first, "planted");
    assert_eq!(browser.signed_in_as().await.as_deref(), Some("adelev@contoso.com"));
    // Somebody else signs in with the same browser: nothing of the session before is left.
    world.sign_ins(json!({"user": "MeganB@contoso.com"}));
    browser.sign_in("meganb@contoso.com").await;
    assert_ne!(browser.cookies()["__Host-session"], first);
    assert_eq!(browser.signed_in_as().await.as_deref(), Some("meganb@contoso.com"));
}

#[tokio::test]
async fn r8_4_whoever_turns_back_at_microsoft_is_not_signed_in() {
    let world = World::new().await;
    for (error, title) in [
        ("access_denied", "You are not signed in"),
        ("consent_required", "Microsoft did not sign you in"),
        ("<script>", "Microsoft did not sign you in"),
    ] {
        world.sign_ins(json!({"error": error}));
        let browser = world.browser();
        let page = browser.sign_in("adelev@contoso.com").await;
        assert_eq!((page.status.as_u16(), page.title()), (403, title), "{error}");
        assert!(!page.body.contains("script") && !page.body.contains("AADSTS"), "{}", page.body);
        assert!(browser.cookies().is_empty());
    }
    world.sign_ins(json!({"error": "temporarily_unavailable"}));
    let page = world.browser().sign_in("adelev@contoso.com").await;
    assert!(page.location().starts_with("https://service.example.com/"), "r8_2");
}

#[tokio::test]
async fn r8_4_a_sign_in_is_used_up_whatever_comes_of_it() {
    let world = World::new().await;
    let short = || Some(Secret::Known("short".into()));
    for secret in [short(), None] {
        let browser = world.browser_at(|console| console.client_secret = secret);
        let back = begin(&browser).await;
        assert!(browser.get(&back).await.status.is_server_error());
        assert!(browser.cookies().is_empty());
    }
}

#[tokio::test]
async fn r8_4_a_code_that_microsoft_refuses_wakes_nobody() {
    let world = World::new().await;
    for (number, title) in [
        (70_008, "This sign-in has expired"),
        (900_144, "Microsoft did not sign you in"),
        (50_076, "Microsoft did not sign you in"),
    ] {
        world.microsoft.clear_faults();
        let browser = world.browser();
        let back = begin(&browser).await;
        let body = json!({"error": "invalid_request", "error_description": format!("AADSTS{number}: ann@contoso.com")});
        let refusal = Fault::Status { code: 400, body: Some(body) };
        world.microsoft.fault(Rule::new(refusal).on(About::Token).path("token"));
        world.log();
        let page = browser.get(&back).await;
        assert!(page.body.contains(&format!("href=\"{SERVICE}?address=adelev%40contoso.com\"")), "{}", page.body);
        assert_eq!(page.title(), title, "{number}");
        let log = world.log();
        assert!(log.contains(&format!("microsoft={number}")) && !log.contains("ERROR") && !log.contains('@'), "{log}");
    }
}

#[tokio::test]
async fn r8_5_whoever_is_not_known_has_the_services_own_page() {
    let world = World::new().await;
    for claims in [
        json!({"oid": "11111111-2222-4333-8444-555555555555"}),
        json!({"oid": "11111111-2222-4333-8444-555555555555", "acct": 1}),
        json!({"tid": "9188040d-6c67-4c5b-b112-36a304b66dad"}),
        json!({"nonce": "another"}),
    ] {
        world.sign_ins(json!({"claims": claims}));
        let page = world.browser().sign_in("adelev@contoso.com").await;
        assert_eq!(page.status.as_u16(), 403);
        assert!(page.body.contains(&format!("href=\"{SERVICE}?address=adelev%40contoso.com\"")), "{}", page.body);
    }
}

#[tokio::test]
async fn r8_4_consent_signs_nobody_in() {
    let world = World::new().await;
    let browser = world.browser();
    let back = begin(&browser).await;
    let cookies = browser.cookies();
    let page = browser.get("/signin/callback?admin_consent=True&tenant=contoso&state=any").await;
    assert_eq!((page.status.as_u16(), page.title()), (200, "Consent was given"));
    assert_eq!((browser.cookies(), browser.signed_in_as().await), (cookies, None));
    let page = world.browser().get("/signin/callback?admin_consent=True&error=access_denied").await;
    assert_eq!(page.title(), NOT_HERE);
    assert_eq!(browser.get(&format!("{back}&admin_consent=True")).await.location(), format!("{BASE}/"));
}

#[tokio::test]
async fn r8_4_a_tenant_that_is_gone_or_moved_meanwhile_signs_nobody_in() {
    let world = World::new().await;
    let browser = world.browser();
    let back = begin(&browser).await;
    let other = json!({
        "action": "put_tenant", "replace_connection": true,
        "settings": {"directory_id": graph_standin::FABRIKAM.directory_id},
    });
    world.admin(other).await;
    world.log();
    let page = browser.get(&back).await;
    world.refused("another directory", &browser, &page, "Your account is not known here", "unknown");

    let world = World::new().await;
    let browser = world.browser();
    let back = begin(&browser).await;
    world.admin(json!({"action": "delete_tenant", "purge": true})).await;
    world.log();
    let page = browser.get(&back).await;
    world.refused("no tenant", &browser, &page, "Your account is not known here", "unknown");
}
