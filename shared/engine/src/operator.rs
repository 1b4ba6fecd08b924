//! What everything that an operator asks for has in common: who asks, what is refused, and what is written down of it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use directory::{Code, Failure, Kind, RunId, TenantId};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    keys,
    lease::put,
    ports::{Change, Condition, Fault, Item, NotCommitted, Store, Write},
    records::{Audit, Schedule, Tenant, everybody_attribute, read, write},
    run_id,
};

/// Who asks for something, of which tenant, and when.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Of which tenant.
    pub tenant: TenantId,
    /// Who.
    pub by: String,
    /// When it takes place.
    pub now: Timestamp,
    /// A name of the invocation that no other has.
    pub nonce: String,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// What the caller is told.
    #[error(transparent)]
    Failure(Box<Failure>),
    /// The world failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failure(Box::new(failure))
    }
}

/// So often a change is tried that somebody else's comes in between of.
pub(crate) const TRIES: usize = 5;
/// How long the audit is kept, in seconds.
const AUDIT_KEPT: i64 = 400 * 86_400;
/// What the owner of a lease starts with that was taken to delete the tenant.
pub(crate) const DELETING: &str = "delete ";

/// Somebody else's changes came in between each time.
pub(crate) fn raced() -> Refused {
    Failure::new(
        Code::Busy,
        "somebody else changes the same thing at the same time",
        "send the request again; nothing was changed",
    )
    .into()
}

/// Whether a commit took place: not where somebody else's change came in between.
///
/// # Errors
/// The store's.
pub(crate) async fn committed(store: &impl Store, writes: Vec<Write>) -> Result<bool, Fault> {
    match store.commit(writes).await {
        Ok(()) => Ok(true),
        Err(NotCommitted::Refused(_)) => Ok(false),
        Err(NotCommitted::Fault(fault)) => Err(fault),
    }
}

/// A tenant and its schedule, if there is such a tenant.
///
/// # Errors
/// `busy` while it is being deleted.
pub(crate) async fn find(store: &impl Store, tenant: &TenantId) -> Result<Option<(Tenant, Schedule)>, Refused> {
    let items = store.get(&[keys::meta(tenant), keys::sync(tenant)]).await?;
    let [meta, sync] = <[Option<Item>; 2]>::try_from(items).unwrap_or_default();
    let sync: Schedule = read("the schedule", sync.unwrap_or_default())?;
    if sync.owner.as_ref().is_some_and(|owner| owner.starts_with(DELETING)) {
        let help = "wait until delete_tenant has answered that it is done; send it again if it was interrupted";
        return Err(Failure::new(Code::Busy, format!("tenant {tenant} is being deleted"), help).into());
    }
    let Some(meta) = meta else { return Ok(None) };
    Ok(Some((read("the tenant", meta)?, sync)))
}

/// A tenant and its schedule.
///
/// # Errors
/// `not_found`; `busy` while it is being deleted.
pub(crate) async fn tenant(store: &impl Store, tenant: &TenantId) -> Result<(Tenant, Schedule), Refused> {
    let missing = || Failure::not_found(format!("there is no tenant {tenant}")).into();
    find(store, tenant).await?.ok_or_else(missing)
}

impl Asked {
    /// The entry of the audit for this; `part` tells the commits of one invocation apart.
    pub(crate) fn audit(&self, part: usize, action: &str, what: impl Into<String>, from: Value, to: Value) -> Write {
        let (by, action) = (self.by.clone(), action.to_owned());
        self.written_down(part, Audit { at: self.now, by, action, what: what.into(), from, to, totals: None })
    }

    /// The same of an entry that says more.
    pub(crate) fn written_down(&self, part: usize, audit: Audit) -> Write {
        written_down(&self.tenant, &audit, &format!("{}.{part}", self.nonce))
    }

    /// The condition that the tenant is there, for writes that do not touch its settings.
    pub(crate) fn tenant_is_there(&self) -> Write {
        Write { key: keys::meta(&self.tenant), change: Change::Check, only_if: vec![Condition::Exists] }
    }

    /// The name by which entries of the worklist know that they come from here: runs that started before leave them.
    pub(crate) fn as_run(&self) -> RunId {
        run_id::new(self.now, run_id::number(&self.nonce))
    }
}

/// An entry of the audit; `nonce` tells it from others of the same moment.
pub(crate) fn written_down(tenant: &TenantId, audit: &Audit, nonce: &str) -> Write {
    let mut item = write(audit);
    item.insert("ttl".to_owned(), json!(audit.at.as_second() + AUDIT_KEPT));
    put(keys::audit(tenant, audit.at, nonce), item)
}

/// The write that asks for everybody to be evaluated by the next run (rule 4.10).
pub(crate) fn everybody(tenant: &TenantId) -> Write {
    let add = Kind::ALL.map(|kind| (everybody_attribute(kind), 1)).to_vec();
    Write { key: keys::sync(tenant), change: Change::Set { set: Item::new(), add }, only_if: Vec::new() }
}

/// Where a list goes on, as callers see it: nothing that they can rely on.
pub(crate) fn cursor<T: Serialize>(place: &T) -> Value {
    json!(cursor_text(place))
}

/// The same as a text.
pub(crate) fn cursor_text<T: Serialize>(place: &T) -> String {
    URL_SAFE_NO_PAD.encode(json!(place).to_string())
}

/// Read what [`cursor`] wrote; without one the list begins.
///
/// # Errors
/// `invalid_input`.
pub(crate) fn place<T: DeserializeOwned + Default>(cursor: Option<&str>) -> Result<T, Refused> {
    let Some(cursor) = cursor else { return Ok(T::default()) };
    let place = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|json| serde_json::from_slice(&json).ok());
    place.ok_or_else(|| Failure::invalid("cursor: expected one that an answer to this action gave").into())
}
