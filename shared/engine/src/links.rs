//! Memberships as Entra has them: who is in what, directly and through nested groups.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use directory::{Kind, MemberKind, ObjectId, TenantId};
use futures::future::try_join_all;

use crate::{
    keys,
    ports::{Fault, Item, Range, Store, Table},
    records::{Link, MirrorRow, read},
};

/// So many queries are under way at once.
pub(crate) const AT_ONCE: usize = 16;
/// So many objects' groups are remembered.
const MOST_REMEMBERED: usize = 100_000;

/// A range, page by page.
pub struct Pages<'a, S> {
    store: &'a S,
    range: Option<Range>,
}

impl<'a, S: Store> Pages<'a, S> {
    /// The pages of a range.
    pub fn of(store: &'a S, range: Range) -> Self {
        Self { store, range: Some(range) }
    }

    /// The next page, which may be empty; `None` at the end.
    ///
    /// # Errors
    /// The store's.
    pub async fn next(&mut self) -> Result<Option<Vec<(String, Item)>>, Fault> {
        let Some(range) = &mut self.range else { return Ok(None) };
        let page = self.store.list(range).await?;
        match page.more {
            Some(after) => range.after = Some(after),
            None => self.range = None,
        }
        Ok(Some(page.items))
    }
}

/// Every item of a range that does not grow with the tenant.
///
/// # Errors
/// The store's.
pub async fn everything(store: &impl Store, range: Range) -> Result<Vec<(String, Item)>, Fault> {
    let mut pages = Pages::of(store, range);
    let mut items = Vec::new();
    while let Some(page) = pages.next().await? {
        items.extend(page);
    }
    Ok(items)
}

/// The direct members of a group.
///
/// # Errors
/// The store's.
pub async fn members(store: &impl Store, tenant: &TenantId, group: &ObjectId) -> Result<Vec<(ObjectId, Link)>, Fault> {
    let mut pages = Pages::of(store, keys::all(Table::Directory, keys::mirror_members_pk(tenant, group)));
    let mut links = Vec::new();
    while let Some(page) = pages.next().await? {
        for (id, item) in page {
            if let Ok(id) = ObjectId::try_from(id) {
                links.push((id, read("a membership", item)?));
            }
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
    Ancestry::new(store, tenant).of(member).await
}

/// The groups of many members, each looked up once.
pub struct Ancestry<'a, S> {
    store: &'a S,
    tenant: &'a TenantId,
    direct: RefCell<BTreeMap<ObjectId, Vec<ObjectId>>>,
}

impl<'a, S: Store> Ancestry<'a, S> {
    /// Nothing is known yet. What was looked up is not looked up again, so that memberships must not change meanwhile.
    pub fn new(store: &'a S, tenant: &'a TenantId) -> Self {
        Self { store, tenant, direct: RefCell::default() }
    }

    /// Look up the direct groups of many at once.
    ///
    /// # Errors
    /// The store's.
    pub async fn prepare(&self, members: &[ObjectId]) -> Result<(), Fault> {
        let unknown: BTreeSet<&ObjectId> = {
            let mut direct = self.direct.borrow_mut();
            if direct.len() + members.len() > MOST_REMEMBERED {
                direct.clear();
            }
            members.iter().filter(|member| !direct.contains_key(*member)).collect()
        };
        let unknown: Vec<&ObjectId> = unknown.into_iter().collect();
        for part in unknown.chunks(AT_ONCE) {
            let found = try_join_all(part.iter().map(|member| self.look_up(member))).await?;
            self.direct.borrow_mut().extend(part.iter().copied().cloned().zip(found));
        }
        Ok(())
    }

    /// Every group that has `member` as a member, directly or through other groups, cycles and all (rule 2.10).
    ///
    /// # Errors
    /// The store's.
    pub async fn of(&self, member: &ObjectId) -> Result<BTreeSet<ObjectId>, Fault> {
        let mut found = BTreeSet::new();
        let mut next = vec![member.clone()];
        while let Some(id) = next.pop() {
            let known = self.direct.borrow().get(&id).cloned();
            let direct = match known {
                Some(direct) => direct,
                None => {
                    let direct = self.look_up(&id).await?;
                    self.direct.borrow_mut().insert(id, direct.clone());
                    direct
                }
            };
            next.extend(direct.into_iter().filter(|group| found.insert(group.clone())));
        }
        Ok(found)
    }

    /// Who of some is in a group, directly or through others.
    ///
    /// # Errors
    /// The store's.
    pub async fn among(&self, members: &[ObjectId], group: &ObjectId) -> Result<BTreeSet<ObjectId>, Fault> {
        self.prepare(members).await?;
        let mut among = BTreeSet::new();
        for member in members {
            if self.of(member).await?.contains(group) {
                among.insert(member.clone());
            }
        }
        Ok(among)
    }

    async fn look_up(&self, member: &ObjectId) -> Result<Vec<ObjectId>, Fault> {
        let direct = parents(self.store, self.tenant, member).await?;
        if direct.is_empty() { Ok(direct) } else { there(self.store, self.tenant, &direct).await }
    }
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
