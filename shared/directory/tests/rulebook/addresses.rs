//! Rules 3.5 and 3.6: ownership, and one owner for every address.

use crate::world::{World, check, plans};
use directory::{Held, Outcome, Verdict};

#[test]
#[rustfmt::skip]
fn r3_5_adopting() {
    //    what happens                        here                    Entra             rules       plan                           afterwards
    check("by the primary address",           "h=ann:hand",           "a=ann",          "",         "adopt h as a",                "h=ann");
    check("by an alias of Entra's",           "h=al:hand",            "a=ann,al",       "",         "adopt h as a",                "h=ann,al");
    check("by an alias of ours",              "h=bob,ann:hand",       "a=ann",          "",         "adopt h as a",                "h=ann");
    check("it keeps its role",                "h=ann:hand:admin",     "a=ann",          "silent",   "adopt h as a",                "h=ann:admin");
    check("a functional account stays one",   "h=ann:hand:fun",       "a=ann:blocked",  "",         "adopt h as a",                "h=ann:fun");
    check("an inactive one is active again",  "h=ann:hand:off",       "a=ann",          "",         "adopt h as a",                "h=ann");
    check("a group",                          "H=team:hand",          "G=team",         "",         "adopt H as G",                "H=team");
    check("two takers: the primary decides",  "h=ann:hand",           "a=al,ann b=ann", "",         "add a, adopt h as b",         "a=al h=ann");
    check("two takers: then the smaller id",  "h=ann,al:hand",        "a=ann b=al",     "",         "adopt h as a, add b",         "b=al h=ann");
    check("two to take: the primary's first", "g=al:hand h=ann:hand", "a=ann,al",       "",         "adopt h as a",                "g=al:hand h=ann");
    check("not enabled",                      "h=ann:hand",           "a=ann",          "no-update", "off a",                      "same");
    check("adding is not adopting",           "h=ann:hand",           "a=ann",          "no-add",   "adopt h as a",                "h=ann");
    check("made by hand, unknown to Entra",   "h=ann:hand",           "",               "remove",   "",                            "same");
    check("not maintained before",            "h=ann:hand",           "a=bob",          "",         "add a",                       "a=bob h=ann:hand");
    check("a group does not adopt a user",    "h=team:hand",          "G=team",         "",         "fail G for user h",           "same");
    check("exempt is not adopted",            "h=ann:hand",           "a=ann",          "exempt=ann", "skip a exempt",             "same");
    check("exempt by another address",        "h=ann,al:hand",        "a=ann",          "exempt=al", "fail a for user h",          "same");
}

#[test]
#[rustfmt::skip]
fn r1_1_another_connection_adopts_by_address() {
    check("what the one before managed",      "h=ann:old",            "a=ann",          "remove",   "adopt h as a",                "h=ann");
    check("whom it does not know stays",      "h=ann:old",            "b=bob",          "remove",   "add b",                       "b=bob h=ann:old");
    check("blocked there: disabled",          "h=ann:old",            "a=ann:blocked",  "",         "adopt h as a",                "h=ann:off");
}

#[test]
fn r3_5_adopting_records_whose_object_it_is() {
    for here in ["h=ann:hand", "h=ann:old"] {
        let mut world = World::new(here, "a=ann", "");
        let planned = world.change();
        assert!(
            planned.change.fields.contains_key("entra_id"),
            "{here}: the change names the object of Entra: {planned:?}"
        );
        world.settle(&[planned]);
        let held = world.here.values().next().unwrap();
        assert_eq!(held.entra_id().unwrap().as_str(), "a", "{here}");
    }
}

#[test]
#[rustfmt::skip]
fn r3_6_addresses_move() {
    check("swap",                             "a=x b=y",              "a=y b=x",        "",         "update a, update b",          "a=y b=x");
    check("swap of primary and alias",        "a=x,p b=y",            "a=y,p b=x",      "",         "update a, update b",          "a=y,p b=x");
    check("chain",                            "a=x b=y c=z",          "a=y b=z c=w",    "",         "update a, update b, update c", "a=y b=z c=w");
    check("ring",                             "a=x b=y c=z",          "a=y b=z c=x",    "",         "update a, update b, update c", "a=y b=z c=x");
    check("an alias becomes another's primary", "a=x,p b=y",          "a=x b=p,y",      "",         "update a, update b",          "a=x b=p,y");
    check("a primary becomes another's alias", "a=x b=y",             "a=z b=y,x",      "",         "update a, update b",          "a=z b=y,x");
    check("from a user to a group",           "a=x,p G=g",            "a=x G=g,p",      "",         "update a, update G",          "a=x G=g,p");
    check("a user and a group swap",          "a=x G=g",              "a=g G=x",        "",         "update a, update G",          "a=g G=x");
    check("to a new one",                     "a=x,p",                "a=x b=p",        "",         "update a, add b",             "a=x b=p");
}

