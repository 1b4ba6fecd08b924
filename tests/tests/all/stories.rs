//! Stories by rule. Each is told twice: the second run changes nothing.

use directory::GroupKind;
use engine::{records::Action, run::Request};
use serde_json::{Value, json};
use tests::{
    entra::{Trouble, id},
    turnstile::{Deed, Side, Switch, drive, poll},
    world::World,
};

fn lines(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn shows(world: &World, expected: &str) {
    assert_eq!(world.shown(), lines(expected));
}

fn count(answer: &Value, category: &str) -> (u64, u64) {
    let number = |kind: &str| answer["counts"][category][kind].as_u64().unwrap();
    (number("users"), number("groups"))
}

fn changes_nothing(answer: &Value) {
    for category in ["adding", "updating", "disabling", "deleting"] {
        assert_eq!(count(answer, category), (0, 0), "{category}: {answer}");
    }
}

#[test]
fn r2_a_first_sync_and_who_is_left_out() {
    let world = World::new();
    let entra = &world.entra;
    entra.hire_as(
        "ann",
        &["smtp:a.lee@contoso.com", "SMTP:Ann@Contoso.com", "smtp:ann@elsewhere.example", "SIP:ann@contoso.com"],
    );
    let bob = entra.hire("bob");
    entra.sign_in(&bob, false);
    let cy = entra.hire("cy");
    entra.user_type(&cy, "Guest");
    entra.hire_as("dee", &[]);
    entra.hire_as("eve", &["SMTP:eve@elsewhere.example"]);
    entra.hire_as("fay", &["SMTP:fay@contoso.onmicrosoft.com"]);
    let all = entra.list("all");
    entra.join(&all, &id("ann"));
    entra.join(&all, &bob);
    entra.join(&all, &id("printer"));
    entra.security("staff");
    let answer = world.sync_twice();
    shows(
        &world,
        "ann: ann@contoso.com + a.lee@contoso.com, The ann
        all: all@contoso.com, The all: [ann]",
    );
    assert_eq!(
        world.standing(),
        lines(
            "U#bob sign_in_blocked
        U#cy guest
        U#dee no_smtp_address
        U#eve domain_not_registered
        U#fay domain_not_registered"
        )
    );
    assert_eq!((count(&answer, "adding"), count(&answer, "skipped")), ((1, 1), (5, 0)));
    assert_eq!(answer["state"], "applied");
    assert_eq!(answer["billable"]["after"], 1);
}

#[test]
fn an_idle_run_costs_next_to_nothing() {
    let mut costs = Vec::new();
    for people in [100, 2000] {
        let world = World::company(people);
        world.sync();
        let pages = world.entra.pages.get();
        let (answer, tally) = world.measured(World::sync);
        changes_nothing(&answer);
        assert_eq!(world.entra.pages.get() - pages, 2, "one page for each collection");
        assert_eq!(tally.directory_writes, 0);
        assert!(tally.requests <= 12, "{tally:?}");
        costs.push(tally);
    }
    assert_eq!(costs[0], costs[1], "whatever the size");
}

#[test]
fn no_request_is_made_twice_in_an_undisturbed_run() {
    let world = World::new();
    world.store.repeated();
    let all = world.entra.list("all");
    for number in 0..300 {
        let person = world.entra.hire(&format!("p{number:04}"));
        world.entra.join(&all, &person);
    }
    world.sync();
    let repeated = world.store.repeated();
    assert!(repeated.is_empty(), "a first run: {repeated:#?}");
    let list = world.entra.list("list");
    for number in 0..40 {
        let person = id(&format!("p{number:04}"));
        world.entra.rename(&person, "Another name");
        world.entra.join(&list, &person);
    }
    world.entra.swap(&id("p0050"), &id("p0051"));
    world.entra.bin(&id("p0060"));
    for what in ["a run with changes", "an unchanged run"] {
        world.sync();
        let repeated = world.store.repeated();
        assert!(repeated.is_empty(), "{what}: {repeated:#?}");
    }
    world.ask(Request { full: true, ..world.request(Action::Sync) });
    let repeated = world.store.repeated();
    assert!(repeated.is_empty(), "a full run: {repeated:#?}");
}

#[test]
fn the_cost_of_a_change_does_not_grow_with_the_tenant() {
    let mut costs = Vec::new();
    for people in [100, 2000] {
        let world = World::company(people);
        let entra = &world.entra;
        entra.rename(&id("p0001"), "Another name");
        entra.readdress(&id("p0002"), &["SMTP:new@contoso.com", "smtp:p0002@contoso.com"]);
        entra.swap(&id("p0003"), &id("p0004"));
        entra.bin(&id("p0005"));
        let zoe = entra.hire("zoe");
        entra.join(&id("all"), &zoe);
        let (answer, tally) = world.measured(World::sync);
        assert_eq!(
            (count(&answer, "adding"), count(&answer, "updating"), count(&answer, "deleting")),
            ((1, 0), (4, 1), (1, 0))
        );
        costs.push(tally);
        world.assert_settled();
    }
    assert_eq!(costs[0], costs[1]);
}

#[test]
fn r2_13_a_rename_is_an_update() {
    let world = World::new();
    let ann = world.entra.hire("ann");
    world.sync_twice();
    world.entra.readdress(&ann, &["SMTP:ann.lee@contoso.com", "smtp:ann@contoso.com"]);
    let answer = world.sync_twice();
    assert_eq!(
        (count(&answer, "adding"), count(&answer, "updating"), count(&answer, "deleting")),
        ((0, 0), (1, 0), (0, 0))
    );
    shows(&world, "ann: ann.lee@contoso.com + ann@contoso.com, The ann");
    world.entra.readdress(&ann, &["SMTP:ANN.LEE@Contoso.com", "smtp:Ann@contoso.com"]);
    changes_nothing(&world.sync_twice());
}

#[test]
fn r3_6_addresses_move_in_one_run() {
    let world = World::new();
    let entra = &world.entra;
    let [ann, bob, cy] = ["ann", "bob", "cy"].map(|name| entra.hire(name));
    let list = entra.list("list");
    world.sync_twice();
    entra.swap(&ann, &bob);
    entra.swap(&cy, &list);
    assert_eq!(count(&world.sync_twice(), "updating"), (3, 1), "each once, users and groups");
    shows(
        &world,
        "ann: bob@contoso.com, The ann
        bob: ann@contoso.com, The bob
        cy: list@contoso.com, The cy
        list: cy@contoso.com, The list: []",
    );
    // A leaver's address goes to a new person in the same run.
    entra.bin(&ann);
    entra.hire_as("dee", &["SMTP:dee@contoso.com", "smtp:bob@contoso.com"]);
    world.sync_twice();
    shows(
        &world,
        "ann: -, The ann, deleted
        bob: ann@contoso.com, The bob
        cy: list@contoso.com, The cy
        dee: dee@contoso.com + bob@contoso.com, The dee
        list: cy@contoso.com, The list: []",
    );
    // Whoever comes back, comes back with what Entra lists for it now.
    entra.restore(&ann);
    entra.readdress(&ann, &["SMTP:ann.2@contoso.com"]);
    world.sync_twice();
    assert!(world.shown().starts_with("ann: ann.2@contoso.com, The ann\n"), "{}", world.shown());
}

#[test]
fn r3_4_deleted_restored_and_removed_for_good() {
    let world = World::new();
    let entra = &world.entra;
    let [ann, bob] = ["ann", "bob"].map(|name| entra.hire(name));
    let (all, inner) = (entra.list("all"), entra.list("inner"));
    entra.join(&all, &inner);
    entra.join(&inner, &ann);
    entra.join(&inner, &bob);
    world.sync_twice();
    entra.bin(&ann);
    world.sync_twice();
    shows(
        &world,
        "ann: ann@contoso.com, The ann, deleted
        bob: bob@contoso.com, The bob
        all: all@contoso.com, The all: [bob]
        inner: inner@contoso.com, The inner: [bob]",
    );
    entra.restore(&ann);
    world.sync_twice();
    shows(
        &world,
        "ann: ann@contoso.com, The ann
        bob: bob@contoso.com, The bob
        all: all@contoso.com, The all: [ann bob]
        inner: inner@contoso.com, The inner: [ann bob]",
    );
    entra.bin(&ann);
    world.sync_twice();
    entra.purge(&ann);
    entra.purge(&inner);
    world.sync_twice();
    shows(
        &world,
        "ann: ann@contoso.com, The ann, deleted
        bob: bob@contoso.com, The bob
        all: all@contoso.com, The all: []
        inner: inner@contoso.com, The inner: [bob], deleted",
    );
    world.wait(31 * 86_400);
    world.sync_twice();
    shows(
        &world,
        "bob: bob@contoso.com, The bob
        all: all@contoso.com, The all: []",
    );
    let traces = |key: &engine::ports::Key| ["ann", "inner"].iter().any(|name| key.to_string().contains(name));
    let left: Vec<String> = world.store.snapshot().keys().filter(|key| traces(key)).map(ToString::to_string).collect();
    assert_eq!(left, [""; 0], "no trace of them");
}

#[test]
fn r2_10_nested_groups_and_cycles() {
    let world = World::new();
    let entra = &world.entra;
    let [ann, bob, cy] = ["ann", "bob", "cy"].map(|name| entra.hire(name));
    let (one, two, three) = (entra.list("one"), entra.security("two"), entra.list("three"));
    for (group, member) in [(&one, &two), (&two, &three), (&three, &one), (&one, &ann), (&two, &bob), (&three, &cy)] {
        entra.join(group, member);
    }
    world.sync_twice();
    let everybody = "ann: ann@contoso.com, The ann
        bob: bob@contoso.com, The bob
        cy: cy@contoso.com, The cy";
    shows(
        &world,
        &format!(
            "{everybody}
        one: one@contoso.com, The one: [ann bob cy]
        three: three@contoso.com, The three: [ann bob cy]"
        ),
    );
    entra.leave(&two, &three);
    world.sync_twice();
    shows(
        &world,
        &format!(
            "{everybody}
        one: one@contoso.com, The one: [ann bob]
        three: three@contoso.com, The three: [ann bob cy]"
        ),
    );
    entra.leave(&one, &two);
    world.sync_twice();
    shows(
        &world,
        &format!(
            "{everybody}
        one: one@contoso.com, The one: [ann]
        three: three@contoso.com, The three: [ann cy]"
        ),
    );
}

#[test]
fn r4_4_preview_apply_and_apply_again() {
    let world = World::new();
    let entra = &world.entra;
    let ann = entra.hire("ann");
    world.sync_twice();
    entra.rename(&ann, "Ann Lee");
    entra.hire("bob");
    let before = world.shown();
    let (preview, tally) = world.measured(World::preview);
    assert_eq!(
        (preview["state"].as_str(), count(&preview, "adding"), count(&preview, "updating")),
        (Some("planned"), (1, 0), (1, 0))
    );
    assert_eq!(world.shown(), before, "a preview changes nothing");
    assert!(tally.directory_writes > 0, "but reads Entra");
    let again = world.preview();
    assert_eq!(again["counts"], preview["counts"]);
    let old = world.apply(&preview, &[]);
    assert_eq!(
        (old["error"]["code"].as_str(), old["error"]["run"].as_str()),
        (Some("superseded"), again["run"].as_str())
    );
    let bob = plan(&world, &again).into_iter().find(|change| change["object_id"] == "bob").unwrap();
    let applied = world.apply(&again, &[bob["id"].as_str().unwrap()]);
    assert_eq!(applied["state"], "applied", "{applied}");
    shows(&world, "ann: ann@contoso.com, Ann Lee");
    let twice = world.apply(&again, &[]);
    assert_eq!(twice["error"]["code"], "superseded");
    // What was left out is proposed again, under the same id.
    let third = world.preview();
    let proposed = plan(&world, &third);
    assert_eq!(proposed.iter().map(|change| &change["id"]).collect::<Vec<_>>(), [&bob["id"]]);
    world.wait(25 * 3600);
    assert_eq!(world.apply(&third, &[])["error"]["code"], "expired");
    world.sync_twice();
    shows(
        &world,
        "ann: ann@contoso.com, Ann Lee
        bob: bob@contoso.com, The bob",
    );
}

/// The changes of a run, page by page.
fn plan(world: &World, run: &Value) -> Vec<Value> {
    let id = run["run"].as_str().unwrap().to_owned().try_into().unwrap();
    let mut changes = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = drive(engine::history::get_run(&world.store, &world.tenant, &id, cursor.as_deref()));
        let Some(Ok(page)) = page else { unreachable!("a run that was answered is stored") };
        changes.extend(page["changes"].as_array().unwrap().clone());
        match page["cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return changes,
        }
    }
}

