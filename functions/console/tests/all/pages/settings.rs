//! Import & Sync.

use std::{mem, sync::Arc, time::Instant};

use axum::http::StatusCode;
use console::Others;
use graph_standin::CONTOSO;
use serde_json::{Value, json};

use super::door::administrator;
use crate::world::World;

const CONNECTION: &str = "Save the connection";
const REST: &str = "Save the settings";
const SECRET: &str = "Save the secret";

async fn settings(world: &World) -> Value {
    world.admin(json!({"action": "get_tenant"})).await["settings"].clone()
}

#[tokio::test]
async fn s9_settings_are_shown_and_saved() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let before = settings(&world).await;
    let page = browser.get("/settings").await;
    assert_eq!((page.status, page.title()), (StatusCode::OK, "Import & Sync"));
    assert!(page.body.len() < 30_000, "{}", page.body.len());
    for button in [CONNECTION, REST] {
        let same = page.form(button).done(&browser).await;
        assert!(same.text().contains("Nothing was changed"), "{button}: {}", same.text());
    }
    assert_eq!(settings(&world).await, before);
    let form = page.form(REST).with("sync_frequency", "3").with("seats", "12").with("brake.users_min", "7");
    let form = form
        .without("update_groups")
        .with("sync_guests", "1")
        .with("domains", "Contoso.com management\r\ncontoso-mail.com\r\n");
    let page = form.done(&browser).await;
    assert!(page.text().contains("The settings are saved."), "{}", page.text());
    let mut expected = before;
    expected["sync_frequency"] = json!(3);
    expected["seats"] = json!(12);
    expected["brake"]["users_min"] = json!(7);
    expected["update_groups"] = json!(false);
    expected["sync_guests"] = json!(true);
    expected["domains"] =
        json!([{"name": "contoso.com", "kind": "management"}, {"name": "contoso-mail.com", "kind": "relay"}]);
    assert_eq!(settings(&world).await, expected);
    let shown = page.form(REST);
    assert_eq!(shown.value("domains"), Some("contoso.com management\ncontoso-mail.com"));
    assert_eq!((shown.value("sync_frequency"), shown.value("update_groups")), (Some("3"), None));
}

#[tokio::test]
async fn what_is_refused_stays_in_the_form_and_its_field_is_named() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let before = settings(&world).await;
    let page = browser.get("/settings").await;
    for (field, typed, why) in [
        ("recovery_days", "soon", "Type a number of days from 0 to 3650."),
        ("recovery_days", "", "Type a number of days from 0 to 3650."),
        ("brake.users_percent", "101", "Type a number from 0 to 100."),
        ("brake.members_min", "-1", "Type a number from 0 to 4294967295."),
        ("sync_frequency", "5", "Choose one of the frequencies."),
        ("report.time_zone", "Mars/Olympus", "Type a name of the IANA time zone database"),
        ("tech_contact", "\"><script>alert(1)</script>", "Type an address such as it@contoso.com."),
        (
            "domains",
            "contoso.com\n\ncontoso-mail.com is ours",
            "Line 3: behind the domain expected nothing, or “management”.",
        ),
        ("domains", "contoso.com\n\nno_domain", "Line 3 is no domain such as contoso.com."),
        ("domains", "contoso.com\ncontoso-mail.com\ncontoso.com", "Contoso.com is listed twice."),
        ("domains", "contoso.com", "contoso-mail.com is missing."),
    ] {
        let refused = page.form(REST).with(field, typed).with("name", "Typed & kept").send(&browser).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        let text = refused.text();
        assert!(text.contains("Nothing was saved.") && text.contains(why), "{field} {typed}: {text}");
        assert!(refused.body.contains(&format!("<a href=\"#{field}\">")), "{field}: {refused:?}");
        assert!(refused.body.contains(&format!("aria-describedby=\"{field}-error")), "{field}: {refused:?}");
        assert!(!refused.body.contains("<script>alert"), "{field}");
        let form = refused.form(REST);
        let chosen = field == "sync_frequency";
        assert!(chosen || form.value(field) == Some(typed), "{field}: {form:?}");
        assert_eq!(form.value("name"), Some("Typed & kept"), "{field}");
    }
    let wrong = page.form(CONNECTION).with("application_id", "x").with("cloud", "mars").send(&browser).await;
    assert!(
        wrong.text().contains("Choose one of the clouds.") || wrong.text().contains("Type the ID"),
        "{}",
        wrong.text()
    );
    assert_eq!(settings(&world).await, before);
}

