//! Forgetting objects that Entra has no longer and that are not here: their rows of the mirror, the members of
//! groups, and their entries among those who list an address.

use std::collections::BTreeMap;

use directory::{Address, Entra, Kind, ObjectId, TenantId};

use crate::{
    keys,
    lease::{delete, put},
    links,
    ports::{Fault, Key, Store, Write},
    records::{Claimants, read, write},
};

/// The writes that forget some objects, their rows last.
///
/// # Errors
/// The store's.
pub async fn writes(store: &impl Store, tenant: &TenantId, objects: &[(ObjectId, Entra)]) -> Result<Vec<Write>, Fault> {
    let mut others: BTreeMap<Key, Write> = BTreeMap::new();
    let mut lists: BTreeMap<Address, Vec<(Kind, ObjectId)>> = BTreeMap::new();
    for (id, entra) in objects {
        for address in entra.claims() {
            lists.entry(address).or_default().push((entra.kind(), id.clone()));
        }
        // What it is a member of goes when Entra no longer says so: it may only be in the recycle bin, and come back silently.
        if entra.kind() == Kind::Group {
            for (member, _) in links::members(store, tenant, id).await? {
                for key in [keys::mirror_member(tenant, id, &member), keys::mirror_parent(tenant, &member, id)] {
                    others.insert(key.clone(), delete(key));
                }
            }
        }
    }
    let keys: Vec<Key> = lists.keys().map(|address| keys::mirror_address(tenant, address)).collect();
    for ((key, gone), item) in keys.iter().zip(lists.into_values()).zip(store.get(&keys).await?) {
        let Some(item) = item else { continue };
        let mut claimants: Claimants = read("an address of the mirror", item)?;
        claimants.claimants.retain(|claimant| !gone.contains(claimant));
        let change =
            if claimants.claimants.is_empty() { delete(key.clone()) } else { put(key.clone(), write(&claimants)) };
        others.insert(key.clone(), change);
    }
    let rows = objects.iter().map(|(id, entra)| delete(keys::mirror(tenant, entra.kind(), id)));
    Ok(others.into_values().chain(rows).collect())
}
