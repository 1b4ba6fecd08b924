//! Secrets as operators save, move and renew them, and what the registration says of them.

use std::pin::pin;

use engine::{
    connection,
    operator::{Asked, Refused},
    records::ExpirySource,
};
use serde_json::{Value, json};
use tests::{
    application::{May, certificate_of, pem},
    turnstile::{Deed, Side, Switch, poll},
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
    let own = |thumbprint: &str| certificate_of(thumbprint, "2027-07-01T10:00:00Z");
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
    let again = desk.done("move_secret", to("kms"));
    assert_eq!(again, json!({"tenant": "contoso", "moved": false, "place": "kms"}));
    desk.done("move_secret", to("secrets_manager"));
    desk.done("put_tenant", json!({"settings": {"rotate_secret": true}}));
    let refused = desk.refused("move_secret", to("kms"));
    assert!(
        refused.starts_with("invalid_input: to: a secret that is renewed by itself stays in Secrets Manager"),
        "{refused}"
    );
    assert_eq!(desk.done("move_secret", to("secrets_manager"))["moved"], false);
    desk.done("put_tenant", json!({"tenant": "fabrikam", "settings": {}}));
    let none = desk.done("move_secret", json!({"tenant": "fabrikam", "to": "kms"}));
    assert_eq!(none, json!({"tenant": "fabrikam", "moved": false, "place": null}));
    let audit = desk.world.store.snapshot().into_iter().filter(|(key, _)| key.sk.starts_with("AUD#"));
    let moved: Vec<_> =
        audit.filter(|(_, entry)| entry["action"] == "move_secret").map(|(_, entry)| entry["to"].clone()).collect();
    assert_eq!(moved, ["kms", "secrets_manager"].map(|place| json!({"place": place})));
}

/// How often a renewal was asked for.
fn renewals(desk: &Desk) -> u64 {
    desk.world.turnstile.by_name().get("renew_now").copied().unwrap_or_default()
}

#[test]
fn r7_3_a_secret_that_ends_before_its_first_renewals_is_renewed_at_once() {
    let desk = Desk::new();
    let put = |expires_on: &str| desk.done("put_secret", json!({"ad_key": "good", "expires_on": expires_on}));
    let rotate = |on: bool| desk.done("put_tenant", json!({"settings": {"rotate_secret": on}}));
    put("2026-12-02");
    rotate(true);
    assert_eq!(renewals(&desk), 1, "turned on with ten days left");
    desk.done("put_tenant", json!({"settings": {"seats": 7}}));
    rotate(false);
    assert_eq!(renewals(&desk), 1);
    put("2027-01-06");
    rotate(true);
    assert_eq!(renewals(&desk), 1, "45 days are enough for another try");
    put("2027-01-05");
    assert_eq!(renewals(&desk), 2);
    // What a rotation has just made is renewed when it is time, however short its life.
    let mut tenant = desk.world.tenant();
    tenant.credential.as_mut().unwrap().key_id = Some("made".to_owned());
    desk.world.store.poke(engine::keys::meta(&desk.world.tenant), engine::records::write(&tenant));
    rotate(true);
    assert_eq!(renewals(&desk), 2);
}

#[test]
fn r7_3_what_fails_once_a_secret_is_saved_is_noted_until_a_person_saves_one_that_works() {
    let mut noted = 0;
    for number in 1..=8 {
        let desk = Desk::new();
        desk.done("put_tenant", json!({"settings": {"rotate_secret": true}}));
        let put = json!({"ad_key": "good", "expires_on": "2026-12-02"});
        let deed = Deed::Fault { passes: true };
        desk.world.turnstile.set(Some(Switch { at: number, side: Side::Before, deed }));
        let answer = desk.ask("put_secret", put.clone());
        desk.world.turnstile.set(None);
        if let Some(kept) = desk.world.schedule().rotation {
            noted += 1;
            assert_eq!((&answer["message"], &answer["secret_expiry"]), (&json!("SUCCESS"), &json!("2026-12-02")));
            assert!(kept.error.message.contains("request-2"), "{kept:?}");
        }
        assert_eq!(desk.done("put_secret", put)["message"], "SUCCESS");
        assert!(desk.world.schedule().rotation.is_none(), "call {number}");
    }
    assert_eq!(noted, 2, "scheduling the renewal, and asking for one now");
}

/// A person saves the secret `good-one`.
async fn saving(desk: &Desk) -> Result<Value, Refused> {
    let world = &desk.world;
    world.store.fenced(false);
    let asked =
        Asked { tenant: world.tenant.clone(), by: "ops".to_owned(), now: world.now(), nonce: "saving".to_owned() };
    let ports = (&world.entra, &world.store, &world.vault);
    connection::put_secret(ports, &asked, &"good-one".to_owned().into(), None).await
}

