//! Stories of the mails: each is told once, whatever happens on the way.

use directory::{Address, Code, Failure, Kind, UserType, facts};
use engine::{
    by_hand, edits, keys,
    operator::{Asked, Refused},
    ports::Fault,
    records::{CredentialFacts, ExpirySource, write},
    report::{self, MailedCopy, Reported, Reporter, Request, Words, Writer},
};
use jiff::{Timestamp, ToSpan as _, civil::Date};
use serde_json::{Value, json};
use tests::{
    entra::Trouble,
    ports::{Invocation, Post},
    tables::Tables,
    turnstile::{Deed, Side, Switch, drive},
    world::World,
};

use crate::contact::save;

const WRITER: Writer = Writer {
    daily: |facts: &facts::DailyFacts| words(mail::daily(facts)),
    expiry: |facts: &facts::ExpiryFacts| words(mail::expiry(facts)),
    roll_up: |facts: &facts::RollUpFacts| words(mail::roll_up(facts)),
};

fn words(mail::Rendered { subject, text, html }: mail::Rendered) -> Words {
    Words { subject, text, html }
}

/// One invocation; nothing where it was killed.
fn invoke(world: &World, request: &Request) -> Option<Result<Reported, Fault>> {
    drive(invocation(world, async |reporter| reporter.report(request).await))
}

