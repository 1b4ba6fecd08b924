//! What each part of a plan holds, kept beside the plan: whoever looks for something reads only the parts that have it.

use std::collections::BTreeMap;

use directory::{RunId, TenantId};
use serde_json::json;

use crate::{
    keys,
    lease::set,
    links,
    ports::{Fault, Item, Store, Table, Write},
    records::{Contents, read},
};

/// So many parts share an item: a plan of 100,000 changes has about ten of them.
const TOGETHER: u32 = 50;

/// The writes that note what some parts hold.
pub(crate) fn writes(tenant: &TenantId, run: &RunId, held: &BTreeMap<u32, Contents>, ttl: i64) -> Vec<Write> {
    let mut items: BTreeMap<u32, Item> = BTreeMap::new();
    for (number, contents) in held {
        let item = items.entry(number / TOGETHER).or_default();
        item.insert(format!("p{number}"), json!(contents));
        item.insert("ttl".to_owned(), json!(ttl));
    }
    items.into_iter().map(|(number, item)| set(keys::contents(tenant, run, number), item)).collect()
}

/// What the parts of a plan hold, by their numbers. A part of a plan from before this was kept is missing.
///
/// # Errors
/// The store's.
pub(crate) async fn load(store: &impl Store, tenant: &TenantId, run: &RunId) -> Result<BTreeMap<u32, Contents>, Fault> {
    let mut held = BTreeMap::new();
    let range = keys::starting(Table::Control, keys::plan_pk(tenant, run), "KI#");
    for (_, item) in links::everything(store, range).await? {
        for (name, value) in item {
            if let (Some(number), serde_json::Value::Object(value)) =
                (name.strip_prefix('p').and_then(|number| number.parse().ok()), value)
            {
                held.insert(number, read("what a part of a plan holds", value)?);
            }
        }
    }
    Ok(held)
}