#[test]
fn r4_6_what_moved_on_is_stale() {
    let world = World::new();
    let ann = world.entra.hire("ann");
    world.sync_twice();
    world.entra.rename(&ann, "Ann Lee");
    let preview = world.preview();
    // Somebody switches the digests of the same user meanwhile.
    let key = engine::keys::object(&world.tenant, directory::Kind::User, &ann);
    let mut item = world.store.peek(&key).unwrap();
    item["rev"] = json!(item["rev"].as_u64().unwrap() + 1);
    item["digests"] = json!(false);
    world.store.poke(key, item);
    let applied = world.apply(&preview, &[]);
    assert_eq!(count(&applied, "stale"), (1, 0), "{applied}");
    shows(&world, "ann: ann@contoso.com, The ann");
    world.sync_twice();
    shows(&world, "ann: ann@contoso.com, Ann Lee");
}

#[test]
fn r2_6_a_manual_run_names_unknown_domains() {
    let world = World::new();
    world.entra.hire("ann");
    world.entra.hire_as("bob", &["SMTP:bob@elsewhere.example"]);
    world.entra.hire_as("cy", &["SMTP:cy@contoso.onmicrosoft.com"]);
    let preview = world.preview();
    assert_eq!(
        (preview["state"].as_str(), preview["error"]["message"].as_str()),
        (
            Some("failed"),
            Some(
                "The following domain(s) elsewhere.example are not associated with this account. All domains in the Azure AD \
         directory must be added in order to perform a sync."
            )
        )
    );
    shows(&world, "");
    world.sync_twice();
    shows(&world, "ann: ann@contoso.com, The ann");
    world.set(json!({"domains": [{"name": "contoso.com"}, {"name": "elsewhere.example"}]}));
    world.sync_twice();
    shows(
        &world,
        "ann: ann@contoso.com, The ann
        bob: bob@elsewhere.example, The bob",
    );
}

