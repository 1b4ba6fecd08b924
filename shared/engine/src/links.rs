//! Memberships as Entra has them: who is in what, directly and through nested groups.

use std::collections::BTreeSet;

use directory::{Kind, MemberKind, ObjectId, TenantId};

use crate::{
    keys,
    ports::{Fault, Range, Store, Table},
    records::{Link, MirrorRow, read},
};

/// Every item of a range.
///
/// # Errors
/// The store's.
pub async fn everything(store: &impl Store, mut range: Range) -> Result<Vec<(String, crate::ports::Item)>, Fault> {
    let mut items = Vec::new();
    loop {
        let page = store.list(&range).await?;
        items.extend(page.items);
        match page.more {
            Some(after) => range.after = Some(after),
            None => return Ok(items),
        }
    }
}

/// The direct members of a group.
///
/// # Errors
/// The store's.
pub async fn members(store: &impl Store, tenant: &TenantId, group: &ObjectId) -> Result<Vec<(ObjectId, Link)>, Fault> {
    let range = keys::all(Table::Directory, keys::mirror_members_pk(tenant, group));
    let mut links = Vec::new();
    for (id, item) in everything(store, range).await? {
        if let Ok(id) = ObjectId::try_from(id) {
            links.push((id, read("a membership", item)?));
        }
    }
    Ok(links)
}

/// The groups that have somebody as a direct member, gone or not.
///
/// # Errors
/// The store's.
pub async fn parents(store: &impl Store, tenant: &TenantId, member: &ObjectId) -> Result<Vec<ObjectId>, Fault> {
    let range = keys::all(Table::Directory, keys::mirror_parents_pk(tenant, member));
    let items = everything(store, range).await?;
    Ok(items.into_iter().filter_map(|(id, _)| ObjectId::try_from(id).ok()).collect())
}

/// The groups among `ids` that are there in Entra: a group that is gone passes no members on.
async fn there(store: &impl Store, tenant: &TenantId, ids: &[ObjectId]) -> Result<Vec<ObjectId>, Fault> {
    let keys: Vec<_> = ids.iter().map(|id| keys::mirror(tenant, Kind::Group, id)).collect();
    let mut there = Vec::new();
    for (id, item) in ids.iter().zip(store.get(&keys).await?) {
        if let Some(item) = item
            && MirrorRow::read(Kind::Group, item)?.removed.is_none()
        {
            there.push(id.clone());
        }
    }
    Ok(there)
}

/// Every group that has `member` as a member, directly or through other groups, cycles and all (rule 2.10).
///
/// # Errors
/// The store's.
pub async fn ancestors(store: &impl Store, tenant: &TenantId, member: &ObjectId) -> Result<BTreeSet<ObjectId>, Fault> {
    let mut found = BTreeSet::new();
    let mut next = vec![member.clone()];
    while let Some(id) = next.pop() {
        let direct: Vec<ObjectId> =
            parents(store, tenant, &id).await?.into_iter().filter(|group| !found.contains(group)).collect();
        for group in there(store, tenant, &direct).await? {
            found.insert(group.clone());
            next.push(group);
        }
    }
    Ok(found)
}

/// Everybody in a group, directly or through other groups: users, and how many members are neither users nor groups.
/// A group that is gone has nobody.
///
/// # Errors
/// The store's.
pub async fn flatten(
    store: &impl Store,
    tenant: &TenantId,
    group: &ObjectId,
) -> Result<(BTreeSet<ObjectId>, u64), Fault> {
    let mut users = BTreeSet::new();
    let mut others = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut next = there(store, tenant, std::slice::from_ref(group)).await?;
    while let Some(group) = next.pop() {
        if !seen.insert(group.clone()) {
            continue;
        }
        let mut nested = Vec::new();
        for (id, link) in members(store, tenant, &group).await? {
            match link.kind {
                MemberKind::User => drop(users.insert(id)),
                MemberKind::Group if !seen.contains(&id) => nested.push(id),
                MemberKind::Group => (),
                MemberKind::Other => drop(others.insert(id)),
            }
        }
        next.extend(there(store, tenant, &nested).await?);
    }
    Ok((users, others.len() as u64))
}
