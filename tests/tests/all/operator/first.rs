//! Users made by hand who sign in as an object of Entra before synchronisation has brought it.

use directory::{ObjectId, User};
use engine::sign_in::{self, Denied, Ended, Session};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{integrity, turnstile::drive};

use super::Desk;

const ANN: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const BOB: &str = "aaaaaaaa-0000-4000-8000-000000000002";

fn id(text: &str) -> ObjectId {
    ObjectId::try_from(text).unwrap()
}

/// Who signs in with the Microsoft account of an object of Entra.
fn user_of(desk: &Desk, entra_id: &str) -> Option<User> {
    drive(sign_in::user_of(&desk.world.store, &desk.world.tenant, &id(entra_id))).unwrap().unwrap()
}

fn session(desk: &Desk, entra_id: &str) -> Session {
    let here = drive(sign_in::find(&desk.world.store, &desk.world.tenant)).unwrap().unwrap().unwrap();
    Session::new(&here, &user_of(desk, entra_id).unwrap(), id(entra_id), desk.world.now())
}

fn resumed(desk: &Desk, session: &Session) -> Result<User, Ended> {
    let now = desk.world.now();
    let session = session.clone().seen_at(now);
    assert!(now.duration_since(desk.world.now()) < SignedDuration::from_hours(1));
    drive(sign_in::resume(&desk.world.store, &session, now)).unwrap().unwrap().map(|(user, _)| user)
}

fn made(desk: &Desk, address: &str, entra_id: &str) -> Value {
    let user = json!({"primary_email": address, "type": "organization_admin", "entra_id": entra_id});
    desk.done("put_user", json!({"user": user}))["user"].clone()
}

fn user(desk: &Desk, address: &str) -> Value {
    desk.done("get_user", json!({"address": address}))["user"]["id"].clone()
}

fn pointers(desk: &Desk) -> usize {
    desk.world.store.snapshot().keys().filter(|key| key.pk.starts_with("I#")).count()
}

#[test]
fn r8_1_a_user_made_by_hand_signs_in_before_the_first_synchronisation() {
    let desk = Desk::new();
    let ann = made(&desk, "ann@contoso.com", &ANN.to_uppercase());
    assert_eq!((&ann["entra_id"], &ann["managed_by"]), (&json!(ANN), &json!("hand")));
    assert!(ann.get("signs_in_as").is_none());
    let user = user_of(&desk, ANN).unwrap();
    assert_eq!(json!(user.id), ann["id"]);
    assert!(sign_in::admit(Some(user)).is_ok());
    let shown = desk.done("get_user", json!({"address": "ann@contoso.com"}))["user"].clone();
    assert_eq!(shown, ann);
    // What was read may be sent back; other changes keep it.
    assert_eq!(desk.done("put_user", json!({"user": shown}))["user"], ann);
    desk.done("put_user", json!({"user": {"id": ann["id"], "display_name": "Ann"}}));
    desk.done("convert", json!({"address": "ann@contoso.com", "to": "organization_admin"}));
    let open = session(&desk, ANN);
    assert!(resumed(&desk, &open).is_ok());

    // Synchronisation brings that object with the address: the user is adopted, and goes on.
    desk.world.entra.hire_as(ANN, &["SMTP:ann@contoso.com"]);
    desk.world.sync_twice();
    let adopted = desk.done("get_user", json!({"address": "ann@contoso.com"}))["user"].clone();
    assert_eq!(
        (&adopted["id"], &adopted["entra_id"], &adopted["managed_by"], &adopted["type"]),
        (&ann["id"], &json!(ANN), &json!("sync"), &json!("organization_admin"))
    );
    assert_eq!(json!(user_of(&desk, ANN).unwrap().id), ann["id"]);
    assert!(resumed(&desk, &open).is_ok());
    let refused = desk.refused("put_user", json!({"user": {"id": ann["id"], "entra_id": BOB}}));
    assert!(refused.contains("user.entra_id: cannot be set, since synchronisation maintains"), "{refused}");
    desk.done("delete_user", json!({"address": "ann@contoso.com"}));
    assert_eq!((user_of(&desk, ANN), pointers(&desk)), (None, 0));
    assert_eq!(resumed(&desk, &open).unwrap_err(), Ended::User(Denied::Unknown));
    desk.world.sync();
    desk.at_rest();
}

