//! A tenant without a tech contact, or with one that cannot be reached (rule 4.2).

use std::pin::pin;

use directory::Address;
use engine::{
    keys,
    operator::Asked,
    records::{Action, write},
    report::{Request, Returned},
    tenants::{self, Patch},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::{
    turnstile::{Deed, Side, Switch, drive, poll},
    world::World,
};

use crate::report::{ask, invocation, mailed, of_day};

const DAY: i64 = 86_400;

#[test]
fn r4_2_without_a_tech_contact_a_tenant_is_warned_and_stopped_after_a_week() {
    let world = World::new();
    world.entra.hire("ann");
    world.set(json!({"tech_contact": null, "sync_frequency": 24}));
    let warned = |answer: &Value| answer["warnings"][0]["code"].as_str().map(str::to_owned);
    let answer = world.sync();
    assert_eq!(warned(&answer).as_deref(), Some("no_tech_contact"), "{answer}");
    assert_eq!(world.tenant().settings.sync_frequency.0, 24);
    world.wait(6 * DAY);
    world.sync();
    assert_eq!(world.tenant().settings.sync_frequency.0, 24, "not before the week is over");
    world.wait(2 * DAY);
    let last = world.sync();
    assert_eq!(last["state"], "applied", "the run itself is done: {last}");
    assert_eq!(world.tenant().settings.sync_frequency.0, 0);
    assert_eq!(world.schedule().due_at, None);
    let refused = world.once(world.scheduled());
    assert_eq!(refused["error"]["code"], "invalid_input", "a message that was still on its way: {refused}");
    let rev = world.tenant().rev;
    let by_hand = world.once(world.request(Action::Sync));
    assert_eq!(
        (by_hand["state"].as_str(), world.tenant().rev),
        (Some("applied"), rev),
        "by hand it runs, and nothing is set twice"
    );
    world.set(json!({"tech_contact": "it@contoso.com", "sync_frequency": 24}));
    assert_eq!(warned(&world.sync()), None);
}

/// A tenant whose first report went out.
fn reported() -> World {
    let world = World::new();
    world.store.poke(keys::registered(&world.tenant), write(&json!({})));
    world.entra.hire("ann");
    world.sync();
    world.wait(DAY);
    assert_eq!(ask(&world, &of_day(&world, "2026-11-22"))["sent"], true);
    assert_eq!(mailed(&world).len(), 1);
    world
}

/// What SES tells of a mail that was sent now.
fn mail(world: &World, to: &str) -> Returned {
    let recipients = vec![Address::parse(to).unwrap()];
    Returned { tenant: world.tenant.clone(), recipients, sent_at: world.now() }
}

/// Whether it was noted that a mail came back.
fn comes_back(world: &World, mail: &Returned) -> bool {
    let reported = drive(invocation(world, async |reporter| reporter.returned(mail).await)).unwrap().unwrap();
    assert_eq!((reported.sent, reported.busy), (0, false));
    reported.answer["noted"].as_bool().unwrap()
}

/// Somebody called `ops` changes settings.
pub(crate) fn save(world: &World, patch: &Value) {
    world.store.fenced(false);
    let nonce = format!("save-{}", world.turnstile.calls());
    let asked = Asked { tenant: world.tenant.clone(), by: "ops".to_owned(), now: world.now(), nonce };
    let ports = (&world.entra, &world.store, &world.vault);
    drive(tenants::put_settings(ports, &asked, &Patch { settings: patch.clone(), ..Patch::default() }))
        .unwrap()
        .unwrap();
}

/// Who wrote something of this kind into the audit.
fn audited(world: &World, action: &str, what: &str) -> usize {
    let snapshot = world.store.snapshot();
    let entries = snapshot.values().filter(|item| item.get("action") == Some(&json!(action)));
    entries.filter(|item| item.get("what") == Some(&json!(what))).count()
}

fn roll_up(world: &World) -> String {
    let request = Request { preview: true, ..Request::default() };
    ask(world, &request)["text"].as_str().unwrap().to_owned()
}

#[test]
fn r4_2_a_contact_from_whom_reports_come_back_is_as_good_as_none() {
    let world = reported();
    assert_eq!(world.sync()["warnings"], json!([]));
    let mail = mail(&world, "IT@Contoso.com");
    assert!(comes_back(&world, &mail));
    let noted = world.store.snapshot();
    assert!(!comes_back(&world, &mail), "a doubled event");
    assert_eq!(world.store.snapshot(), noted, "writes nothing");
    assert_eq!(audited(&world, "contact_bounced", "it@contoso.com"), 1);

    for _ in 0..2 {
        let warning = world.sync()["warnings"][0].clone();
        assert_eq!(warning["code"], "no_tech_contact");
        let message = warning["message"].as_str().unwrap();
        assert!(message.starts_with("mails to the tech contact at contoso.com come back"), "{message}");
        assert!(!message.contains("it@"), "{message}");
    }
    world.wait(DAY);
    for _ in 0..2 {
        let answer = ask(&world, &of_day(&world, "2026-11-23"));
        assert_eq!(answer, json!({"sent": false, "reason": "no_tech_contact"}));
    }
    assert_eq!(mailed(&world), [""; 0]);
    let told = roll_up(&world);
    assert!(told.contains("1 unreachable") && told.contains("REPORTS THAT COME BACK\n\n"), "{told}");
    assert!(told.contains("have come back since 23"), "{told}");

    world.wait(5 * DAY);
    world.sync();
    assert_eq!(world.tenant().settings.sync_frequency.0, 24, "not before the week is over");
    world.wait(2 * DAY);
    let last = world.sync();
    let message = last["warnings"][0]["message"].as_str().unwrap();
    assert!(message.contains("have come back for 7 days"), "{message}");
    assert_eq!((world.tenant().settings.sync_frequency.0, world.schedule().due_at), (0, None));
    world.wait(DAY);
    let told = roll_up(&world);
    assert!(told.contains("1 switched off") && !told.contains("unreachable"), "{told}");

    save(&world, &json!({"tech_contact": "desk@contoso.com", "sync_frequency": 24}));
    assert_eq!(world.sync()["warnings"], json!([]));
    assert!(!comes_back(&world, &mail), "of the contact before");
    assert!(!roll_up(&world).contains("unreachable"));
}

#[test]
fn r4_2_a_contact_that_is_saved_again_gets_its_reports_again() {
    let world = reported();
    let late = mail(&world, "it@contoso.com");
    assert!(comes_back(&world, &late));
    world.wait(60);
    save(&world, &json!({"seats": 7}));
    assert!(world.tenant().unreachable().is_some(), "other settings say nothing of the contact");
    world.wait(60);
    save(&world, &json!({"tech_contact": "it@contoso.com"}));
    assert_eq!(audited(&world, "put_tenant", "tech_contact"), 1, "who says so is written down");
    assert_eq!(world.sync()["warnings"], json!([]));
    assert!(!comes_back(&world, &late), "a late copy of what came back before");
    world.wait(DAY);
    assert_eq!(ask(&world, &of_day(&world, "2026-11-23"))["sent"], true);
    assert!(comes_back(&world, &mail(&world, "it@contoso.com")), "it still cannot be reached");
    assert_eq!(world.sync()["warnings"][0]["code"], "no_tech_contact");
}

#[test]
fn r4_2_what_says_nothing_of_the_present_contact_changes_nothing() {
    let world = reported();
    save(&world, &json!({"tech_contact": "desk@contoso.com"}));
    let before = world.store.snapshot();
    let ours = mail(&world, "desk@contoso.com");
    let earlier = world.now().checked_sub(SignedDuration::from_secs(1)).unwrap();
    for other in [
        mail(&world, "it@contoso.com"),
        Returned { recipients: Vec::new(), ..ours.clone() },
        Returned { tenant: "fabrikam".parse().unwrap(), ..ours.clone() },
        Returned { sent_at: earlier, ..ours.clone() },
        Returned { sent_at: Timestamp::MIN, ..ours.clone() },
    ] {
        assert!(!comes_back(&world, &other), "{other:?}");
    }
    assert_eq!(world.store.snapshot(), before);
    world.set(json!({"tech_contact": null}));
    assert!(!comes_back(&world, &ours), "there is no contact at all");
    world.set(json!({"tech_contact": "desk@contoso.com"}));
    let many = (0..10_000).map(|n| Address::parse(&format!("u{n}@contoso.com")).unwrap());
    let recipients = many.chain(ours.recipients.clone()).collect();
    assert!(comes_back(&world, &Returned { recipients, ..ours }), "one of many");
}

#[test]
fn r4_2_whatever_call_fails_it_is_noted_once() {
    for number in 1..=2 {
        for side in [Side::Before, Side::After] {
            for deed in [Deed::Halt, Deed::Fault { passes: true }, Deed::Fault { passes: false }] {
                let world = reported();
                let mail = mail(&world, "it@contoso.com");
                world.turnstile.set(Some(Switch { at: number, side, deed }));
                let stopped = drive(invocation(&world, async |reporter| reporter.returned(&mail).await));
                assert!(!matches!(stopped, Some(Ok(_))), "call {number}, {side:?}, {deed:?}");
                world.turnstile.set(None);
                comes_back(&world, &mail);
                assert!(!comes_back(&world, &mail), "call {number}, {side:?}, {deed:?}");
                assert!(world.tenant().unreachable().is_some());
                assert_eq!(audited(&world, "contact_bounced", "it@contoso.com"), 1);
            }
        }
    }
}

#[test]
fn r4_2_a_contact_that_is_saved_at_that_moment_stands() {
    let world = reported();
    let mail = mail(&world, "it@contoso.com");
    world.wait(60);
    world.turnstile.set(Some(Switch { at: 2, side: Side::Before, deed: Deed::Halt }));
    let mut work = pin!(invocation(&world, async |reporter| reporter.returned(&mail).await));
    assert!(poll(work.as_mut()).is_none(), "it is about to be noted");
    save(&world, &json!({"tech_contact": "desk@contoso.com"}));
    world.turnstile.resume();
    assert_eq!(poll(work.as_mut()).unwrap().unwrap().answer, json!({"noted": false}));
    assert!(world.tenant().unreachable().is_none());
    assert_eq!(world.sync()["warnings"], json!([]));
}
