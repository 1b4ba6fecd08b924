//! Plans as people review them, click by click, and what is then applied.

use std::collections::BTreeMap;

use directory::{Category, Kind, Outcome, RunId};
use engine::{
    browse::{self, Filter, Row},
    operator::Asked,
    records::{Action, Run, RunState},
    review::{self, Mark},
    run::Request,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tests::{
    entra::id,
    turnstile::{Deed, Side, Switch, drive},
    world::World,
};

fn asked(world: &World, by: &str) -> Asked {
    world.store.fenced(false);
    Asked { tenant: world.tenant.clone(), by: by.to_owned(), now: world.now(), nonce: "request".to_owned() }
}

fn marked(world: &World, by: &str, run: &RunId, marks: Value) -> Result<Value, String> {
    let marks: Vec<Mark> = serde_json::from_value(marks).unwrap();
    let asked = asked(world, by);
    drive(review::mark(&world.store, &asked, run, &marks)).unwrap().map_err(|refused| refused.to_string())
}

fn rows(world: &World, run: &Run) -> Vec<Row> {
    drive(browse::changes(&world.store, &world.tenant, run, &Filter::default(), None, 500)).unwrap().unwrap().rows
}

fn apply(run: &RunId, world: &World, by: &str) -> Request {
    let review = drive(review::load(&world.store, &world.tenant, run)).unwrap().unwrap();
    let reviewed = Some(review.name());
    Request { run: Some(run.clone()), reviewed, by: by.to_owned(), ..world.request(Action::Apply) }
}

/// A plan with changes of every category that come alone.
fn planned(people: usize) -> (World, Run) {
    let world = World::new();
    let list = world.entra.list("list");
    for number in 0..people {
        let person = world.entra.hire(&format!("p{number:02}"));
        // Whoever is not deleted after all stays a member: that would be another story.
        if number % 4 != 2 {
            world.entra.join(&list, &person);
        }
    }
    for number in 0..4 {
        world.entra.list(&format!("g{number}"));
    }
    world.sync();
    for number in 0..people {
        let person = id(&format!("p{number:02}"));
        match number % 4 {
            0 => world.entra.rename(&person, "Other"),
            1 => world.entra.sign_in(&person, false),
            2 => world.entra.bin(&person),
            _ => drop(world.entra.hire(&format!("n{number:02}"))),
        }
    }
    world.entra.rename(&id("g0"), "Renamed");
    world.entra.purge(&id("g1"));
    let new = world.entra.list("new");
    world.entra.join(&new, &id("p00"));
    let preview = world.preview();
    let run = world.stored_run(preview["run"].as_str().unwrap());
    (world, run)
}

fn ids(rows: &[Row], category: Category, kind: Kind) -> Vec<String> {
    let own = rows.iter().filter(|row| (row.change.category, row.change.object) == (category, kind));
    own.map(|row| row.change.id.clone()).collect()
}

#[test]
fn r4_4_what_a_person_unchecks_is_left_out() {
    let (world, run) = planned(12);
    let plan = rows(&world, &run);
    let updating = ids(&plan, Category::Updating, Kind::User);
    let adding = ids(&plan, Category::Adding, Kind::User);
    let shown = marked(
        &world,
        "ann",
        &run.run,
        json!([
            {"category": "deleting", "object": "user", "all": false},
            {"category": "adding", "object": "user", "uncheck": [adding[0]]},
            {"category": "adding", "object": "group", "all": false},
            {"category": "updating", "object": "user", "all": false, "check": [updating[0]]},
        ]),
    )
    .unwrap();
    assert_eq!(
        shown["unchecked"],
        json!({
            "adding": {"users": 1, "groups": 1}, "updating": {"users": 2, "groups": 0}, "disabling": {"users": 0, "groups": 0},
            "deleting": {"users": 3, "groups": 0},
        })
    );
    // Whoever reviews the plan changes the same marks.
    marked(&world, "bob", &run.run, json!([{"category": "adding", "object": "user", "check": [adding[0]]}])).unwrap();
    let review = drive(review::load(&world.store, &world.tenant, &run.run)).unwrap().unwrap();
    let left: Vec<bool> = plan.iter().map(|row| review.is_checked(&row.change)).collect();
    assert_eq!(left.iter().filter(|checked| !**checked).count(), 3 + 1 + 2);
    let answer = world.ask(apply(&run.run, &world, "ann"));
    assert_eq!(answer["state"], "applied", "{answer}");
    let after = rows(&world, &world.stored_run(run.run.as_str()));
    for (row, checked) in after.iter().zip(left) {
        let expected = if checked { Outcome::Applied } else { Outcome::Unchecked };
        assert_eq!(row.change.outcome, Some(expected), "{:?}", row.change);
    }
    assert!(!world.view().members.contains_key(&id("new")), "a group that is left out has no members");
    assert_eq!(world.stored_run(run.run.as_str()).by, "ann");
    let refused = marked(&world, "ann", &run.run, json!([{"category": "adding", "object": "user", "all": true}]));
    assert_eq!(refused.unwrap_err(), format!("the plan of run {} was applied already", run.run));
}

#[test]
fn r4_4_only_whoever_asks_for_it_applies_a_review_and_once_begun_it_is_fixed() {
    let (world, run) = planned(12);
    let none = json!([{"category": "disabling", "object": "user", "all": false}]);
    marked(&world, "ann", &run.run, none.clone()).unwrap();
    let moment = world.moment();
    let plain = Request { reviewed: None, ..apply(&run.run, &world, "ann") };
    for (request, unchecked) in [(plain, 0), (apply(&run.run, &world, "bob"), 3), (apply(&run.run, &world, "ann"), 3)] {
        world.go_back(&moment);
        world.ask(request);
        let after = rows(&world, &world.stored_run(run.run.as_str()));
        let left = after.iter().filter(|row| row.change.outcome == Some(Outcome::Unchecked)).count();
        assert_eq!(left, unchecked);
    }
    // Killed at any call, and gone on with: what counts was fixed when it began.
    world.go_back(&moment);
    let before = world.turnstile.calls();
    world.ask(apply(&run.run, &world, "ann"));
    for at in 1..=world.turnstile.calls() - before {
        world.go_back(&moment);
        let switch = Switch { at, side: Side::After, deed: Deed::Halt };
        let _ = world.invoke_under(apply(&run.run, &world, "ann"), switch);
        let begun = world.stored_run(run.run.as_str()).phase != run.phase;
        let clicked = marked(&world, "ann", &run.run, json!([{"category": "adding", "object": "user", "all": false}]));
        assert_eq!(clicked.is_err(), begun, "call {at}");
        world.wait(1000);
        world.once(apply(&run.run, &world, "ann"));
        let after = rows(&world, &world.stored_run(run.run.as_str()));
        let of = |outcome| after.iter().filter(|row| row.change.outcome == Some(outcome)).count();
        assert_eq!(of(Outcome::Unchecked), if begun { 3 } else { 6 }, "call {at}");
    }
}

#[test]
fn r4_4_only_what_was_seen_is_applied() {
    let (world, run) = planned(12);
    let click = |by, all: bool| {
        marked(&world, by, &run.run, json!([{"category": "deleting", "object": "user", "all": all}])).unwrap()
    };
    let seen = click("ann", false)["review"].as_str().unwrap().to_owned();
    let before = click("bob", true);
    assert_eq!(before["before"], json!(seen));
    let own = Request { reviewed: Some(seen.clone()), ..apply(&run.run, &world, "ann") };
    let refused = world.once(own.clone());
    assert_eq!(refused["error"]["code"], "superseded", "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("since you looked"), "{refused}");
    assert_eq!(world.stored_run(run.run.as_str()).state, RunState::Planned, "nothing is begun");
    // As it was before is not as it was seen: a mark that was taken back is looked at again too.
    click("bob", false);
    assert_eq!(world.once(own)["error"]["code"], "superseded");
    // A click that changes nothing leaves the name.
    let same = click("ann", false);
    assert_eq!(same["before"], same["review"]);
    let reviewed = Some(same["review"].as_str().unwrap().to_owned());
    let answer = world.ask(Request { reviewed, ..apply(&run.run, &world, "ann") });
    assert_eq!(
        (&answer["state"], world.stored_run(run.run.as_str()).applied.unwrap().deleting.users),
        (&json!("applied"), 0)
    );
}

#[test]
fn r4_4_clicks_at_the_same_time_are_all_kept() {
    let (world, run) = planned(12);
    let plan = rows(&world, &run);
    let adding = ids(&plan, Category::Adding, Kind::User);
    let one = |at: usize| -> Vec<Mark> {
        serde_json::from_value(json!([{"category": "adding", "object": "user", "uncheck": [adding[at]]}])).unwrap()
    };
    let (first, second, who) = (one(0), one(1), asked(&world, "ann"));
    let moment = world.moment();
    for call in 1..10 {
        world.go_back(&moment);
        world.turnstile.set(Some(Switch { at: call, side: Side::Before, deed: Deed::Halt }));
        let mut slow = Box::pin(review::mark(&world.store, &who, &run.run, &first));
        let stands = tests::turnstile::poll(slow.as_mut()).is_none();
        if !stands {
            world.turnstile.set(None);
        }
        drive(review::mark(&world.store, &who, &run.run, &second)).unwrap().unwrap();
        world.turnstile.resume();
        if stands {
            tests::turnstile::poll(slow.as_mut()).unwrap().unwrap();
        }
        let review = drive(review::load(&world.store, &world.tenant, &run.run)).unwrap().unwrap();
        assert_eq!(review.unchecked_of(Category::Adding, Kind::User, 3), 2, "call {call}");
        if !stands {
            return;
        }
    }
    panic!("it never came to its end");
}

#[test]
fn s9_marks_that_cannot_be_are_refused() {
    let (world, run) = planned(4);
    let many: Vec<String> = (0..10_001).map(|number| format!("{number:016}")).collect();
    let refused = |marks: Value| marked(&world, "ann", &run.run, marks).unwrap_err();
    let text = refused(json!([{"category": "adding", "object": "user", "uncheck": many}]));
    assert!(text.contains("at most 10000 changes") && text.contains("uncheck the whole category instead"), "{text}");
    let text = refused(json!([{"category": "adding", "object": "user", "all": false, "check": many}]));
    assert!(text.contains("check the whole category instead"), "{text}");
    assert!(refused(json!([{"category": "not_enabled", "object": "user"}])).starts_with("marks: what is not enabled"));
    assert!(
        refused(json!([{"category": "adding", "object": "user", "check": ["x".repeat(65)]}])).starts_with("marks: ")
    );
    let none = RunId::try_from("01JD0000000000000000000000".to_owned()).unwrap();
    assert!(marked(&world, "ann", &none, json!([])).unwrap_err().ends_with("has no run 01JD0000000000000000000000"));
    assert!(!world.store.snapshot().keys().any(|key| key.sk.starts_with("REV#")));
    let most = json!([{"category": "adding", "object": "user", "uncheck": many[..10_000]}]);
    marked(&world, "ann", &run.run, most).unwrap();
    for (key, item) in world.store.snapshot() {
        let shown = format!("{key} {}", json!(item));
        assert!(!key.sk.starts_with("REV#") || (!key.sk.contains("ann") && item.contains_key("ttl")), "{shown}");
    }
    assert_eq!(world.ask(apply(&run.run, &world, "ann"))["state"], "applied");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r4_4_exactly_what_is_checked_is_applied(
        clicks in prop::collection::vec((0..4_usize, any::<bool>(), 0..3_u8, prop::collection::vec((any::<bool>(), 0..8_usize), 0..4)), 0..8)
    ) {
        let (world, run) = planned(12);
        let plan = rows(&world, &run);
        let mut expected: BTreeMap<String, bool> = plan.iter().map(|row| (row.change.id.clone(), true)).collect();
        for (category, groups, all, single) in clicks {
            let category = Category::CARRIED_OUT[category];
            let kind = if groups { Kind::Group } else { Kind::User };
            let own = ids(&plan, category, kind);
            let all = [None, Some(true), Some(false)][usize::from(all)];
            let (mut check, mut uncheck) = (Vec::new(), Vec::new());
            for (checked, at) in single {
                if let Some(id) = own.get(at) {
                    if checked { check.push(id.clone()) } else { uncheck.push(id.clone()) }
                }
            }
            let of_all = all.into_iter().flat_map(|all| own.iter().map(move |id| (id, all)));
            let order = of_all.chain(check.iter().map(|id| (id, true))).chain(uncheck.iter().map(|id| (id, false)));
            expected.extend(order.map(|(id, checked)| (id.clone(), checked)));
            let mark = json!([{"category": category, "object": kind, "all": all, "check": check, "uncheck": uncheck}]);
            marked(&world, "ann", &run.run, mark).unwrap();
        }
        world.ask(apply(&run.run, &world, "ann"));
        for row in rows(&world, &world.stored_run(run.run.as_str())) {
            let outcome = if expected[&row.change.id] { Outcome::Applied } else { Outcome::Unchecked };
            prop_assert_eq!(row.change.outcome, Some(outcome), "{:?}", row.change);
        }
    }
}
