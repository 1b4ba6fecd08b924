//! The first page of an administrator.

use axum::http::StatusCode;
use directory::{Category, Kind};
use graph_standin::{CONTOSO, Change};
use serde_json::json;

use super::{door::administrator, plan, runs::search};
use crate::world::{BASE, TENANT, World};

#[tokio::test]
async fn an_administrator_sees_how_things_stand() {
    let world = World::new().await;
    world
        .admin(json!({"action": "put_tenant", "settings": {"seats": 1, "report": {"time_zone": "Europe/Zurich"}}}))
        .await;
    let browser = administrator(&world).await;
    let page = browser.get("/").await;
    assert_eq!((page.status, page.title()), (StatusCode::OK, ""), "the name may be written in any direction");
    let text = page.text();
    for said in [
        "Contoso How things stand",
        "Connection Connected last successful check:",
        "(Europe/Zurich)",
        "Credential Working client secret that begins with dem",
        "Ends on 31 January 2030, in ",
        "(read from Entra)",
        "There are more billable users than seats.",
        "of 1 seats",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(page.body.contains("<time datetime=\"20"), "{page:?}");
    let fields = page.form("Search Now").fields;
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["token", "as"], "nothing but the proof that it is ours, and the id of the run");
    assert!(page.body.len() < 30_000, "{}", page.body.len());
}

#[tokio::test]
async fn what_waits_for_a_person_is_said() {
    let world = World::new().await;
    let brake = json!({"enabled": true, "users_min": 0, "users_percent": 0});
    world.admin(json!({"action": "put_tenant", "settings": {"brake": brake, "tech_contact": null}})).await;
    let browser = administrator(&world).await;
    world.microsoft.change(CONTOSO.name, Change::DeleteUser { user: "alexw@contoso.com".to_owned() }).unwrap();
    assert_eq!(world.sync_once().await["state"], "held");
    let page = browser.get("/").await;
    let text = page.text();
    assert!(
        text.contains("Changes wait for your word: 1 user to disable or delete. Look at the held changes"),
        "{text}"
    );
    assert!(text.contains("Nobody gets the reports and warnings."), "{text}");
    assert!(page.body.contains("/runs/01"), "{page:?}");
}

#[tokio::test]
async fn a_run_that_is_under_way_is_said_and_led_to() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    assert!(!browser.get("/").await.text().contains("under way"));
    let changes = vec![plan::change(1, Category::Adding, Kind::User, json!({}))];
    let more = json!({"state": "continuing", "phase": {"phase": "apply", "chunk": 0}, "finished_at": null});
    let run = plan::store(&world, TENANT, changes, more).await;
    world.occupy(run.as_str()).await;
    let page = browser.get("/").await;
    assert!(page.text().contains("a run is under way since "), "{}", page.text());
    assert!(page.body.contains(&format!("{BASE}/runs/{run}\">a run is under way</a>")), "{page:?}");
}

#[tokio::test]
async fn r7_a_secret_that_was_not_renewed_is_said_with_what_to_do() {
    let world = World::new().await;
    world.admin(json!({"action": "put_tenant", "settings": {"rotate_secret": true}})).await;
    let failure = directory::Failure::new(
        directory::Code::PermissionMissing,
        "Microsoft refuses a new secret",
        "grant Application.ReadWrite.OwnedBy",
    );
    world.schedule(json!({"rotation": {"at": "2026-07-03T10:05:06Z", "error": failure}})).await;
    let browser = administrator(&world).await;
    let text = browser.get("/").await.text();
    let said = "Not renewed The secret was not renewed by itself, last tried 3 July 2026, 10:05 (UTC). Grant \
                Application.ReadWrite.OwnedBy.";
    assert!(text.contains(said), "{text}");
    world.admin(json!({"action": "put_tenant", "settings": {"rotate_secret": false}})).await;
    let text = browser.get("/").await.text();
    assert!(!text.contains("Not renewed"), "a person renews it now: {text}");
}

#[tokio::test]
async fn r4_4_a_plan_waits_until_it_is_overtaken() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    world.microsoft.change(CONTOSO.name, Change::DeleteUser { user: "alexw@contoso.com".to_owned() }).unwrap();
    let (path, _) = search(&browser, "").await;
    let page = browser.get("/").await;
    assert!(page.text().contains(" waits for your review. Review the plan"), "{}", page.text());
    assert!(page.body.contains(&format!("{path}\">Review the plan</a>")), "{page:?}");
    world.sync().await;
    let text = browser.get("/").await.text();
    assert!(!text.contains("waits for your review") && text.contains("What waits for you Nothing."), "{text}");
}

#[tokio::test]
async fn r1_6_a_connection_that_does_not_work_says_why() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let other = "11111111-1111-1111-1111-111111111111";
    world.admin(json!({"action": "put_tenant", "settings": {"application_id": other}})).await;
    let page = browser.get("/").await;
    let text = page.text();
    assert!(text.contains("The connection could not be verified Failed to connect."), "{text}");
    assert!(text.contains("Connection Not verified"), "{text}");
    assert!(text.contains("AADSTS700016"), "Microsoft's own code: {text}");
    assert!(text.contains("Refused by Microsoft") && text.contains("Fix the credential"), "rule 7.1: {text}");
    assert!(page.body.contains("/settings#ad_key"), "{page:?}");
}

#[tokio::test]
async fn others_see_who_they_are_and_nothing_of_the_tenant() {
    let world = World::new().await;
    let browser = world.browser();
    browser.sign_in("adelev@contoso.com").await;
    let page = browser.get("/").await;
    assert_eq!(page.title(), "You are signed in");
    assert!(!page.body.contains("Search Now") && !page.body.contains("Connected"), "{page:?}");
}

#[tokio::test]
async fn the_name_of_a_tenant_is_only_a_name() {
    let world = World::new().await;
    let name = "<script>alert(1)</script>\"'&\u{202e}evil";
    world.admin(json!({"action": "put_tenant", "settings": {"name": name}})).await;
    world.with_another_tenant().await;
    let page = administrator(&world).await.get("/").await;
    assert!(!page.body.contains("<script>alert") && page.body.contains("dir=\"auto\">&#60;script&#62;"), "{page:?}");
    assert!(!page.body.to_lowercase().contains("fabrikam"), "{page:?}");
}
