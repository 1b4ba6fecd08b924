//! A stored run as people page through it: filters, budgets, positions, and how far a run is.

use std::collections::BTreeSet;

use directory::{Category, Kind, Outcome, RunId, SkipReason};
use engine::{
    browse::{self, Doing, Filter, Left, Moving, Page, Row},
    keys,
    records::{Action, Run},
    run::Request,
};
use serde_json::{Value, json};
use tests::{
    entra::id,
    turnstile::{Deed, Side, Switch, drive},
    world::World,
};

fn stored(world: &World, answer: &Value) -> Run {
    world.stored_run(answer["run"].as_str().unwrap())
}

/// Every page of the changes that a filter finds.
fn pages(world: &World, run: &Run, filter: &Filter, most: usize) -> Vec<Page<Row>> {
    let mut pages: Vec<Page<Row>> = Vec::new();
    loop {
        let from = pages.last().and_then(|page| page.next.clone());
        let page = drive(browse::changes(&world.store, &world.tenant, run, filter, from.as_deref(), most)).unwrap();
        pages.push(page.unwrap());
        if pages.last().unwrap().next.is_none() {
            return pages;
        }
        assert!(pages.len() < 1000, "a list without an end");
    }
}

fn found(world: &World, run: &Run, filter: &Filter) -> BTreeSet<String> {
    let rows = pages(world, run, filter, 7).into_iter().flat_map(|page| page.rows);
    rows.map(|row| format!("{:?} {}", row.change.category, row.change.object_id)).collect()
}

/// Users of whom one in a hundred is to be deleted, in a plan of several parts, not yet carried out.
fn planned() -> (World, Value) {
    let world = World::new();
    for number in 0..900 {
        world.entra.hire(&format!("p{number:04}"));
    }
    world.sync();
    world.set(json!({"brake": {"enabled": false}}));
    for number in 0..900 {
        let person = id(&format!("p{number:04}"));
        if number % 100 == 7 {
            world.entra.bin(&person);
        } else {
            world.entra.rename(&person, &format!("Ζoë \"{number}\" Müller"));
        }
    }
    world.entra.list("staff");
    let preview = world.preview();
    (world, preview)
}

#[test]
fn r4_5_a_plan_is_paged_through_with_positions() {
    let (world, preview) = planned();
    let run = stored(&world, &preview);
    assert!(run.chunks > 3, "several parts");
    let pages = pages(&world, &run, &Filter::default(), 100);
    assert_eq!(pages.len(), 10);
    let before: Vec<u64> = pages.iter().map(|page| page.before).collect();
    assert_eq!(before, (0..10).map(|page| page * 100).collect::<Vec<u64>>());
    assert!(pages.iter().all(|page| page.total == Some(901) && !page.cut));
    let ids: BTreeSet<String> = pages.iter().flat_map(|page| &page.rows).map(|row| row.change.id.clone()).collect();
    assert_eq!(ids.len(), 901, "each once");
}

#[test]
fn r4_5_a_filter_reads_only_the_parts_that_have_what_it_looks_for() {
    let (world, preview) = planned();
    let run = stored(&world, &preview);
    let groups = Filter { kind: Some(Kind::Group), ..Filter::default() };
    let (page, tally) = world.measured(|world| {
        drive(browse::changes(&world.store, &world.tenant, &run, &groups, None, 50)).unwrap().unwrap()
    });
    assert_eq!((page.rows.len(), page.total, page.next), (1, Some(1), None));
    assert_eq!(page.rows[0].change.object_id, id("staff"));
    assert!(tally.read <= 3, "what the parts hold, one part, its progress: {tally:?}");
    let deleting = Filter { category: Some(Category::Deleting), ..Filter::default() };
    assert_eq!(found(&world, &run, &deleting).len(), 9);
    assert!(pages(&world, &run, &deleting, 9)[0].rows.iter().all(|row| row.brakes));
    let none = Filter { category: Some(Category::Disabling), ..Filter::default() };
    assert_eq!(pages(&world, &run, &none, 9)[0].total, Some(0));

    // A plan from before it was kept what the parts hold.
    for key in world.store.snapshot().into_keys().filter(|key| key.sk.starts_with("KI#")) {
        world.store.unpoke(&key);
    }
    assert_eq!(found(&world, &run, &deleting).len(), 9);
    assert_eq!(pages(&world, &run, &deleting, 9)[0].total, None);
}

