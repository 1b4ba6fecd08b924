//! Which groups a run looks at that does not look at everybody, and at which of their members.

use std::collections::{BTreeMap, BTreeSet};

use directory::{Kind, ObjectId, Planned};

use crate::{
    chunk, keys,
    lease::{Lease, Stop},
    links::{Ancestry, Pages},
    members::Memberships,
    ports::{Fault, Item, Store, Table},
    records::{Entry, Run, Work, read},
};

/// The groups to look at in a run that does not look at everybody: those on the worklist, those whose members are, and
/// those of users whom the plan brings, takes away or brings back.
///
/// # Errors
/// [`Stop`].
pub async fn touched<S: Store>(
    store: &S,
    lease: &Lease,
    run: &Run,
    ancestry: &Ancestry<'_, S>,
) -> Result<BTreeMap<ObjectId, Memberships>, Stop> {
    let tenant = &lease.tenant;
    let mut touched = Touched { ancestry, found: BTreeMap::new() };
    let worklist = |prefix| Pages::of(store, keys::starting(Table::Control, keys::work_pk(tenant), prefix));
    let mut pages = worklist("0#M#");
    while let Some(page) = pages.next().await? {
        let ids = |(sk, _): &(String, Item)| {
            let mut parts = sk.splitn(4, '#').skip(2).map(ObjectId::try_from);
            Some((parts.next()?.ok()?, parts.next()?.ok()?))
        };
        let links: Vec<(ObjectId, ObjectId)> = page.iter().filter_map(ids).collect();
        touched.through(&links).await?;
        for (group, user) in links {
            touched.touch(group, &user);
        }
    }
    for number in 0..run.chunks {
        let mut users = Vec::new();
        for entry in chunk::load(store, tenant, &run.run, number).await? {
            let Entry::Unit { changes, .. } = entry else { continue };
            let comes_or_goes = |planned: &Planned| {
                planned.change.object == Kind::User && planned.change.comes_or_goes() && planned.change.error.is_none()
            };
            users.extend(changes.into_iter().filter(comes_or_goes).map(|planned| planned.change.object_id));
        }
        touched.groups_of(users).await?;
    }
    let mut pages = worklist("0#U#");
    while let Some(page) = pages.next().await? {
        let mut users = Vec::new();
        for (sk, item) in page {
            let work: Work = read("an entry of the worklist", item)?;
            let user = sk.strip_prefix("0#U#").and_then(|id| ObjectId::try_from(id).ok());
            users.extend(user.filter(|_| work.members));
        }
        touched.groups_of(users).await?;
    }
    let mut found = touched.found;
    let mut pages = worklist("0#G#");
    while let Some(page) = pages.next().await? {
        for (sk, item) in page {
            let work: Work = read("an entry of the worklist", item)?;
            let Some(Ok(group)) = sk.strip_prefix("0#G#").map(ObjectId::try_from) else { continue };
            if work.members {
                found.insert(group, Memberships::All);
            } else {
                found.entry(group).or_insert_with(|| Memberships::Of(BTreeSet::new()));
            }
        }
    }
    Ok(found)
}

struct Touched<'a, S> {
    ancestry: &'a Ancestry<'a, S>,
    found: BTreeMap<ObjectId, Memberships>,
}

impl<S: Store> Touched<'_, S> {
    fn touch(&mut self, group: ObjectId, user: &ObjectId) {
        if let Memberships::Of(users) = self.found.entry(group).or_insert_with(|| Memberships::Of(BTreeSet::new())) {
            users.insert(user.clone());
        }
    }

    /// Every group that has these users.
    async fn groups_of(&mut self, users: Vec<ObjectId>) -> Result<(), Fault> {
        let links: Vec<_> = users.into_iter().map(|user| (user.clone(), user)).collect();
        self.through(&links).await
    }

    /// Every group that has the first of a pair as a member may have the second through it.
    async fn through(&mut self, links: &[(ObjectId, ObjectId)]) -> Result<(), Fault> {
        self.ancestry.prepare(&links.iter().map(|(member, _)| member.clone()).collect::<Vec<_>>()).await?;
        for (member, user) in links {
            for group in self.ancestry.of(member).await? {
                self.touch(group, user);
            }
        }
        Ok(())
    }
}