#[test]
#[rustfmt::skip]
fn r3_6_a_leavers_address() {
    check("removals on",                      "a=x",                  "b=x",            "remove",   "delete a, add b",             "a:gone0 b=x");
    check("at once",                          "a=x",                  "b=x",            "remove days=0", "purge a, add b",         "b=x");
    check("removals off",                     "a=x",                  "b=x",            "",         "off a, add b",                "a:off b=x");
    check("an alias moves up",                "a=x,p",                "b=x",            "",         "off a, add b",                "a=p b=x");
    check("marked already",                   "a=x:gone5",            "b=x",            "remove",   "sleep a 25d, add b",          "a:gone5 b=x");
    check("after a short read",               "a=x",                  "b=x",            "remove short", "wait a, add b",           "a:off b=x");
    check("a mailbox lost to another",        "a=x",                  "a b=x",          "remove",   "delete a, add b",             "a:gone0 b=x");
    check("back with what Entra lists now",   "a:gone5 b=x",          "a=y b=x",        "remove",   "restore a",                   "a=y b=x");
    check("back, and nothing is left for it", "a:gone5 b=x",          "a=x b=x",        "remove",   "fail a for user b",           "same");
    check("back without an alias",            "a:gone5 b=x",          "a=y,x b=x",      "remove",   "restore a",                   "a=y b=x");
    check("an address again",                 "a:off b=x",            "a=y b=x",        "",         "update a",                    "a=y b=x");
    check("a group's",                        "G=x",                  "b=x",            "remove",   "add b, delete G",             "b=x G:gone0");
}

#[test]
#[rustfmt::skip]
fn r3_6_a_holder_without_claim_loses() {
    check("a guest",                          "a=x,p b=y",            "a=z:guest b=y,x", "",        "skip a guest, update b",      "a=p b=y,x");
    check("out of the domain",                "a=x b=y",              "a=z@x.org b=y,x", "",        "skip a domain_not_registered, update b", "a:off b=y,x");
    check("its kind is off",                  "G=x",                  "G=z b=x",        "no-groups", "add b, skip G kind_not_selected", "b=x G");
    check("whatever the switches",            "a=x",                  "a=z b=x",        "no-update", "off a, add b",               "a:off b=x");
    check("only exempt it keeps it",          "a=x,p",                "a=z b=x",        "exempt=p", "skip a exempt, fail b for user a", "same");
    check("exempt, its alias too",            "a=x,p b=y",            "a=x b=y,p",      "exempt=x", "skip a exempt",               "same");
    check("exempt and gone in Entra",         "a=x,p",                "b=p",            "exempt=x remove", "skip a exempt, fail b for user a", "same");
    check("made by hand it keeps it",         "h=x,p:hand",           "a=x b=p",        "no-update", "off a, fail b for user a",   "same");
    check("what an adopter drops",            "h=x,p:hand",           "a=x b=p",        "",         "adopt h as a, add b",         "b=p h=x");
}

#[test]
#[rustfmt::skip]
fn r3_6_two_claim_it() {
    check("the present holder keeps it",      "b=y,x",                "a=x b=y,x",      "",         "fail a for user b",           "same");
    check("a ring with a present holder",     "c=q,u o=t,r:old",      "a=u,t b=q,r c=t,u", "",      "fail a for user c, adopt o as b, update c", "c=t,u o=q,r");
    check("even out of scope",                "b=x",                  "a=x b=x:guest",  "",         "fail a for user b, skip b guest", "same");
    check("new: the primary wins",            "",                     "a=y,x b=x",      "",         "add a, add b",                "a=y b=x");
    check("two primaries: the smaller id",    "",                     "a=x b=x",        "",         "add a, fail b for user a",    "a=x");
    check("two aliases: the smaller id",      "",                     "a=y,x b=z,x",    "",         "add a, add b",                "a=y,x b=z");
    check("user and group",                   "",                     "G=x a=x",        "",         "fail a for group G, add G",   "G=x");
    check("fails alone: its aliases are free", "c=z",                 "a=z,p b=y,p c=z", "",        "fail a for user c, add b",    "b=y,p c=z");
    check("fails alone: nobody is adopted",   "c=z h=p,q:hand",       "a=z,p b=q c=z",  "",         "fail a for user c, adopt h as b", "c=z h=q");
    check("beaten by one that fails itself",  "c=z h=p,q:hand",       "G=p a=z,p b=y,q c=z", "",    "fail a for user c, adopt h as b, add G", "c=z h=y,q G=p");
    check("each beaten by the other",         "H=t:hand o=p:old",     "e=t,p K=p,t",    "",         "fail e for group K, adopt H as K", "o:off:old H=p,t");
    check("fails, and its old one is taken",  "a=x b=y",              "a=y,w b=y c=x",  "",         "fail a for user b, add c",    "a:off b=y c=x");
}

