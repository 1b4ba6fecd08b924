//! Large texts in an item: JSON, zstd, base64.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::Serialize;
use serde_json::{Value, json};

use crate::ports::{Fault, Item, Key};

/// What is packed, as the attributes `body` and `size`.
///
/// # Errors
/// A fault that will not pass, where it cannot be written.
pub(crate) fn pack(what: &str, content: &impl Serialize) -> Result<Item, Fault> {
    let fault = |err: &dyn std::fmt::Display| Fault::permanent(format!("cannot pack {what}: {err}"));
    let json = serde_json::to_vec(content).map_err(|err| fault(&err))?;
    let body = zstd::bulk::compress(&json, 3).map_err(|err| fault(&err))?;
    Ok(Item::from_iter([("body".to_owned(), json!(BASE64.encode(body))), ("size".to_owned(), json!(json.len()))]))
}

/// The JSON that an item holds.
///
/// # Errors
/// A fault that will not pass where the item is damaged.
pub(crate) fn unpack(key: &Key, item: &Item) -> Result<Vec<u8>, Fault> {
    let body = item.get("body").and_then(Value::as_str).unwrap_or_default();
    let size = item.get("size").and_then(Value::as_u64).unwrap_or_default();
    let body = BASE64.decode(body).map_err(|err| damaged(key, &err))?;
    zstd::bulk::decompress(&body, usize::try_from(size).unwrap_or_default()).map_err(|err| damaged(key, &err))
}

/// What is stored under the key cannot be read.
pub(crate) fn damaged(key: &Key, err: &dyn std::fmt::Display) -> Fault {
    Fault::permanent(format!("the item {key} is damaged: {err}"))
}
