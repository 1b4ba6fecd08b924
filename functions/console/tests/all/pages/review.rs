//! The review of a plan: what is unchecked stays so from page to page, and only what is checked is carried out.

use axum::http::StatusCode;
use cpu_time::ThreadTime;
use directory::{Category, Kind};
use engine::records::Entry;
use serde_json::{Value, json};

use super::{
    door::administrator,
    plan::{self, change, hostile},
    runs::search,
};
use crate::{
    browser::{Browser, Page},
    world::{TENANT, World},
};

/// The lines of a page as its form sends them: what the form says of a change, and whether it is checked.
fn rows(page: &Page) -> Vec<(String, bool)> {
    let values = page.body.split("name=\"row\" value=\"").skip(1);
    values.map(|rest| rest.split('"').next().unwrap()).map(|key| (key.to_owned(), key.ends_with(" on"))).collect()
}

fn id(key: &str) -> &str {
    key.split(' ').nth(2).unwrap()
}

/// The form of a page with some boxes changed, and a button.
fn form(page: &Page, token: &str, flip: &[&str], button: &str) -> String {
    let view = page.body.split_once("name=\"view\" value=\"").unwrap().1.split('"').next().unwrap();
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    let seen = page.body.split_once("name=\"seen\" value=\"").unwrap().1.split('"').next().unwrap();
    form.append_pair("token", token).append_pair("view", &view.replace("&#38;", "&")).append_pair("seen", seen);
    for (key, checked) in rows(page) {
        if checked != flip.contains(&id(&key)) {
            form.append_pair("check", id(&key));
        }
        form.append_pair("row", &key);
    }
    format!("{}&{button}", form.finish())
}

/// Press a button of a review, and open where it leads.
async fn press(browser: &Browser, path: &str, page: &Page, flip: &[&str], button: &str) -> Page {
    let token = browser.token().await;
    let done = browser.post(&format!("{path}/review"), &form(page, &token, flip, button)).await;
    let page = browser.get(&done.location()).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    page
}

/// The value of the button with these words.
fn go(page: &Page, words: &str) -> String {
    let button = page
        .body
        .split("name=\"go\" value=\"")
        .skip(1)
        .find(|rest| rest.split_once('>').is_some_and(|(_, rest)| rest.starts_with(&format!("{words}</button>"))));
    let value = button.unwrap_or_else(|| panic!("no button {words}: {page:?}")).split('"').next().unwrap();
    let value: String = url::form_urlencoded::byte_serialize(value.replace("&#38;", "&").as_bytes()).collect();
    format!("go={value}")
}

/// Contoso with so many people more, who are new.
async fn hired(world: &World, many: usize) {
    for number in 0..many {
        let user = json!({
            "userPrincipalName": format!("new{number:03}@contoso.com"), "displayName": format!("New {number}"),
            "mailNickname": format!("new{number:03}"), "accountEnabled": true, "passwordProfile": {"password": "x"},
            "proxyAddresses": [format!("SMTP:new{number:03}@contoso.com")],
        });
        world.microsoft.create_user(TENANT, user).unwrap();
    }
}

async fn outcomes(world: &World, path: &str) -> Vec<Value> {
    let run = world.admin(json!({"action": "get_run", "run": path.rsplit('/').next().unwrap()})).await;
    run["changes"].as_array().unwrap().clone()
}