#[tokio::test]
async fn r1_1_domains_are_registered_by_the_operator_alone() {
    let world = World::new().await;
    world.with_another_tenant().await;
    let browser = administrator(&world).await;
    let page = browser.get("/settings").await;
    assert!(!page.body.to_lowercase().contains("fabrikam"), "{page:?}");
    let before = settings(&world).await;
    // Whether somebody has it already is not told.
    for free in ["fabrikam.com", "nobodys.example"] {
        let typed = page.form(REST).with("domains", &format!("contoso.com\n{free}")).send(&browser).await;
        assert_eq!(typed.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(typed.text().contains(&format!("{free} is not registered yet.")), "{}", typed.text());
        assert_eq!(typed.form(REST).value("domains"), Some(format!("contoso.com\n{free}").as_str()));
    }
    assert_eq!(settings(&world).await, before);
    // Nothing that a form names leads elsewhere.
    let form = page.form(REST).with("tenant", "fabrikam").with("by", "root").with("name", "Ours");
    form.done(&browser).await;
    let theirs = world.admin_of("fabrikam", json!({"action": "get_tenant"})).await;
    assert_eq!((&settings(&world).await["name"], &theirs["settings"]["name"]), (&json!("Ours"), &json!("Fabrikam")));
}

#[tokio::test]
async fn whoever_saves_second_is_told_of_the_first_and_decides() {
    let world = World::new().await;
    let (ann, bob) = (administrator(&world).await, administrator(&world).await);
    let (anns, bobs) = (ann.get("/settings").await.form(REST), bob.get("/settings").await.form(REST));
    let page = anns.with("seats", "10").with("recovery_days", "10").done(&ann).await;
    assert!(page.text().contains("The settings are saved."));
    let second = bobs.clone().with("seats", "20").with("name", "Bob’s").send(&bob).await;
    assert_eq!(second.status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = second.text();
    assert!(text.contains("Nothing was saved yet: somebody else changed the same settings"), "{text}");
    assert!(text.contains("adelev@contoso.com changed this on") && text.contains("Now it is “10”."), "{text}");
    assert_eq!(settings(&world).await["seats"], 10);
    let form = second.form(REST);
    assert_eq!((form.value("seats"), form.value("name")), (Some("20"), Some("Bob’s")), "nothing typed is lost");
    assert_eq!(form.value("recovery_days"), Some("10"), "what Bob did not touch is as it is now");
    let page = form.done(&bob).await;
    assert!(page.text().contains("The settings are saved."), "{}", page.text());
    let after = settings(&world).await;
    assert_eq!((&after["seats"], &after["recovery_days"], &after["name"]), (&json!(20), &json!(10), &json!("Bob’s")));
    // What somebody else changed, and the second person did not touch, stays.
    let page = bobs.with("blocked_sign_in", "ignore").done(&bob).await;
    assert!(page.text().contains("The settings are saved."), "{}", page.text());
    assert_eq!(settings(&world).await["seats"], 20);
}

#[tokio::test]
async fn whoever_is_slower_by_a_moment_is_told_too() {
    let world = World::new().await;
    administrator(&world).await;
    let browser = world.browser_at(|console| {
        let Others::Here(inner) = mem::replace(&mut console.others, Others::Here(Box::new(|_, event| Box::pin(async { Ok(event) }))))
        else {
            panic!("the functions are in this process")
        };
        let inner = Arc::new(inner);
        console.others = Others::Here(Box::new(move |function, event| {
            let inner = Arc::clone(&inner);
            Box::pin(async move {
                if event["action"] == "put_tenant" && event["by"] != "bob@contoso.com" {
                    let first = json!({"action": "put_tenant", "tenant": event["tenant"], "by": "bob@contoso.com", "settings": {"seats": 6}});
                    inner(function, first).await?;
                }
                inner(function, event).await
            })
        }));
    });
    browser.sign_in("adelev@contoso.com").await;
    let page = browser.get("/settings").await.form(REST).with("seats", "7").send(&browser).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = page.text();
    assert!(
        text.contains("somebody else changed the same settings") && text.contains("bob@contoso.com changed this on"),
        "{text}"
    );
    assert_eq!((settings(&world).await["seats"].as_u64(), page.form(REST).value("seats")), (Some(6), Some("7")));
    let page = page.form(REST).done(&browser).await;
    assert!(page.text().contains("The settings are saved."), "{}", page.text());
    assert_eq!(settings(&world).await["seats"], 7);
}

#[tokio::test]
async fn r7_2_a_wrong_secret_changes_nothing_and_a_right_one_turns_the_light_green() {
    let world = World::empty().await;
    world.connect(json!({})).await;
    world.sync().await;
    let browser = administrator(&world).await;
    let wrong = "abc8Q~wrong-secret-of-nobody";
    world.log();
    let page = browser.get("/settings").await.form(SECRET);
    let page = page.with("ad_key", wrong).with("expires_on", "2028-03-01").send(&browser).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = page.text();
    assert!(text.contains("Failed to connect. Please check your Azure (Entra ID) Credential"), "{text}");
    assert!(text.contains("AADSTS7000215") && text.contains("correlation id"), "{text}");
    assert!(text.contains("the one before is still in use") && page.body.contains("<a href=\"#ad_key\">"), "{text}");
    assert!(text.contains("Connection Connected"), "the one before still works: {text}");
    let form = page.form(SECRET);
    assert_eq!((form.value("ad_key"), form.value("expires_on")), (Some(""), Some("2028-03-01")));
    let guid = "1b4f1c9e-7d5a-4c37-9f1e-2b7b6c1d0a11";
    let refused = form.clone().with("ad_key", guid).send(&browser).await;
    assert!(refused.text().contains("shaped like the Secret ID"), "{}", refused.text());
    let saved = form.with("ad_key", CONTOSO.client_secret).send(&browser).await;
    let location = saved.location();
    let done = browser.get(&location).await;
    assert!(done.text().contains("SUCCESS: the secret works, and is saved."), "{}", done.text());
    assert!(text.contains("Save the secret's Value (not its Secret ID) here"), "{text}");
    let log = world.log();
    for secret in [wrong, guid, CONTOSO.client_secret] {
        let places = [&page.body, &refused.body, &done.body, &log, &location];
        assert!(places.iter().all(|place| !place.contains(secret)), "a secret is where it must not be");
    }
}

#[tokio::test]
async fn r7_2_a_first_secret_that_is_refused_leaves_none_in_use() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    world.admin(json!({"action": "put_tenant", "settings": {"credential": {"kind": "certificate"}}})).await;
    let pem =
        ["PRIVATE KEY", "CERTIFICATE"].map(|of| format!("-----BEGIN {of}-----\nx\n-----END {of}-----\n")).concat();
    let page = browser.get("/settings").await.form(SECRET).with("ad_key", &pem).send(&browser).await;
    let text = page.text();
    assert!(text.contains("This secret was not saved.") && !text.contains("still in use"), "{text}");
}

#[tokio::test]
async fn r1_5_saving_a_connection_checks_it() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let page = browser.get("/settings").await;
    assert!(page.body.contains("/adminconsent?client_id="), "{page:?}");
    let other = "11111111-1111-1111-1111-111111111111";
    let page = page.form(CONNECTION).with("application_id", other).done(&browser).await;
    let text = page.text();
    assert!(text.contains("The connection is saved, and does not work yet."), "{text}");
    assert!(text.contains("Not verified") && text.contains("AADSTS700016"), "{text}");
    let page = page.form("Test the connection").done(&browser).await;
    assert!(page.text().contains("The connection was tested, and does not work yet."), "{}", page.text());
    let right = CONTOSO.application_id.to_string();
    let page = page.form(CONNECTION).with("application_id", &right).done(&browser).await;
    assert!(page.text().contains("Connected: Microsoft accepts the connection."), "{}", page.text());
}