#[test]
fn r4_8_the_brake_holds_and_is_released() {
    let world = World::company(20);
    for number in 0..6 {
        world.entra.bin(&id(&format!("p{number:04}")));
    }
    world.entra.hire("zoe");
    let held = world.sync();
    assert_eq!(
        (held["state"].as_str(), held["held"]["users"].as_u64(), count(&held, "adding")),
        (Some("held"), Some(6), (1, 0))
    );
    let active = |world: &World| world.view().users.values().filter(|user| user.is_active).count();
    assert_eq!(active(&world), 21, "zoe came, nobody went");
    assert_eq!(world.view().members[&id("all")].len(), 20, "whoever is held stays a member");
    let again = world.sync();
    assert_eq!((again["state"].as_str(), again["held"]["users"].as_u64()), (Some("held"), Some(6)));
    let old = world.release(&held);
    assert_eq!(
        (old["error"]["code"].as_str(), old["error"]["run"].as_str()),
        (Some("superseded"), again["run"].as_str())
    );
    world.entra.restore(&id("p0000"));
    let released = world.release(&again);
    assert_eq!(released["state"], "applied", "{released}");
    assert_eq!(active(&world), 15);
    assert_eq!(world.view().members[&id("all")].len(), 14);
    world.sync_twice();
    assert_eq!(active(&world), 16, "the one who came back");
    assert_eq!(world.view().members[&id("all")].len(), 15);
    // A person's apply is a person's word.
    for number in 10..16 {
        world.entra.bin(&id(&format!("p{number:04}")));
    }
    let preview = world.preview();
    assert_eq!(preview["held"]["users"], 6, "the verdict is shown");
    assert_eq!(world.apply(&preview, &[])["state"], "applied");
    assert_eq!(active(&world), 10);
    world.assert_settled();
}