fn with(changes: &[Value], outcome: &str) -> Vec<String> {
    let mut found: Vec<String> = changes
        .iter()
        .filter(|change| change["outcome"] == outcome && change["object"] == "user")
        .map(|change| change["address"].as_str().unwrap().to_owned())
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn r4_4_what_is_unchecked_on_any_page_is_left_out() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    hired(&world, 70).await;
    let (path, page) = search(&browser, "").await;
    let shown = rows(&page).len();
    assert!(page.title() == "Review the changes" && (35..=50).contains(&shown), "{shown} {page:?}");
    assert!(page.body.contains(&format!("1–{shown} of 70")) && page.body.contains(">70</span> of 70"), "{page:?}");
    let first = id(&rows(&page)[3].0).to_owned();

    // On to the second page: the mark of the first is saved on the way.
    let page = press(&browser, &path, &page, &[&first], &go(&page, "Next page")).await;
    assert!(
        page.body.contains(&format!("{}–70 of 70", shown + 1)) && page.body.contains(">69</span> of 70"),
        "{page:?}"
    );
    let second = id(&rows(&page)[0].0).to_owned();
    let page = press(&browser, &path, &page, &[&second], &go(&page, "First page")).await;
    assert!(page.body.contains(">68</span> of 70"), "{page:?}");
    let off: Vec<String> = rows(&page).into_iter().filter(|(_, on)| !on).map(|(key, _)| id(&key).to_owned()).collect();
    assert_eq!(off, std::slice::from_ref(&first), "what was unchecked is shown so");

    // Through a filter, and back: nothing is lost, nothing is sent that was not changed.
    let page = press(&browser, &path, &page, &[], "find=1&text=new03").await;
    assert_eq!(rows(&page).len(), 10, "{page:?}");
    let third = rows(&page).into_iter().find(|(_, on)| *on).map(|(key, _)| id(&key).to_owned()).unwrap();
    let page = press(&browser, &path, &page, &[&third], &go(&page, "All changes")).await;
    assert!(page.body.contains(">67</span> of 70"), "{page:?}");
    let page = press(&browser, &path, &page, &[&first], "save=1").await;
    assert!(page.body.contains(">68</span> of 70"), "checked again: {page:?}");

    let token = browser.token().await;
    let page_before = page;
    let applied = browser.post(&format!("{path}/apply"), &form(&page_before, &token, &[], "")).await;
    let page = browser.get(&applied.location()).await;
    assert_eq!(page.title(), "What was changed");
    let changes = outcomes(&world, &path).await;
    let left: Vec<String> = changes
        .iter()
        .filter(|change| change["outcome"] == "unchecked")
        .map(|change| change["id"].as_str().unwrap().to_owned())
        .collect();
    let mut expected = vec![second, third];
    expected.sort();
    let mut left_sorted = left;
    left_sorted.sort();
    assert_eq!(left_sorted, expected, "exactly these two");
    assert_eq!(with(&changes, "applied").len(), 68);
    assert!(page.body.contains(r#"<td class="number">70</td><td class="number">68</td>"#), "{page:?}");
    let runs = browser.get("/runs").await;
    assert!(runs.body.contains(r#"<td class="number">68</td>"#), "what was carried out: {runs:?}");

    // Twice is once.
    let again = browser.post(&format!("{path}/apply"), &form(&page_before, &token, &[], "")).await;
    assert!(again.location().ends_with(&format!("{path}?done=already")), "{again:?}");
    let again = browser.get(&again.location()).await;
    assert!(again.body.contains("was carried out already") && again.title() == "What was changed", "{again:?}");
    assert_eq!(outcomes(&world, &path).await, changes);
}

#[tokio::test]
async fn r4_4_what_somebody_else_has_checked_meanwhile_is_not_carried_out_unseen() {
    let world = World::new().await;
    let (ann, bob) = (administrator(&world).await, administrator(&world).await);
    for who in ["leeg@contoso.com", "gradya@contoso.com"] {
        world.microsoft.delete_user(TENANT, who).unwrap();
    }
    hired(&world, 2).await;
    let (path, page) = search(&ann, "").await;
    let seen = press(&ann, &path, &page, &[], "all=deleting+user+off").await;
    assert!(!seen.body.contains("deletes"), "{seen:?}");
    let bobs = bob.get(&path).await;
    press(&bob, &path, &bobs, &[], "all=deleting+user+on").await;
    // Whether she marks something with the same press or not.
    let own = rows(&seen).into_iter().find(|(key, _)| key.starts_with("adding user")).map(|(key, _)| key).unwrap();
    for flip in [&[][..], &[id(&own)]] {
        let token = ann.token().await;
        let refused = ann.post(&format!("{path}/apply"), &form(&seen, &token, flip, "")).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
        assert!(refused.body.contains("since you looked") && refused.body.contains("deletes 2 users"), "{refused:?}");
        assert_eq!(with(&outcomes(&world, &path).await, "applied").len(), 0);
    }
    let page = ann.get(&path).await;
    assert!(rows(&page).iter().any(|(key, on)| id(key) == id(&own) && !on), "her own mark is kept: {page:?}");
    let token = ann.token().await;
    ann.post(&format!("{path}/apply"), &form(&page, &token, &[], "")).await;
    let changes = outcomes(&world, &path).await;
    assert_eq!(with(&changes, "unchecked").len(), 1);
    assert!(with(&changes, "applied").contains(&"leeg@contoso.com".to_owned()), "{changes:?}");
}

#[tokio::test]
async fn r4_4_a_category_is_unchecked_but_for_one_and_marks_of_the_shown_lines_count() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    for who in ["leeg@contoso.com", "gradya@contoso.com", "alexw@contoso.com"] {
        world.microsoft.delete_user(TENANT, who).unwrap();
    }
    hired(&world, 2).await;
    let (path, page) = search(&browser, "").await;
    assert!(page.body.contains("deletes 3 users"), "{page:?}");
    let page = press(&browser, &path, &page, &[], "all=deleting+user+off").await;
    assert!(!page.body.contains("deletes") && page.body.contains(">6</span> of 9"), "{page:?}");
    let page = press(&browser, &path, &page, &[], &go(&page, "Deleting users")).await;
    assert_eq!(rows(&page).len(), 3);
    assert!(rows(&page).iter().all(|(_, on)| !on), "{page:?}");
    let line = page.body.split("<tr role=\"row\">").find(|line| line.contains("<bdi>leeg@contoso.com</bdi>")).unwrap();
    let one = line.split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let page = press(&browser, &path, &page, &[&one], "save=1").await;
    assert!(page.body.contains("deletes 1 user"), "{page:?}");
    // The box of a new one is unchecked in the very form that applies.
    let page = press(&browser, &path, &page, &[], &go(&page, "Adding users")).await;
    let new = id(&rows(&page)[0].0).to_owned();
    let token = browser.token().await;
    browser.post(&format!("{path}/apply"), &form(&page, &token, &[&new], "")).await;
    let changes = outcomes(&world, &path).await;
    assert_eq!(with(&changes, "applied").len(), 2, "{changes:?}");
    assert!(with(&changes, "applied").contains(&"leeg@contoso.com".to_owned()));
    assert_eq!(with(&changes, "unchecked").len(), 3);
    let page = browser.get(&format!("{path}?outcome=unchecked")).await;
    assert!(page.body.contains("gradya@contoso.com") && !page.body.contains("leeg@contoso.com"), "{page:?}");
}

#[tokio::test]
async fn r4_6_a_plan_that_was_overtaken_or_is_too_old_cannot_be_applied() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    hired(&world, 1).await;
    let (old, page) = search(&browser, "").await;
    let (new, _) = search(&browser, "").await;
    let token = browser.token().await;
    let refused = browser.post(&format!("{old}/apply"), &form(&page, &token, &[], "")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("superseded by a newer run") && refused.body.contains(&new), "{refused:?}");
    assert!(
        !refused.body.contains("Sync Active Directory</button>") && refused.body.contains("Search Now"),
        "{refused:?}"
    );
    assert!(refused.body.contains("new000@contoso.com"), "it can still be looked at: {refused:?}");
    let later = plan::store(
        &world,
        TENANT,
        vec![change(1, Category::Adding, Kind::User, json!({}))],
        json!({"finished_at": "2026-01-01T00:00:00Z"}),
    )
    .await;
    let page = browser.get(&format!("/runs/{later}")).await;
    assert!(page.body.contains("older than 24 hours") && !page.body.contains("/apply"), "{page:?}");
}

#[tokio::test]
async fn names_that_would_be_markup_are_text_on_every_page() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let mut changes = Vec::new();
    for (at, name) in hostile().iter().enumerate() {
        let fields = json!({"display_name": {"from": name, "to": name}, "surname": {"from": null, "to": name},
            "alias_emails": {"from": [], "to": (0..40).map(|n| format!("{n}@{name}")).collect::<Vec<_>>()}});
        let mut planned = change(at, Category::Updating, Kind::User, fields);
        planned.change.address = None;
        planned.change.why.clone_from(name);
        planned.change.notes.push(name.clone());
        planned.change.error = Some(name.clone());
        changes.push(planned);
    }
    let more = json!({"warnings": [{"code": "x", "message": hostile()[0]}], "by": hostile()[0]});
    let run = plan::store(&world, TENANT, changes, more).await;
    let text: String = url::form_urlencoded::byte_serialize(hostile()[0].as_bytes()).collect();
    let mut pages = vec![format!("/runs/{run}"), format!("/runs/{run}?text={text}"), "/runs".to_owned()];
    pages.extend((0..4).map(|at| format!("/runs/{run}/changes/{at:016x}")));
    pages.push(format!("/runs/{run}?show=skipped&text={text}"));
    for path in pages {
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(!page.body.contains("<script>") && !page.body.contains("alert(1)<"), "{path}: {page:?}");
        assert!(page.body.len() < 30_000, "{path}: {}", page.body.len());
    }
    let page = browser.get(&format!("/runs/{run}")).await;
    assert!(page.body.contains("Show all of it"), "{}", page.body.len());
    assert!(page.body.contains("<bdi>\u{202e}txt.exe"), "what turns the line round is kept apart");
    let full = browser.get(&format!("/runs/{run}/changes/{:016x}", 1)).await;
    assert!(full.body.contains(&"W".repeat(256)) && full.body.contains("39@W"), "all of it: {full:?}");
    assert!(!full.body.contains("has room on a page"), "{full:?}");
    let cut = browser.get(&format!("/runs/{run}/changes/{:016x}", 3)).await;
    assert!(cut.body.contains("what is cut ends with …") && cut.body.contains("&#60;"), "{cut:?}");
}

#[tokio::test]
async fn r4_5_who_joins_and_who_leaves_is_on_the_page_of_the_groups_change() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let user =
        async |address: &str| world.admin(json!({"action": "get_user", "address": address})).await["user"].clone();
    let (alex, lee) = (user("alexw@contoso.com").await, user("leeg@contoso.com").await);
    let change_of = |at| change(at, Category::Updating, Kind::Group, json!({"members": {"from": 300, "to": 1_500}}));
    let ids = |user: &Value, key: &str| vec![user[key].as_str().unwrap().to_owned().try_into().unwrap()];
    // Many whom nobody knows, behind one who is here.
    let mut join: Vec<directory::ObjectId> = ids(&alex, "entra_id");
    join.extend((0..1_198).map(|number| format!("nobody-{number:04}").try_into().unwrap()));
    let mut leave: Vec<directory::ObjectId> = ids(&lee, "id");
    leave.extend((0..300).map(|number| format!("leaver-{number:04}").try_into().unwrap()));
    let members = |at: usize, join: &[directory::ObjectId], leave: &[directory::ObjectId]| Entry::Members {
        change: format!("{at:016x}"),
        group: "object-1".to_owned().try_into().unwrap(),
        local: "object-1".to_owned().try_into().unwrap(),
        join: join.to_vec(),
        leave: leave.to_vec(),
        empties: false,
        undone: false,
        undoes: false,
    };
    let unit =
        |at| Entry::Unit { changes: vec![change_of(at)], bystanders: Vec::new(), empties: false, waiting: Vec::new() };
    let entries = vec![
        unit(1),
        unit(2),
        members(1, &join[..1_000], &[]),
        members(1, &join[1_000..], &leave),
        members(2, &ids(&lee, "entra_id"), &[]),
    ];
    let run = plan::store_entries(&world, TENANT, entries, json!({})).await;
    let list = browser.get(&format!("/runs/{run}?kind=group")).await;
    assert!(list.body.contains("Show all of it"), "the way there: {list:?}");
    let mut path = format!("/runs/{run}/changes/{:016x}?kind=group", 1);
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        world.requests();
        let page = browser.get(&path).await;
        let requests = world.requests();
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.body.len() < 30_000, "{} bytes", page.body.len());
        assert!(requests <= 15, "{requests} requests to the tables");
        let list = page.body.split_once("<h2 id=\"members\">").unwrap().1;
        seen.extend(list.split("<tr><th scope=\"row\"><bdi>").skip(1).map(|row| {
            let moves = row.split("<td>").nth(1).unwrap().split('<').next().unwrap();
            format!("{moves} {}", row.split('<').next().unwrap())
        }));
        pages += 1;
        let Some((before, _)) = list.split_once("\">Next page</a>") else { break };
        path = before.rsplit_once("href=\"").unwrap().1.replace("&#38;", "&");
        path = path.split('#').next().unwrap().to_owned();
    }
    assert_eq!((seen.len(), pages), (1_500, 30));
    assert_eq!((seen[0].as_str(), seen[1].as_str()), ("Joins alexw@contoso.com", "Joins nobody-0000"));
    assert_eq!((seen[1_199].as_str(), seen[1_499].as_str()), ("Leaves leeg@contoso.com", "Leaves leaver-0299"));
    let page = browser.get(&format!("/runs/{run}/changes/{:016x}?kind=group", 2)).await;
    assert!(page.body.contains("1–1<") && page.body.contains("Lee Gu"), "{page:?}");
    let wrong = browser.get(&format!("/runs/{run}/changes/{:016x}?kind=group&members=x", 1)).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn another_tenants_runs_are_nobodys() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let changes = (0..200).map(|at| change(at, Category::Deleting, Kind::User, json!({}))).collect();
    let theirs = plan::store(&world, "fabrikam", changes, json!({"by": "eve@fabrikam.com"})).await;
    hired(&world, 60).await;
    let (ours, page) = search(&browser, "").await;
    for path in ["", "?category=deleting", "?show=skipped", "?show=not_enabled", "/changes/0000000000000001"] {
        let page = browser.get(&format!("/runs/{theirs}{path}")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!page.body.contains("fabrikam") && !page.body.contains("person"), "{path}: {page:?}");
    }
    let token = browser.token().await;
    for act in ["review", "apply", "release", "undo"] {
        let form = format!("token={token}&row=deleting+user+0000000000000001+on&tenant=fabrikam&run={theirs}");
        let page = browser.post(&format!("/runs/{theirs}/{act}"), &form).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{act}: {page:?}");
        assert!(!page.body.contains("fabrikam"), "{act}: {page:?}");
    }
    // Ids and cursors of theirs in a page of ours.
    let next = go(&page, "Next page");
    let cursor = next.split_once("from%3D").unwrap().1;
    assert_eq!(browser.get(&format!("/runs/{theirs}?from={cursor}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get(&format!("{ours}/changes/0000000000000001")).await.status, StatusCode::NOT_FOUND);
    for cursor in ["x", "bnVsbA", "W10", "eyJwbGFjZSI6eyJwbGFuIjpbOTk5OTk5LDldfSwiYmVmb3JlIjowfQ"] {
        for path in [
            format!("{ours}?from={cursor}"),
            format!("{ours}?show=skipped&from={cursor}"),
            format!("/runs?from={cursor}"),
        ] {
            let page = browser.get(&path).await;
            assert!([StatusCode::OK, StatusCode::UNPROCESSABLE_ENTITY].contains(&page.status), "{path}: {page:?}");
            assert!(!page.body.contains("fabrikam"), "{path}");
        }
    }
    // A button cannot lead away.
    for away in ["//evil.example", "https://evil.example/", "?change=../../x", "?change=..%2F..%2Fx", "\r\nx: y"] {
        let away: String = url::form_urlencoded::byte_serialize(away.as_bytes()).collect();
        let page = browser.post(&format!("{ours}/review"), &format!("token={token}&go={away}")).await;
        assert!(page.location().starts_with(&format!("https://console.example.com{ours}")), "{page:?}");
        assert!(!page.location().contains("evil") && !page.location().contains(".."), "{page:?}");
    }
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "what each page takes, for `make bench`")]
async fn a_plan_of_100_000_changes_is_paged_through_in_small_pages() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let fields = |number: usize| {
        json!({
            "department": {"from": "Sales and distribution", "to": format!("Marketing {number}")},
            "job_title": {"from": "Account manager", "to": "Senior account manager"},
            "display_name": {"from": format!("Person {number}"), "to": format!("Person Number {number}")},
            "mobile": {"from": "+41 79 000 00 00", "to": "+41 79 111 11 11"},
        })
    };
    let category = |number| match number % 1_000 {
        0 => Category::Deleting,
        1..100 => Category::Adding,
        _ => Category::Updating,
    };
    let changes = (0..100_000).map(|at| change(at, category(at), Kind::User, fields(at))).collect();
    let run = plan::store(&world, TENANT, changes, json!({})).await;
    let path = format!("/runs/{run}");
    let look = async |path: &str| {
        world.requests();
        let before = ThreadTime::now();
        let page = browser.get(path).await;
        let (time, requests, bytes) = (before.elapsed().as_secs_f64() * 1e3, world.requests(), page.body.len());
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(bytes < 30_000, "{path}: {bytes} bytes");
        assert!(requests <= 40, "{path}: {requests} requests to the tables");
        println!("page {time:6.1} ms of processor time, {requests:2} requests to the tables, {bytes:6} bytes  {path}");
        page
    };
    let list = async |query: &str| look(&format!("{path}{query}")).await;
    let page = list("").await;
    assert!(page.body.contains("of 100,000") && page.body.contains("deletes 100 users"), "{page:?}");
    let page = press(&browser, &path, &page, &[], &go(&page, "Next page")).await;
    assert!(page.body.len() < 30_000 && page.body.contains("of 100,000"));
    let page = list("?category=deleting&kind=user").await;
    assert!(page.body.contains("of 100<"), "{page:?}");
    let page = list("?text=person099999").await;
    assert!(page.body.contains("Search on") && page.body.contains("of 100,000 so far."), "{page:?}");
    let page = list("?text=person000007@").await;
    assert_eq!(rows(&page).len(), 1);
    list("?show=skipped").await;
    // One click for ninety thousand.
    let page = press(&browser, &path, &page, &[], "all=updating+user+off").await;
    assert!(page.body.contains(">10,000</span> of 100,000"), "{page:?}");
    list("?category=updating").await;
    for page in ["/", "/runs", "/settings", "/people", "/exemptions", "/reports", "/audit"] {
        look(page).await;
    }
}
