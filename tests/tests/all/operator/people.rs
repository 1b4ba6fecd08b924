//! Users by hand: making, converting and deleting them.

use serde_json::{Value, json};

use super::Desk;

#[test]
fn r5_4_a_leaver_whose_mail_must_keep_flowing() {
    let desk = Desk::new();
    let ann = desk.world.entra.hire("ann");
    let list = desk.world.entra.list("sales");
    desk.world.entra.join(&list, &ann);
    desk.world.sync_twice();
    desk.world.entra.bin(&ann);
    desk.world.sync_twice();
    let gone = desk.done("get_user", json!({"address": "ann@contoso.com"}))["user"].clone();
    assert_eq!((&gone["is_active"], gone["deleted_at"].is_string()), (&json!(false), true));

    let convert = json!({"address": "ann@contoso.com", "to": "functional_account", "exempt": true});
    let user = desk.done("convert", convert.clone())["user"].clone();
    assert_eq!(
        (&user["type"], &user["is_active"], &user["exempt"]),
        (&json!("functional_account"), &json!(true), &json!(true))
    );
    assert_eq!((&user["deleted_at"], &user["digests"]), (&Value::Null, &json!(false)));
    let before = desk.world.store.snapshot();
    desk.done("convert", convert);
    assert_eq!(before, desk.world.store.snapshot(), "once is enough");
    desk.at_rest();
    desk.world.wait(40 * 86_400);
    desk.world.sync_twice();
    let group = desk.done("get_group", json!({"address": "sales@contoso.com"}))["group"].clone();
    assert_eq!(group["members"], json!([ann]), "its mail flows through the lists as well");
    assert_eq!(desk.done("get_user", json!({"address": "ann@contoso.com"}))["user"], user);
}

#[test]
fn r5_1_a_conversion_is_sticky_and_goes_back_only_by_hand() {
    let desk = Desk::new();
    let info = desk.world.entra.hire("info");
    desk.world.sync();
    desk.done("convert", json!({"address": "info@contoso.com", "to": "functional_account"}));
    desk.world.entra.sign_in(&info, false);
    desk.world.sync_twice();
    let user = desk.done("get_user", json!({"address": "info@contoso.com"}))["user"].clone();
    assert_eq!((&user["type"], &user["is_active"]), (&json!("functional_account"), &json!(true)));
    let user = desk.done("convert", json!({"address": "info@contoso.com", "to": "organization_admin"}))["user"].clone();
    assert_eq!((&user["type"], &user["digests"]), (&json!("organization_admin"), &json!(true)));
    desk.world.sync_twice();
    assert_eq!(
        desk.done("get_user", json!({"address": "info@contoso.com"}))["user"]["is_active"],
        false,
        "2.7 holds again"
    );
    assert_eq!(
        desk.refused("convert", json!({"address": "nobody@contoso.com", "to": "end_user"})),
        "not_found: no user of tenant contoso has the address nobody@contoso.com"
    );
}

#[test]
fn r3_4_a_user_deleted_by_hand_comes_back_unless_exempt() {
    let desk = Desk::new();
    let (ann, bob) = (desk.world.entra.hire("ann"), desk.world.entra.hire("bob"));
    let (inner, outer) = (desk.world.entra.list("inner"), desk.world.entra.list("outer"));
    desk.world.entra.join(&outer, &inner);
    for user in [&ann, &bob] {
        desk.world.entra.join(&inner, user);
    }
    desk.world.sync_twice();
    let members =
        |name: &str| desk.done("get_group", json!({"address": format!("{name}@contoso.com")}))["group"].clone();
    assert_eq!((&members("outer")["members"], &members("outer")["member_count"]), (&json!([ann, bob]), &json!(2)));

    desk.done("delete_user", json!({"address": "ann@contoso.com"}));
    desk.at_rest();
    assert_eq!(desk.addresses("list_users"), ["bob@contoso.com"]);
    assert_eq!((&members("outer")["members"], &members("outer")["members_left_out"]), (&json!([bob]), &json!(1)));
    desk.world.sync_twice();
    assert_eq!(desk.addresses("list_users"), ["ann@contoso.com", "bob@contoso.com"]);
    assert_eq!(members("outer")["members"], json!([ann, bob]));

    desk.done("exempt", json!({"address": "bob@contoso.com"}));
    desk.done("delete_user", json!({"address": "bob@contoso.com"}));
    desk.world.sync_twice();
    assert_eq!(desk.addresses("list_users"), ["ann@contoso.com"]);
    desk.refused("delete_user", json!({"address": "bob@contoso.com"}));
    desk.refused("delete_user", json!({"address": "inner@contoso.com"}));
}

