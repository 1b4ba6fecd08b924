//! A stored run and its plan, a page at a time and filtered: for people who look at it in a browser.
//!
//! However large a plan is, a page reads a bounded part of it, and says where to go on.

mod called;
mod filter;
mod lists;
mod members;
mod progress;
mod searched;
mod walk;

use directory::{RunId, TenantId};
use serde::de::DeserializeOwned;

use crate::{
    keys,
    operator::{self, Refused},
    ports::{Fault, Range, Store, Table},
    records::{Run, read},
};

pub use self::{
    called::called,
    filter::{Filter, Left},
    lists::{Row, changes, not_enabled, skipped},
    members::{Moving, members},
    progress::{Doing, Progress, progress},
    searched::looked_through,
};
pub(crate) use self::{
    filter::{folded, searched},
    walk::{Listed, Place, Taker, Walk},
};

/// A page never has more rows than this.
pub const MOST_ROWS: usize = 500;

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// What is on it.
    pub rows: Vec<T>,
    /// Where the list goes on; nothing at its end.
    pub next: Option<String>,
    /// How many rows the pages before had.
    pub before: u64,
    /// How many rows the whole list has, where that is known without looking at all of it.
    pub total: Option<u64>,
    /// The page ends early: as much was looked through as one page may cost, and there may be more.
    pub cut: bool,
}

/// A run.
///
/// # Errors
/// The store's.
pub async fn run(store: &impl Store, tenant: &TenantId, id: &RunId) -> Result<Option<Run>, Fault> {
    let item = store.get(&[keys::run(tenant, id)]).await?.pop().flatten();
    item.map(|item| read("a run", item)).transpose()
}

/// Runs of a tenant, the newest first.
///
/// # Errors
/// `invalid_input` for a cursor that is none.
pub async fn runs(
    store: &impl Store,
    tenant: &TenantId,
    from: Option<&str>,
    most: usize,
) -> Result<Page<Run>, Refused> {
    let range = keys::starting(Table::Control, keys::tenant_pk(tenant), "RUN#");
    stored(store, "a run", Range { newest_first: true, limit: MOST_ROWS, ..range }, from, most).await
}

/// A page of the items of a range, each as it is stored.
///
/// # Errors
/// `invalid_input` for a cursor that is none.
pub(crate) async fn stored<T: DeserializeOwned>(
    store: &impl Store,
    what: &str,
    range: Range,
    from: Option<&str>,
    most: usize,
) -> Result<Page<T>, Refused> {
    let (after, before): (Option<String>, u64) = operator::place(from)?;
    let limit = most.clamp(1, range.limit);
    let page = store.list(&Range { after, limit, ..range }).await?;
    let rows = page.items.into_iter().map(|(_, item)| read(what, item)).collect::<Result<Vec<T>, _>>()?;
    let next = page.more.map(|after| operator::cursor_text(&(after, before + rows.len() as u64)));
    Ok(Page { cut: next.is_some() && rows.len() < limit, rows, next, before, total: None })
}
