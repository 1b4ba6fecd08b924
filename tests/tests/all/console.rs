//! What the console reads beside runs: the audit, all tenants at a glance, people and groups, reports that were mailed.

use std::collections::BTreeSet;

use directory::{Code, Held, Kind, UserType, facts::CredentialState};
use engine::{
    audit, browse, exemptions, explain, history, keys,
    operator::Asked,
    overview,
    people::{self, Sought},
    records::{Audit, Run, Schedule, write},
    report, review, sign_in, tenants,
};
use serde_json::json;
use tests::{entra::id, turnstile::drive, world::World};

fn asked(world: &World, nonce: &str) -> Asked {
    world.store.fenced(false);
    Asked { tenant: world.tenant.clone(), by: "ann".to_owned(), now: world.now(), nonce: nonce.to_owned() }
}

#[test]
fn s9_the_audit_is_listed_newest_first() {
    let world = World::company(3);
    for number in 0..5 {
        world.wait(1);
        let address = directory::Address::parse(&format!("x{number}@contoso.com")).unwrap();
        let asked = asked(&world, &format!("request-{number}"));
        drive(exemptions::exempt(&world.store, &asked, &address)).unwrap().unwrap();
    }
    let page = |from: Option<&str>| drive(audit::list(&world.store, &world.tenant, from, 2)).unwrap().unwrap();
    let mut entries: Vec<Audit> = Vec::new();
    let mut next = None;
    loop {
        let page = page(next.as_deref());
        assert_eq!(page.before, entries.len() as u64);
        entries.extend(page.rows);
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    let what: Vec<&str> = entries.iter().map(|entry| entry.what.as_str()).collect();
    assert_eq!(what, ["x4@contoso.com", "x3@contoso.com", "x2@contoso.com", "x1@contoso.com", "x0@contoso.com"]);
    assert!(drive(audit::list(&world.store, &world.tenant, Some("x"), 2)).unwrap().is_err());
}

#[test]
fn s9_people_are_found_by_text_and_type() {
    let world = World::company(60);
    world.entra.rename(&id("p0007"), "Zoë Müller");
    world.entra.list("staff");
    world.sync();
    let address = directory::Address::parse("p0003@contoso.com").unwrap();
    let asked = asked(&world, "request");
    let functional = UserType::FunctionalAccount;
    drive(engine::edits::convert(&world.store, &asked, &address, functional, true)).unwrap().unwrap();
    let sought = |kind, user_type, text: &str| Sought { kind, user_type, text: Some(text.to_owned()) };
    let find = |sought: &Sought, from: Option<&str>, most| {
        drive(people::browse(&world.store, &world.tenant, sought, from, most)).unwrap().unwrap()
    };
    let ids = |sought: &Sought| -> Vec<String> {
        find(sought, None, 500).rows.iter().map(|found| found.held.id().to_string()).collect()
    };
    assert_eq!(ids(&sought(Kind::User, None, "zOË m")), ["p0007"]);
    assert_eq!(ids(&sought(Kind::User, None, "P0011@")), ["p0011"]);
    assert_eq!(ids(&sought(Kind::Group, None, "the STAFF")), ["staff"]);
    assert_eq!(ids(&sought(Kind::User, Some(functional), "")), ["p0003"]);
    // A whole address is looked up.
    let (found, tally) = world.measured(|_| find(&sought(Kind::User, None, "P0011@contoso.com"), None, 10));
    assert_eq!((found.rows.len(), found.total, found.next), (1, Some(1), None));
    assert!(tally.requests <= 3, "{tally:?}");
    assert_eq!(ids(&sought(Kind::Group, None, "p0011@contoso.com")), Vec::<String>::new());
    assert_eq!(ids(&sought(Kind::User, Some(functional), "p0011@contoso.com")), Vec::<String>::new());
    let exempt = &find(&sought(Kind::User, Some(functional), ""), None, 10);
    assert!(exempt.rows[0].exempt && exempt.total == Some(1));

    let everybody = Sought { kind: Kind::User, user_type: None, text: None };
    world.store.page_of(3);
    let (mut seen, mut next) = (BTreeSet::new(), None);
    loop {
        let page = find(&everybody, next.as_deref(), 7);
        assert_eq!((page.before, page.total), (seen.len() as u64, Some(60)));
        for found in page.rows {
            let Held::User(user) = found.held else { panic!("a group among users") };
            assert!(seen.insert(user.id.clone()), "each once");
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 60);
    assert!(drive(people::browse(&world.store, &world.tenant, &everybody, Some("x"), 7)).unwrap().is_err());
}

#[test]
fn s9_a_search_among_many_people_ends_early_and_goes_on() {
    let world = World::company(4);
    let user = world.store.peek(&keys::object(&world.tenant, Kind::User, &id("p0001"))).unwrap();
    for number in 0..5000 {
        let id = id(&format!("q{number:05}"));
        let mut user = user.clone();
        user.insert("id".to_owned(), json!(id));
        world.store.poke(keys::object(&world.tenant, Kind::User, &id), user);
    }
    let sought = Sought { kind: Kind::User, user_type: None, text: Some("nobody".to_owned()) };
    let (mut pages, mut next) = (0, None);
    loop {
        let from: Option<String> = next.take();
        let page = drive(people::browse(&world.store, &world.tenant, &sought, from.as_deref(), 50)).unwrap().unwrap();
        pages += 1;
        assert!(page.rows.is_empty() && page.cut == page.next.is_some());
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert!((2..=4).contains(&pages), "{pages}");
}

#[test]
fn r6_8_all_tenants_at_a_glance() {
    let world = World::company(20);
    for number in 0..8 {
        world.entra.bin(&id(&format!("p{number:04}")));
    }
    let held = world.sync();
    assert_eq!(held["state"], "held");
    let registered = |name: &str| {
        let tenant: directory::TenantId = name.parse().unwrap();
        world.store.poke(keys::registered(&tenant), json!({"since": world.now()}).as_object().unwrap().clone());
        tenant
    };
    registered("contoso");
    // Others like it, one of them being deleted; more than one page.
    for number in 0..250 {
        let tenant = registered(&format!("t{number:03}"));
        if number != 7 {
            world.store.poke(keys::meta(&tenant), world.store.peek(&keys::meta(&world.tenant)).unwrap());
        }
        let mut sync = Schedule { due_at: Some(world.now().as_second() + 60), ..Schedule::default() };
        if number == 8 {
            sync.due_since = Some(world.now().as_second() - 7200);
            sync.failures = 3;
            sync.last_error = Some(directory::Failure::new(Code::Throttled, "slow", "wait"));
        }
        world.store.poke(keys::sync(&tenant), write(&sync));
    }
    let (rows, tally) = world.measured(|world| drive(overview::rows(&world.store, world.now())).unwrap().unwrap());
    assert_eq!(rows.len(), 250);
    assert!(tally.requests <= 3 + 9 + 1, "no request for each tenant: {tally:?}");
    let contoso = &rows[0];
    assert_eq!((contoso.tenant.as_str(), contoso.name.as_str()), ("contoso", "Contoso"));
    let what = contoso.held.as_ref().unwrap();
    assert_eq!((json!(what.run), what.users, what.groups), (held["run"].clone(), 8, 0));
    assert_eq!((contoso.users, contoso.groups, contoso.billable), (20, 1, 20));
    assert!(contoso.needs_attention() && contoso.overdue.is_none() && contoso.last_success.is_some());
    assert_eq!(contoso.credential, CredentialState::Configure, "poked, and never saved");
    let late = rows.iter().find(|row| row.tenant.as_str() == "t008").unwrap();
    assert!(late.overdue.is_some() && late.needs_attention());
    assert_eq!((late.failing, late.failures), (Some(Code::Throttled), 3));
    world.set(json!({"sync_frequency": 0}));
    world.release(&held);
    let rows = drive(overview::rows(&world.store, world.now())).unwrap().unwrap();
    assert!(!rows[0].needs_attention() && rows[0].held.is_none());
}

/// Ten thousand tenants are a page of the operator's: few requests, of which many are under way at once.
#[test]
fn r6_8_ten_thousand_tenants_at_a_glance() {
    let world = World::company(3);
    let meta = world.store.peek(&keys::meta(&world.tenant)).unwrap();
    let sync = world.store.peek(&keys::sync(&world.tenant)).unwrap();
    let counts = world.store.peek(&keys::counts(&world.tenant)).unwrap();
    for number in 0..10_000 {
        let tenant: directory::TenantId = format!("t{number:05}").parse().unwrap();
        world.store.poke(keys::registered(&tenant), json!({"since": world.now()}).as_object().unwrap().clone());
        world.store.poke(keys::meta(&tenant), meta.clone());
        world.store.poke(keys::sync(&tenant), sync.clone());
        world.store.poke(keys::counts(&tenant), counts.clone());
    }
    let clock = cpu_time::ThreadTime::now();
    let (rows, tally) = world.measured(|world| drive(overview::rows(&world.store, world.now())).unwrap().unwrap());
    eprintln!("10,000 tenants at a glance: {:?} of the processor, {tally:?}", clock.elapsed());
    assert_eq!(rows.len(), 10_000);
    assert!(rows.is_sorted_by(|a, b| a.tenant < b.tenant), "in their order, each once");
    assert!(tally.requests <= 11 + 300, "lists of a thousand, and a hundred items at once: {tally:?}");
}

/// What a page shows of a group does not grow with its members.
#[test]
fn s9_a_large_group_is_looked_up_without_its_members() {
    let world = World::company(2_000);
    let group = people::Wanted::Id(id("all"));
    let look = |wanted: &people::Wanted| {
        world.measured(|world| drive(people::look_up(&world.store, &world.tenant, wanted)).unwrap().unwrap())
    };
    let (found, tally) = look(&group);
    let found = found.unwrap();
    assert!(matches!(&found.held, Held::Group(group) if group.member_count == 2_000) && !found.exempt);
    assert!(tally.requests <= 5 && tally.read <= 6, "{tally:?}");
    let address = |text: &str| people::Wanted::Address(directory::Address::parse(text).unwrap());
    let (found, tally) = look(&address("p0007@contoso.com"));
    assert_eq!(found.unwrap().held.id(), &id("p0007"));
    assert!(tally.requests <= 4, "{tally:?}");
    assert!(look(&address("nobody@contoso.com")).0.is_none());

    // By an address that it has here, and by one that only Entra lists.
    world.exempt("p0007@contoso.com");
    assert!(look(&address("p0007@contoso.com")).0.unwrap().exempt);
    world.entra.readdress(&id("p0008"), &["SMTP:p0008@contoso.com", "smtp:other@elsewhere.example"]);
    world.sync();
    assert!(!look(&address("p0008@contoso.com")).0.unwrap().exempt);
    world.exempt("other@elsewhere.example");
    assert!(look(&address("p0008@contoso.com")).0.unwrap().exempt);
}

#[test]
fn r6_7_which_reports_were_mailed() {
    let world = World::company(3);
    let entry = |day: &str, entry: serde_json::Value| {
        let key = keys::mail("contoso", &format!("report#{day}"));
        world.store.poke(key, entry.as_object().unwrap().clone());
    };
    entry("2026-11-20", json!({"sent_at": "2026-11-21T07:00:00Z", "ttl": 1}));
    entry("2026-11-21", json!({"claim": "x", "claim_until": 1, "ttl": 1}));
    entry("2026-11-22", json!({"ttl": 1}));
    let days = drive(report::mailed(&world.store, &world.tenant, 10, world.now())).unwrap().unwrap();
    let shown: Vec<String> = days.iter().map(|day| format!("{} {}", day.date, day.sent_at.is_some())).collect();
    assert_eq!(shown, ["2026-11-21 false", "2026-11-20 true"]);
    let one = drive(report::mailed(&world.store, &world.tenant, 1, world.now())).unwrap().unwrap();
    assert_eq!(one.len(), 1);
}

/// Handlers of web frameworks want futures that can move between threads. Compiling it is the test.
fn _sent(store: &platform::Tables, world: &World, run: &Run, session: &sign_in::Session) {
    fn sent<F: Future + Send>(_: F) {}
    let (tenant, now) = (&world.tenant, world.now());
    let address = directory::Address::parse("a@b.ch").unwrap();
    let (user, wanted) = (id("ann"), people::Wanted::Address(address.clone()));
    let sought = Sought { kind: Kind::User, user_type: None, text: None };
    let (filter, left) = (browse::Filter::default(), browse::Left::default());
    sent(browse::changes(store, tenant, run, &filter, None, 1));
    sent(browse::not_enabled(store, tenant, run, &filter, None, 1));
    sent(browse::skipped(store, tenant, run, &left, None, 1));
    sent(browse::members(store, tenant, run, (0, "change"), None, 1));
    sent(browse::runs(store, tenant, None, 1));
    sent(browse::run(store, tenant, &run.run));
    sent(browse::progress(store, tenant, run));
    sent(review::load(store, tenant, &run.run));
    sent(audit::list(store, tenant, None, 1));
    sent(overview::rows(store, now));
    sent(people::browse(store, tenant, &sought, None, 1));
    sent(people::get(store, tenant, Kind::User, &wanted, None));
    sent(people::look_up(store, tenant, &wanted));
    sent(report::mailed(store, tenant, 1, now));
    sent(sign_in::find(store, tenant));
    sent(sign_in::tenant_of(store, &address));
    sent(sign_in::user_of(store, tenant, &user));
    sent(sign_in::resume(store, session, now));
    sent(sign_in::is_member(store, tenant, &user, &user));
    sent(tenants::get(store, tenant, now));
    sent(explain::explain_within(store, tenant, "a@b.ch", now, 1));
    sent(exemptions::list(store, tenant, None));
    sent(history::get_run(store, tenant, &run.run, None));
}
