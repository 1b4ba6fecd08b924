//! ID tokens that are not what they should be (rule 8.1): none of them signs anybody in.

use graph_standin::{About, CONTOSO, FABRIKAM, Fault, Rule};
use serde_json::{Value, json};

use crate::world::{BASE, World, now};

const REFUSED: &str = "You could not be signed in";

#[tokio::test]
async fn r8_1_no_forged_token_is_believed() {
    let world = World::new().await;
    let adele = world.microsoft.user_id(CONTOSO.name, "AdeleV@contoso.com").unwrap();
    let issuer = world.microsoft.login_endpoint();
    let claims = |claims: Value| json!({"claims": claims});
    let now = now().as_second();
    for (name, how, title, reason) in [
        ("another issuer", claims(json!({"iss": "https://login.example.org/v2.0"})), REFUSED, "another issuer made it"),
        (
            "another directory's issuer",
            claims(json!({"iss": format!("{issuer}/{}/v2.0", FABRIKAM.directory_id)})),
            REFUSED,
            "another issuer made it",
        ),
        ("another audience", claims(json!({"aud": CONTOSO.application_id})), REFUSED, "it is for another application"),
        (
            "an audience more",
            claims(json!({"aud": [graph_standin::SIGN_IN_CLIENT_ID, "another"]})),
            REFUSED,
            "it is for another application",
        ),
        ("another key", json!({"sign": "other_key"}), REFUSED, "its signature is wrong"),
        ("a key that Microsoft does not have", json!({"sign": "unlisted_key"}), REFUSED, "Microsoft has no such key"),
        ("no signature", json!({"sign": "none"}), REFUSED, "its algorithm is not RS256"),
        ("signed with the secret", json!({"sign": "secret"}), REFUSED, "its algorithm is not RS256"),
        ("signed with the public key", json!({"sign": "public_key"}), REFUSED, "its algorithm is not RS256"),
        ("no nonce", claims(json!({"nonce": null})), REFUSED, "it belongs to another sign-in"),
        ("another nonce", claims(json!({"nonce": "another"})), REFUSED, "it belongs to another sign-in"),
        ("expired", claims(json!({"exp": now - 310})), REFUSED, "it has expired"),
        ("not valid yet", claims(json!({"nbf": now + 3600})), REFUSED, "it is not valid yet"),
        (
            "another directory, the right object",
            claims(json!({"tid": FABRIKAM.directory_id, "oid": adele})),
            REFUSED,
            "it is of another directory",
        ),
        ("no directory", claims(json!({"tid": null})), REFUSED, "it names no directory"),
        ("no object", claims(json!({"oid": null})), REFUSED, "it names no object"),
        ("an object that is none", claims(json!({"oid": "adelev@contoso.com"})), REFUSED, "it names no object"),
        (
            "a personal account",
            claims(json!({"tid": "9188040d-6c67-4c5b-b112-36a304b66dad"})),
            "Personal accounts cannot sign in here",
            "personal",
        ),
    ] {
        world.sign_ins(how);
        world.log();
        let browser = world.browser();
        let page = browser.sign_in("adelev@contoso.com").await;
        world.refused(name, &browser, &page, title, reason);
        assert_eq!(browser.signed_in_as().await, None, "{name}");
    }
    world.sign_ins(json!({}));
    let browser = world.browser();
    browser.sign_in("adelev@contoso.com").await;
    assert_eq!(browser.signed_in_as().await.as_deref(), Some("adelev@contoso.com"), "as Microsoft does it");
}

#[tokio::test]
async fn r8_1_an_email_claim_is_nobodys_proof() {
    let world = World::new().await;
    // Somebody whom we do not know, with the address of somebody whom we do.
    let new =
        json!({"displayName": "Mallory", "userPrincipalName": "mallory@contoso.com", "mail": "adelev@contoso.com"});
    let mallory = world.microsoft.create_user(CONTOSO.name, new).unwrap();
    let victims = json!({
        "email": "adelev@contoso.com", "preferred_username": "adelev@contoso.com", "upn": "adelev@contoso.com",
        "xms_edov": true, "email_verified": true, "unique_name": "adelev@contoso.com",
    });
    world.sign_ins(json!({"user": mallory.to_string(), "claims": victims}));
    world.log();
    let browser = world.browser();
    let page = browser.sign_in("adelev@contoso.com").await;
    world.refused("nOAuth", &browser, &page, "Your account is not known here", "unknown");
}