#[test]
fn r7_2_a_secret_that_is_saved_while_others_change_the_tenant_is_saved_once() {
    for change in [json!({"seats": 7}), json!({"credential": {"kind": "federated"}})] {
        for at in 1..=5 {
            let desk = Desk::new();
            desk.world.turnstile.set(Some(Switch { at, side: Side::Before, deed: Deed::Halt }));
            let mut work = pin!(saving(&desk));
            assert!(poll(work.as_mut()).is_none());
            desk.done("put_tenant", json!({"settings": change}));
            desk.world.turnstile.resume();
            let outcome = poll(work.as_mut()).unwrap();
            let saved = desk.world.turnstile.by_name().get("put_secret").copied().unwrap_or_default();
            let federated = change.get("credential").is_some();
            if federated && at == 1 {
                assert!(outcome.is_err() && saved == 0, "there is nothing to save: {outcome:?}");
                continue;
            }
            let answer = outcome.unwrap();
            assert_eq!(saved, 1, "call {at}");
            assert_eq!(answer["message"] == "SUCCESS", !federated, "call {at}: {answer}");
            assert_eq!(answer["secret_expiry"].is_null(), federated, "call {at}: {answer}");
            assert_eq!(desk.world.tenant().credential.unwrap().hint.as_deref(), Some("goo"));
        }
    }
}

#[test]
fn s9_a_secret_that_is_saved_while_the_tenant_is_deleted_is_deleted_too() {
    for side in [Side::Before, Side::After] {
        for at in 1..=4 {
            let desk = Desk::new();
            desk.world.turnstile.set(Some(Switch { at, side, deed: Deed::Halt }));
            let mut work = pin!(saving(&desk));
            assert!(poll(work.as_mut()).is_none());
            assert_eq!(desk.done("delete_tenant", json!({"purge": true}))["deleted"], true);
            desk.world.turnstile.resume();
            let refused = poll(work.as_mut()).unwrap().unwrap_err().to_string();
            assert_eq!(refused, "there is no tenant contoso", "call {at}, {side:?}");
            assert_eq!(desk.world.vault.current(&desk.world.tenant), None, "call {at}, {side:?}");
        }
    }
}

#[test]
fn r1_3_the_key_of_a_certificate_is_never_sent_as_a_client_secret() {
    let desk = Desk::new();
    let kind = |kind: &str| desk.done("put_tenant", json!({"settings": {"credential": {"kind": kind}}}));
    let said = |answer: &Value| answer["connection"]["error"]["message"].as_str().unwrap_or_default().to_owned();
    let listed = certificate_of("AA", "2027-07-01T10:00:00Z");
    desk.world.entra.application(|application| application.certificates = vec![listed]);
    desk.done("put_secret", json!({"ad_key": "good"}));
    let other = |what: &str| format!("the connection of tenant contoso is not configured: what is saved is {what}");
    assert_eq!(said(&kind("certificate")), other("not the key of a certificate"));
    assert_eq!(desk.world.sync()["error"]["code"], "invalid_input");
    desk.done("put_secret", json!({"ad_key": pem("AA", "2027-07-01T10:00:00Z")}));
    assert_eq!(desk.world.sync()["state"], "applied");
    // The application's stand-in would not take it, and neither would we send it.
    assert_eq!(said(&kind("secret")), other("the key of a certificate"));
    assert_eq!(said(&desk.done("test_connection", json!({}))), other("the key of a certificate"));
    assert_eq!(desk.world.sync()["error"]["message"], other("the key of a certificate"));
    let refused = desk.refused("put_secret", json!({"ad_key": pem("AA", "2027-07-01T10:00:00Z")}));
    assert_eq!(refused, "invalid_input: ad_key: this is the key of a certificate, and not a client secret");
    assert_eq!(desk.done("put_secret", json!({"ad_key": "good"}))["message"], "SUCCESS");
    assert_eq!(desk.world.sync()["state"], "applied");
}

#[test]
fn r7_1_what_is_known_of_another_kind_of_credential_is_not_said() {
    let desk = Desk::new();
    let shown = |answer: Value| (answer["credential_state"].clone(), answer["secret_expiry"].clone());
    let kind = |kind: &str| shown(desk.done("put_tenant", json!({"settings": {"credential": {"kind": kind}}})));
    let put = json!({"ad_key": "good", "expires_on": "2026-12-02"});
    assert_eq!(shown(desk.done("put_secret", put)), (json!("expiring"), json!("2026-12-02")));
    assert_eq!(kind("certificate"), (json!("configure"), Value::Null));
    assert_eq!(kind("federated"), (json!("working"), Value::Null));
    assert_eq!(kind("secret"), (json!("expiring"), json!("2026-12-02")));
}