#[test]
fn r4_8_no_group_is_emptied_without_a_word() {
    let world = World::company(12);
    for number in 0..12 {
        world.entra.leave(&id("all"), &id(&format!("p{number:04}")));
    }
    world.entra.rename(&id("p0001"), "Another name");
    let held = world.sync();
    assert_eq!((held["state"].as_str(), held["held"]["members"].as_u64()), (Some("held"), Some(1)), "{held}");
    assert_eq!(world.view().members[&id("all")].len(), 12);
    assert_eq!(world.view().users[&id("p0001")].profile.display_name.as_deref(), Some("Another name"));
    let again = world.sync();
    assert_eq!(again["held"]["members"], 1, "{again}");
    let released = world.release(&again);
    assert_eq!(released["state"], "applied", "{released}");
    assert_eq!(world.view().members.get(&id("all")), None);
    world.assert_settled();
}

#[test]
fn r4_9_a_short_read_never_deletes() {
    let world = World::company(30);
    let failure = directory::Failure::new(directory::Code::BadAnswer, "the answer was cut", "wait");
    world.entra.manner(|manner| manner.page = 10);
    world.entra.bin(&id("p0003"));
    world.entra.hire("zoe");
    world.entra.trouble(directory::Kind::Group, 1, Trouble::Failure(Box::new(failure.clone())));
    let short = world.sync();
    assert_eq!(
        (short["state"].as_str(), count(&short, "adding"), count(&short, "deleting")),
        (Some("applied"), (1, 0), (0, 0)),
        "{short}"
    );
    assert!(short["warnings"].to_string().contains("short_read"), "{short}");
    let both = |world: &World| {
        directory::Kind::ALL.map(|kind| world.entra.trouble(kind, 1, Trouble::Failure(Box::new(failure.clone()))))
    };
    both(&world);
    let failed = world.sync();
    assert_eq!((failed["state"].as_str(), failed["error"]["code"].as_str()), (Some("failed"), Some("bad_answer")));
    let whole = world.sync();
    assert_eq!(count(&whole, "deleting"), (1, 0), "{whole}");
    world.assert_settled();
    // An empty full read of users, where Graph itself counts some.
    world.entra.expire_delta();
    world.entra.trouble(directory::Kind::User, 2, Trouble::Nothing);
    let empty = world.sync();
    assert_eq!(count(&empty, "deleting"), (0, 0), "{empty}");
    assert!(empty["warnings"].to_string().contains("short_read"), "{empty}");
    world.sync_twice();
    assert_eq!(world.view().users.values().filter(|user| user.is_active).count(), 30);
}