#[tokio::test]
async fn r8_1_our_own_id_of_a_user_is_nobodys_proof() {
    let world = World::empty().await;
    world.connect(json!({})).await;
    let made = world.admin(json!({"action": "put_user", "user": {"primary_email": "adelev@contoso.com"}})).await;
    world.sync().await;
    world.sign_ins(json!({"claims": {"oid": made["user"]["id"]}}));
    world.log();
    let browser = world.browser();
    let page = browser.sign_in("adelev@contoso.com").await;
    assert!(page.status.is_client_error(), "{page:?}");
    assert_eq!(browser.signed_in_as().await, None);
}

#[tokio::test]
async fn r8_1_a_discovery_document_of_another_directory_is_not_believed() {
    let world = World::new().await;
    let issuer = world.microsoft.login_endpoint();
    let other = format!("{issuer}/{}/v2.0", FABRIKAM.directory_id);
    world.sign_ins(json!({"issuer": other}));
    let page = world.browser().get("/signin?address=adelev@contoso.com").await;
    assert!(page.location().starts_with("https://service.example.com/"), "{other}");
}

#[tokio::test]
async fn s9_another_sign_in_needs_no_discovery_document_of_microsofts_kind() {
    let world = World::new().await;
    let issuer = world.microsoft.login_endpoint();
    let own = |host: &str| format!("{host}/{}/v2.0", CONTOSO.directory_id);
    for (document, token) in [
        (format!("{issuer}/{{tenantid}}/v2.0"), own(&issuer)),
        (format!("{}/", own(&issuer)), own(&issuer)),
        (own(&issuer), own("https://login.microsoftonline.com")),
        ("https://issuer.example".to_owned(), "https://issuer.example".to_owned()),
    ] {
        world.sign_ins(json!({"issuer": document, "claims": {"iss": token}}));
        let browser = world.browser();
        browser.sign_in("adelev@contoso.com").await;
        assert!(browser.signed_in_as().await.is_some(), "{document} {token}");
    }
    world.sign_ins(json!({}));
    let nothing = Fault::Status { code: 404, body: None };
    world.microsoft.fault(Rule::new(nothing).on(About::Token).path("openid-configuration"));
    let browser = world.browser();
    browser.sign_in("adelev@contoso.com").await;
    assert!(browser.signed_in_as().await.is_some(), "no document");
}

#[tokio::test]
async fn r8_1_new_keys_are_asked_for_once_they_are_used() {
    let world = World::new().await;
    let browser = world.browser();
    browser.sign_in("adelev@contoso.com").await;
    world.sign_ins(json!({"rolled": true}));
    world.microsoft.clear_requests();
    let asked = || world.microsoft.requests().iter().filter(|request| request.path.contains("keys")).count();
    let page = browser.sign_in("meganb@contoso.com").await;
    assert_eq!((page.location(), asked()), (format!("{BASE}/"), 1), "keys of a moment ago");
    let page = browser.sign_in("adelev@contoso.com").await;
    assert_eq!((page.location(), asked()), (format!("{BASE}/"), 1), "they are kept");

    // Whoever shows tokens that fit nothing does not make us ask without end.
    for sign in ["other_key", "unlisted_key"] {
        world.sign_ins(json!({"rolled": true, "sign": sign}));
        let other = world.browser();
        world.microsoft.clear_requests();
        for _ in 0..3 {
            assert_eq!(other.sign_in("meganb@contoso.com").await.title(), REFUSED);
            assert_eq!(asked(), 2, "{sign}: once, and once again");
        }
    }
}

#[tokio::test]
async fn r8_1_clocks_may_differ_by_five_minutes() {
    let world = World::new().await;
    for (exp, nbf) in [(-200, -1_000), (600, 200)] {
        let now = now().as_second();
        world.sign_ins(json!({"claims": {"exp": now + exp, "nbf": now + nbf}}));
        let browser = world.browser();
        browser.sign_in("adelev@contoso.com").await;
        assert!(browser.signed_in_as().await.is_some(), "{exp} {nbf}");
    }
}