#[test]
fn r3_5_a_user_made_by_hand_is_adopted_and_can_be_deleted_again() {
    let desk = Desk::new();
    desk.world.sync();
    let made = desk.done("put_user", json!({"user": {
        "primary_email": "Ann@Contoso.com", "alias_emails": ["a@contoso.com"], "surname": "Lee", "mobile": "+41 79 000 00 00",
    }, "by": "bob"}))["user"].clone();
    assert_eq!(
        (&made["primary_email"], &made["managed_by"], &made["type"]),
        (&json!("ann@contoso.com"), &json!("hand"), &json!("end_user"))
    );
    assert_eq!((&made["digests"], &made["is_active"], &made["entra_id"]), (&json!(true), &json!(true), &Value::Null));
    let changed =
        desk.done("put_user", json!({"user": {"primary_email": "ann@contoso.com", "surname": null}}))["user"].clone();
    assert_eq!(
        (&changed["surname"], &changed["alias_emails"], &changed["id"]),
        (&Value::Null, &json!(["a@contoso.com"]), &made["id"])
    );
    assert_eq!(
        desk.refused(
            "put_user",
            json!({"user": {"primary_email": "eve@contoso.com", "alias_emails": ["a@contoso.com"]}})
        ),
        format!("invalid_input: a@contoso.com belongs to user {}", made["id"].as_str().unwrap())
    );
    desk.at_rest();

    let ann = desk.world.entra.hire("ann");
    desk.world.sync_twice();
    let adopted = desk.done("get_user", json!({"id": ann}))["user"].clone();
    assert_eq!(
        (&adopted["id"], &adopted["entra_id"], &adopted["managed_by"]),
        (&made["id"], &json!(ann), &json!("sync"))
    );

    desk.done("delete_user", json!({"address": "ann@contoso.com"}));
    desk.at_rest();
    desk.world.sync_twice();
    let back = desk.done("get_user", json!({"address": "ann@contoso.com"}))["user"].clone();
    assert_eq!(back["id"], json!(ann), "it is a new one now");
}

#[test]
fn s9_what_put_user_cannot_do() {
    let desk = Desk::new();
    let ann = desk.world.entra.hire("ann");
    desk.world.entra.list("sales");
    desk.world.sync_twice();
    let shown = desk.done("get_user", json!({"id": ann}))["user"].clone();
    let mut sent_back = shown.clone();
    sent_back["digests"] = json!(false);
    assert_eq!(desk.done("put_user", json!({"user": sent_back}))["user"]["digests"], false);
    desk.world.sync_twice();
    assert_eq!(desk.done("get_user", json!({"id": ann}))["user"]["digests"], false, "r3_3: no run touches digests");
    let check = |user: Value, expected: &str| {
        let refused = desk.refused("put_user", json!({"user": user}));
        assert!(refused.starts_with(&format!("invalid_input: {expected}")), "{user}: {refused}");
    };
    check(
        json!({"primary_email": "ann@contoso.com", "surname": "Lee"}),
        "user.surname: cannot be set, since synchronisation maintains",
    );
    check(json!({"primary_email": "sales@contoso.com"}), "sales@contoso.com belongs to group sales");
    check(json!({"primary_email": "eve@contoso.com", "managed_by": "sync"}), "user.managed_by: cannot be set");
    check(json!({"primary_email": "eve@contoso.com", "entra_id": "x"}), "user.entra_id: cannot be set");
    check(json!({"primary_email": "eve@contoso.com", "rev": 7}), "user: unknown field `rev`");
    check(json!({"primary_email": "eve@contoso.com", "type": "king"}), "user.type: expected end_user, ");
    check(json!({"primary_email": "eve@contoso.com", "digests": "yes"}), "user.digests: expected true or false");
    check(json!({"primary_email": "eve@contoso.com", "surname": "a\nb"}), "user.surname: expected a text");
    check(json!({"primary_email": "eve"}), "user.primary_email: an address has exactly one @");
    check(json!({"surname": "Lee"}), "user.primary_email: expected the address of the user");
    check(json!({}), "user.primary_email: expected the address of the user");
    desk.done("put_tenant", json!({"tenant": "fabrikam", "settings": {"domains": [{"name": "fabrikam.com"}]}}));
    check(json!({"primary_email": "eve@fabrikam.com"}), "user: the domain fabrikam.com belongs to another tenant");
}