#[tokio::test]
async fn r1_1_a_connection_that_holds_objects_is_replaced_by_the_operator_alone() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let before = settings(&world).await;
    let form = browser.get("/settings").await.form(CONNECTION);
    let form = form.with("directory_id", "11111111-2222-4333-8444-555555555555").with("replace_connection", "1");
    let refused = form.send(&browser).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text().contains("who can replace the connection"), "{}", refused.text());
    assert_eq!(settings(&world).await, before);
}

#[tokio::test]
async fn a_tenant_without_a_connection_is_led_through_it() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let page =
        browser.get("/settings").await.form(CONNECTION).with("credential.kind", "certificate").done(&browser).await;
    let text = page.text();
    assert!(text.contains("Not configured") && text.contains("Secret: key and certificate (PEM)"), "{text}");
    assert!(page.body.contains("<textarea id=\"ad_key\"") && !text.contains("put_secret"), "{text}");
}

/// All federated connections show Microsoft one identity: who may name any directory and application could read them.
#[tokio::test]
async fn r1_3_a_federated_connection_is_the_operators() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let theirs = "9d33c20d-19c8-4dd8-9219-4dc7a3fa6c52";
    let form = browser.get("/settings").await.form(CONNECTION);
    let refused = form.clone().with("credential.kind", "federated").with("application_id", theirs).send(&browser).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text().contains("A federated connection is set up and changed by the operator"), "{refused:?}");

    let federated = json!({"action": "put_tenant", "settings": {"credential": {"kind": "federated"}}});
    world.admin(federated).await;
    let before = settings(&world).await;
    // A form from before it was federated, and one from now.
    for form in [form, browser.get("/settings").await.form(CONNECTION)] {
        for (field, typed) in [("application_id", theirs), ("directory_id", theirs), ("primary_domain", "b.example")] {
            let refused = form.clone().with(field, typed).send(&browser).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
            assert_eq!(settings(&world).await, before, "{field}");
        }
    }
    let page = browser.get("/settings").await;
    assert!(page.text().contains("A federated connection has no secret to keep."), "{}", page.text());
    let own = page.form(CONNECTION).with("credential.kind", "secret").done(&browser).await;
    assert!(own.body.contains("id=\"ad_key\""), "back to a secret of their own: {own:?}");
}

