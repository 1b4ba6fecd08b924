//! One user or group, at a cost that does not grow with its members or with the tenant: for people who look at it in a
//! browser.

use std::collections::BTreeSet;

use directory::{Address, Code, Held, Kind, TenantId};

use super::{Found, Wanted, find, mirrored};
use crate::{
    keys,
    operator::Refused,
    ports::{Fault, Key, Store},
};

/// The user or group that is meant, if there is one, and whether it is exempt by an address that it has here or in Entra
/// (rule 5.3). Its members are not looked at: a group knows how many it has.
///
/// # Errors
/// `invalid_input` where several groups have the name.
pub async fn look_up(store: &impl Store, tenant: &TenantId, wanted: &Wanted) -> Result<Option<Found>, Refused> {
    for kind in Kind::ALL {
        match find(store, tenant, kind, wanted).await {
            Ok(held) => return Ok(Some(Found { exempt: is_exempt(store, tenant, &held).await?, held })),
            Err(Refused::Failure(failure)) if failure.code == Code::NotFound => (),
            Err(refused) => return Err(refused),
        }
    }
    Ok(None)
}

/// Whether one of its addresses is exempt: they are asked for, rather than all exemptions of the tenant read.
async fn is_exempt(store: &impl Store, tenant: &TenantId, held: &Held) -> Result<bool, Fault> {
    let mut addresses: BTreeSet<Address> = held.addresses().all().cloned().collect();
    if let Some(id) = held.entra_id() {
        let row = mirrored(store, tenant, held.kind(), id).await?.filter(|row| row.removed.is_none());
        addresses.extend(row.iter().flat_map(|row| row.entra.claims()));
    }
    let keys: Vec<Key> = addresses.iter().map(|address| keys::exemption(tenant, address)).collect();
    Ok(store.get(&keys).await?.iter().any(Option::is_some))
}