#[test]
fn r4_11_a_full_round_when_the_delta_state_is_gone() {
    let world = World::company(30);
    world.entra.manner(|manner| manner.page = 7);
    world.entra.purge(&id("p0003"));
    world.entra.rename(&id("p0004"), "Another name");
    world.entra.expire_delta();
    let answer = world.sync_twice();
    assert_eq!((count(&answer, "updating"), count(&answer, "deleting")), ((1, 1), (1, 0)), "{answer}");
    assert_eq!(world.view().members[&id("all")].len(), 29);
    let full = world.ask(Request { full: true, ..world.request(Action::Sync) });
    changes_nothing(&full);
    world.assert_settled();
}

#[test]
fn r4_3_one_run_at_a_time() {
    let world = World::company(10);
    world.turnstile.set(Some(Switch { at: 5, side: Side::After, deed: Deed::Halt }));
    let mut first = Box::pin(world.invoke(world.scheduled()));
    assert!(poll(first.as_mut()).is_none());
    for request in [world.request(Action::Sync), world.request(Action::Preview), world.scheduled()] {
        let answer = drive(world.invoke(request)).unwrap().unwrap();
        assert_eq!(answer["error"]["code"], "busy", "{answer}");
        assert!(answer["error"]["run"].is_string() && answer["error"]["since"].is_string(), "{answer}");
    }
    world.turnstile.resume();
    assert_eq!(poll(first.as_mut()).unwrap().unwrap()["state"], "applied");
}

