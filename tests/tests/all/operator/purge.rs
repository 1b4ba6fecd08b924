//! Deleting a tenant leaves nothing behind, wherever it is killed.

use engine::ports::Table;
use serde_json::json;
use tests::turnstile::{Deed, Side, Switch, poll};

use super::{Desk, complete};
use crate::report;

#[test]
fn s9_a_deleted_tenant_leaves_nothing_behind() {
    let desk = Desk::new();
    let settings = json!({"tenant": "fabrikam", "settings": complete("fabrikam.com")});
    desk.done("put_tenant", settings.clone());
    let others = desk.world.store.snapshot();
    desk.done("put_tenant", json!({"settings": {"domains": [{"name": "contoso.com"}, {"name": "contoso.net"}]}}));
    fill(&desk);
    desk.refused("delete_tenant", json!({}));
    desk.world.vault.renew(&"fabrikam".parse().unwrap(), "good");
    assert_eq!(desk.done("delete_tenant", json!({"purge": true})), json!({"tenant": "contoso", "deleted": true}));
    assert_nothing_of_contoso(&desk);
    let removed = desk.world.turnstile.by_name().get("delete_secret").copied();
    assert_eq!(removed, Some(2), "at last once more: one may have been saved meanwhile");
    let left = desk.world.store.snapshot();
    assert!(
        others
            .iter()
            .filter(|(key, _)| key.to_string().contains("fabrikam"))
            .all(|(key, item)| left.get(key) == Some(item))
    );
    assert_eq!(desk.refused("delete_tenant", json!({"purge": true})), "not_found: there is no tenant contoso");
    desk.done("put_tenant", json!({"settings": {"domains": [{"name": "contoso.com"}]}}));
}

/// Users, groups nested and flat, runs, a plan, skips, an exemption.
fn fill(desk: &Desk) {
    let (ann, bob) = (desk.world.entra.hire("ann"), desk.world.entra.hire("bob"));
    let (inner, outer) = (desk.world.entra.list("inner"), desk.world.entra.list("outer"));
    desk.world.entra.join(&outer, &inner);
    desk.world.entra.join(&inner, &ann);
    desk.world.entra.hire_as("silent", &[]);
    desk.world.sync();
    desk.done("exempt", json!({"address": "bob@contoso.com"}));
    desk.done("put_user", json!({"user": {"primary_email": "hand@contoso.com"}}));
    desk.world.entra.rename(&bob, "Bobby");
    desk.world.entra.rename(&ann, "Anna");
    desk.world.preview();
}

#[track_caller]
fn assert_nothing_of_contoso(desk: &Desk) {
    let left = desk.world.store.snapshot();
    let of_contoso =
        left.keys().filter(|key| key.to_string().contains("contoso")).map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(of_contoso, [""; 0]);
    let claimed =
        left.iter().filter(|(key, item)| key.table == Table::Control && item.get("tenant") == Some(&json!("contoso")));
    assert_eq!(claimed.count(), 0, "domains");
}

#[test]
fn s9_deleting_a_tenant_can_be_killed_anywhere_and_repeated() {
    let desk = Desk::new();
    desk.done("put_tenant", json!({"settings": {"domains": [{"name": "contoso.com"}, {"name": "contoso.net"}]}}));
    fill(&desk);
    let moment = desk.world.moment();
    for at in 1.. {
        for side in [Side::Before, Side::After] {
            desk.world.go_back(&moment);
            desk.world.vault.renew(&desk.world.tenant, "good");
            desk.world.turnstile.set(Some(Switch { at, side, deed: Deed::Halt }));
            let answer = desk.invoke(json!({"action": "delete_tenant", "tenant": "contoso", "purge": true}));
            let over = !desk.world.turnstile.has_worked();
            desk.world.turnstile.set(None);
            if over {
                assert_eq!(answer.unwrap()["deleted"], true);
                return;
            }
            let again = desk.ask("delete_tenant", json!({"purge": true}));
            assert!(again["deleted"] == true || again["error"]["code"] == "not_found", "{at}: {again}");
            assert_nothing_of_contoso(&desk);
        }
    }
}

/// A report is under way, wherever it stands, while its tenant is deleted: it writes nothing back.
#[test]
fn s9_a_report_that_is_under_way_leaves_nothing_behind_either() {
    for at in 1.. {
        let desk = Desk::new();
        fill(&desk);
        let request = report::of_day(&desk.world, "2026-11-22");
        desk.world.turnstile.set(Some(Switch { at, side: Side::Before, deed: Deed::Halt }));
        let mut slow = Box::pin(report::invocation(&desk.world, async |reporter| reporter.report(&request).await));
        if poll(slow.as_mut()).is_some() {
            assert!(at > 5, "{at} calls are too few for a report");
            return;
        }
        desk.world.turnstile.set(None);
        // Whose mail goes out at this moment cannot be called back; it is noted where the tenant was.
        let mailed = desk.world.turnstile.by_name().get("mail").copied().unwrap_or_default();
        desk.done("delete_tenant", json!({"purge": true}));
        desk.world.turnstile.resume();
        let _ = poll(slow.as_mut()).unwrap();
        if mailed == 0 {
            assert_nothing_of_contoso(&desk);
        }
    }
}

#[test]
fn r4_3_a_tenant_is_not_deleted_under_a_run() {
    let desk = Desk::new();
    desk.world.entra.hire("ann");
    let switch = Switch { at: 6, side: Side::After, deed: Deed::Halt };
    assert!(desk.world.invoke_under(desk.world.scheduled(), switch).is_none(), "killed with the lease in its hand");
    let refused = desk.refused("delete_tenant", json!({"purge": true}));
    assert_eq!(refused.split(':').next(), Some("busy"));
    desk.world.wait(3600);
    assert_eq!(desk.done("delete_tenant", json!({"purge": true}))["deleted"], true, "its lease is over");
    assert_nothing_of_contoso(&desk);
}