/// One invocation that does something.
pub(crate) async fn invocation<T>(
    world: &World,
    work: impl AsyncFnOnce(&Reporter<'_, Tables, Post, Invocation>) -> T,
) -> T {
    world.wait(1);
    world.store.fenced(false);
    let clock = Invocation::new(world.turnstile.clone(), world.now(), None);
    let (owner, operator) =
        (format!("report-{}", world.turnstile.calls()), Address::parse("operator@example.com").unwrap());
    let reporter = Reporter {
        store: &world.store,
        mailer: &world.post,
        clock: &clock,
        writer: WRITER,
        owner: &owner,
        operator: &operator,
        console: None,
    };
    work(&reporter).await
}

pub(crate) fn ask(world: &World, request: &Request) -> Value {
    invoke(world, request).unwrap().unwrap().answer
}

/// The subjects of what was mailed, the first first.
pub(crate) fn mailed(world: &World) -> Vec<String> {
    world.post.take().into_iter().map(|letter| letter.subject).collect()
}

/// The copy of the report of a day.
fn kept(world: &World, date: &str) -> Option<MailedCopy> {
    let date = date.parse().unwrap();
    let mailed = drive(report::mailed_report(&world.store, &world.tenant, date, world.now())).unwrap().unwrap();
    mailed.and_then(|mailed| mailed.copy)
}

/// Ask twice: the second time nothing is sent.
#[track_caller]
pub(crate) fn told(world: &World, request: &Request) -> Vec<String> {
    let _ = ask(world, request);
    let subjects = mailed(world);
    let again = ask(world, request);
    assert_eq!(mailed(world), [""; 0], "a second invocation sends nothing");
    assert_eq!(again["sent"], false, "{again}");
    subjects
}

pub(crate) fn of_day(world: &World, date: &str) -> Request {
    Request { tenant: Some(world.tenant.clone()), date: Some(date.parse().unwrap()), ..Request::default() }
}

pub(crate) fn today(world: &World) -> Date {
    world.now().to_zoned(world.tenant().settings.report.time_zone.zone()).date()
}

/// Go on to a time.
pub(crate) fn at(world: &World, time: &str) {
    let time: Timestamp = time.parse().unwrap();
    world.wait(time.as_second() - world.now().as_second());
}

/// A secret whose end somebody stated.
fn stated(saved_at: Timestamp, expires_on: Date) -> CredentialFacts {
    CredentialFacts {
        kind: directory::CredentialKind::Secret,
        saved_at,
        expires_on,
        source: ExpirySource::Stated,
        hint: Some("abc".to_owned()),
        key_id: None,
        certificate: None,
    }
}

/// A credential that was saved now.
fn credential(world: &World, expires_on: &str) {
    let mut tenant = world.tenant();
    let (saved_at, expires_on) = (world.now(), expires_on.parse().unwrap());
    tenant.credential = Some(stated(saved_at, expires_on));
    world.store.poke(keys::meta(&world.tenant), write(&tenant));
}

/// A tenant on 22 November, 10:00, with a credential that lasts.
fn world() -> World {
    let world = World::new();
    credential(&world, "2028-11-22");
    world
}

#[test]
fn r6_2_a_day_of_joiners_and_a_quiet_day() {
    let world = world();
    for name in ["ann", "bob", "cy"] {
        world.entra.hire(name);
    }
    world.entra.hire_as("dan", &["SMTP:dan@elsewhere.com"]);
    world.sync();
    at(&world, "2026-11-23T07:00:00Z");
    let request = of_day(&world, "2026-11-22");
    let preview = ask(&world, &Request { preview: true, ..request.clone() });
    let text = preview["text"].as_str().unwrap();
    assert!(text.contains("ann@contoso.com"), "{text}");
    assert!(text.contains("dan@elsewhere.com"), "{text}");
    assert_eq!(told(&world, &request), ["[Azure AD Summary] contoso.com – OK – 3 added, 0 updated, 0 removed"]);
    world.sync();
    at(&world, "2026-11-24T07:00:00Z");
    assert_eq!(
        told(&world, &of_day(&world, "2026-11-23")),
        ["[Azure AD Summary] contoso.com – OK – 0 added, 0 updated, 0 removed"]
    );
}

/// The numbers of the table, by row: users, groups, functional accounts.
fn table(preview: &Value) -> Vec<(String, [u64; 3])> {
    let rows = ["Before", "Added", "Updated", "Disabled", "Deleted", "Not enabled", "Skipped", "Failed", "After"];
    let text = preview["text"].as_str().unwrap();
    let mut found = Vec::new();
    for row in rows {
        let line = text.lines().find(|line| {
            line.trim_start().starts_with(row)
                && line.split_whitespace().rev().take(3).all(|n| n.parse::<u64>().is_ok())
        });
        let line = line.unwrap_or_default();
        assert!(!line.is_empty(), "no row {row}: {text}");
        let numbers: Vec<u64> = line.split_whitespace().rev().take(3).map(|n| n.parse().unwrap()).collect();
        found.push((row.to_owned(), [numbers[2], numbers[1], numbers[0]]));
    }
    found
}

#[track_caller]
fn check_table(world: &World, date: &str, expected: &[(&str, [u64; 3])]) {
    let preview = ask(world, &Request { preview: true, ..of_day(world, date) });
    let found = table(&preview);
    let nonzero: Vec<(&str, [u64; 3])> =
        found.iter().filter(|(_, numbers)| *numbers != [0; 3]).map(|(row, numbers)| (row.as_str(), *numbers)).collect();
    assert_eq!(nonzero, expected, "{date}");
}

#[test]
fn r6_3_totals_are_those_of_the_day_whenever_it_is_told() {
    let world = world();
    let ann = world.entra.hire("ann");
    let bob = world.entra.hire("bob");
    let list = world.entra.list("all");
    world.entra.join(&list, &ann);
    world.sync();
    at(&world, "2026-11-23T10:00:00Z");
    world.entra.bin(&ann);
    world.entra.rename(&bob, "Bobby");
    world.sync();
    at(&world, "2026-11-24T02:00:00Z");
    world.entra.hire("cy");
    world.sync();
    check_table(&world, "2026-11-22", &[("Added", [2, 1, 0]), ("After", [2, 1, 0])]);
    let second = [("Before", [2, 1, 0]), ("Updated", [1, 1, 0]), ("Deleted", [1, 0, 0]), ("After", [1, 1, 0])];
    check_table(&world, "2026-11-23", &second);
    check_table(&world, "2026-11-24", &[("Before", [1, 1, 0]), ("Added", [1, 0, 0]), ("After", [2, 1, 0])]);
    // Thirty days later ann is removed for good: she was counted out when she was marked.
    at(&world, "2026-12-24T10:00:00Z");
    world.sync();
    check_table(&world, "2026-12-24", &[("Before", [2, 1, 0]), ("Deleted", [1, 0, 0]), ("After", [2, 1, 0])]);
}

/// An operator's change, at this time.
fn change_by_hand<T>(world: &World, change: impl AsyncFnOnce(&Asked) -> Result<T, Refused>) {
    world.wait(1);
    let nonce = format!("by-hand-{}", world.now());
    let asked = Asked { tenant: world.tenant.clone(), by: "ops".to_owned(), now: world.now(), nonce };
    world.store.fenced(false);
    drive(change(&asked)).unwrap().map(drop).unwrap();
}

#[test]
fn r6_3_what_is_done_by_hand_moves_totals_too() {
    let world = world();
    for name in ["ann", "bob", "cy"] {
        world.entra.hire(name);
    }
    world.sync();
    let (store, address) = (&world.store, |name: &str| Address::parse(&format!("{name}@contoso.com")).unwrap());
    at(&world, "2026-11-23T10:00:00Z");
    change_by_hand(&world, async |asked| {
        edits::convert(store, asked, &address("bob"), UserType::FunctionalAccount, false).await
    });
    for name in ["dan", "eve"] {
        let user = json!({"primary_email": address(name)});
        change_by_hand(&world, async |asked| by_hand::put_user(store, asked, user.as_object().unwrap()).await);
    }
    at(&world, "2026-11-24T10:00:00Z");
    world.exempt("cy@contoso.com");
    change_by_hand(&world, async |asked| edits::delete_user(store, asked, &address("cy")).await);
    world.sync();
    at(&world, "2026-11-25T10:00:00Z");
    let shown = |date: &str| ask(&world, &Request { preview: true, ..of_day(&world, date) });
    let totals = |date: &str| {
        let rows = table(&shown(date));
        (rows[0].1, rows[8].1)
    };
    assert_eq!(totals("2026-11-22"), ([0, 0, 0], [3, 0, 0]));
    assert_eq!(totals("2026-11-23"), ([3, 0, 0], [4, 0, 1]));
    assert_eq!(totals("2026-11-24"), ([4, 0, 1], [3, 0, 1]));
    let text = shown("2026-11-23")["text"].as_str().unwrap().to_owned();
    assert!(text.contains("Billable users: 3 before, 4 after"), "{text}");
}

#[test]
fn r6_3_a_run_late_at_night_belongs_to_the_tenants_own_day() {
    let world = world();
    world.set(json!({"report": {"time_zone": "Europe/Zurich"}}));
    world.entra.hire("ann");
    at(&world, "2026-11-22T23:30:00Z");
    world.sync();
    at(&world, "2026-11-24T06:00:00Z");
    check_table(&world, "2026-11-22", &[]);
    check_table(&world, "2026-11-23", &[("Added", [1, 0, 0]), ("After", [1, 0, 0])]);
}

#[test]
fn r6_2_held_removals_wait_and_are_counted_when_they_are_released() {
    let world = world();
    let people: Vec<_> = (0..60).map(|n| world.entra.hire(&format!("u{n}"))).collect();
    world.sync();
    at(&world, "2026-11-23T10:00:00Z");
    people.iter().take(57).for_each(|id| world.entra.bin(id));
    world.entra.hire("new");
    let held = world.sync();
    assert_eq!(held["state"], "held");
    at(&world, "2026-11-24T07:00:00Z");
    assert_eq!(
        told(&world, &of_day(&world, "2026-11-23")),
        ["[Azure AD Summary] contoso.com – HELD – 57 removals wait for you"]
    );
    check_table(&world, "2026-11-23", &[("Before", [60, 0, 0]), ("Added", [1, 0, 0]), ("After", [61, 0, 0])]);
    world.release(&held);
    at(&world, "2026-11-25T07:00:00Z");
    check_table(&world, "2026-11-24", &[("Before", [61, 0, 0]), ("Deleted", [57, 0, 0]), ("After", [4, 0, 0])]);
    let preview = ask(&world, &Request { preview: true, ..of_day(&world, "2026-11-24") });
    let text = preview["text"].as_str().unwrap();
    assert!(text.contains("and 7 more"), "at most fifty changes: {text}");
}

#[test]
fn r6_1_nobody_is_mailed_where_nobody_is_to_be() {
    let world = world();
    world.set(json!({"tech_contact": null}));
    let request = of_day(&world, "2026-11-22");
    assert_eq!(ask(&world, &request), json!({"sent": false, "reason": "no_tech_contact"}));
    world.set(json!({"sync_frequency": 0}));
    assert_eq!(ask(&world, &request), json!({"sent": false, "reason": "never"}));
    let code = |request: &Request| ask(&world, request)["error"]["code"].clone();
    assert_eq!(code(&Request { tenant: Some("nobody".parse().unwrap()), ..request.clone() }), "not_found");
    assert_eq!(code(&of_day(&world, "2026-11-23")), "invalid_input", "that day has not begun");
    assert!(ask(&world, &Request { preview: true, ..request })["to"].is_null(), "a preview shows it all the same");
    assert_eq!(mailed(&world), [""; 0]);
}

#[test]
fn s9_a_preview_leaves_no_trace() {
    let world = world();
    credential(&world, "2026-12-01");
    world.sync();
    let before = world.store.snapshot();
    for request in [of_day(&world, "2026-11-22"), Request { date: Some(today(&world)), ..Request::default() }] {
        let preview = ask(&world, &Request { preview: true, ..request });
        for part in ["to", "subject", "text", "html"] {
            assert!(preview[part].as_str().is_some_and(|text| !text.is_empty()), "{part}: {preview}");
        }
    }
    assert_eq!(world.store.snapshot(), before);
    assert_eq!(mailed(&world), [""; 0]);
}

#[test]
fn r6_7_whatever_call_fails_or_is_the_last_no_mail_comes_twice() {
    let begin = || {
        let world = world();
        credential(&world, "2026-12-01");
        world.entra.hire("ann");
        world.sync();
        world
    };
    let calls = {
        let world = begin();
        let before = world.turnstile.calls();
        let _ = ask(&world, &of_day(&world, "2026-11-22"));
        assert_eq!(mailed(&world).len(), 2, "the report and a warning");
        world.turnstile.calls() - before
    };
    let mut lost = 0;
    for number in 1..=calls {
        for side in [Side::Before, Side::After] {
            for deed in [Deed::Halt, Deed::Fault { passes: true }, Deed::Fault { passes: false }] {
                let world = begin();
                let request = of_day(&world, "2026-11-22");
                let mails = |world: &World| world.turnstile.by_name().get("mail").copied().unwrap_or_default();
                world.turnstile.set(Some(Switch { at: number, side, deed }));
                let _ = invoke(&world, &request);
                let in_the_post = world.turnstile.has_worked() && mails(&world) > 0;
                world.turnstile.set(None);
                // The claim of an invocation that died holds until it must have ended.
                world.wait(3600);
                let _ = ask(&world, &request);
                let letters = world.post.take();
                for letter in letters.iter().filter(|letter| letter.subject.starts_with("[Azure AD Summary]")) {
                    let copy = kept(&world, "2026-11-22").unwrap();
                    assert_eq!((&copy.text, &copy.html), (&letter.text, &letter.html), "call {number}");
                }
                let subjects: Vec<String> = letters.into_iter().map(|letter| letter.subject).collect();
                let of = |kind: &str| subjects.iter().filter(|subject| subject.starts_with(kind)).count();
                let (reports, warnings) = (of("[Azure AD Summary]"), of("[Azure AD Credential]"));
                let name = format!("call {number}, {side:?}, {deed:?}: {subjects:?}");
                assert!(reports <= 1 && warnings <= 1, "a second copy: {name}");
                assert!(reports + warnings == 2 || in_the_post || deed == Deed::Halt, "lost without need: {name}");
                lost += 2 - reports - warnings;
                assert_eq!(told(&world, &request), [""; 0], "{name}");
            }
        }
    }
    // Of each mail: killed behind its claim or before the post, and twice no answer of the post that said that nothing
    // was done.
    assert_eq!(lost, 2 * 4, "mails that may have been handed over are not sent again");
}

#[test]
fn r6_1_a_report_is_kept_as_it_was_mailed() {
    let world = world();
    let request = of_day(&world, "2026-11-22");
    assert_eq!(kept(&world, "2026-11-22"), None);
    ask(&world, &Request { preview: true, ..request.clone() });
    assert_eq!(kept(&world, "2026-11-22"), None, "what is only looked at is not kept");
    ask(&world, &request);
    let letter = world.post.take().remove(0);
    let MailedCopy { to, subject, text, html } = kept(&world, "2026-11-22").unwrap();
    assert_eq!((to, subject, text, html), (letter.to.to_string(), letter.subject, letter.text, letter.html));
    // Whatever is made of that day later: this is what people have read.
    world.set(json!({"tech_contact": "other@contoso.com"}));
    world.wait(5 * 86_400);
    let copy = kept(&world, "2026-11-22");
    ask(&world, &request);
    assert_eq!((copy.unwrap().to.as_str(), kept(&world, "2026-11-23")), (letter.to.as_str(), None));
}

#[test]
fn r6_7_two_invocations_at_once_send_one_mail() {
    let world = world();
    let request = of_day(&world, "2026-11-22");
    let mail = (1..).find(|number| {
        let moment = world.moment();
        world.turnstile.set(Some(Switch { at: *number, side: Side::Before, deed: Deed::Halt }));
        let before = world.turnstile.by_name().get("mail").copied();
        assert!(invoke(&world, &request).is_none(), "there is a mail");
        let found = world.turnstile.by_name().get("mail").copied() != before;
        if !found {
            world.go_back(&moment);
        }
        found
    });
    assert!(mail.is_some());
    world.turnstile.set(None);
    let second = invoke(&world, &request).unwrap().unwrap();
    assert_eq!((second.answer["reason"].as_str(), second.busy), (Some("being_sent"), true));
    assert_eq!(mailed(&world), [""; 0]);
}

#[test]
fn r6_3_a_day_that_is_too_long_to_be_read_is_told_from_the_plans() {
    let world = world();
    for number in 0..450 {
        world.entra.hire(&format!("u{number}"));
    }
    world.sync();
    world.store.fenced(false);
    let clock = Invocation::new(world.turnstile.clone(), world.now(), Some(5));
    let operator = Address::parse("operator@example.com").unwrap();
    let reporter = Reporter {
        store: &world.store,
        mailer: &world.post,
        clock: &clock,
        writer: WRITER,
        owner: "report",
        operator: &operator,
        console: None,
    };
    let request = Request { preview: true, ..of_day(&world, "2026-11-22") };
    let preview = drive(reporter.report(&request)).unwrap().unwrap().answer;
    let text = preview["text"].as_str().unwrap();
    for said in ["report_cut", "Billable users: 0 before, 450 after", "and 400 more"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let table = table(&preview);
    assert_eq!((&table[0].1, &table[1].1, &table[8].1), (&[0, 0, 0], &[450, 0, 0], &[450, 0, 0]));
}

#[test]
fn r2_12_administrators_without_a_mobile_number_come_first() {
    let world = world();
    let ann = world.entra.hire("ann");
    let bob = world.entra.hire("bob");
    world.entra.hire("cy");
    world.sync();
    for name in ["ann", "bob"] {
        let asked =
            Asked { tenant: world.tenant.clone(), by: "ops".to_owned(), now: world.now(), nonce: name.to_owned() };
        let address = Address::parse(&format!("{name}@contoso.com")).unwrap();
        world.store.fenced(false);
        drive(edits::convert(&world.store, &asked, &address, UserType::OrganizationAdmin, false)).unwrap().unwrap();
    }
    let preview = |world: &World| ask(world, &Request { preview: true, ..of_day(world, "2026-11-22") });
    let shown = preview(&world)["text"].as_str().unwrap().to_owned();
    let (_, section) = shown.split_once("ADMINISTRATORS WITHOUT A MOBILE NUMBER").unwrap();
    let (section, _) = section.split_once("SETTINGS CHANGED").unwrap();
    assert!(section.contains("ann@contoso.com") && section.contains("bob@contoso.com"), "{section}");
    assert!(section.contains("1 other user who may sign in lacks one too"), "{section}");
    for id in [&ann, &bob] {
        world.entra.set(id, json!({"mobilePhone": "+41 79 000 00 00"}));
    }
    world.sync();
    let (_, tally) = world.measured(|world| {
        let shown = preview(world)["text"].as_str().unwrap().to_owned();
        assert!(!shown.contains("two-factor"), "{shown}");
    });
    assert!(tally.read < 40, "nobody is looked for where nobody is missing: {tally:?}");
}

#[test]
fn r6_4_a_credential_is_warned_of_on_its_steps_and_resolved_once() {
    let world = world();
    credential(&world, "2026-12-22");
    let end: Date = "2026-12-22".parse().unwrap();
    let mut warned = Vec::new();
    for _ in 0..45 {
        let subjects = told(&world, &of_day(&world, &today(&world).to_string()));
        let warnings = subjects.iter().filter(|subject| subject.starts_with("[Azure AD Credential]"));
        warned.extend(warnings.map(|_| (end - today(&world)).get_days()));
        world.wait(86_400);
    }
    assert_eq!(warned, [30, 14, 7, 3, 1, 0, -1, -2, -3, -4, -5, -6, -7, -14]);
    credential(&world, "2028-12-22");
    let yesterday = today(&world).checked_sub(1.day()).unwrap().to_string();
    assert_eq!(
        told(&world, &of_day(&world, &yesterday)),
        ["[Azure AD Credential] contoso.com – resolved: secret renewed"]
    );
    world.wait(86_400);
    let quiet = told(&world, &of_day(&world, &yesterday));
    assert_eq!(quiet, [""; 0], "resolved is said once");
    credential(&world, "2028-12-23");
    assert_eq!(told(&world, &of_day(&world, &yesterday)), [""; 0], "a credential that nobody was warned of");
}

#[test]
fn r6_4_a_missed_step_sends_the_nearest_one_only() {
    let world = world();
    credential(&world, "2026-11-26");
    let date = today(&world).to_string();
    let subjects = told(&world, &of_day(&world, &date));
    assert_eq!(subjects[1..], ["[Azure AD Credential] contoso.com – secret expires in 4 days"]);
}

/// A run whose credential Entra refuses.
fn refuse(world: &World) {
    let failure = Failure::new(Code::CredentialSecretInvalid, "Failed to connect.", "save the secret's Value");
    world.entra.trouble(Kind::User, 1, Trouble::Failure(Box::new(failure)));
    world.sync();
}

#[test]
fn r6_4_a_refused_credential_is_warned_of_though_its_day_is_far() {
    let world = world();
    world.entra.hire("ann");
    refuse(&world);
    world.wait(3600);
    refuse(&world);
    at(&world, "2026-11-23T07:00:00Z");
    let request = of_day(&world, "2026-11-22");
    let preview = ask(&world, &Request { preview: true, ..request.clone() });
    assert!(preview["warning"]["text"].as_str().unwrap().contains("2 runs have failed since"), "{preview}");
    let expected = [
        "[Azure AD Summary] contoso.com – ATTENTION – 2 errors, secret refused",
        "[Azure AD Credential] contoso.com – secret refused",
    ];
    assert_eq!(told(&world, &request), expected);
    world.wait(1);
    assert_eq!(told(&world, &request), [""; 0]);
    world.wait(86_400);
    assert_eq!(told(&world, &request), [expected[1]], "daily for a week");
    world.sync();
    world.wait(86_400);
    assert_eq!(told(&world, &request), [""; 0], "runs succeed again");
}

#[test]
fn r6_4_a_refusal_keeps_its_beginning_longer_than_runs_are_kept() {
    let world = world();
    world.entra.hire("ann");
    refuse(&world);
    let request = of_day(&world, "2026-11-22");
    assert_eq!(told(&world, &request).len(), 2, "the report and a warning");
    at(&world, "2027-02-21T10:00:00Z");
    for key in world.store.snapshot().into_keys().filter(|key| key.sk.starts_with("RUN#")) {
        world.store.unpoke(&key);
    }
    let mut warned = Vec::new();
    for _ in 0..14 {
        refuse(&world);
        warned.extend(told(&world, &request).iter().map(|_| today(&world).to_string()));
        world.wait(86_400);
    }
    assert_eq!(warned, ["2027-02-21", "2027-02-28"], "weekly from the first day on");
}

#[test]
fn r6_4_the_warning_says_how_the_secret_begins() {
    let world = world();
    credential(&world, "2026-12-01");
    let preview = ask(&world, &Request { preview: true, ..of_day(&world, "2026-11-22") });
    let text = preview["warning"]["text"].as_str().unwrap();
    assert!(text.contains("Begins with: abc"), "{text}");
    world.set(json!({"credential": {"kind": "certificate"}}));
    let mut tenant = world.tenant();
    tenant.credential.as_mut().unwrap().kind = directory::CredentialKind::Certificate;
    world.store.poke(keys::meta(&world.tenant), write(&tenant));
    let preview = ask(&world, &Request { preview: true, ..of_day(&world, "2026-11-22") });
    let text = preview["warning"]["text"].as_str().unwrap();
    assert!(!text.contains("Begins with"), "{text}");
}

#[test]
fn r6_8_the_roll_up_names_who_failed_is_held_never_ran_or_expires() {
    let world = world();
    world.store.poke(keys::registered(&world.tenant), write(&json!({})));
    world.sync();
    for (name, settings, expires_on) in [
        ("idle", json!({"name": "Idle Ltd"}), "2029-01-01"),
        ("late", json!({"name": "Late Ltd", "sync_frequency": 0}), "2026-12-01"),
    ] {
        let mut tenant = world.tenant();
        tenant.settings = tenant.settings.with(&settings).unwrap();
        tenant.created_at = "2026-01-01T00:00:00Z".parse().unwrap();
        let saved_at = tenant.created_at;
        tenant.credential = Some(stated(saved_at, expires_on.parse().unwrap()));
        let id = name.parse().unwrap();
        world.store.poke(keys::meta(&id), write(&tenant));
        world.store.poke(keys::registered(&id), write(&json!({})));
    }
    at(&world, "2026-11-23T07:00:00Z");
    let request = Request { date: Some("2026-11-22".parse().unwrap()), ..Request::default() };
    let preview = ask(&world, &Request { preview: true, ..request.clone() });
    let text = preview["text"].as_str().unwrap();
    assert_eq!(preview["to"], "operator@example.com");
    for said in ["3 tenants, 2 of them", "Idle Ltd", "Late Ltd"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let expected = ["[Azure AD Roll-up] 2026-11-22 – ATTENTION – 1 never ran, 1 expiring"];
    assert_eq!(told(&world, &request), expected);
    assert_eq!(told(&world, &Request::default()), [""; 0], "without a day it is yesterday's");
}

#[test]
fn r6_3_whoever_changes_the_brake_or_turns_it_off_is_named() {
    let world = world();
    world.sync();
    save(&world, &json!({"brake": {"users_percent": 50}}));
    save(&world, &json!({"brake": {"enabled": false}}));
    for _ in 0..2 {
        save(&world, &json!({"brake": {"enabled": false}}));
    }
    let entries = world.store.snapshot().into_iter().filter(|(_, item)| item.get("what") == Some(&json!("brake")));
    let audited: Vec<_> = entries.map(|(_, item)| item).collect();
    assert_eq!(audited.len(), 2, "what changes nothing is not written down: {audited:?}");
    for (entry, key, from, to) in
        [(&audited[0], "users_percent", json!(10), json!(50)), (&audited[1], "enabled", json!(true), json!(false))]
    {
        assert_eq!(entry["by"], "ops");
        assert_eq!((&entry["from"]["brake"][key], &entry["to"]["brake"][key]), (&from, &to), "{entry:?}");
    }
    let preview = ask(&world, &Request { preview: true, ..of_day(&world, "2026-11-22") });
    let text = preview["text"].as_str().unwrap();
    let (_, section) = text.split_once("SETTINGS CHANGED").unwrap();
    for said in ["brake", "ops", "users_percent 10", "users_percent 50", "enabled true", "enabled false"] {
        assert!(section.contains(said), "{said}: {section}");
    }
}