#[test]
fn r4_5_a_text_is_found_in_addresses_and_names_in_any_case() {
    let (world, preview) = planned();
    let run = stored(&world, &preview);
    let has = |text: &str| found(&world, &run, &Filter { text: Some(text.to_owned()), ..Filter::default() });
    assert_eq!(has("P0007@"), BTreeSet::from(["Deleting p0007".to_owned()]));
    assert_eq!(has(" ζOË \"12\" mÜLLER "), BTreeSet::from(["Updating p0012".to_owned()]));
    assert_eq!(has("the STAFF"), BTreeSet::from(["Adding staff".to_owned()]));
    assert_eq!(has("updating"), BTreeSet::new(), "only names and addresses");
    assert_eq!(has("").len(), 901);
    let long = Filter { text: Some("x".repeat(201)), ..Filter::default() };
    let refused = drive(browse::changes(&world.store, &world.tenant, &run, &long, None, 9)).unwrap().unwrap_err();
    assert!(refused.to_string().starts_with("text: expected at most 200"), "{refused}");
    for cursor in ["x", "", "bnVsbA", "W10"] {
        let filter = Filter::default();
        let page = drive(browse::changes(&world.store, &world.tenant, &run, &filter, Some(cursor), 9)).unwrap();
        assert!(page.unwrap_err().to_string().starts_with("cursor: expected one"), "{cursor}");
    }
}

#[test]
fn r4_12_outcomes_are_filtered() {
    let (world, preview) = planned();
    let run = stored(&world, &preview);
    let deleting = Filter { category: Some(Category::Deleting), ..Filter::default() };
    let out = pages(&world, &run, &deleting, 100)[0].rows[0].change.id.clone();
    world.apply(&preview, &[&out]);
    let run = stored(&world, &preview);
    let outcome = |outcome| Filter { outcome: Some(outcome), ..Filter::default() };
    assert_eq!(found(&world, &run, &outcome(Outcome::Unchecked)).len(), 1);
    assert_eq!(found(&world, &run, &outcome(Outcome::Applied)).len(), 900);
    assert_eq!(found(&world, &run, &outcome(Outcome::Stale)).len(), 0);
}

