//! The history of runs, a search, and what became of a run.

use axum::http::StatusCode;
use directory::{Category, Kind};
use serde_json::json;

use super::{door::administrator, plan};
use crate::{
    browser::{Browser, Page},
    world::{TENANT, World},
};

/// Ask for a search, and open the page that it leads to.
pub(crate) async fn search(browser: &Browser, form: &str) -> (String, Page) {
    let token = browser.token().await;
    let asked = browser.post("/runs/search", &format!("token={token}&{form}")).await;
    let path = asked.location().split_once("example.com").unwrap().1.to_owned();
    let page = browser.get(&path).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    (path, page)
}

/// What is saved, as the form shows it, with some of it switched.
fn options(switched: &[(&str, bool)]) -> String {
    let saved = [
        ("sync_active_users", true),
        ("sync_distribution_groups", true),
        ("sync_security_groups", false),
        ("sync_guests", false),
        ("add_users", true),
        ("update_users", true),
        ("remove_deleted_users", true),
        ("add_groups", true),
        ("update_groups", true),
        ("remove_deleted_groups", false),
    ];
    let mut form = String::new();
    for (name, was) in saved {
        let on = switched.iter().find(|(switched, _)| *switched == name).map_or(was, |(_, on)| *on);
        for (field, _) in [("was", was), ("on", on)].into_iter().filter(|(_, is)| *is) {
            form += &format!("&{field}={name}");
        }
    }
    form
}

#[tokio::test]
async fn r4_4_a_search_that_finds_nothing_says_so_and_is_in_the_history() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let (path, page) = search(&browser, &options(&[])).await;
    assert_eq!(page.title(), "There is nothing to change");
    assert!(!page.body.contains("settings of its own"), "{page:?}");
    let history = browser.get("/runs").await;
    assert!(history.body.contains(&format!("href=\"https://console.example.com{path}\"")), "{history:?}");
    assert!(history.body.contains("adelev@contoso.com") && history.body.contains(">Planned<"), "{history:?}");
    let order = |text: &str| history.body.find(text).unwrap();
    assert!(order("<small>Search</small>") < order("<small>Synchronisation</small>"), "the newest first");
}

#[tokio::test]
async fn r4_4_what_and_how_of_one_search_only() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    world.microsoft.delete_user(TENANT, "leeg@contoso.com").unwrap();
    let off = options(&[("remove_deleted_users", false), ("sync_security_groups", true)]);
    let (path, page) = search(&browser, &off).await;
    assert!(page.body.contains("Security groups: on") && page.body.contains("Remove deleted users: off"), "{page:?}");
    let left = browser.get(&format!("{path}?show=not_enabled")).await;
    assert!(left.body.contains("leeg@contoso.com"), "{left:?}");
    let (_, page) = search(&browser, &options(&[])).await;
    assert!(page.body.contains("Deleting users") && !page.body.contains("settings of its own"), "{page:?}");
}

#[tokio::test]
async fn s1_7_a_connection_that_does_not_work_says_what_to_do() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    world
        .admin(json!({"action": "put_tenant", "settings": {"application_id": "00000000-0000-4000-8000-000000000001"}}))
        .await;
    let (_, page) = search(&browser, "full=1").await;
    assert_eq!(page.title(), "The run has failed");
    assert!(page.body.contains("correlation id") && page.body.contains("Search again"), "{page:?}");
}

#[tokio::test]
async fn r4_3_a_run_that_is_at_work_is_named() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let (path, _) = search(&browser, "").await;
    let id = path.rsplit('/').next().unwrap();
    world.occupy(id).await;
    let token = browser.token().await;
    let asked = browser.post("/runs/search", &format!("token={token}{}", options(&[("add_users", false)]))).await;
    assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        asked.body.contains("is at work") && asked.body.contains(&format!("/runs/{id}\">See the run")),
        "{asked:?}"
    );
    assert!(asked.body.contains("since <time datetime=\"20"), "since when: {asked:?}");
    let typed = "name=\"on\" value=\"add_users\"><span>";
    assert!(
        asked.body.contains(typed) && asked.body.contains("<details open>"),
        "what was asked for is kept: {asked:?}"
    );
    let other = browser.get("/runs/01JD0000000000000000000000").await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
    assert!(other.body.contains(&format!("Run {id} is at work")), "{other:?}");
}