/// The page grows with the domains alone: a hundred of them leave it small, and a thousand, which is all that there can
/// be, are shown, saved and compared within a second.
#[tokio::test]
async fn domains_by_the_thousand_survive() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let long = |at: usize| format!("d{at:03}.{}.example", "a-long-domain-name-of-hostile-length");
    let domains = |many| (0..many).map(long).chain(["contoso.com".to_owned()]).collect::<Vec<_>>().join("\r\n");
    let register = async |many| {
        let domains: Vec<_> = domains(many).lines().map(|name| json!({"name": name})).collect();
        world.admin(json!({"action": "put_tenant", "settings": {"domains": domains}})).await;
    };
    register(99).await;
    let page = browser.get("/settings").await.form(REST).with("name", &"<&\"'".repeat(50)).done(&browser).await;
    assert!(page.text().contains("The settings are saved."), "{}", page.text());
    assert!(page.body.len() < 30_000, "{}", page.body.len());
    register(999).await;
    let page = browser.get("/settings").await;
    assert!(page.body.len() < 80_000, "{}", page.body.len());
    let clock = Instant::now();
    let same = page.form(REST).done(&browser).await;
    assert!(
        same.text().contains("Nothing was changed") && clock.elapsed().as_millis() < 1_000,
        "{:?}",
        clock.elapsed()
    );
}
