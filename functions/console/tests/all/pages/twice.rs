//! Buttons that are pressed twice: one run comes of it, and the person sees it.

use axum::http::StatusCode;
use directory::{Category, Kind};
use serde_json::json;

use super::{door::administrator, plan};
use crate::{
    browser::{Browser, Page},
    forms::Form,
    world::{BASE, TENANT, World},
};

/// Press a button twice at the same time, and once more afterwards; all of it leads to one run.
async fn twice(browser: &Browser, form: &Form) -> (String, Page) {
    let (one, two) = tokio::join!(form.send(browser), form.send(browser));
    let three = form.send(browser).await;
    let paths = [one, two, three].map(|page| page.location().split('?').next().unwrap().to_owned());
    assert!(paths.iter().all(|path| *path == paths[0]), "{paths:?}");
    let path = paths[0].strip_prefix(BASE).unwrap().to_owned();
    let page = browser.get(&path).await;
    (path, page)
}

async fn runs(world: &World) -> usize {
    let page = engine::browse::runs(&world.tables(), &TENANT.parse().unwrap(), None, 100).await;
    page.unwrap_or_else(|_| panic!("no runs")).rows.len()
}

#[tokio::test]
async fn a_search_that_is_pressed_twice_is_one_run() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    for (at, (from, extra)) in [("/", ""), ("/runs", ""), ("/runs", "full")].into_iter().enumerate() {
        let before = runs(&world).await;
        let form = browser.get(from).await.form("Search Now");
        let form = if extra.is_empty() { form } else { form.with(extra, "1") };
        let (path, page) = twice(&browser, &form).await;
        assert_eq!(Some(path.trim_start_matches("/runs/")), form.value("as"), "the id is the page's");
        assert_eq!((page.status, page.title()), (StatusCode::OK, "There is nothing to change"), "{at}");
        assert_eq!(runs(&world).await, before + 1, "{at}");
    }
    // The next page asks for another run.
    let (one, two) = (browser.get("/runs").await.form("Search Now"), browser.get("/runs").await.form("Search Now"));
    assert_ne!(one.value("as"), two.value("as"));
}

#[tokio::test]
async fn a_page_that_was_open_for_an_hour_searches_now() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let form = browser.get("/runs").await.form("Search Now");
    let old = ulid::Ulid::from_parts(u64::try_from(crate::world::now().as_millisecond()).unwrap() - 3_600_000, 7);
    let (path, page) = twice(&browser, &form.clone().with("as", &old.to_string())).await;
    assert!(page.title() == "There is nothing to change" && !path.contains(&old.to_string()), "{path}: {page:?}");
    // Neither is an id taken that is none.
    for bad in ["x", "../../settings", "01jd0000000000000000000000"] {
        let page = form.clone().with("as", bad).done(&browser).await;
        assert_eq!(page.title(), "There is nothing to change", "{bad}");
    }
}

#[tokio::test]
async fn an_undo_that_is_pressed_twice_is_one_plan() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    world.microsoft.delete_user(TENANT, "leeg@contoso.com").unwrap();
    let run = world.run(json!({"action": "sync"})).await;
    let before = runs(&world).await;
    let form = browser.get(&format!("/runs/{}", run["run"].as_str().unwrap())).await.form("Plan the undo");
    let (path, page) = twice(&browser, &form).await;
    assert_eq!((page.status, page.title()), (StatusCode::OK, "Review the changes"), "{page:?}");
    assert_eq!(runs(&world).await, before + 1);
    // So is the plan's own button.
    let (_, page) = twice(&browser, &page.form("Sync Active Directory").to(&format!("{path}/apply"))).await;
    assert_eq!(page.title(), "What was changed", "{page:?}");
    let user = world.admin(json!({"action": "get_user", "address": "leeg@contoso.com"})).await;
    assert_eq!(user["user"]["is_active"], true, "{user}");
}

#[tokio::test]
async fn a_release_that_is_pressed_twice_is_one() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let brake = json!({"enabled": true, "users_percent": 0, "users_min": 0});
    world.admin(json!({"action": "put_tenant", "settings": {"brake": brake}})).await;
    world.microsoft.delete_user(TENANT, "leeg@contoso.com").unwrap();
    let run = world.run(json!({"action": "sync"})).await;
    let form = browser
        .get(&format!("/runs/{}", run["run"].as_str().unwrap()))
        .await
        .form("Release the held")
        .with("sure", "1");
    let (_, page) = twice(&browser, &form).await;
    assert_eq!(page.title(), "What was changed", "{page:?}");
    assert!(page.body.contains("asked for by <bdi>adelev@contoso.com</bdi>"), "whoever released it: {page:?}");
    let audit = browser.get("/audit").await;
    assert_eq!(audit.body.matches("Held changes released").count(), 1, "{audit:?}");
    assert!(audit.body.contains(&format!("{BASE}/runs/{}\"", run["run"].as_str().unwrap())), "{audit:?}");
}

#[tokio::test]
async fn an_apply_while_the_run_is_at_work_leads_to_it() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let changes = vec![plan::change(1, Category::Adding, Kind::User, json!({}))];
    let more = json!({"state": "continuing", "phase": {"phase": "apply", "chunk": 0}, "finished_at": null});
    let run = plan::store(&world, TENANT, changes, more).await;
    world.occupy(run.as_str()).await;
    let token = browser.token().await;
    for form in [format!("token={token}"), format!("token={token}&row=adding+user+0000000000000001+on")] {
        let page = browser.post(&format!("/runs/{run}/apply"), &form).await;
        assert_eq!(page.location(), format!("{BASE}/runs/{run}"), "{form}");
    }
}
