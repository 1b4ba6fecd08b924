//! Eight hundred days of five tenants, a run and a report a day: two whose secrets renew themselves, under a policy and
//! without one, one whose secret is renewed by hand and too late, one without a secret, and one with a certificate.

use std::collections::BTreeMap;

use directory::TenantId;
use engine::{
    connection,
    operator::{Asked, Refused},
    ports::Secrets as _,
};
use serde_json::{Value, json};
use tests::{
    application::{May, certificate_of, pem},
    turnstile::{Deed, Side, Switch, drive},
    world::World,
};

use super::report::{ask, of_day, today};

const DAYS: u32 = 800;
/// Fewer than a rotation makes.
const CALLS: u64 = 20;
const NOON: i64 = 5 * 3_600;

/// Warnings by the day on which they came, and how many runs failed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    warnings: BTreeMap<u32, String>,
    verdicts: BTreeMap<String, u32>,
    failed: u32,
}

/// Live through the days: at seven a report, at noon a run, and then what the day brings.
fn live(world: &World, mut brings: impl FnMut(u32, &World)) -> Told {
    let mut told = Told::default();
    world.sync();
    let start = "2026-11-23T07:00:00Z".parse::<jiff::Timestamp>().unwrap();
    for day in 0..DAYS {
        let morning = start + jiff::SignedDuration::from_hours(24 * i64::from(day));
        world.wait(morning.as_second() - world.now().as_second());
        let yesterday = today(world).yesterday().unwrap();
        let _ = ask(world, &of_day(world, &yesterday.to_string()));
        for letter in world.post.take() {
            let (kind, words) = letter.subject.split_once(" – ").unwrap();
            if kind.starts_with("[Azure AD Credential]") {
                assert_eq!(told.warnings.insert(day, words.to_owned()), None, "two warnings on day {day}");
            } else {
                *told.verdicts.entry(words.split(' ').next().unwrap().to_owned()).or_default() += 1;
            }
        }
        world.wait(NOON);
        told.failed += u32::from(world.sync()["state"] != "applied");
        world.wait(1);
        brings(day, world);
        forget(world);
    }
    told
}

/// What the tables forget by themselves.
fn forget(world: &World) {
    let now = world.now().as_second();
    for (key, item) in world.store.snapshot() {
        if item.get("ttl").and_then(Value::as_i64).is_some_and(|ttl| ttl < now) {
            world.store.unpoke(&key);
        }
    }
}

pub(crate) fn save(world: &World, ad_key: &str, expires_on: Option<jiff::civil::Date>) -> Result<Value, Refused> {
    world.wait(1);
    world.store.fenced(false);
    let tenant: TenantId = world.tenant.clone();
    let asked = Asked { tenant, by: "ops".to_owned(), now: world.now(), nonce: format!("save-{}", world.now()) };
    let (ports, secret) = ((&world.entra, &world.store, &world.vault), ad_key.to_owned().into());
    drive(connection::put_secret(ports, &asked, &secret, expires_on)).unwrap()
}

/// The steps of the ladder before an end on `end`, and after it up to `until`, by day.
fn ladder(end: u32, until: u32, what: &str) -> BTreeMap<u32, String> {
    let before = [60, 30, 14, 7, 3, 1, 0].into_iter().filter(|left| *left <= end).map(|left| {
        (
            end - left,
            match left {
                0 => format!("{what} expires today"),
                1 => format!("{what} expires in 1 day"),
                left => format!("{what} expires in {left} days"),
            },
        )
    });
    let after = (1..=7).chain((14..DAYS).step_by(7)).map(|ago| {
        (
            end + ago,
            if ago == 1 { format!("{what} expired 1 day ago") } else { format!("{what} expired {ago} days ago") },
        )
    });
    before.chain(after).filter(|(day, _)| *day < until.min(DAYS)).collect()
}

#[test]
fn r7_3_in_two_years_of_rotations_no_day_is_without_a_working_secret() {
    check_rotations(None);
}

#[test]
fn r6_4_where_a_policy_allows_thirty_days_nobody_is_warned_while_renewing_succeeds() {
    check_rotations(Some(30));
}

