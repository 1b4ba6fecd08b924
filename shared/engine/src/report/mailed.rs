//! Which reports of a tenant were mailed, as people look back on them.

use directory::TenantId;
use jiff::{Timestamp, civil::Date};

use super::ledger::Entry;
use crate::{
    keys,
    ports::{Fault, Range, Store, Table},
    records::read,
};

/// A report of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailedDay {
    /// Of which day.
    pub date: Date,
    /// When it was sent; nothing where it is not known whether it was.
    pub sent_at: Option<Timestamp>,
}

/// The newest reports of a tenant that went out, or may have, the newest day first.
///
/// # Errors
/// The store's.
pub async fn mailed(
    store: &impl Store,
    tenant: &TenantId,
    most: usize,
    now: Timestamp,
) -> Result<Vec<MailedDay>, Fault> {
    let range = keys::starting(Table::Control, keys::tenant_pk(tenant), PREFIX);
    let mut range = Range { limit: most, newest_first: true, ..range };
    let mut days = Vec::new();
    while days.len() < most {
        let page = store.list(&range).await?;
        for (sk, item) in page.items {
            let entry: Entry = read("a mail in the ledger", item)?;
            let date = sk.strip_prefix(PREFIX).and_then(|date| date.parse().ok());
            // One that was let go was not sent.
            let date = date.filter(|_| entry.past(now).is_some());
            days.extend(date.map(|date| MailedDay { date, sent_at: entry.sent_at }));
        }
        match page.more {
            Some(after) => range.after = Some(after),
            None => break,
        }
    }
    days.truncate(most);
    Ok(days)
}

/// How the ledger names the report of a day.
const PREFIX: &str = "MAIL#report#";
