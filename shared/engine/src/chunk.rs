//! Parts of a plan, compressed: about one for each page of Graph.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use directory::{RunId, TenantId};
use serde_json::json;

use crate::{
    keys,
    ports::{Fault, Item, Store},
    records::Entry,
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

/// The entries of a chunk; none where there is no such chunk.
///
/// # Errors
/// The store's, or a fault that will not pass where the item is damaged.
pub async fn load(store: &impl Store, tenant: &TenantId, run: &RunId, number: u32) -> Result<Vec<Entry>, Fault> {
    let fault = |err: &dyn std::fmt::Display| {
        Fault::permanent(format!("part {number} of the plan of run {run} is damaged: {err}"))
    };
    let Some(item) = store.get(&[keys::chunk(tenant, run, number)]).await?.pop().flatten() else {
        return Ok(Vec::new());
    };
    let body = item.get("body").and_then(|body| body.as_str()).unwrap_or_default();
    let size = item.get("size").and_then(serde_json::Value::as_u64).unwrap_or_default();
    let body = BASE64.decode(body).map_err(|err| fault(&err))?;
    let json = zstd::bulk::decompress(&body, usize::try_from(size).unwrap_or_default()).map_err(|err| fault(&err))?;
    serde_json::from_slice(&json).map_err(|err| fault(&err))
}
