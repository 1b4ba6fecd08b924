//! A copy of each daily report as it was mailed, for as long as people look back on runs.

use directory::TenantId;
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{ledger::Entry, ledger_name};
use crate::{
    keys,
    lease::put,
    packed,
    ports::{Fault, Letter, Store, Write},
    records::{KEPT_DAYS, read},
};

/// No item is larger than 400 kB (Amazon DynamoDB, "Quotas in Amazon DynamoDB"); so many bytes leave room for the rest.
const LARGEST: usize = 350_000;

/// A report as it was mailed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct MailedCopy {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// The write that keeps a report of a tenant; nothing where it is too large, since its mail matters more.
pub(super) fn kept(tenant: &TenantId, date: Date, letter: &Letter, now: Timestamp) -> Result<Option<Write>, Fault> {
    let Letter { to, subject, text, html, .. } = letter.clone();
    let mut item = packed::pack("a report", &MailedCopy { to: to.to_string(), subject, text, html })?;
    if item.get("body").and_then(Value::as_str).is_some_and(|body| body.len() > LARGEST) {
        tracing::warn!(%tenant, %date, "this report is too large to be kept; it is mailed all the same");
        return Ok(None);
    }
    item.insert("ttl".to_owned(), json!(now.as_second() + KEPT_DAYS * 86_400));
    Ok(Some(put(keys::report_copy(tenant, date), item)))
}

/// A report that went out, or may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailedReport {
    /// When it was sent; nothing where it is not known whether it was.
    pub sent_at: Option<Timestamp>,
    /// As it was; nothing where it was too large to be kept, or too long ago.
    pub copy: Option<MailedCopy>,
}

/// The report of a day as it was mailed; nothing where it was not.
///
/// # Errors
/// The store's.
pub async fn mailed_report(
    store: &impl Store,
    tenant: &TenantId,
    date: Date,
    now: Timestamp,
) -> Result<Option<MailedReport>, Fault> {
    let (mail, copy) = (keys::mail(tenant.as_str(), &ledger_name(date)), keys::report_copy(tenant, date));
    let items = store.get(&[mail, copy.clone()]).await?;
    let [entry, item] = <[_; 2]>::try_from(items).unwrap_or_default();
    let entry: Entry = read("a mail in the ledger", entry.unwrap_or_default())?;
    // A copy is written with the claim of its mail, which is let go where nothing was sent.
    if entry.past(now).is_none() {
        return Ok(None);
    }
    let unpacked = |item| {
        let json = packed::unpack(&copy, &item)?;
        serde_json::from_slice(&json).map_err(|err| packed::damaged(&copy, &err))
    };
    Ok(Some(MailedReport { sent_at: entry.sent_at, copy: item.map(unpacked).transpose()? }))
}

#[cfg(test)]
mod tests {
    use directory::Address;

    use super::*;

    #[test]
    fn a_report_that_is_too_large_is_mailed_and_not_kept() {
        let tenant = "contoso".parse().unwrap();
        let numbers = (0..200_000_u64).map(|at| at.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_string());
        let html: String = numbers.collect();
        for (html, is_kept) in [("<p>".repeat(200_000), true), (html, false)] {
            let to = Address::parse("it@contoso.com").unwrap();
            let letter = Letter { tenant: None, to, subject: String::new(), text: String::new(), html };
            let kept = kept(&tenant, "2026-11-22".parse().unwrap(), &letter, Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!(kept.is_some(), is_kept);
        }
    }
}
