//! Users by hand: making, converting and deleting them.

use directory::Kind;
use engine::{
    keys,
    records::{Work, read, write},
};
use serde_json::{Value, json};
use tests::turnstile::{Deed, Side, Switch};

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
fn r5_4_a_functional_account_that_left_comes_back_too() {
    let desk = Desk::new();
    let info = desk.world.entra.hire("info");
    let list = desk.world.entra.list("sales");
    desk.world.entra.join(&list, &info);
    desk.world.sync_twice();
    desk.done("convert", json!({"address": "info@contoso.com", "to": "functional_account"}));
    desk.world.entra.bin(&info);
    desk.world.sync_twice();
    let convert = json!({"address": "info@contoso.com", "to": "functional_account", "exempt": true});
    let user = desk.done("convert", convert)["user"].clone();
    assert_eq!((&user["is_active"], &user["deleted_at"], &user["exempt"]), (&json!(true), &Value::Null, &json!(true)));
    desk.world.wait(40 * 86_400);
    desk.world.sync_twice();
    assert_eq!(desk.done("get_user", json!({"address": "info@contoso.com"}))["user"], user);
    assert_eq!(desk.done("get_group", json!({"address": "sales@contoso.com"}))["group"]["members"], json!([info]));
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
fn s9_whoever_is_deleted_by_hand_leaves_groups_that_only_the_directory_knows() {
    let desk = Desk::new();
    desk.done("put_tenant", json!({"settings": {"remove_deleted_groups": false}}));
    let ann = desk.world.entra.hire("ann");
    for name in ["gone", "swept"] {
        let list = desk.world.entra.list(name);
        desk.world.entra.join(&list, &ann);
    }
    desk.world.sync_twice();
    desk.world.entra.bin(&tests::entra::id("swept"));
    desk.world.ask(engine::run::Request { full: true, ..desk.world.scheduled() });
    desk.world.entra.bin(&tests::entra::id("gone"));
    desk.world.sync_twice();
    desk.done("exempt", json!({"address": "ann@contoso.com"}));
    desk.done("delete_user", json!({"address": "ann@contoso.com"}));
    desk.at_rest();
    for name in ["gone", "swept"] {
        assert_eq!(desk.done("get_group", json!({"id": name}))["group"]["members"], json!([]), "{name}");
    }
}

#[test]
fn s9_a_user_of_many_addresses_is_deleted_wherever_that_is_killed() {
    let desk = Desk::new();
    let addresses: Vec<String> = (0..120).map(|number| format!("smtp:a{number:03}@contoso.com")).collect();
    let listed = ["SMTP:ann@contoso.com"].into_iter().chain(addresses.iter().map(String::as_str)).collect::<Vec<_>>();
    let ann = desk.world.entra.hire_as("ann", &listed);
    let list = desk.world.entra.list("sales");
    desk.world.entra.join(&list, &ann);
    desk.world.sync_twice();
    let moment = desk.world.moment();
    let whole = desk.world.view();
    let delete = json!({"action": "delete_user", "tenant": "contoso", "address": "a007@contoso.com"});
    for at in 1.. {
        desk.world.go_back(&moment);
        desk.world.turnstile.set(Some(Switch { at, side: Side::After, deed: Deed::Halt }));
        let answer = desk.invoke(delete.clone());
        let over = !desk.world.turnstile.has_worked();
        desk.world.turnstile.set(None);
        desk.at_rest();
        if over {
            assert_eq!(answer.unwrap()["deleted"], true);
            assert_eq!(desk.addresses("list_users"), [""; 0]);
            break;
        }
        desk.world.sync_twice();
        assert_eq!(desk.world.view(), whole, "killed after call {at}, the next run mends it");
    }
    desk.world.sync_twice();
    assert_eq!(desk.world.view(), whole, "r3_4: Entra still has it");
}

#[test]
fn s9_work_by_hand_takes_nothing_from_work_that_is_there() {
    let desk = Desk::new();
    let ann = desk.world.entra.hire("ann");
    desk.world.sync();
    let key = keys::work(&desk.world.tenant, Kind::User, &ann);
    let work = Work::found(&"01JD0000000000000000000000".parse().unwrap(), true);
    desk.world.store.poke(key.clone(), write(&work));
    desk.done("convert", json!({"address": "ann@contoso.com", "to": "silent_user"}));
    let noted: Work = read("work", desk.world.store.peek(&key).unwrap()).unwrap();
    assert!(noted.members && noted.by > work.by, "{noted:?}");
}

#[test]
fn r3_4_who_is_marked_as_deleted_yields_its_addresses_to_a_user_made_by_hand() {
    let desk = Desk::new();
    let ann = desk.world.entra.hire_as("ann", &["SMTP:ann@contoso.com", "smtp:lee@contoso.com"]);
    desk.world.entra.list("sales");
    desk.world.sync_twice();
    let lee = json!({"user": {"primary_email": "eve@contoso.com", "alias_emails": ["lee@contoso.com"]}});
    assert_eq!(desk.refused("put_user", lee.clone()), "invalid_input: lee@contoso.com belongs to user ann");
    desk.world.entra.bin(&ann);
    desk.world.entra.bin(&tests::entra::id("sales"));
    desk.world.sync_twice();
    desk.done("exempt", json!({"address": "ann@contoso.com"}));
    assert_eq!(desk.refused("put_user", lee.clone()), "invalid_input: lee@contoso.com belongs to user ann");
    desk.done("unexempt", json!({"address": "ann@contoso.com"}));

    desk.done("put_user", lee);
    desk.at_rest();
    let leaver = desk.done("get_user", json!({"id": ann}))["user"].clone();
    assert_eq!((&leaver["primary_email"], &leaver["alias_emails"]), (&json!("ann@contoso.com"), &json!([])));
    let aliases = json!(["sales@contoso.com"]);
    let made = desk.done("put_user", json!({"user": {"primary_email": "ann@contoso.com", "alias_emails": aliases}}));
    desk.at_rest();
    assert_eq!((&made["user"]["managed_by"], &made["user"]["alias_emails"]), (&json!("hand"), &aliases));
    let leaver = desk.done("get_user", json!({"id": ann}))["user"].clone();
    assert_eq!((&leaver["primary_email"], leaver["deleted_at"].is_string()), (&Value::Null, true));
    desk.world.sync_twice();
    desk.world.wait(40 * 86_400);
    desk.world.sync_twice();
    assert_eq!(desk.addresses("list_users"), ["ann@contoso.com", "eve@contoso.com"]);
}

#[test]
fn r5_3_exempt_is_who_is_exempt_by_an_address_that_only_entra_lists() {
    let desk = Desk::new();
    let hidden = ["SMTP:ann@contoso.com", "smtp:ann@contoso.onmicrosoft.com"];
    let ann = desk.world.entra.hire_as("ann", &hidden);
    desk.world.entra.group("sales", &["SMTP:sales@contoso.com", "smtp:s@contoso.onmicrosoft.com"], true, false, &[]);
    desk.world.sync();
    for address in ["ann@contoso.onmicrosoft.com", "s@contoso.onmicrosoft.com"] {
        desk.done("exempt", json!({"address": address}));
    }
    desk.world.entra.rename(&ann, "Anna");
    desk.world.sync();
    let user = desk.done("get_user", json!({"address": "ann@contoso.com"}))["user"].clone();
    assert_eq!((&user["exempt"], &user["display_name"]), (&json!(true), &json!("The ann")));
    assert_eq!(desk.done("get_group", json!({"id": "sales"}))["group"]["exempt"], true);
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
    check(json!({"primary_email": "eve@contoso.com", "entra_id": "x"}), "user.entra_id: expected a GUID, or null");
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

#[test]
fn r5_3_who_is_exempt_by_another_address_is_said_to_be() {
    let desk = Desk::new();
    desk.world.entra.hire_as("ann", &["SMTP:ann@contoso.com", "smtp:a.lee@contoso.com"]);
    desk.world.sync_twice();
    for address in ["ann@contoso.com", "a.lee@contoso.com", "zoe@contoso.com"] {
        desk.done("exempt", json!({"address": address}));
    }
    let answer = |address: &str| desk.done("unexempt", json!({"address": address}));
    for _ in 0..2 {
        assert_eq!(answer("ann@contoso.com")["exempt_by"], json!(["a.lee@contoso.com"]));
    }
    assert_eq!(
        answer("a.lee@contoso.com"),
        json!({"tenant": "contoso", "address": "a.lee@contoso.com", "exempt": false}),
        "somebody else's exemption is not named"
    );
    answer("nobody@contoso.com");
}
