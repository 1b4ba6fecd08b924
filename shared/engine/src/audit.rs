//! The audit of a tenant, as people look back on it: who changed what, when, from what to what.

use directory::TenantId;

use crate::{
    browse::{MOST_ROWS, Page},
    keys,
    operator::{self, Refused},
    ports::{Range, Store, Table},
    records::{Audit, read},
};

/// A page of the audit, the newest first.
///
/// # Errors
/// `invalid_input` for a cursor that is none.
pub async fn list(
    store: &impl Store,
    tenant: &TenantId,
    from: Option<&str>,
    most: usize,
) -> Result<Page<Audit>, Refused> {
    let (after, before): (Option<String>, u64) = operator::place(from)?;
    let most = most.clamp(1, MOST_ROWS);
    let range = keys::starting(Table::Control, keys::tenant_pk(tenant), "AUD#");
    let page = store.list(&Range { after, limit: most, newest_first: true, ..range }).await?;
    let entries = page.items.into_iter().map(|(_, item)| read::<Audit>("an entry of the audit", item));
    let rows = entries.collect::<Result<Vec<_>, _>>()?;
    let next = page.more.map(|after| operator::cursor_text(&(after, before + rows.len() as u64)));
    Ok(Page { cut: next.is_some() && rows.len() < most, rows, next, before, total: None })
}