#[tokio::test]
async fn r4_12_a_run_that_was_just_asked_for_is_waited_for() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let made = |seconds: i64| {
        let at = crate::world::now().as_millisecond() + 1_000 * seconds;
        ulid::Ulid::from_parts(u64::try_from(at).unwrap(), 7).to_string()
    };
    let page = browser.get(&format!("/runs/{}", made(-2))).await;
    assert!(page.body.contains("It is about to start.") && page.body.contains("data-watch"), "{page:?}");
    assert!(page.body.contains("role=\"status\"") && page.body.contains("Look again</a>"), "{page:?}");
    for gone in [made(-120), made(120), "x".to_owned(), "01jd0000000000000000000000".to_owned()] {
        assert_eq!(browser.get(&format!("/runs/{gone}")).await.status, StatusCode::NOT_FOUND, "{gone}");
    }
}

#[tokio::test]
async fn r4_8_what_is_held_is_looked_through_and_released() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    world.admin(json!({"action": "put_tenant", "settings": {"brake": {"enabled": true, "users_percent": 0, "users_min": 0}}})).await;
    world.microsoft.delete_user(TENANT, "leeg@contoso.com").unwrap();
    let run = world.run(json!({"action": "sync"})).await;
    assert_eq!(run["state"], "held", "{run}");
    let path = format!("/runs/{}", run["run"].as_str().unwrap());
    let page = browser.get(&path).await;
    assert_eq!(page.title(), "Some changes are held");
    assert!(page.body.contains("1 user would be disabled or deleted, and the limit is 0."), "{page:?}");
    let held = browser.get(&format!("{path}?outcome=held")).await;
    assert!(held.body.contains("leeg@contoso.com") && held.body.contains("1–3"), "{held:?}");
    let none = browser.get(&format!("{path}?outcome=failed")).await;
    assert!(!none.body.contains("leeg@contoso.com") && none.body.contains("There is none."), "{none:?}");

    let newer = world.run(json!({"action": "sync", "full": true})).await;
    let newer = format!("/runs/{}", newer["run"].as_str().unwrap());
    let old = browser.get(&path).await;
    assert!(old.body.contains(&newer) && !old.body.contains("/release"), "only the newest releases: {old:?}");
    let token = browser.token().await;
    let unsure = browser.post(&format!("{newer}/release"), &format!("token={token}")).await;
    assert_eq!(unsure.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unsure.body.contains("you have not said that you have looked"), "{unsure:?}");
    let refused = browser.post(&format!("{path}/release"), &format!("token={token}&sure=1")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("is not the newest run that holds changes"), "{refused:?}");
    let released = browser.post(&format!("{newer}/release"), &format!("token={token}&sure=1")).await;
    let page = browser.get(&released.location()).await;
    assert_eq!(page.title(), "What was changed");
    assert!(page.body.contains("leeg@contoso.com") && page.body.contains(">Applied<"), "{page:?}");
}