#[test]
fn slices_go_on_by_themselves() {
    let world = World::new();
    let all = world.entra.list("all");
    for number in 0..300 {
        let person = world.entra.hire(&format!("p{number:04}"));
        world.entra.join(&all, &person);
    }
    world.entra.manner(|manner| manner.page = 20);
    world.calls_per_invocation(Some(20));
    let first = world.once(world.scheduled());
    assert_eq!(first["state"], "continuing");
    let busy = world.once(world.request(Action::Preview));
    assert_eq!(busy["error"]["code"], "busy", "a run that goes on is at work: {busy}");
    let messages = world.queues.take(engine::ports::QueueName::Sync);
    // The message comes twice: the second finds nothing to go on with, or somebody at work.
    let second = world.once(world.of_message(&messages[0]));
    assert_eq!(second["state"], "continuing");
    world.queues.take(engine::ports::QueueName::Sync);
    let mut answer = world.ask(world.of_message(&messages[0]));
    assert_eq!(answer["state"], "applied", "{answer}");
    assert_eq!(answer["run"], first["run"]);
    assert_eq!((count(&answer, "adding"), world.view().members[&all].len()), ((300, 1), 300));
    answer = world.once(world.of_message(&messages[0]));
    assert_eq!(answer["error"]["code"], "busy", "a message of a run that is over: {answer}");
    world.calls_per_invocation(None);
    world.assert_settled();
}

#[test]
fn r5_3_exempt_addresses_are_left_alone() {
    let world = World::new();
    let entra = &world.entra;
    let ann = entra.hire_as("ann", &["SMTP:ann@contoso.com", "smtp:a@contoso.com"]);
    let bob = entra.hire("bob");
    world.sync_twice();
    world.exempt("a@contoso.com");
    world.exempt("zoe@contoso.com");
    entra.hire("zoe");
    entra.rename(&ann, "Another name");
    // Entra gives the exempt user's alias to somebody else.
    entra.readdress(&ann, &["SMTP:ann@contoso.com"]);
    entra.readdress(&bob, &["SMTP:bob@contoso.com", "smtp:a@contoso.com"]);
    world.sync_twice();
    shows(
        &world,
        "ann: ann@contoso.com + a@contoso.com, The ann
        bob: bob@contoso.com, The bob",
    );
    entra.bin(&ann);
    world.sync_twice();
    shows(
        &world,
        "ann: ann@contoso.com + a@contoso.com, The ann
        bob: bob@contoso.com, The bob",
    );
    world.unexempt("a@contoso.com");
    world.sync_twice();
    shows(
        &world,
        "ann: ann@contoso.com, The ann, deleted
        bob: bob@contoso.com + a@contoso.com, The bob",
    );
}