/// What did not go as planned is found at once, however large the plan: a part without it is not read.
#[test]
fn r4_12_a_few_failures_among_100_000_changes_are_on_one_page() {
    let world = World::new();
    for number in 0..200 {
        world.entra.hire(&format!("p{number:04}"));
    }
    let preview = world.preview();
    let mut run = stored(&world, &preview);
    assert_eq!(run.chunks, 1, "a part of 200");
    let changes = pages(&world, &run, &Filter::default(), 200).remove(0).rows;
    // Five hundred parts, all like the first, and all carried out.
    let part = world.store.peek(&keys::chunk(&world.tenant, &run.run, 0)).unwrap();
    let held = world.store.peek(&keys::contents(&world.tenant, &run.run, 0)).unwrap()["p0"].clone();
    let progress = |exceptions: Value| json!({"through": 200, "exceptions": exceptions});
    let poke = |key, item: &Value| world.store.poke(key, item.as_object().unwrap().clone());
    run.chunks = 500;
    for number in 0..run.chunks {
        world.store.poke(keys::chunk(&world.tenant, &run.run, number), part.clone());
        poke(keys::chunk_progress(&world.tenant, &run.run, number), &progress(json!({})));
    }
    for item in 0..10 {
        let item_of: serde_json::Map<String, Value> =
            (item * 50..item * 50 + 50).map(|number| (format!("p{number}"), held.clone())).collect();
        poke(keys::contents(&world.tenant, &run.run, item), &json!(item_of));
    }
    let id = |at: usize| changes[at].change.id.clone();
    let exception = |object: &str, outcome: &str| json!({"object": object, "outcome": outcome, "error": "why"});
    let last = json!({
        id(5): exception("user", "failed"), id(90): exception("user", "failed"), id(199): exception("user", "failed"),
        id(7): exception("user", "unchecked"),
    });
    poke(keys::chunk_progress(&world.tenant, &run.run, 499), &progress(last));
    poke(keys::chunk_progress(&world.tenant, &run.run, 250), &progress(json!({id(1): exception("user", "stale")})));

    let look = |outcome, kind, text: Option<&str>| {
        let filter = Filter { outcome: Some(outcome), kind, text: text.map(str::to_owned), ..Filter::default() };
        let (pages, tally) = world.measured(|world| pages(world, &run, &filter, 50));
        assert!(!pages[0].cut && pages.len() == 1, "{outcome:?}: one page");
        assert!(tally.requests <= 8 && tally.read <= 550, "{outcome:?}: {tally:?}");
        pages[0].rows.iter().map(|row| row.change.error.clone().unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(look(Outcome::Failed, None, None), ["why", "why", "why"]);
    assert_eq!(look(Outcome::Failed, Some(Kind::User), None).len(), 3);
    assert_eq!(look(Outcome::Failed, Some(Kind::Group), None).len(), 0);
    assert_eq!(
        look(Outcome::Failed, None, changes[90].change.address.as_ref().map(directory::Address::as_str)).len(),
        1
    );
    assert_eq!(look(Outcome::Stale, None, None).len(), 1);
    assert_eq!(look(Outcome::Unchecked, None, None).len(), 1);
    assert_eq!(look(Outcome::Held, None, None).len(), 0);
    // A page that is full goes on where it ended, and progress that comes in pieces is read to its end.
    world.store.page_of(70);
    let failed = Filter { outcome: Some(Outcome::Failed), ..Filter::default() };
    let found = pages(&world, &run, &failed, 2);
    assert_eq!(found.iter().map(|page| page.rows.len()).collect::<Vec<_>>(), [2, 1]);
    let applied = Filter { outcome: Some(Outcome::Applied), ..Filter::default() };
    assert_eq!(pages(&world, &run, &applied, 500)[0].rows.len(), 500);
}

/// Every page of those who join or leave with the change of a group.
fn moving(world: &World, run: &Run, group: &str, most: usize) -> Vec<Page<Moving>> {
    let groups = Filter { kind: Some(Kind::Group), ..Filter::default() };
    let rows = pages(world, run, &groups, 50).into_iter().flat_map(|page| page.rows);
    let row = rows.into_iter().find(|row| row.change.object_id == id(group)).unwrap();
    let mut pages: Vec<Page<Moving>> = Vec::new();
    loop {
        let from = pages.last().and_then(|page| page.next.clone());
        let change = (row.part.unwrap(), row.change.id.as_str());
        let (page, tally) = world.measured(|world| {
            drive(browse::members(&world.store, &world.tenant, run, change, from.as_deref(), most)).unwrap().unwrap()
        });
        let (requests, read) = (2 + 2 * most.div_ceil(100) as u64, 2 + 2 * most as u64);
        assert!(tally.requests <= requests && tally.read <= read, "a part, and who they are: {tally:?}");
        pages.push(page);
        if pages.last().unwrap().next.is_none() {
            return pages;
        }
        assert!(pages.len() < 1000, "a list without an end");
    }
}

#[test]
fn r4_5_who_joins_a_large_group_and_who_leaves_it() {
    let world = World::company(1_500);
    let staff = world.entra.list("staff");
    for number in 0..1_500 {
        let person = id(&format!("p{number:04}"));
        world.entra.join(&staff, &person);
        if number < 600 {
            world.entra.leave(&id("all"), &person);
        }
    }
    for number in 0..20 {
        world.entra.join(&id("all"), &world.entra.hire(&format!("new{number:02}")));
    }
    let run = stored(&world, &world.preview());
    let joiners = moving(&world, &run, "staff", 50);
    assert_eq!(joiners.len(), 30);
    assert!(joiners.iter().enumerate().all(|(at, page)| page.before == at as u64 * 50 && !page.cut));
    let all: BTreeSet<String> = joiners
        .iter()
        .flat_map(|page| &page.rows)
        .map(|one| format!("{} {}", one.joins, one.address.as_deref().unwrap()))
        .collect();
    assert_eq!(all.len(), 1_500, "each once");
    assert!(all.contains("true p0007@contoso.com"));

    let both: Vec<Moving> = moving(&world, &run, "all", 50).into_iter().flat_map(|page| page.rows).collect();
    assert_eq!((both.len(), both.iter().filter(|one| one.joins).count()), (620, 20));
    let address = |one: &Moving| one.address.clone().unwrap();
    assert_eq!(address(both.iter().find(|one| one.id == id("new07")).unwrap()), "new07@contoso.com", "only in Entra");
    assert!(both.iter().any(|one| !one.joins && address(one) == "p0599@contoso.com"));

    // Of whom nothing is known any longer, the id is left.
    let whole = world.store.snapshot();
    world.store.unpoke(&keys::object(&world.tenant, Kind::User, &id("p0003")));
    world.store.unpoke(&keys::mirror(&world.tenant, Kind::User, &id("p0003")));
    let both: Vec<Moving> = moving(&world, &run, "all", 500).into_iter().flat_map(|page| page.rows).collect();
    let gone = both.iter().find(|one| one.id == id("p0003")).unwrap();
    assert_eq!((&gone.address, &gone.name), (&None, &None));
    world.store.restore(whole);

    // The undo turns it round.
    world.apply(&json!({"run": run.run}), &[]);
    let undo = stored(&world, &world.undo(&json!({"run": run.run})));
    let back: Vec<Moving> = moving(&world, &undo, "all", 500).into_iter().flat_map(|page| page.rows).collect();
    assert!(back.iter().filter(|one| one.joins).count() >= 599, "{}", back.len());
    for cursor in ["x", "W10"] {
        let page = browse::members(&world.store, &world.tenant, &run, (0, "none"), Some(cursor), 9);
        assert!(drive(page).unwrap().unwrap_err().to_string().starts_with("cursor: expected one"), "{cursor}");
    }
}

/// A change whose members stand far behind it, or nowhere: a page looks so far and no further.
#[test]
fn r4_5_members_are_looked_for_a_stretch_at_a_time() {
    let world = World::company(3);
    world.entra.leave(&id("all"), &id("p0001"));
    let mut run = stored(&world, &world.preview());
    let group = Filter { kind: Some(Kind::Group), ..Filter::default() };
    let change = pages(&world, &run, &group, 50)[0].rows[0].change.id.clone();
    let part = world.store.peek(&keys::chunk(&world.tenant, &run.run, 0)).unwrap();
    run.chunks = 100;
    for (place, expected) in [(90, vec![0, 0, 1]), (30, vec![1]), (1, vec![1]), (0, vec![0, 0, 0])] {
        for number in 1..run.chunks {
            let item = if number == place { part.clone() } else { engine::chunk::pack(&[], 0).unwrap() };
            world.store.poke(keys::chunk(&world.tenant, &run.run, number), item);
        }
        let (mut pages, mut next) = (Vec::new(), None);
        loop {
            let from: Option<String> = next.take();
            let page = browse::members(&world.store, &world.tenant, &run, (1, &change), from.as_deref(), 50);
            let page = drive(page).unwrap().unwrap();
            next.clone_from(&page.next);
            assert_eq!(page.cut, page.next.is_some(), "{page:?}");
            pages.push(page.rows.len());
            if next.is_none() {
                break;
            }
        }
        assert_eq!(pages, expected, "in part {place}: as many parts as a page may read, until it is found");
    }
}

#[test]
fn s9_a_search_that_finds_nothing_ends_early_and_goes_on() {
    let world = World::new();
    world.entra.hire("ann");
    world.entra.hire("bob");
    let preview = world.preview();
    let mut run = stored(&world, &preview);
    // Many parts, all like the first.
    let part = world.store.peek(&keys::chunk(&world.tenant, &run.run, 0)).unwrap();
    for number in run.chunks..100 {
        world.store.poke(keys::chunk(&world.tenant, &run.run, number), part.clone());
    }
    run.chunks = 100;
    let nobody = Filter { text: Some("nobody".to_owned()), ..Filter::default() };
    let (pages, tally) = world.measured(|world| pages(world, &run, &nobody, 50));
    assert_eq!(pages.len(), 4);
    assert!(pages[..3].iter().all(|page| page.cut && page.rows.is_empty()) && !pages[3].cut);
    assert!(tally.read < 250, "each part once, with its progress: {tally:?}");
    let ann = Filter { text: Some("ann@".to_owned()), ..Filter::default() };
    assert_eq!(self::pages(&world, &run, &ann, 500).iter().map(|page| page.rows.len()).sum::<usize>(), 100);
    assert_eq!(self::pages(&world, &run, &Filter::default(), 500).len(), 9, "so many parts are unpacked for a page");
}

#[test]
fn r4_5_who_is_skipped_and_what_is_not_enabled() {
    let world = World::new();
    for number in 0..30 {
        world.entra.hire_as(&format!("silent{number:02}"), &[]);
        world.entra.hire_as(&format!("away{number:02}"), &[&format!("SMTP:x{number:02}@elsewhere.example")]);
    }
    world.entra.group("quiet", &[], true, false, &[]);
    world.set(json!({"add_users": false}));
    world.entra.hire("ann");
    let run = stored(&world, &world.sync());
    let page = |filter: &Left, from: Option<&str>| {
        drive(browse::skipped(&world.store, &world.tenant, &run, filter, from, 25)).unwrap().unwrap()
    };
    let all = page(&Left::default(), None);
    assert_eq!((all.rows.len(), all.total, all.before), (25, Some(61), 0));
    let second = page(&Left::default(), all.next.as_deref());
    assert_eq!((second.rows.len(), second.before), (25, 25));
    assert_eq!(page(&Left::default(), second.next.as_deref()).rows.len(), 11);
    let reason = Left { reason: Some(SkipReason::DomainNotRegistered), ..Left::default() };
    let found = page(&reason, None);
    assert_eq!((found.rows.len(), found.total), (25, None));
    assert_eq!(page(&reason, found.next.as_deref()).rows.len(), 5);
    let text = Left { text: Some("X07@".to_owned()), ..Left::default() };
    assert_eq!(page(&text, None).rows.len(), 1);
    let groups = Left { kind: Some(Kind::Group), ..Left::default() };
    assert_eq!((page(&groups, None).rows.len(), page(&groups, None).total), (1, Some(1)));
    let off = drive(browse::not_enabled(&world.store, &world.tenant, &run, &Filter::default(), None, 25)).unwrap();
    let off = off.unwrap();
    assert_eq!((off.rows.len(), off.total, off.rows[0].object_id.clone()), (1, Some(1), id("ann")));

    // A run with settings of its own has lists of its own.
    let settings = Some(json!({"add_users": true, "sync_distribution_groups": false}));
    let own = world.ask(Request { settings, ..world.request(Action::Sync) });
    let run = stored(&world, &own);
    let left = drive(browse::skipped(&world.store, &world.tenant, &run, &Left::default(), None, 100)).unwrap().unwrap();
    assert_eq!((left.rows.len(), left.total), (60, Some(60)));
    let off = drive(browse::not_enabled(&world.store, &world.tenant, &run, &Filter::default(), None, 25)).unwrap();
    assert_eq!(off.unwrap().rows.len(), 0);
}

#[test]
fn r4_12_runs_are_listed_newest_first() {
    let world = World::new();
    let runs: Vec<Value> = (0..5).map(|_| world.sync()["run"].clone()).collect();
    let first = drive(browse::runs(&world.store, &world.tenant, None, 3)).unwrap().unwrap();
    let second = drive(browse::runs(&world.store, &world.tenant, first.next.as_deref(), 3)).unwrap().unwrap();
    assert_eq!(second.before, 3);
    let listed: Vec<Value> = first.rows.iter().chain(&second.rows).map(|run| json!(run.run)).collect();
    assert_eq!(listed, runs.into_iter().rev().collect::<Vec<_>>());
    let none = RunId::try_from("01JD0000000000000000000000".to_owned()).unwrap();
    assert!(drive(browse::run(&world.store, &world.tenant, &none)).unwrap().unwrap().is_none());
}

#[test]
fn s9_progress_is_seen_from_the_first_call_to_the_last() {
    let world = World::new();
    for number in 0..900 {
        world.entra.hire(&format!("p{number:04}"));
    }
    world.entra.manner(|manner| manner.page = 100);
    let (mut seen, mut call) = (Vec::new(), 1);
    let start = world.moment();
    loop {
        world.go_back(&start);
        let switch = Switch { at: call, side: Side::Before, deed: Deed::Halt };
        let ended = world.invoke_under(world.scheduled(), switch).is_some();
        if let Some(run) = drive(browse::runs(&world.store, &world.tenant, None, 1)).unwrap().unwrap().rows.pop() {
            let progress = drive(browse::progress(&world.store, &world.tenant, &run)).unwrap().unwrap();
            if seen.last() != Some(&progress.doing) {
                seen.push(progress.doing);
            }
        }
        if ended {
            break;
        }
        call += 1;
    }
    let reads = |kind| seen.iter().any(|doing| matches!(doing, Doing::Reading { kind: k, .. } if *k == kind));
    assert!(reads(Kind::User), "{seen:?}");
    assert!(seen.contains(&Doing::Reading { kind: Kind::User, objects: 500, pages: 5 }), "{seen:?}");
    assert!(seen.iter().any(|doing| matches!(doing, Doing::Planning { changes } if *changes > 0)), "{seen:?}");
    let applying: Vec<(u32, u32)> = seen
        .iter()
        .filter_map(|doing| if let Doing::Applying { part, of } = doing { Some((*part, *of)) } else { None })
        .collect();
    let of = applying[0].1;
    assert!(of > 2 && applying == (0..=of).map(|part| (part, of)).collect::<Vec<_>>(), "{applying:?}");
    assert_eq!(seen.last(), Some(&Doing::Done));

    // What nobody goes on with any longer says so.
    world.go_back(&start);
    world.invoke_under(world.scheduled(), Switch { at: 30, side: Side::Before, deed: Deed::Halt });
    let run = drive(browse::runs(&world.store, &world.tenant, None, 1)).unwrap().unwrap().rows.remove(0);
    let mut sync = world.store.peek(&keys::sync(&world.tenant)).unwrap();
    sync.insert("run".to_owned(), json!("01JD0000000000000000000000"));
    world.store.poke(keys::sync(&world.tenant), sync);
    let progress = drive(browse::progress(&world.store, &world.tenant, &run)).unwrap().unwrap();
    assert_eq!(progress.doing, Doing::Interrupted);
}
