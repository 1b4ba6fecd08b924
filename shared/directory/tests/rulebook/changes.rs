//! Rules 4.5 and 2.11: what a change says, and the id that names it.

use std::collections::BTreeSet;

use crate::world::{World, address};
use directory::{Change, Entra, EntraUser, Verdict};
use serde_json::{Value, json};

fn change(here: &str, entra: &str, rules: &str) -> Change {
    match World::new(here, entra, rules).plan().into_values().find(|verdict| *verdict != Verdict::Settled) {
        Some(Verdict::Change(planned) | Verdict::NotEnabled(planned) | Verdict::Failed(planned)) => planned.change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn r4_5_the_id_is_stable_while_the_content_is() {
    let id = |here, entra, rules| change(here, entra, rules).id;
    assert_eq!(id("a=ann", "a=anna", ""), id("a=ann", "a=anna", "remove"), "whatever else is set");
    assert_eq!(id("a=ann", "a=anna", ""), id("a=ann b=bob", "a=anna b=bob", ""), "and whoever else is there");
    let mut later = World::new("a=ann", "", "remove");
    later.now = "2025-06-02T07:00:00Z".parse().unwrap();
    assert_eq!(later.change().change.id, id("a=ann", "", "remove"), "a deletion that waits keeps its id over the days");
}

#[test]
fn r4_5_other_contents_have_other_ids() {
    let rows = [
        ("", "a=ann", ""),
        ("", "b=ann", ""),
        ("", "G=ann", ""),
        ("", "a=anna", ""),
        ("", "a=ann,al", ""),
        ("", "a=ann", "silent"),
        ("", "a=ann", "no-add"),
        ("a=ann", "a=anna", ""),
        ("a=anni", "a=anna", ""),
        ("a=ann", "a=ann:blocked", ""),
        ("a=ann:off", "a=ann", ""),
        ("a=ann", "", "remove"),
        ("a=ann", "", "remove days=0"),
        ("a=ann", "", ""),
        ("a=ann", "", "days=0"),
        ("a=ann:gone40", "", "remove"),
        ("a=ann:gone4", "a=ann", ""),
        ("h=ann:hand", "a=ann", ""),
        ("h=ann:old", "a=ann", ""),
    ];
    let ids: BTreeSet<String> = rows.iter().map(|(here, entra, rules)| change(here, entra, rules).id).collect();
    assert_eq!(ids.len(), rows.len());
    assert!(ids.iter().all(|id| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit())));
}

#[test]
fn r4_5_fields_before_and_after_and_a_sentence_why() {
    let said = |here: &str, entra: &str, rules: &str| {
        let change = change(here, entra, rules);
        let fields: Vec<String> =
            change.fields.iter().map(|(name, field)| format!("{name} {} -> {}", field.from, field.to)).collect();
        format!("{}: {}", change.why, fields.join("; "))
    };
    #[rustfmt::skip]
    let rows = [
        ("a=ann",       "a=anna,ann", "", r#"Entra has another alias emails, primary email: alias_emails [] -> ["ann@c.ch"]; primary_email "ann@c.ch" -> "anna@c.ch""#),
        ("a=ann",       "a=ann:blocked", "", "its sign-in is blocked in Entra: is_active true -> false"),
        ("a=ann:off",   "a=ann",      "", "it is active again in Entra: is_active false -> true"),
        ("h=ann:hand",  "a=ann",      "", r#"adopts the one that is here already with its address: entra_id null -> "a"; managed_by "hand" -> "sync""#),
        ("h=ann:old",   "a=ann",      "", r#"adopts the one that is here already with its address: entra_id "h-before" -> "a""#),
        ("G=team",      "",     "remove", r#"it was deleted in Entra: it is made inactive, and removed for good after 30 days: deleted_at null -> "2025-06-01T00:00:00Z""#),
        ("",            "G=team",     "", r#"it is new in Entra: kind null -> "distribution"; name null -> "team@c.ch"; primary_email null -> "team@c.ch""#),
    ];
    for (here, entra, rules, expected) in rows {
        assert_eq!(said(here, entra, rules), expected);
    }
}

#[test]
fn r2_11_what_is_known_of_a_person() {
    let mut world = World::new("", "a=ann", "");
    let Some((Entra::User(user), _)) = world.entra.values_mut().next() else { panic!("a user") };
    *user = EntraUser {
        upn: Some("ann@c.onmicrosoft.com".into()),
        display_name: Some("Ann Lee".into()),
        given_name: Some("Ann".into()),
        surname: Some("Lee".into()),
        mobile: Some("+41 79".into()),
        business_phones: Some(vec!["+41 44".into()]),
        job_title: Some("Smith".into()),
        department: Some("Forge".into()),
        language: Some("de-CH".into()),
        ..user.clone()
    };
    let planned = world.change();
    let expected = json!({
        "firstname": "Ann", "surname": "Lee", "display_name": "Ann Lee", "job_title": "Smith", "department": "Forge",
        "mobile": "+41 79", "phone": "+41 44", "language": "de-CH", "upn": "ann@c.onmicrosoft.com",
        "primary_email": "ann@c.ch", "type": "end_user", "digests": true, "is_active": true,
    });
    let shown: serde_json::Map<String, Value> =
        planned.change.fields.iter().map(|(name, field)| (name.clone(), field.to.clone())).collect();
    assert_eq!(Value::Object(shown), expected);
    assert_eq!(planned.change.address, Some(address("ann")));
    world.settle(&[planned]);
    let Some((Entra::User(user), _)) = world.entra.values_mut().next() else { panic!("a user") };
    user.mobile = None;
    let fields = world.change().change.fields;
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["mobile"], "what Entra cleared is cleared");
    assert_eq!(fields["mobile"].to, Value::Null);
}
