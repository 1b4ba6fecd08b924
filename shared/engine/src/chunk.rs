//! Parts of a plan, compressed: about one for each page of Graph.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use directory::{RunId, TenantId};
use serde_json::json;

use crate::{
    contents, keys,
    lease::put,
    ports::{Fault, Item, Key, Store, Write},
    records::{Contents, Entry, Run},
};

/// So many entries make a chunk full.
pub const FULL: usize = 200;
/// So many ids of members count like one entry.
pub const MEMBERS_PER_ENTRY: usize = 20;
/// So many ids of members go into one entry.
pub const MOST_MEMBERS: usize = 1000;

/// A chunk as an item: JSON, zstd, base64.
///
/// # Errors
/// A fault that will not pass, where the entries cannot be written.
pub fn pack(entries: &[Entry], ttl: i64) -> Result<Item, Fault> {
    let fault = |err: &dyn std::fmt::Display| Fault::permanent(format!("cannot pack a part of a plan: {err}"));
    let json = serde_json::to_vec(entries).map_err(|err| fault(&err))?;
    let body = zstd::bulk::compress(&json, 3).map_err(|err| fault(&err))?;
    Ok(Item::from_iter([
        ("body".to_owned(), json!(BASE64.encode(body))),
        ("size".to_owned(), json!(json.len())),
        ("entries".to_owned(), json!(entries.len())),
        ("ttl".to_owned(), json!(ttl)),
    ]))
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
        Some(item) => entries(&key, &unpack(&key, &item)?),
        None => Ok(Vec::new()),
    }
}

/// The JSON of a chunk's entries.
///
/// # Errors
/// A fault that will not pass where the item is damaged.
pub(crate) fn unpack(key: &Key, item: &Item) -> Result<Vec<u8>, Fault> {
    let body = item.get("body").and_then(|body| body.as_str()).unwrap_or_default();
    let size = item.get("size").and_then(serde_json::Value::as_u64).unwrap_or_default();
    let body = BASE64.decode(body).map_err(|err| damaged(key, &err))?;
    zstd::bulk::decompress(&body, usize::try_from(size).unwrap_or_default()).map_err(|err| damaged(key, &err))
}

/// The entries that [`unpack`] found.
///
/// # Errors
/// A fault that will not pass where they cannot be read.
pub(crate) fn entries(key: &Key, json: &[u8]) -> Result<Vec<Entry>, Fault> {
    serde_json::from_slice(json).map_err(|err| damaged(key, &err))
}

fn damaged(key: &Key, err: &dyn std::fmt::Display) -> Fault {
    Fault::permanent(format!("the part {key} of a plan is damaged: {err}"))
}
