//! Section 5: accounts that are not people; rules 3.3 and 5.5: roles and seats.

use directory::{Entra, scope::lacks_mailbox_kind};

use crate::world::{World, check};

#[test]
#[rustfmt::skip]
fn r3_3_the_role_is_set_on_creation_only() {
    //    what happens                        here               Entra            rules                        plan            afterwards
    check("end user",                         "",                "a=ann",         "",                          "add a",        "a=ann");
    check("silent user",                      "",                "a=ann",         "silent",                    "add a",        "a=ann:silent");
    check("never lowered",                    "a=ann b=bob:admin", "a=x b=y",     "silent",                    "update a, update b", "a=x b=y:admin");
    check("never raised",                     "a=ann:silent",    "a=x",           "",                          "update a",     "a=x:silent");
}

#[test]
#[rustfmt::skip]
fn r5_1_conversion_is_sticky() {
    check("updated, not turned back",         "a=ann:fun",       "a=anna",        "",                          "update a",     "a=anna:fun");
    check("2.7 does not disable it",          "a=ann:fun",       "a=ann:blocked", "",                          "",             "same");
    check("nor when it is allowed again",     "a=ann:fun",       "a=ann",         "blocked=functional_account", "",            "same");
    check("restored as one",                  "a=ann:fun:gone3", "a=ann:blocked", "",                          "restore a",    "a=ann:fun");
}

#[test]
#[rustfmt::skip]
fn r5_2_what_a_blocked_sign_in_means() {
    check("functional: it becomes one",       "a=ann",           "a=ann:blocked", "blocked=functional_account", "update a",    "a=ann:fun:digests");
    check("functional: it is added as one",   "",                "a=ann:blocked", "blocked=functional_account", "add a",       "a=ann:fun");
    check("functional: active again",         "a=ann:off",       "a=ann:blocked", "blocked=functional_account", "update a",    "a=ann:fun:digests");
    check("functional: whoever signs in",     "",                "a=ann",         "blocked=functional_account", "add a",       "a=ann");
    check("ignore: added",                    "",                "a=ann:blocked", "blocked=ignore",            "add a",        "a=ann");
    check("ignore: kept active",              "a=ann",           "a=ann:blocked", "blocked=ignore",            "",             "same");
    check("ignore: active again",             "a=ann:off",       "a=ann:blocked", "blocked=ignore",            "update a",     "a=ann");
}

#[test]
#[rustfmt::skip]
fn r5_2_what_the_kind_of_a_mailbox_means() {
    check("shared: added as functional",      "",                "a=ann:shared",  "kinds",                     "add a",        "a=ann:fun");
    check("a room",                           "",                "a=ann:room",    "kinds",                     "add a",        "a=ann:fun");
    check("equipment",                        "",                "a=ann:equipment", "kinds",                   "add a",        "a=ann:fun");
    check("a person's",                       "",                "a=ann:person",  "kinds",                     "add a",        "a=ann");
    check("anything else",                    "",                "a=ann:other",   "kinds",                     "add a",        "a=ann");
    check("not known yet",                    "",                "a=ann",         "kinds",                     "add a",        "a=ann");
    check("not known, and blocked",           "",                "a=ann:blocked", "kinds",                     "skip a sign_in_blocked", "same");
    check("blocked: added all the same",      "",                "a=ann:shared:blocked", "kinds",              "add a",        "a=ann:fun");
    check("it becomes one",                   "a=ann",           "a=ann:shared",  "kinds",                     "update a",     "a=ann:fun:digests");
    check("not disabled when blocked",        "a=ann",           "a=ann:shared:blocked", "kinds",              "update a",     "a=ann:fun:digests");
    check("active again",                     "a=ann:off",       "a=ann:shared:blocked", "kinds",              "update a",     "a=ann:fun:digests");
    check("sticky: a person's later",         "a=ann:fun",       "a=ann:person",  "kinds",                     "",             "same");
    check("sticky: not known any more",       "a=ann:fun",       "a=ann:blocked", "kinds",                     "",             "same");
    check("adopted as one",                   "h=ann:hand",      "a=ann:room",    "kinds",                     "adopt h as a", "h=ann:fun:digests");
    check("exempt",                           "a=ann",           "a=ann:shared",  "kinds exempt=ann",          "skip a exempt", "same");
    check("the setting is off",               "a=ann",           "a=ann:shared",  "",                          "",             "same");
    check("off, and blocked",                 "a=ann",           "a=ann:shared:blocked", "",                   "disable a",    "a=ann:off");
}

