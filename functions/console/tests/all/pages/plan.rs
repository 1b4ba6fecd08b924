//! Plans that no directory of the stand-in would give: large ones, and ones of people with hostile names.

use directory::{Category, Kind, Planned, RunId, TenantId};
use engine::{
    chunk, keys,
    ports::{Change, Store as _, Write},
    records::{Entry, Run},
};
use serde_json::{Value, json};

use crate::world::{World, now};

/// A change of a plan; `fields` are what it changes.
pub(crate) fn change(number: usize, category: Category, kind: Kind, fields: Value) -> Planned {
    let change = json!({
        "id": format!("{number:016x}"), "category": category, "object": kind, "object_id": format!("object-{number}"),
        "address": format!("person{number:06}@contoso.com"), "selected": true, "why": "Entra has another name",
        "fields": fields, "notes": [], "outcome": null, "error": null,
    });
    let planned = json!({
        "change": change, "local": format!("object-{number}"), "rev": 1, "purge": false, "seats": 0,
        "brakes": category == Category::Deleting,
    });
    serde_json::from_value(planned).unwrap()
}

/// Store a plan that waits for review, as the newest of a tenant.
pub(crate) async fn store(world: &World, tenant: &str, changes: Vec<Planned>, more: Value) -> RunId {
    let unit =
        |planned| Entry::Unit { changes: vec![planned], bystanders: Vec::new(), empties: false, waiting: Vec::new() };
    store_entries(world, tenant, changes.into_iter().map(unit).collect(), more).await
}

/// The same of entries of any kind.
pub(crate) async fn store_entries(world: &World, tenant: &str, entries: Vec<Entry>, more: Value) -> RunId {
    let tenant: TenantId = tenant.parse().unwrap();
    // Not so new that it could be about to start.
    let at = u64::try_from(now().as_millisecond()).unwrap() - 3_600_000;
    let id = ulid::Ulid::from_parts(at, rand(&tenant)).to_string();
    let mut counts = json!({});
    let units =
        entries.iter().filter_map(|entry| if let Entry::Unit { changes, .. } = entry { Some(changes) } else { None });
    for planned in units.flatten() {
        let name = json!(planned.change.category);
        let kind = format!("{}s", planned.change.object.name());
        let number = &mut counts[name.as_str().unwrap()];
        for kind in ["users", "groups"] {
            number[kind] = json!(number[kind].as_u64().unwrap_or_default());
        }
        number[&kind] = json!(number[&kind].as_u64().unwrap() + 1);
    }
    let mut run = json!({
        "run": id, "trigger": "manual", "action": "preview", "by": "adelev@contoso.com", "state": "planned",
        "started_at": now(), "finished_at": now(), "requests": {"graph": 2, "sign_in": 1}, "counts": counts,
        "billable": {"before": 10, "after": 9, "seats": null}, "warnings": [], "phase": {"phase": "weigh"}, "chunks": 0,
        "slices": 1, "full": {"users": false, "groups": false}, "complete": {"users": true, "groups": true},
        "tally": {}, "everybody": {"users": null, "groups": null}, "foreign": [], "worked": true,
        "ttl": now().as_second() + 86_400,
    });
    run.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut run: Run = serde_json::from_value(run).unwrap();
    let parts: Vec<Vec<Entry>> = entries.chunks(chunk::FULL).map(<[Entry]>::to_vec).collect();
    let tables = world.tables();
    for parts in parts.chunks(20) {
        tables.commit(chunk::add(&tenant, &mut run, parts).unwrap()).await.unwrap();
    }
    let set = json!({"newest": run.run}).as_object().unwrap().clone();
    let newest = Write { key: keys::sync(&tenant), change: Change::Set { set, add: Vec::new() }, only_if: Vec::new() };
    let item = json!(run).as_object().unwrap().clone();
    let put = Write { key: keys::run(&tenant, &run.run), change: Change::Put(item), only_if: Vec::new() };
    tables.commit(vec![newest, put]).await.unwrap();
    run.run
}

/// A number of the tenant's own.
fn rand(tenant: &TenantId) -> u128 {
    tenant.as_str().bytes().fold(7, |number, byte| number * 31 + u128::from(byte))
}

/// A word that would be markup, a name that is as long as Entra's can be, and one that turns the line round.
pub(crate) fn hostile() -> [String; 4] {
    [
        "<script>alert(1)</script>\"'&".to_owned(),
        "W".repeat(256),
        "\u{202e}txt.exe \u{5d0}\u{5d1}".to_owned(),
        "<".repeat(256),
    ]
}
