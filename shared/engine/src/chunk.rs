//! Parts of a plan, compressed: about one for each page of Graph.

use std::collections::BTreeMap;

use directory::{RunId, TenantId};
use serde_json::json;

use crate::{
    contents, keys,
    lease::put,
    packed,
    ports::{Fault, Item, Key, Store, Write},
    records::{Contents, Entry, Run},
};

/// So many entries make a chunk full.
pub const FULL: usize = 200;
/// So many ids of members count like one entry.
pub const MEMBERS_PER_ENTRY: usize = 20;
/// So many ids of members go into one entry.
pub const MOST_MEMBERS: usize = 1000;

/// A chunk as an item.
///
/// # Errors
/// A fault that will not pass, where the entries cannot be written.
pub fn pack(entries: &[Entry], ttl: i64) -> Result<Item, Fault> {
    let mut item = packed::pack("a part of a plan", &entries)?;
    item.insert("entries".to_owned(), json!(entries.len()));
    item.insert("ttl".to_owned(), json!(ttl));
    Ok(item)
}

/// The writes that put parts behind the plan of a run, with what they hold.
///
/// # Errors
/// As [`pack`].
pub fn add(tenant: &TenantId, run: &mut Run, parts: &[Vec<Entry>]) -> Result<Vec<Write>, Fault> {
    let mut writes = Vec::new();
    let mut held = BTreeMap::new();
    for part in parts {
        writes.push(put(keys::chunk(tenant, &run.run, run.chunks), pack(part, run.ttl)?));
        held.insert(run.chunks, Contents::of(part));
        run.chunks += 1;
    }
    writes.extend(contents::writes(tenant, &run.run, &held, run.ttl));
    Ok(writes)
}

/// The entries of a chunk; none where there is no such chunk.
///
/// # Errors
/// The store's, or a fault that will not pass where the item is damaged.
pub async fn load(store: &impl Store, tenant: &TenantId, run: &RunId, number: u32) -> Result<Vec<Entry>, Fault> {
    let key = keys::chunk(tenant, run, number);
    match store.get(std::slice::from_ref(&key)).await?.pop().flatten() {
        Some(item) => entries(&key, &packed::unpack(&key, &item)?),
        None => Ok(Vec::new()),
    }
}

/// The entries that [`packed::unpack`] found.
///
/// # Errors
/// A fault that will not pass where they cannot be read.
pub(crate) fn entries(key: &Key, json: &[u8]) -> Result<Vec<Entry>, Fault> {
    serde_json::from_slice(json).map_err(|err| packed::damaged(key, &err))
}