#[test]
fn r5_2_whose_kind_of_mailbox_is_asked_for() {
    for (entra, rules, expected) in [
        ("a=ann", "kinds", true),
        ("a=ann:blocked", "kinds", true),
        ("a=ann", "", false),
        ("a=ann", "kinds no-users", false),
        ("a=ann:person", "kinds", false),
        ("a=ann:guest", "kinds guests", false),
        ("a", "kinds", false),
        ("a=ann@x.org", "kinds", false),
    ] {
        let world = World::new("", entra, rules);
        let Some((Entra::User(user), _)) = world.entra.values().next() else { panic!("a user") };
        assert_eq!(lacks_mailbox_kind(user, &world.settings), expected, "{entra} {rules}");
    }
}

#[test]
#[rustfmt::skip]
fn r5_3_exempt_on_any_address() {
    check("not added",                        "",                "a=ann,al",      "exempt=al",                 "skip a exempt", "same");
    check("not updated",                      "a=ann,al",        "a=anna,al",     "exempt=al",                 "skip a exempt", "same");
    check("by an address only Entra has",     "a=ann",           "a=anna",        "exempt=anna",               "skip a exempt", "same");
    check("by an address only we have",       "a=ann",           "a=anna",        "exempt=ann",                "skip a exempt", "same");
    check("by one that is not registered",    "a=ann",           "a=anna,ann@x.org", "exempt=ann@x.org",       "skip a exempt", "same");
    check("not disabled",                     "a=ann",           "a=ann:blocked", "exempt=ann",                "skip a exempt", "same");
    check("not deleted",                      "a=ann",           "",              "exempt=ann remove days=0",  "skip a exempt", "same");
    check("not removed for good",             "a=ann:gone40",    "",              "exempt=ann remove",         "skip a exempt", "same");
    check("not restored",                     "a=ann:gone4",     "a=ann",         "exempt=ann",                "skip a exempt", "same");
    check("groups too",                       "G=team",          "G=crew",        "exempt=team",               "skip G exempt", "same");
    check("nobody else",                      "a=ann b=bob",     "a=anna b=bo",   "exempt=ann",                "skip a exempt, update b", "a=ann b=bo");
}

#[test]
#[rustfmt::skip]
fn r5_5_seats_and_r4_8_what_the_brake_counts() {
    //    what happens                        here               Entra            rules                         seats brake
    counts("a new user",                      "",                "a=ann",         "",                           1,    false);
    counts("a new functional account",        "",                "a=ann:blocked", "blocked=functional_account", 0,    false);
    counts("it becomes a functional account", "a=ann",           "a=ann:blocked", "blocked=functional_account", -1,   false);
    counts("a new group",                     "",                "G=team",        "",                           0,    false);
    counts("disabled",                        "a=ann",           "a=ann:blocked", "",                           -1,   true);
    counts("enabled",                         "a=ann:off",       "a=ann",         "",                           1,    false);
    counts("deleted",                         "a=ann",           "",              "remove",                     -1,   true);
    counts("deleted at once",                 "a=ann",           "",              "remove days=0",              -1,   true);
    counts("deleted, not active before",      "a=ann:off",       "",              "remove",                     0,    false);
    counts("a functional account deleted",    "a=ann:fun",       "",              "remove",                     0,    true);
    counts("a group deleted",                 "G=team",          "",              "remove",                     0,    true);
    counts("removed for good in the end",     "a=ann:gone30",    "",              "remove",                     0,    false);
    counts("restored",                        "a=ann:gone3",     "a=ann",         "",                           1,    false);
    counts("adopted",                         "h=ann:hand",      "a=ann",         "",                           0,    false);
    counts("adopted by hand, and disabled",   "h=ann:hand",      "a=ann:blocked", "",                           -1,   false);
    counts("taken over, and disabled",        "h=ann:old",       "a=ann:blocked", "",                           -1,   true);
    counts("re-addressed",                    "a=ann",           "a=anna",        "",                           0,    false);
}

#[track_caller]
fn counts(name: &str, here: &str, entra: &str, rules: &str, seats: i32, brakes: bool) {
    let mut world = World::new(here, entra, rules);
    let billable = |world: &World| world.here.values().map(|held| i32::from(held.is_billable())).sum::<i32>();
    let (planned, before) = (world.change(), billable(&world));
    assert_eq!((planned.seats, planned.brakes), (seats, brakes), "{name}");
    world.settle(&[planned]);
    assert_eq!(billable(&world) - before, seats, "{name}: what really became of it");
}

#[test]
fn r5_5_a_change_that_is_not_enabled_moves_no_seat() {
    let verdict = World::new("a=ann", "", "").plan().into_values().next();
    let Some(directory::Verdict::NotEnabled(planned)) = verdict else { panic!("{verdict:?}") };
    assert_eq!((planned.seats, planned.brakes, planned.change.selected), (0, false, false));
    assert_eq!(
        planned.change.why,
        "it was deleted in Entra: it is made inactive, and removed for good after 30 days; remove_deleted_users is off"
    );
}
