//! Section 2: what is synchronised.

use crate::world::{World, check, plans};
use directory::{Domain, Verdict};

#[test]
#[rustfmt::skip]
fn r2_1_kinds_are_switched_on_and_off() {
    //    what happens                        here         Entra                   rules        plan                              afterwards
    check("users and lists, by default",      "",          "a=ann G=team",         "",          "add a, add G",                   "a=ann G=team");
    check("no users",                         "",          "a=ann G=team",         "no-users",  "add G",                          "G=team");
    check("no groups",                        "",          "a=ann G=team",         "no-groups", "add a",                          "a=ann");
    check("unticking deletes nothing",        "a=ann",     "a=anna",               "no-users",  "skip a kind_not_selected",       "same");
    check("nor lists",                        "G=team",    "G=crew",               "no-groups", "skip G kind_not_selected",       "same");
    check("what is not imported, unlisted",   "a=ann",     "a=ann b=bob",          "no-users",  "skip a kind_not_selected",       "same");
}

#[test]
#[rustfmt::skip]
fn r2_2_addresses() {
    check("primary and aliases",              "",          "a=ann,al,lee",         "",          "add a",                          "a=ann,al,lee");
    check("case alone changes nothing",       "a=ann",     "a=ANN@C.CH",           "",          "",                               "same");
    check("the alias becomes the primary",    "a=ann,al",  "a=al,ann",             "",          "update a",                       "a=al,ann");
    check("aliases come and go",              "a=ann,al",  "a=ann,lee",            "",          "update a",                       "a=ann,lee");
    check("a primary that mail cannot carry", "",          "a=än",                 "",          "skip a invalid_address",         "same");
    check("the same of an imported one",      "a=ann",     "a=än",                 "",          "skip a invalid_address",         "same");
}

#[test]
#[rustfmt::skip]
fn r2_3_no_mailbox() {
    check("not imported",                     "",          "a",                    "",          "skip a no_smtp_address",         "same");
    check("lost: a deletion",                 "a=ann",     "a",                    "remove",    "delete a",                       "a=ann:gone0");
    check("lost, and removals are off",       "a=ann",     "a",                    "",          "off a",                          "same");
    check("found again",                      "a=ann:gone5", "a=ann",              "remove",    "restore a",                      "a=ann");
    check("found again under another name",   "a=ann:gone5", "a=anna",             "remove",    "restore a",                      "a=anna");
    check("lost by a functional account",     "a=ann:fun", "a",                    "remove",    "delete a",                       "a=ann:fun:gone0");
}

#[test]
#[rustfmt::skip]
fn r2_4_only_registered_domains() {
    check("a primary elsewhere",              "",          "a=ann@x.org,ann",      "",          "skip a domain_not_registered",   "same");
    check("an alias elsewhere is left out",   "",          "a=ann,ann@x.org",      "",          "add a",                          "a=ann");
    check("a domain below is not registered", "",          "a=ann@sub.c.ch",       "",          "skip a domain_not_registered",   "same");
    check("groups as well",                   "",          "G=team@x.org",         "",          "skip G domain_not_registered",   "same");
    let planned = World::new("", "a=ann,ann@x.org", "").change();
    assert_eq!(planned.change.notes, ["the alias ann@x.org is left out: its domain is not registered here"], "the plan says so");
}

#[test]
fn r2_5_management_domains_count_as_registered() {
    check("mail does not flow, and it counts", "", "a=ann@m.ch", "", "add a", "a=ann@m.ch");
}

#[test]
#[rustfmt::skip]
fn r2_6_domains_that_a_manual_run_names() {
    let named = |name: &str, entra: &str, rules: &str, expected: Option<&str>| {
        let plan = World::new("", entra, rules).plan();
        let Some(Verdict::Skipped(skipped)) = plan.into_values().next() else { panic!("{name}: not skipped") };
        assert_eq!(skipped.domain.as_ref().map(Domain::as_str), expected, "{name}");
    };
    named("a user that would be imported",  "a=ann@x.org",         "",                  Some("x.org"));
    named("a group that would be imported", "G=team@x.org",        "",                  Some("x.org"));
    named("a guest",                        "a=ann@x.org:guest",   "",                  None);
    named("a guest, where guests count",    "a=ann@x.org:guest",   "guests",            Some("x.org"));
    named("blocked",                        "a=ann@x.org:blocked", "",                  None);
    named("blocked, and nobody looks",      "a=ann@x.org:blocked", "blocked=ignore",    Some("x.org"));
    named("exempt",                         "a=ann@x.org",         "exempt=ann@x.org",  None);
    named("an exempt group",                "G=team@x.org",        "exempt=team@x.org", None);
    let microsofts = ["c.onmicrosoft.com", "c.mail.onmicrosoft.com", "c.onmicrosoft.us", "c.partner.onmschina.cn"];
    assert!(microsofts.iter().all(|domain| Domain::parse(domain).unwrap().is_microsofts()));
    assert!(!Domain::parse("notonmicrosoft.com").unwrap().is_microsofts());
}