#[tokio::test]
async fn r4_14_a_run_is_undone_by_a_plan_that_is_reviewed() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    world.microsoft.delete_user(TENANT, "leeg@contoso.com").unwrap();
    let run = world.run(json!({"action": "sync"})).await;
    let path = format!("/runs/{}", run["run"].as_str().unwrap());
    assert!(browser.get(&path).await.body.contains("Plan the undo"));
    let token = browser.token().await;
    let undo = browser.post(&format!("{path}/undo"), &format!("token={token}")).await.location();
    assert_ne!(undo, format!("https://console.example.com{path}"));
    let page = browser.get(&undo).await;
    assert_eq!(page.title(), "Review the changes");
    assert!(page.body.contains("<bdi>Lee Gu</bdi> · "), "what changes says no name: {page:?}");
    assert!(page.body.contains("What you have unchecked stays as it is."), "{page:?}");
    assert!(page.body.contains("leeg@contoso.com") && page.body.contains(&path), "{page:?}");
    let applied = page.form("Sync Active Directory").to(&format!("{undo}/apply")).send(&browser).await;
    let page = browser.get(&applied.location()).await;
    assert_eq!(page.title(), "What was changed");
    let user = world.admin(json!({"action": "get_user", "address": "leeg@contoso.com"})).await;
    assert_eq!(user["user"]["is_active"], true, "{user}");
}

#[tokio::test]
async fn r4_5_who_is_skipped_is_listed_with_the_reason() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    world
        .microsoft
        .create_user(
            TENANT,
            json!({"userPrincipalName": "svc@contoso.com", "displayName": "Service",
        "mailNickname": "svc", "accountEnabled": true, "passwordProfile": {"password": "x"}}),
        )
        .unwrap();
    let run = world.run(json!({"action": "sync"})).await;
    let path = format!("/runs/{}", run["run"].as_str().unwrap());
    let page = browser.get(&format!("{path}?show=skipped&reason=no_smtp_address")).await;
    assert_eq!(page.title(), "Who is skipped, and why");
    assert!(page.body.contains("No e-mail address</td>") && page.body.contains("selected>No e-mail"), "{page:?}");
    let page = browser.get(&format!("{path}?show=skipped&reason=guest")).await;
    assert!(page.body.contains("There is nobody"), "{page:?}");
}

#[tokio::test]
async fn r4_12_how_far_a_run_is_is_said_in_words_and_numbers() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let changes = || (0..500).map(|at| plan::change(at, Category::Adding, Kind::User, json!({}))).collect();
    let more = json!({"state": "continuing", "phase": {"phase": "apply", "chunk": 1}, "finished_at": null});
    let run = plan::store(&world, TENANT, changes(), more).await;
    let left = browser.get(&format!("/runs/{run}")).await;
    assert_eq!(left.title(), "The run was interrupted", "nobody goes on with it: {left:?}");
    assert!(browser.get("/runs").await.body.contains(">Interrupted<"));
    world.occupy(run.as_str()).await;
    let page = browser.get(&format!("/runs/{run}")).await;
    assert_eq!(page.title(), "The run is under way");
    assert!(page.body.contains("Carrying out the changes: 1 of 3 parts."), "{page:?}");
    assert!(
        page.body.contains("data-watch role=\"status\"") && page.body.contains("<progress value=\"1\" max=\"3\""),
        "{page:?}"
    );
    assert!(browser.get("/runs").await.body.contains(">Under way<"));
}

#[tokio::test]
async fn r8_4_a_page_that_is_only_watched_keeps_nobody_signed_in() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let (path, _) = search(&browser, "").await;
    world.occupy(path.rsplit('/').next().unwrap()).await;
    let watch = || browser.send("GET", &path, "", &[("x-watch", "1")]);
    for _ in 0..3 {
        world.wait(19 * 60);
        let page = watch().await;
        assert_eq!((page.status, page.header("set-cookie")), (StatusCode::OK, ""), "{page:?}");
    }
    world.wait(4 * 60);
    let page = watch().await;
    assert!(page.location().contains("/?to=%2Fruns%2F"), "an hour of silence: {page:?}");
    assert!(browser.cookies().is_empty());

    // Whoever looks is there, and a form is not watched.
    browser.sign_in("adelev@contoso.com").await;
    for _ in 0..3 {
        world.wait(40 * 60);
        assert_eq!(browser.get(&path).await.status, StatusCode::OK);
    }
    let token = browser.token().await;
    let watched = [("x-watch", "1")];
    let sent = browser.send("POST", "/exemptions/add", format!("token={token}&address=a@b.example"), &watched).await;
    assert!(sent.location().ends_with("done=exempt"), "{sent:?}");
}

