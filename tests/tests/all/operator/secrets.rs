//! Secrets as operators save, move and renew them, and what the registration says of them.

use engine::records::ExpirySource;
use serde_json::{Value, json};
use tests::{
    application::{May, pem},
    turnstile::{Deed, Side, Switch},
};

use super::Desk;

fn can(desk: &Desk, may: May) {
    desk.world.entra.application(|application| application.may = may);
}

#[test]
fn r6_5_every_check_by_a_person_reads_the_true_day_where_it_may() {
    let desk = Desk::new();
    let day = |answer: &Value| answer["secret_expiry"].as_str().unwrap_or_default().to_owned();
    let put = |ad_key: &str| desk.done("put_secret", json!({"ad_key": ad_key, "expires_on": "2027-05-01"}));
    assert_eq!(day(&put("good")), "2027-05-01");
    assert_eq!(desk.schedule("contoso").seen, None, "nobody was asked");
    desk.world.entra.add_password("ours", "true-day", 100);
    can(&desk, May::Read);
    assert_eq!(day(&put("true-day")), "2027-03-02", "Entra knows better than who states a day");
    assert_eq!(desk.world.tenant().credential.unwrap().source, ExpirySource::Stated, "what was stated is kept");
    let change = |days: i64| {
        desk.world.entra.application(|application| {
            let ours = application.secrets.iter_mut().find(|one| one.value == "true-day").unwrap();
            ours.ends += jiff::SignedDuration::from_hours(24 * days);
        });
    };
    change(1);
    assert_eq!(day(&desk.done("get_tenant", json!({}))), "2027-03-02");
    assert_eq!(day(&desk.done("test_connection", json!({}))), "2027-03-03");
    change(1);
    assert_eq!(day(&desk.done("put_tenant", json!({"settings": {"seats": 7}}))), "2027-03-03", "this checks nothing");
    assert_eq!(day(&desk.done("put_tenant", json!({"settings": {"cloud": "global"}}))), "2027-03-04");
    assert_eq!(day(&desk.invoke(json!({"action": "list_tenants"})).unwrap()["tenants"][0]), "", "none is registered");
    // The permission goes: what was seen of this very secret is still true, and of another it is not.
    can(&desk, May::Nothing);
    assert_eq!(day(&desk.done("test_connection", json!({}))), "2027-03-04");
    assert_eq!(day(&put("good")), "2027-05-01");
}

#[test]
fn r7_2_a_certificate_says_itself_when_it_ends() {
    let desk = Desk::new();
    desk.done("put_tenant", json!({"settings": {"credential": {"kind": "certificate"}}}));
    let own = |thumbprint: &str| tests::application::certificate_of(thumbprint, "2027-07-01T10:00:00Z");
    desk.world.entra.application(|application| application.certificates = vec![own("AA"), own("BB")]);
    let put = |pem: &str| json!({"ad_key": pem, "expires_on": "2030-01-01"});
    let answer = desk.done("put_secret", put(&pem("AA", "2027-07-01T10:00:00Z")));
    assert_eq!((&answer["secret_expiry"], &answer["message"]), (&json!("2027-07-01"), &json!("SUCCESS")));
    let facts = desk.world.tenant().credential.unwrap();
    assert_eq!((facts.source, facts.hint), (ExpirySource::Certificate, None));
    let refused = desk.refused("put_secret", put(&pem("AA", "2026-07-01T10:00:00Z")));
    assert!(refused.contains("the certificate ended at 2026-07-01T10:00:00Z"), "{refused}");
    let refused = desk.refused("put_secret", put("-----BEGIN PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----"));
    assert!(refused.contains("cannot be read"), "{refused}");
    let refused = desk.refused("put_secret", put(&pem("CC", "2027-07-01T10:00:00Z")));
    assert!(refused.contains("the certificate is unknown"), "{refused}");
}

#[test]
fn r7_3_turning_it_on_and_off_starts_and_stops_the_rotation() {
    let desk = Desk::new();
    let (vault, id) = (&desk.world.vault, &desk.world.tenant);
    let set = |settings: Value| desk.done("put_tenant", json!({"settings": settings}));
    set(json!({"seats": 7}));
    assert!(!vault.rotates(id));
    set(json!({"rotate_secret": true}));
    assert!(vault.rotates(id));
    set(json!({"seats": 8}));
    assert!(vault.rotates(id), "what is not named stays as it is");
    let refused =
        desk.refused("put_tenant", json!({"settings": {"rotate_secret": true, "credential": {"kind": "federated"}}}));
    assert_eq!(refused, "invalid_input: settings.rotate_secret: only a client secret is renewed by itself");
    set(json!({"credential": {"kind": "certificate"}}));
    assert!(!vault.rotates(id), "there is nothing to renew");
    set(json!({"credential": {"kind": "secret"}}));
    assert!(vault.rotates(id), "the setting was still on");
    set(json!({"rotate_secret": false}));
    assert!(!vault.rotates(id));

    // A tenant that is renewed from its first secret on.
    let settings = json!({"rotate_secret": true, "directory_id": super::DIRECTORY, "application_id": super::DIRECTORY});
    desk.done("put_tenant", json!({"tenant": "fabrikam", "settings": settings}));
    let fabrikam = "fabrikam".parse().unwrap();
    assert!(!vault.rotates(&fabrikam), "there is no secret yet");
    desk.done("put_secret", json!({"tenant": "fabrikam", "ad_key": "good"}));
    assert!(vault.rotates(&fabrikam));
}

#[test]
fn r7_3_what_was_interrupted_is_mended_by_saving_again() {
    for number in 1..=8 {
        for side in [Side::Before, Side::After] {
            let desk = Desk::new();
            let event = json!({"action": "put_tenant", "tenant": "contoso", "settings": {"rotate_secret": true}});
            desk.world.turnstile.set(Some(Switch { at: number, side, deed: Deed::Halt }));
            let answer = desk.invoke(event.clone());
            desk.world.turnstile.set(None);
            assert!(
                answer.is_some()
                    || !desk.world.tenant().settings.rotate_secret
                    || desk.world.vault.rotates(&desk.world.tenant)
            );
            desk.invoke(event).unwrap();
            assert!(desk.world.vault.rotates(&desk.world.tenant) && desk.world.tenant().settings.rotate_secret);
        }
    }
}

#[test]
fn r1_3_a_secret_is_kept_where_the_operator_chose() {
    let desk = Desk::new();
    let to = |place: &str| json!({"to": place});
    let answer = desk.done("move_secret", to("kms"));
    assert_eq!(answer, json!({"tenant": "contoso", "moved": true, "place": "kms"}));
    desk.done("move_secret", to("secrets_manager"));
    desk.done("put_tenant", json!({"settings": {"rotate_secret": true}}));
    let refused = desk.refused("move_secret", to("kms"));
    assert!(
        refused.starts_with("invalid_input: to: a secret that is renewed by itself stays in Secrets Manager"),
        "{refused}"
    );
    desk.done("move_secret", to("secrets_manager"));
    desk.done("put_tenant", json!({"tenant": "fabrikam", "settings": {}}));
    assert_eq!(desk.done("move_secret", json!({"tenant": "fabrikam", "to": "kms"}))["moved"], false, "there is none");
    let audit = desk.world.store.snapshot().into_iter().filter(|(key, _)| key.sk.starts_with("AUD#"));
    let moved: Vec<_> =
        audit.filter(|(_, entry)| entry["action"] == "move_secret").map(|(_, entry)| entry["to"].clone()).collect();
    assert_eq!(moved, ["kms", "secrets_manager", "secrets_manager"].map(|place| json!({"place": place})));
}