#[test]
#[rustfmt::skip]
fn r2_7_blocked_sign_in() {
    check("present: disabled",                "a=ann",     "a=ann:blocked",        "",          "disable a",                      "a=ann:off");
    check("disabled already",                 "a=ann:off", "a=ann:blocked",        "",          "",                               "same");
    check("not present: not added",           "",          "a=ann:blocked",        "",          "skip a sign_in_blocked",         "same");
    check("allowed again",                    "a=ann:off", "a=ann",                "",          "update a",                       "a=ann");
    check("disabled, and still maintained",   "a=ann:off", "a=anna:blocked",       "",          "update a",                       "a=anna:off");
    check("made by hand: present, so adopted","h=ann:hand","a=ann:blocked",        "",          "adopt h as a",                   "h=ann:off");
    check("back, and blocked: back inactive", "a=ann:gone5", "a=ann:blocked",      "remove",    "restore a",                      "a=ann:off");
}

#[test]
#[rustfmt::skip]
fn r2_8_guests() {
    check("skipped",                          "",          "a=ann:guest",          "",          "skip a guest",                   "same");
    check("unless they count",                "",          "a=ann:guest",          "guests",    "add a",                          "a=ann");
    check("nor do they adopt",                "h=ann:hand", "a=ann:guest",         "",          "skip a guest",                   "same");
}

#[test]
#[rustfmt::skip]
fn r2_9_kinds_of_groups() {
    check("security groups are off",          "",          "G=team:security",      "",          "",                               "same");
    check("unless they are on",               "",          "G=team:security",      "security",  "add G",                          "G=team");
    check("security without mail, by name",   "",          "G:security",           "security",  "add G",                          "G");
    check("Microsoft 365: as distribution",   "",          "G=team:security:unified", "",       "add G",                          "G=team");
    check("it became a security group",       "G=team",    "G=team:security",      "",          "skip G kind_not_selected",       "same");
}

#[test]
#[rustfmt::skip]
fn r2_11_groups_without_address_and_of_one_name() {
    check("a list without address",           "",          "G",                    "",          "skip G no_smtp_address",         "same");
    check("a list that lost its address",     "G=team",    "G",                    "remove",    "skip G no_smtp_address",         "same");
    check("two of one name",                  "",          "G:security H:security", "security", "add G, add H",                   "G H");
}

#[test]
#[rustfmt::skip]
fn r2_13_the_key_is_the_object_id() {
    check("re-addressed: an update",          "a=ann",     "a=zoe",                "remove",    "update a",                       "a=zoe");
    check("another person of that address",   "a=ann",     "b=ann",                "remove",    "delete a, add b",                "a:gone0 b=ann");
}

#[test]
#[rustfmt::skip]
fn r2_14_out_of_scope_is_left_as_it_is() {
    check("its domain is unregistered",       "a=ann",     "a=ann@x.org",          "remove",    "skip a domain_not_registered",   "same");
    check("it became a guest",                "a=ann",     "a=anna:guest",         "remove",    "skip a guest",                   "same");
    check("its kind was unticked",            "a=ann",     "a=anna",               "no-users remove", "skip a kind_not_selected", "same");
    check("it was exempted",                  "a=ann",     "a=anna",               "exempt=ann remove", "skip a exempt",          "same");
    check("before 2.3: a guest",              "a=ann",     "a:guest",              "remove",    "skip a guest",                   "same");
    check("before 2.3: unticked",             "a=ann",     "a",                    "no-users remove", "skip a kind_not_selected", "same");
    check("before 2.3: exempt",               "a=ann",     "a",                    "exempt=ann remove", "skip a exempt",          "same");
    check("disabled stays disabled",          "a=ann:off", "a=ann:guest",          "",          "skip a guest",                   "same");
}

#[test]
#[rustfmt::skip]
fn r4_13_the_first_rule_that_says_no_gives_the_reason() {
    plans("address before domain",     "", "a=än:blocked:guest",        "exempt=x",         "skip a invalid_address");
    plans("domain before sign-in",     "", "a=ann@x.org:blocked:guest", "exempt=ann@x.org", "skip a domain_not_registered");
    plans("sign-in before guest",      "", "a=ann:blocked:guest",       "exempt=ann",       "skip a sign_in_blocked");
    plans("guest before exempt",       "", "a=ann:guest",               "exempt=ann",       "skip a guest");
    plans("exempt last",               "", "a=ann",                     "exempt=ann",       "skip a exempt");
}