#[tokio::test]
async fn r4_4_a_plan_whose_application_takes_long_to_begin_is_waited_for() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let changes = vec![plan::change(1, Category::Adding, Kind::User, json!({}))];
    let run = plan::store(&world, TENANT, changes, json!({})).await;
    let asked = crate::world::now().as_second();
    let page = browser.get(&format!("/runs/{run}?asked={asked}")).await;
    assert!(page.body.contains("It is about to start.") && !page.body.contains("/apply"), "{page:?}");
    for late in [(asked - 120).to_string(), "x".to_owned(), i64::MIN.to_string(), i64::MAX.to_string()] {
        let page = browser.get(&format!("/runs/{run}?asked={late}")).await;
        assert_eq!(page.title(), "Review the changes", "{late}");
        let said = page.body.contains("This has not begun, and nothing was changed by it.");
        assert_eq!(said, late == (asked - 120).to_string(), "{late}: {page:?}");
    }
    // Somebody else's run took its turn: that is said, and the button is there once more.
    world.occupy("01JD0000000000000000000000").await;
    let page = browser.get(&format!("/runs/{run}?asked={}", asked - 12)).await;
    assert!(page.body.contains("This has not begun: another run is at work since "), "{page:?}");
    assert!(page.body.contains("/apply") && !page.body.contains("data-watch"), "{page:?}");
    let newest = json!({"newest": "01JD0000000000000000000000"}).as_object().unwrap().clone();
    let key = engine::keys::sync(&TENANT.parse().unwrap());
    let change = engine::ports::Change::Set { set: newest, add: Vec::new() };
    let write = engine::ports::Write { key, change, only_if: Vec::new() };
    engine::ports::Store::commit(&world.tables(), vec![write]).await.unwrap();
    let page = browser.get(&format!("/runs/{run}?asked={asked}")).await;
    assert!(page.body.contains("This was not carried out: a newer run came after the plan."), "{page:?}");
    assert!(!page.body.contains("/apply") && page.body.contains("Search Now"), "{page:?}");
}

#[tokio::test]
async fn r4_3_a_search_that_does_not_begin_says_so_and_can_be_asked_for_again() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let now = crate::world::now();
    // The page was opened some minutes before its button was pressed.
    let at = u64::try_from(now.as_millisecond()).unwrap() - 240_000;
    let path = format!("/runs/{}", ulid::Ulid::from_parts(at, 7));
    let look = async |query: String| browser.get(&format!("{path}{query}")).await;
    let asked = |seconds: i64| format!("?new={}", now.as_second() - seconds);
    let page = look(asked(2)).await;
    assert!(page.body.contains("It is about to start.") && page.body.contains("data-watch"), "{page:?}");
    assert!(page.body.contains(&format!("{path}{}\">Look again", asked(2))), "{page:?}");
    assert!(look(asked(20)).await.body.contains("This takes longer than usual."));
    world.occupy("01JD0000000000000000000000").await;
    let page = look(asked(12)).await;
    assert_eq!((page.status, page.title()), (StatusCode::NOT_FOUND, "The run has not begun"));
    assert!(page.body.contains("another run is at work since "), "{page:?}");
    assert!(page.body.contains("/runs/01JD0000000000000000000000\">See the run") && !page.body.contains("data-watch"));
    let page = look(asked(70)).await;
    assert_eq!((page.status, page.title()), (StatusCode::NOT_FOUND, "The run has not begun"));
    assert_ne!(page.form("Search Now").value("as"), path.strip_prefix("/runs/"), "another run");
    let page = look(format!("{}&undo=01JD0000000000000000000001", asked(70))).await;
    assert!(page.body.contains("/runs/01JD0000000000000000000001/undo"), "{page:?}");
    let page = look(format!("{}&undo=..%2F..%2Fsettings", asked(70))).await;
    assert!(page.body.contains("Search Now") && !page.body.contains("..\""), "{page:?}");
}