#[test]
fn r3_1_switches_that_are_off() {
    let world = World::new();
    let entra = &world.entra;
    let [ann, bob] = ["ann", "bob"].map(|name| entra.hire(name));
    let all = entra.list("all");
    entra.join(&all, &ann);
    world.sync_twice();
    world
        .set(json!({"add_users": false, "update_users": false, "remove_deleted_users": false, "update_groups": false}));
    entra.rename(&ann, "Another name");
    entra.bin(&bob);
    entra.hire("cy");
    entra.join(&all, &id("cy"));
    entra.leave(&all, &ann);
    let answer = world.sync_twice();
    assert_eq!(count(&answer, "not_enabled"), (3, 1), "{}", world.standing());
    shows(
        &world,
        "ann: ann@contoso.com, The ann
        bob: bob@contoso.com, The bob
        all: all@contoso.com, The all: [ann]",
    );
    world.set(json!({"add_users": true, "update_users": true, "remove_deleted_users": true, "update_groups": true}));
    world.sync_twice();
    shows(
        &world,
        "ann: ann@contoso.com, Another name
        bob: bob@contoso.com, The bob, deleted
        cy: cy@contoso.com, The cy
        all: all@contoso.com, The all: [cy]",
    );
    assert_eq!(world.standing(), "");
}

#[test]
fn runs_in_one_millisecond_keep_their_order() {
    let world = World::new();
    world.tick(0);
    let ann = world.entra.hire("ann");
    for number in 0..20 {
        world.sync();
        world.entra.rename(&ann, &format!("Name {number}"));
        world.entra.hire(&format!("p{number}"));
        let preview = world.preview();
        let applied = world.apply(&preview, &[]);
        assert_eq!(applied["state"], "applied", "{applied}");
        assert_eq!(world.view().users[&ann].profile.display_name, Some(format!("Name {number}")));
    }
    world.assert_settled();
}

#[test]
fn r2_14_a_group_that_comes_back_into_scope_gets_its_members_right() {
    let world = World::new();
    world.set(json!({"sync_security_groups": true, "recovery_days": 0}));
    let entra = &world.entra;
    let [ann, bob] = ["ann", "bob"].map(|name| entra.hire(name));
    let staff = entra.security("staff");
    entra.join(&staff, &bob);
    world.sync_twice();
    // Its address is on a domain that is not registered: the group is left as it is, though its member goes for good.
    entra.readdress(&bob, &[]);
    entra.readdress(&staff, &["SMTP:staff@elsewhere.example"]);
    world.sync_twice();
    shows(
        &world,
        "ann: ann@contoso.com, The ann
        staff: -, The staff: [bob]",
    );
    entra.bin(&bob);
    entra.swap(&ann, &staff);
    world.sync_twice();
    shows(
        &world,
        "ann: -, The ann, inactive
        staff: ann@contoso.com, The staff: []",
    );
}

#[test]
fn r2_2_a_group_whose_kind_changes_stays_the_same_group() {
    let world = World::new();
    let entra = &world.entra;
    let ann = entra.hire("ann");
    let all = entra.list("all");
    entra.join(&all, &ann);
    world.set(json!({"sync_security_groups": true}));
    world.sync_twice();
    let becomes = |security: bool| entra.set(&all, json!({"securityEnabled": security}));
    let kind = || world.view().groups[&id("all")].kind;
    // Both kinds are synchronised: it is updated, and keeps its members.
    for (security, expected) in [(true, GroupKind::Security), (false, GroupKind::Distribution)] {
        becomes(security);
        let run = world.sync_twice();
        assert_eq!((count(&run, "updating"), count(&run, "adding"), count(&run, "deleting")), ((0, 1), (0, 0), (0, 0)));
        assert_eq!(kind(), expected);
    }
    // The kind that it becomes is not: it is left as it is, and skipped.
    world.set(json!({"sync_security_groups": false}));
    for _ in 0..2 {
        becomes(true);
        let run = world.sync_twice();
        changes_nothing(&run);
        assert_eq!((count(&run, "skipped"), world.standing().as_str()), ((0, 1), "G#all kind_not_selected"));
        assert_eq!(kind(), GroupKind::Distribution);
        becomes(false);
        let run = world.sync_twice();
        changes_nothing(&run);
        assert_eq!((count(&run, "skipped"), world.standing().as_str()), ((0, 0), ""));
    }
    shows(
        &world,
        "ann: ann@contoso.com, The ann
        all: all@contoso.com, The all: [ann]",
    );
}
