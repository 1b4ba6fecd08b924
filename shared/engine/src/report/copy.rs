//! A copy of each daily report as it was mailed, for as long as people look back on runs.

use directory::TenantId;
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    keys,
    lease::put,
    packed,
    ports::{Fault, Letter, Store, Write},
};

/// How long a copy is kept, in days: as long as a run (rule 4.12).
const KEPT_DAYS: i64 = 90;

/// A report as it was mailed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Copy {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// The write that keeps a report of a tenant.
pub(super) fn kept(tenant: &TenantId, date: Date, letter: &Letter, now: Timestamp) -> Result<Write, Fault> {
    let Letter { to, subject, text, html, .. } = letter.clone();
    let mut item = packed::pack("a report", &Copy { to: to.to_string(), subject, text, html })?;
    item.insert("ttl".to_owned(), json!(now.as_second() + KEPT_DAYS * 86_400));
    Ok(put(keys::report_copy(tenant, date), item))
}

/// The report of a day as it was mailed; nothing where no mail was tried, or that is too long ago.
///
/// # Errors
/// The store's.
pub async fn copy(store: &impl Store, tenant: &TenantId, date: Date) -> Result<Option<Copy>, Fault> {
    let key = keys::report_copy(tenant, date);
    let Some(item) = store.get(std::slice::from_ref(&key)).await?.pop().flatten() else { return Ok(None) };
    serde_json::from_slice(&packed::unpack(&key, &item)?).map(Some).map_err(|err| packed::damaged(&key, &err))
}
