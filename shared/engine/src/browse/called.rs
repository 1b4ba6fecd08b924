//! What objects are called, where the fields of their changes do not say it.

use std::collections::BTreeMap;

use directory::{Change, Held, Kind, ObjectId, TenantId};

use crate::{
    keys,
    load::read_held,
    ports::{Fault, Key, Store},
};

/// The fields that say what an object is called.
const NAMES: [&str; 2] = ["display_name", "name"];

/// The names that users and groups have here now, by Entra's object ids, of those whose change names none. One that was
/// adopted is stored under another id, and is left out.
///
/// # Errors
/// The store's.
pub async fn called(
    store: &impl Store,
    tenant: &TenantId,
    changes: impl Iterator<Item = &Change>,
) -> Result<BTreeMap<(Kind, ObjectId), String>, Fault> {
    let nameless = changes.filter(|change| NAMES.iter().all(|name| !change.fields.contains_key(*name)));
    let ids: Vec<(Kind, ObjectId)> = nameless.map(|change| (change.object, change.object_id.clone())).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let keys: Vec<Key> = ids.iter().map(|(kind, id)| keys::object(tenant, *kind, id)).collect();
    let mut called = BTreeMap::new();
    for ((kind, id), item) in ids.into_iter().zip(store.get(&keys).await?) {
        let held = item.map(|item| read_held(kind, item)).transpose()?;
        let name = held.as_ref().and_then(Held::name);
        called.extend(name.map(|name| ((kind, id), name.to_owned())));
    }
    Ok(called)
}
