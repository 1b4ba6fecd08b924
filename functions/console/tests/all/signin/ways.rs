//! Which way an address goes (rules 8.2 to 8.4).

use axum::http::StatusCode;
use directory::Cloud;
use graph_standin::{About, CONTOSO, Fault, Rule};
use serde_json::json;

use crate::{
    browser::Browser,
    world::{BASE, SERVICE, World},
};

/// Where an address is sent, in a word.
async fn way(browser: &Browser, query: &str) -> String {
    let page = browser.get(&format!("/signin?{query}")).await;
    if !page.status.is_redirection() {
        return page.title().to_owned();
    }
    let location = page.location();
    match location.strip_prefix(SERVICE) {
        Some(query) => format!("service {query}"),
        None if location.contains(&format!("/{}/oauth2/v2.0/authorize?", CONTOSO.directory_id)) => {
            "Microsoft".to_owned()
        }
        None => location,
    }
}

#[tokio::test]
async fn r8_2_everybody_of_the_tenant_goes_to_microsoft_unless_it_cannot_be_reached() {
    let world = World::new().await;
    let browser = world.browser();
    for (name, query) in [
        ("a user", "address=adelev@contoso.com"),
        ("an alias", "address=adele.vance@contoso.com"),
        ("any case", "address=AdeleV@CONTOSO.com"),
        ("escaped", "address=AdeleV%40contoso%2Ecom"),
        ("spaces around it", "address=+adelev@contoso.com+"),
        ("another registered domain", "address=adelev@contoso-mail.com"),
        ("nobody", "address=nobody@contoso.com"),
        ("another parameter", "standard=0&address=adelev@contoso.com"),
    ] {
        assert_eq!(way(&browser, query).await, "Microsoft", "{name}");
    }
    assert_eq!(way(&browser, "address=adelev@contoso.com&standard=1").await, "service ?address=adelev%40contoso.com");
    assert_eq!(way(&browser, "address=nobody@contoso.com&standard=1").await, "service ?address=nobody%40contoso.com");
    assert_eq!(way(&browser, "standard=1").await, "service ");
    assert_eq!(way(&browser, "address=a@example.org").await, "service ?address=a%40example.org", "nobody's domain");
    assert_eq!(way(&browser, "address=").await, "Sign in");

    for (name, fault) in [
        ("503", Fault::Status { code: 503, body: None }),
        ("429", Fault::Throttle { retry_after: Some("5".to_owned()) }),
        ("no such directory", Fault::Aadsts { code: 90_002 }),
        ("a page of a proxy", Fault::NotJson),
        ("cut", Fault::Cut),
        ("silence", Fault::Stall { milliseconds: 20_000 }),
    ] {
        world.microsoft.clear_faults();
        world.microsoft.fault(Rule::new(fault).on(About::Token).path("openid-configuration"));
        let outcome = way(&world.browser(), "address=adelev@contoso.com").await;
        assert_eq!(outcome, "service ?address=adelev%40contoso.com", "{name}");
        assert!(world.log().contains("sent to the service's own page"), "{name}");
    }
    world.microsoft.clear_faults();

    // Discovery works, and the token endpoint does not.
    let empty = || Some(json!(""));
    for (name, fault) in [
        ("503", Fault::Status { code: 503, body: None }),
        ("a page of a proxy", Fault::NotJson),
        ("a refusal without a reason", Fault::Status { code: 400, body: empty() }),
    ] {
        world.microsoft.clear_faults();
        let start = browser.get("/signin?address=adelev@contoso.com").await;
        let back = browser.at_microsoft(&start.location()).await;
        world.microsoft.fault(Rule::new(fault).on(About::Token).path("token"));
        let page = browser.get(&back).await;
        assert_eq!(page.location(), format!("{SERVICE}?address=adelev%40contoso.com"), "{name}");
        assert!(browser.cookies().is_empty(), "{name}: the sign-in is over");
    }
    assert!(!world.log().contains('@'), "logs name nobody");
}

#[tokio::test]
async fn r8_2_what_microsoft_says_of_itself_counts_for_a_moment() {
    let world = World::new().await;
    let asked = || world.microsoft.requests().iter().filter(|request| request.path.contains("openid")).count();
    let browser = world.browser();
    world.microsoft.clear_requests();
    for _ in 0..3 {
        assert_eq!(way(&browser, "address=adelev@contoso.com").await, "Microsoft");
    }
    assert_eq!(asked(), 1, "a good answer");
    world.microsoft.fault(Rule::new(Fault::Status { code: 503, body: None }).on(About::Token).path("openid"));
    world.microsoft.clear_requests();
    let browser = world.browser();
    for _ in 0..2 {
        assert!(way(&browser, "address=adelev@contoso.com").await.starts_with("service"));
    }
    assert_eq!(asked(), 1, "a failure");
}