#[test]
fn r3_6_both_are_named() {
    let note = |entra: &str| {
        World::new("", entra, "")
            .plan()
            .into_values()
            .flat_map(|verdict| match verdict {
                Verdict::Change(planned) => planned.change.notes,
                Verdict::Failed(planned) => vec![planned.change.error.unwrap()],
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(note("a=y,x b=x"), ["the alias x@c.ch is left out: user b has it too"]);
    assert_eq!(note("a=x b=x"), ["its primary address belongs to user a, and user b cannot have it too"]);
}

#[test]
fn r3_6_who_is_left_without_an_address_is_listed() {
    let planned = World::new("a=x", "b=x", "").change();
    assert_eq!(
        planned.change.notes,
        ["takes x@c.ch from user a", "user a is left without an address and is made inactive"]
    );
    assert_eq!(planned.seats, 0, "r5_5: one comes, one goes");
    let planned = World::new("a=x,p", "b=x", "").change();
    assert_eq!((planned.change.notes.len(), planned.seats), (1, 1), "who has an alias left stays active");
}

#[test]
fn r3_6_parts_of_a_unit() {
    let settled = |name: &str, part: &[&str], expected: &str| {
        let mut world = World::new("a=x b=y", "a=y b=x", "");
        let mut changes = crate::world::changes(&world.plan());
        changes.retain(|planned| part.contains(&planned.change.object_id.as_str()));
        let settled = world.settle(&changes);
        assert!(settled.outcomes.iter().all(|(outcome, _)| *outcome == Outcome::Applied));
        world.owners();
        assert_eq!(world.shown(), expected, "{name}");
    };
    settled("both", &["a", "b"], "a=y b=x");
    settled("half a swap: the other has nothing left", &["a"], "a=y b:off");
    settled("the other half", &["b"], "a:off b=x");
    settled("nothing", &[], "a=x b=y");
}

#[test]
fn r3_6_a_change_that_goes_stale_takes_its_adoption_with_it() {
    let mut world = World::new("h=x,p:hand", "a=x b=p", "");
    let changes = crate::world::changes(&world.plan());
    let h = world.here.values_mut().next().unwrap();
    *h = h.readdressed(h.addresses().clone());
    let settled = world.settle(&changes);
    assert_eq!(
        settled.outcomes.iter().map(|(outcome, _)| *outcome).collect::<Vec<_>>(),
        [Outcome::Stale, Outcome::Stale]
    );
    assert_eq!(world.shown(), "h=x,p:hand", "what was made by hand gives nothing away");
}

#[test]
fn r4_6_an_object_that_moved_on_is_left_alone() {
    let outcome = |name: &str, meddle: fn(&mut World), expected: (Outcome, &str)| {
        let mut world = World::new("a=ann", "a=anna", "");
        let changes = crate::world::changes(&world.plan());
        meddle(&mut world);
        let before = world.here.clone();
        let settled = world.settle(&changes);
        let (outcome, why) = settled.outcomes[0].clone();
        assert_eq!((outcome, why.unwrap_or_default().as_str()), expected, "{name}");
        if outcome == Outcome::Stale {
            assert_eq!(world.here, before, "{name}");
        }
    };
    outcome("nothing happened", |_| (), (Outcome::Applied, ""));
    outcome("it is gone", |world| world.here.clear(), (Outcome::Stale, "it is not here any longer"));
    let touch: fn(&mut World) =
        |world| world.here.values_mut().for_each(|held| *held = held.readdressed(held.addresses().clone()));
    outcome("somebody changed it", touch, (Outcome::Stale, "it has changed since the plan was made"));
    let exempt: fn(&mut World) = |world| world.exempt.extend([crate::world::address("ann")]);
    outcome("r4_7 it was exempted", exempt, (Outcome::Stale, "one of its addresses is exempt since the plan was made"));
    let taken: fn(&mut World) = |world| {
        let other = World::new("h=anna:hand", "", "").here;
        world.here.extend(other);
    };
    outcome("its new address is taken by hand", taken, (Outcome::Stale, "anna@c.ch belongs to user h now"));
}

#[test]
fn r3_6_only_who_shares_an_address_is_concerned() {
    plans("three units side by side", "a=x b=y", "a=x b=z c=c", "", "update b, add c");
    assert!(matches!(World::new("a=x", "a=x", "").here.values().next(), Some(Held::User(_))));
}