/// A rotation every two weeks, under a policy on how long a secret may last.
fn check_rotations(most_days: Option<i64>) {
    let world = World::rotating();
    world.entra.hire("ann");
    world.entra.application(|application| application.most_days = most_days);
    let mut interrupted = 0;
    let told = live(&world, |day, world| {
        if day % 14 == 13 {
            // Each rotation is killed somewhere, and taken up an hour later: by the same token, or by another.
            let switch = Switch {
                at: 1 + u64::from(day / 14) % CALLS,
                side: if day % 28 == 13 { Side::Before } else { Side::After },
                deed: Deed::Halt,
            };
            world.turnstile.set(Some(switch));
            interrupted += u32::from(world.rotate(&format!("{day}-first")).is_err());
            world.turnstile.set(None);
            assert!(world.working().is_some(), "day {day}");
            assert_eq!(world.sync()["state"], "applied", "day {day}");
            world.wait(3_600);
            let token = if day % 3 == 0 { format!("{day}-second") } else { format!("{day}-first") };
            world.rotate(&token).unwrap_or_else(|why| panic!("day {day}: {why:?}"));
        }
        assert!(world.working().is_some(), "day {day}");
        assert!(world.entra.application(|application| application.secrets.len()) <= 2, "day {day}: something is left");
    });
    assert_eq!(interrupted, 57);
    assert_eq!(told, Told { verdicts: BTreeMap::from([("OK".to_owned(), DAYS)]), ..Told::default() });
}

#[test]
fn r6_4_a_secret_that_is_renewed_by_hand_and_late_is_warned_of_on_every_step() {
    let world = World::new();
    world.entra.hire("ann");
    world.entra.application(|application| application.may = May::Read);
    world.entra.add_password("the first", "first-secret", 365);
    save(&world, "first-secret", None).unwrap();
    // It was saved on the day before the first: it ends on day 364, and is renewed on day 380.
    let (end, renewed) = (364, 380);
    let told = live(&world, |day, world| {
        if day == renewed {
            world.entra.add_password("the second", "second-secret", 365);
            assert_eq!(save(world, "second-secret", None).unwrap()["message"], "SUCCESS");
        }
    });
    let mut expected = ladder(end, renewed + 1, "secret");
    expected.insert(renewed + 1, "resolved: secret renewed".to_owned());
    expected.extend(ladder(renewed + 365, DAYS, "secret"));
    assert_eq!(told.warnings, expected);
    // The first ended before noon, the second a little after.
    assert_eq!(told.failed, (renewed - end + 1) + (DAYS - (renewed + 365 + 1)), "runs fail from its end on");
    assert_eq!(told.verdicts.len(), 2, "{:?}", told.verdicts);
}

#[test]
fn r6_4_where_there_is_no_secret_nobody_is_warned() {
    let world = World::new();
    world.entra.hire("ann");
    world.set(json!({"credential": {"kind": "federated"}}));
    drive(world.vault.delete_secret(&world.tenant)).unwrap().unwrap();
    let told = live(&world, |_, _| ());
    assert_eq!(told, Told { verdicts: BTreeMap::from([("OK".to_owned(), DAYS)]), ..Told::default() });
}

#[test]
fn r6_4_a_certificate_is_warned_of_by_the_day_that_it_says_itself() {
    let world = World::new();
    world.entra.hire("ann");
    world.set(json!({"credential": {"kind": "certificate"}}));
    let (first, second) = ("2027-09-19T09:00:00Z", "2031-01-01T00:00:00Z");
    let listed = vec![certificate_of("AA", first), certificate_of("BB", second)];
    world.entra.application(|application| application.certificates = listed);
    save(&world, &pem("AA", first), None).unwrap();
    let date = |text: &str| text.parse::<jiff::civil::Date>().unwrap();
    let end = (date(&first[..10]) - date("2026-11-23")).get_days();
    let (end, renewed) = (u32::try_from(end).unwrap(), u32::try_from(end - 10).unwrap());
    let told = live(&world, |day, world| {
        if day == renewed {
            save(world, &pem("BB", second), None).unwrap();
        }
    });
    let mut expected = ladder(end, renewed + 1, "certificate");
    expected.insert(renewed + 1, "resolved: certificate renewed".to_owned());
    assert_eq!((told.warnings, told.failed), (expected, 0));
}