#[tokio::test]
async fn r1_4_tenants_of_another_cloud_go_to_the_services_own_page() {
    let world = World::new().await;
    let gov = world.browser_at(|console| console.settings.cloud = Cloud::UsGov);
    assert_eq!(way(&gov, "address=adelev@contoso.com").await, "service ?address=adelev%40contoso.com");
    world.admin(json!({"action": "put_tenant", "settings": {"disable_login": true}})).await;
    assert_eq!(way(&gov, "address=adelev@contoso.com").await, "service ?address=adelev%40contoso.com");
    assert_eq!(way(&world.browser(), "address=adelev@contoso.com").await, "Sign in");
}

#[tokio::test]
async fn r8_2_administrators_go_to_microsoft_too() {
    let world = World::new().await;
    world.admin(json!({"action": "convert", "address": "meganb@contoso.com", "to": "organization_admin"})).await;
    let browser = world.browser();
    assert_eq!(browser.sign_in("meganb@contoso.com").await.location(), format!("{BASE}/"));
    assert_eq!(browser.signed_in_as().await.as_deref(), Some("meganb@contoso.com"));
}

#[tokio::test]
async fn r8_3_with_disable_login_both_ways_stand_side_by_side() {
    let world = World::new().await;
    world.admin(json!({"action": "put_tenant", "settings": {"disable_login": true}})).await;
    let browser = world.browser();
    for address in ["adelev@contoso.com", "nobody@contoso.com"] {
        let page = browser.get(&format!("/signin?address={address}")).await;
        assert_eq!((page.status, page.title()), (StatusCode::OK, "Sign in"));
        let escaped = address.replace('@', "%40");
        assert!(page.body.contains(&format!("href=\"{SERVICE}?address={escaped}\"")), "{}", page.body);
        assert!(page.body.contains(&format!("href=\"{BASE}/signin/microsoft?address={escaped}\"")), "{}", page.body);
        assert!(page.body.contains(">Sign in with Microsoft</a>"), "{}", page.body);
        assert!(browser.cookies().is_empty(), "nothing has begun yet");
    }
    assert!(way(&browser, "address=adelev@contoso.com&standard=1").await.starts_with("service"));
    let start = browser.get("/signin/microsoft?address=adelev@contoso.com").await;
    let back = browser.at_microsoft(&start.location()).await;
    assert_eq!(browser.get(&back).await.location(), format!("{BASE}/"));
    assert_eq!(browser.signed_in_as().await.as_deref(), Some("adelev@contoso.com"));
}

#[tokio::test]
async fn r8_4_without_an_application_or_a_directory_everybody_goes_to_the_services_own_page() {
    let world = World::empty().await;
    world.admin(json!({"action": "put_tenant", "settings": {"domains": [{"name": "contoso.com"}]}})).await;
    let browser = world.browser();
    assert_eq!(way(&browser, "address=adelev@contoso.com").await, "service ?address=adelev%40contoso.com");
    world.connect(json!({})).await;
    let off = world.browser_at(|console| console.settings.client_id = None);
    assert_eq!(way(&off, "address=adelev@contoso.com").await, "service ?address=adelev%40contoso.com");
    let nowhere = world.browser_at(|console| {
        console.settings.client_id = None;
        console.settings.service_url = None;
    });
    let known = nowhere.get("/signin?address=adelev@contoso.com").await;
    let unknown = nowhere.get("/signin?address=a@example.org").await;
    assert_eq!((known.status, known.title()), (StatusCode::OK, "Sign in on the service’s own page"));
    assert_eq!(unknown.title(), known.title());
}

#[tokio::test]
async fn r8_4_a_directory_is_found_by_its_domain_too() {
    let world = World::empty().await;
    world.connect(json!({"directory_id": null})).await;
    world.sync().await;
    let browser = world.browser();
    assert_eq!(way(&browser, "address=adelev@contoso.com").await, "Microsoft");
    assert_eq!(browser.sign_in("adelev@contoso.com").await.location(), format!("{BASE}/"));
    assert_eq!(browser.signed_in_as().await.as_deref(), Some("adelev@contoso.com"));
}

#[tokio::test]
async fn r8_4_addresses_in_unicode_find_their_tenant() {
    let world = World::empty().await;
    world.connect(json!({"domains": [{"name": "contoso.com"}, {"name": "büro-contoso.de"}]})).await;
    let browser = world.browser();
    for address in ["ann@b%C3%BCro-contoso.de", "ann@B%C3%9CRO-Contoso.de", "ann@xn--bro-contoso-thb.de"] {
        assert_eq!(way(&browser, &format!("address={address}")).await, "Microsoft", "{address}");
    }
}
