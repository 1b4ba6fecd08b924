//! Rules 3.1, 3.2, 3.4 and 4.9: switches, and objects that Entra has no longer.

use crate::world::{World, check};
use directory::Outcome;

#[test]
#[rustfmt::skip]
fn r3_1_switches() {
    //    what happens                        here           Entra            rules            plan                 afterwards
    check("adding is off",                    "",            "a=ann G=team",  "no-add",        "off a, off G",      "same");
    check("updating is off",                  "a=ann G=team","a=anna G=crew", "no-update",     "off a, off G",      "same");
    check("removing is off",                  "a=ann G=team","",              "",              "off a, off G",      "same");
    check("r3_2 disabling is updating",       "a=ann",       "a=ann:blocked", "no-update",     "off a",             "same");
    check("r3_2 re-enabling as well",         "a=ann:off",   "a=ann",         "no-update",     "off a",             "same");
    check("restoring as well",                "a=ann:gone3", "a=ann",         "no-update",     "off a",             "same");
}

#[test]
#[rustfmt::skip]
fn r2_1_unticking_a_kind_deletes_nothing() {
    check("users are off",                    "a=ann",       "",              "no-users remove",  "skip a kind_not_selected", "same");
    check("groups are off",                   "G=team",      "",              "no-groups remove", "skip G kind_not_selected", "same");
    check("nor removes for good",             "a:gone40",    "",              "no-users remove",  "skip a kind_not_selected", "same");
}

#[test]
#[rustfmt::skip]
fn r3_4_deleted_in_entra() {
    check("marked, and inactive",             "a=ann,al",    "",              "remove",        "delete a",          "a=ann,al:gone0");
    check("disabled before",                  "a=ann:off",   "",              "remove",        "delete a",          "a=ann:gone0");
    check("a group",                          "G=team",      "",              "remove",        "delete G",          "G=team:gone0");
    check("for good in Entra: the same",      "a=ann",       "a:hard",        "remove",        "delete a",          "a=ann:gone0");
    check("dormant until its days are over",  "a=ann:gone9", "",              "remove",        "sleep a 21d",       "same");
    check("the last day",                     "a=ann:gone29", "",             "remove",        "sleep a 1d",        "same");
    check("over",                             "a=ann:gone30", "",             "remove",        "purge a",           "");
    check("over, and removals are off",       "a=ann:gone30", "",             "",              "off a",             "same");
    check("fewer days since",                 "a=ann:gone9", "",              "remove days=7", "purge a",           "");
    check("no days at all",                   "a=ann",       "",              "remove days=0", "purge a",           "");
    check("restored, with everything",        "a=ann:gone9:admin", "a=ann",   "remove",        "restore a",         "a=ann:admin");
    check("a group restored",                 "G=team:gone9", "G=team",       "remove",        "restore G",         "G=team");
    check("never here",                       "",            "a:hard",        "remove",        "",                  "same");
}

#[test]
fn r3_4_the_days_count_from_the_first_marking() {
    let mut world = World::new("a=ann", "", "remove");
    world.settle(&[world.change()]);
    world.now = "2025-06-30T23:59:59Z".parse().unwrap();
    assert_eq!(crate::world::sentence(&world.plan(), world.now), "sleep a 0d");
    world.now = "2025-07-01T00:00:00Z".parse().unwrap();
    let planned = world.change();
    assert!(planned.purge);
    assert_eq!((planned.seats, planned.brakes), (0, false), "the marking was counted");
    world.settle(std::slice::from_ref(&planned));
    assert_eq!(world.shown(), "");
    assert_eq!(world.settle(&[planned]).outcomes, [(Outcome::Applied, None)], "twice");
}

#[test]
#[rustfmt::skip]
fn r4_9_a_short_read_never_deletes() {
    check("gone",                             "a=ann",       "",              "remove short",  "wait a",            "same");
    check("its mailbox lost",                 "a=ann",       "a",             "remove short",  "wait a",            "same");
    check("its days over",                    "a=ann:gone30", "",             "remove short",  "wait a",            "same");
    check("what was read is applied",         "a=ann b=bob", "a=anna",        "remove short",  "update a, wait b",  "a=anna b=bob");
}
