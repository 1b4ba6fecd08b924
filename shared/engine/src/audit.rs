//! The audit of a tenant, as people look back on it: who changed what, when, from what to what.

use directory::TenantId;

use crate::{
    browse::{self, MOST_ROWS, Page},
    keys,
    operator::Refused,
    ports::{Range, Store, Table},
    records::Audit,
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
    let range = keys::starting(Table::Control, keys::tenant_pk(tenant), "AUD#");
    let range = Range { newest_first: true, limit: MOST_ROWS, ..range };
    browse::stored(store, "an entry of the audit", range, from, most).await
}
