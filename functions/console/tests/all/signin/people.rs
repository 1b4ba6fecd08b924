//! Who is let in, and who is told why not (rules 8.1 and 8.5).

use graph_standin::CONTOSO;
use serde_json::json;

use crate::world::{BASE, World};

#[tokio::test]
async fn r8_1_a_user_signs_in_by_directory_and_object() {
    let world = World::new().await;
    for address in ["adelev@contoso.com", "Adele.Vance@Contoso.com"] {
        let browser = world.browser();
        let page = browser.sign_in(address).await;
        assert_eq!(page.location(), format!("{BASE}/"));
        assert_eq!(browser.signed_in_as().await.as_deref(), Some("adelev@contoso.com"));
        assert_eq!(browser.cookies().keys().collect::<Vec<_>>(), ["__Host-session"], "the transaction is over");
    }
    // The address only finds the tenant: whoever signs in at Microsoft is who is signed in.
    world.sign_ins(json!({"user": "MeganB@contoso.com"}));
    let browser = world.browser();
    browser.sign_in("adelev@contoso.com").await;
    assert_eq!(browser.signed_in_as().await.as_deref(), Some("meganb@contoso.com"));
    let log = world.log();
    assert!(log.contains("signed in") && !log.contains('@'), "{log}");
}

#[tokio::test]
async fn r8_1_an_adopted_user_keeps_its_own_id_and_signs_in() {
    let world = World::empty().await;
    world.connect(json!({})).await;
    let made = world.admin(json!({"action": "put_user", "user": {"primary_email": "adelev@contoso.com"}})).await;
    world.sync().await;
    let user = world.admin(json!({"action": "get_user", "address": "adelev@contoso.com"})).await["user"].clone();
    assert_eq!(user["id"], made["user"]["id"]);
    assert_ne!(user["id"], user["entra_id"]);
    let browser = world.browser();
    browser.sign_in("adelev@contoso.com").await;
    assert_eq!(browser.signed_in_as().await.as_deref(), Some("adelev@contoso.com"));
}

#[tokio::test]
async fn r8_1_an_account_with_a_new_address_is_the_same_user() {
    let world = World::new().await;
    let moved = json!({
        "userPrincipalName": "adele@contoso.com", "mail": "adele@contoso.com", "proxyAddresses": ["SMTP:adele@contoso.com"],
    });
    world.microsoft.update_user(CONTOSO.name, "AdeleV@contoso.com", moved).unwrap();
    let browser = world.browser();
    let page = browser.sign_in("adele@contoso.com").await;
    assert_eq!(page.location(), format!("{BASE}/"));
    assert_eq!(browser.signed_in_as().await.as_deref(), Some("adelev@contoso.com"), "as it is here");
    world.sync().await;
    assert_eq!(browser.signed_in_as().await.as_deref(), Some("adele@contoso.com"));
}

#[tokio::test]
async fn r8_5_each_account_that_may_not_sign_in_gets_its_own_page() {
    let world = World::new().await;
    let convert = async |address: &str, to: &str| {
        world.admin(json!({"action": "convert", "address": address, "to": to})).await;
    };
    convert("alexw@contoso.com", "silent_user").await;
    convert("diegos@contoso.com", "functional_account").await;
    // Somebody whom synchronisation has not brought yet.
    let new = json!({"displayName": "New", "userPrincipalName": "new@contoso.com", "accountEnabled": true});
    world.microsoft.create_user(CONTOSO.name, new).unwrap();
    let guest = json!({"displayName": "Guest", "userPrincipalName": "guest@contoso.com", "userType": "Guest"});
    world.microsoft.create_user(CONTOSO.name, guest).unwrap();
    for (address, title, reason) in [
        ("alexw@contoso.com", "Your account has no sign-in", "silent_user"),
        ("diegos@contoso.com", "This is a functional account", "functional_account"),
        ("new@contoso.com", "Your account is not known here", "unknown"),
        ("guest@contoso.com", "Your guest account is not known here", "unknown"),
    ] {
        world.log();
        let browser = world.browser();
        let page = browser.sign_in(address).await;
        world.refused(address, &browser, &page, title, reason);
    }
    // Blocked in Entra, and Microsoft lets it in all the same: a token of a moment before.
    let blocked = json!({"accountEnabled": false});
    let browser = world.browser();
    let start = browser.get("/signin?address=henriettam@contoso.com").await;
    let back = browser.at_microsoft(&start.location()).await;
    world.microsoft.update_user(CONTOSO.name, "HenriettaM@contoso.com", blocked).unwrap();
    world.sync().await;
    world.log();
    let page = browser.get(&back).await;
    world.refused("blocked", &browser, &page, "Your account is switched off", "disabled");
}

#[tokio::test]
async fn r8_1_a_guest_who_is_synchronised_signs_in() {
    let world = World::empty().await;
    world.connect(json!({"sync_guests": true})).await;
    let guest = json!({
        "displayName": "Guest", "userPrincipalName": "guest_fabrikam.com#EXT#@contoso.com", "userType": "Guest",
        "mail": "guest@contoso.com", "proxyAddresses": ["SMTP:guest@contoso.com"],
    });
    world.microsoft.create_user(CONTOSO.name, guest).unwrap();
    world.sync().await;
    let external_member = json!({"claims": {"acct": 0, "idp": "https://sts.windows.net/fabrikam/"}});
    for (how, address) in [(json!({}), "guest@contoso.com"), (external_member, "adelev@contoso.com")] {
        world.sign_ins(how);
        let browser = world.browser();
        browser.sign_in(address).await;
        assert_eq!(browser.signed_in_as().await.as_deref(), Some(address));
    }
}

#[tokio::test]
async fn r8_5_an_outsider_cannot_tell_who_exists() {
    let world = World::new().await;
    let convert = json!({"action": "convert", "address": "alexw@contoso.com", "to": "silent_user"});
    world.admin(convert).await;
    let mut seen = Vec::new();
    for address in ["adelev@contoso.com", "alexw@contoso.com", "nobody@contoso.com"] {
        let page = world.browser().get(&format!("/signin?address={address}")).await;
        let location = page.location();
        let (to, query) = location.split_once('?').unwrap();
        let names: Vec<&str> = query.split('&').map(|pair| pair.split('=').next().unwrap()).collect();
        assert!(query.contains(&format!("login_hint={}", address.replace('@', "%40"))), "{query}");
        seen.push((page.status, to.to_owned(), names.join(" "), page.headers.keys().cloned().collect::<Vec<_>>()));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
}
