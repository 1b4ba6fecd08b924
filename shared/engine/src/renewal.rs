//! Having a tenant's secret renewed by itself (rule 7.3). What fails of that fails nothing else: it is noted for the
//! daily report.

use directory::Failure;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    credential, keys,
    lease::set,
    operator::{self, Asked, Refused},
    ports::{Fault, Item, RENEWAL_DAYS, Secrets, Store},
    records::{NotRenewed, Schedule, Tenant},
};

/// With fewer days left the first renewal is not waited for: it, and the one after it, should it fail, might be too late.
const SOON_DAYS: i32 = 45;

/// Have a secret that was just saved renewed by itself from now on.
pub(crate) async fn start(
    (store, secrets): (&impl Store, &impl Secrets),
    asked: &Asked,
    tenant: &Tenant,
    sync: &mut Schedule,
) {
    match secrets.start_rotation(&asked.tenant).await {
        Ok(_) => hurry((store, secrets), asked, tenant, sync).await,
        Err(fault) => sync.rotation = Some(failed(store, asked, &fault).await),
    }
}

/// Have a secret that ends soon renewed at once, where it has not just been.
pub(crate) async fn hurry(
    (store, secrets): (&impl Store, &impl Secrets),
    asked: &Asked,
    tenant: &Tenant,
    sync: &mut Schedule,
) {
    let soon = credential::days_left(tenant, sync, asked.now).is_some_and(|days| days < SOON_DAYS);
    let renewed = credential::facts(tenant).filter(|facts| facts.key_id.is_some()).map(|facts| facts.saved_at);
    let lately = |at| asked.now.duration_since(at) < SignedDuration::from_hours(24 * RENEWAL_DAYS);
    if !soon || renewed.is_some_and(lately) {
        return;
    }
    if let Err(fault) = secrets.renew_now(&asked.tenant).await {
        sync.rotation = Some(failed(store, asked, &fault).await);
    }
}

/// The world failed.
async fn failed(store: &impl Store, asked: &Asked, fault: &Fault) -> NotRenewed {
    tracing::warn!(tenant = %asked.tenant, code = asked.nonce, "the secret is not renewed by itself: {fault}");
    note(store, asked, Failure::unexpected(&asked.nonce)).await
}

/// Note why the secret was not renewed, until it is.
pub(crate) async fn note(store: &impl Store, asked: &Asked, error: Failure) -> NotRenewed {
    let kept = NotRenewed { at: asked.now, error };
    if let Err(why) = write_down(store, asked, json!(kept)).await {
        tracing::warn!(tenant = %asked.tenant, "why the secret was not renewed could not be written down: {why}");
    }
    kept
}

/// Note that nothing failed any longer.
///
/// # Errors
/// The store's; there is no such tenant any longer.
pub(crate) async fn clear(store: &impl Store, asked: &Asked) -> Result<(), Refused> {
    write_down(store, asked, Value::Null).await
}

async fn write_down(store: &impl Store, asked: &Asked, rotation: Value) -> Result<(), Refused> {
    let attributes = Item::from_iter([("rotation".to_owned(), rotation)]);
    let writes = vec![asked.tenant_is_there(), set(keys::sync(&asked.tenant), attributes)];
    if operator::committed(store, writes).await? { Ok(()) } else { Err(operator::raced()) }
}