#[test]
fn r8_1_an_object_with_another_address_is_another_user_and_the_one_who_signs_in() {
    let desk = Desk::new();
    made(&desk, "ann@contoso.com", ANN);
    let open = session(&desk, ANN);
    desk.world.entra.hire_as(ANN, &["SMTP:ann.smith@contoso.com"]);
    desk.world.sync_twice();
    let users = desk.done("list_users", json!({}))["users"].as_array().unwrap().len();
    assert_eq!(users, 2, "beside it, and never two owners of an address");
    assert_eq!(user_of(&desk, ANN).unwrap().id, id(ANN), "the synchronised one");
    // Whoever is signed in as the other one signs in again.
    assert_eq!(resumed(&desk, &open).unwrap_err(), Ended::User(Denied::Unknown));
    // The person goes on managing, as the operator has said, until that user is taken back.
    let ann = user_of(&desk, ANN).unwrap();
    let manages = |user: &User| drive(sign_in::manages(&desk.world.store, &desk.world.tenant, user)).unwrap().unwrap();
    assert!(manages(&ann));
    let moment = desk.world.moment();
    for taken_back in [
        json!({"id": user(&desk, "ann@contoso.com"), "type": "end_user"}),
        json!({"id": user(&desk, "ann@contoso.com"), "entra_id": null}),
        json!({"id": user(&desk, "ann@contoso.com"), "is_active": false}),
    ] {
        desk.done("put_user", json!({"user": taken_back}));
        assert!(!manages(&ann), "{taken_back}");
        desk.world.go_back(&moment);
    }
    desk.done("delete_user", json!({"address": "ann@contoso.com"}));
    assert!(!manages(&ann));
    desk.world.go_back(&moment);
    // Once both have one address it is a conflict as any: the holder yields to Entra, or is adopted by nobody.
    desk.world.entra.readdress(&id(ANN), &["SMTP:ann@contoso.com"]);
    desk.world.sync();
    integrity::of_rest(&desk.world.store.snapshot());
    assert_eq!(user_of(&desk, ANN).unwrap().id, id(ANN));
    desk.world.sync();
    desk.at_rest();
}

#[test]
fn r8_1_another_object_with_the_address_takes_the_user_over_and_the_session_ends() {
    let desk = Desk::new();
    let ann = made(&desk, "ann@contoso.com", ANN);
    let open = session(&desk, ANN);
    desk.world.entra.hire_as(BOB, &["SMTP:ann@contoso.com"]);
    desk.world.sync_twice();
    assert_eq!(json!(user_of(&desk, BOB).unwrap().id), ann["id"]);
    assert_eq!(user_of(&desk, ANN), None);
    assert_eq!(resumed(&desk, &open).unwrap_err(), Ended::User(Denied::Unknown));
    // What is left over of the first stands in nobody's way.
    let other = made(&desk, "other@contoso.com", ANN);
    assert_eq!(json!(user_of(&desk, ANN).unwrap().id), other["id"]);
    desk.at_rest();
}

#[test]
fn s9_an_object_of_entra_is_one_user() {
    let desk = Desk::new();
    let ann = made(&desk, "ann@contoso.com", ANN);
    let user = |fields: Value| json!({"user": fields});
    let refused = desk.refused("put_user", user(json!({"primary_email": "bob@contoso.com", "entra_id": ANN})));
    let expected = format!("invalid_input: user.entra_id: it is that of user {} already", ann["id"].as_str().unwrap());
    assert_eq!(refused, expected);
    for bad in [json!("ann"), json!(5), json!(""), json!(format!("{ANN}0"))] {
        let refused = desk.refused("put_user", user(json!({"primary_email": "bob@contoso.com", "entra_id": bad})));
        assert_eq!(refused, "invalid_input: user.entra_id: expected a GUID, or null");
    }
    desk.world.entra.hire_as(BOB, &["SMTP:bob@contoso.com"]);
    desk.world.sync();
    let refused = desk.refused("put_user", user(json!({"id": ann["id"], "entra_id": BOB})));
    assert!(refused.ends_with(&format!("it is that of user {BOB} already")), "{refused}");

    // It can be changed, taken back, and given to somebody else.
    let open = session(&desk, ANN);
    desk.done("put_user", user(json!({"id": ann["id"], "entra_id": null})));
    assert_eq!((user_of(&desk, ANN), pointers(&desk)), (None, 0));
    assert_eq!(resumed(&desk, &open).unwrap_err(), Ended::User(Denied::Unknown));
    let other = made(&desk, "other@contoso.com", ANN);
    assert_eq!(json!(user_of(&desk, ANN).unwrap().id), other["id"]);
    let log = desk.world.store.snapshot();
    let entry = log.iter().rfind(|(key, _)| key.sk.starts_with("AUD#")).unwrap().1;
    assert_eq!(entry["to"]["entra_id"], json!(ANN));
    desk.done("delete_user", json!({"address": "other@contoso.com"}));
    assert_eq!(pointers(&desk), 0);
    made(&desk, "third@contoso.com", ANN);
    desk.done("delete_tenant", json!({"purge": true}));
    assert_eq!(pointers(&desk), 0, "nothing of a tenant stays");
}

#[test]
fn r2_10_whether_somebody_is_a_member_of_a_group() {
    let desk = Desk::new();
    let (outer, inner) = (desk.world.entra.list("operators"), desk.world.entra.list("inner"));
    let (ann, bob) = (desk.world.entra.hire("ann"), desk.world.entra.hire("bob"));
    desk.world.entra.join(&outer, &inner);
    desk.world.entra.join(&inner, &ann);
    desk.world.sync();
    let is = |user: &ObjectId, group: &ObjectId| {
        drive(sign_in::is_member(&desk.world.store, &desk.world.tenant, user, group)).unwrap().unwrap()
    };
    assert!(is(&ann, &outer) && is(&ann, &inner));
    assert!(!is(&bob, &outer) && !is(&ann, &id(ANN)) && !is(&ann, &bob));
    // Another group that gets the address of this one is still another group.
    desk.world.entra.purge(&outer);
    let next = desk.world.entra.group("next", &["SMTP:operators@contoso.com"], true, false, &[]);
    desk.world.entra.join(&next, &bob);
    desk.world.sync();
    assert!(!is(&ann, &outer) && !is(&bob, &outer) && is(&bob, &next), "a group that is gone");
}
