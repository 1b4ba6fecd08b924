//! The members of groups: what Entra's memberships come to among the users who are here (rule 2.10).

use std::collections::{BTreeMap, BTreeSet};

use directory::{
    Category, Change, Entra, EntraUser, Field, Held, Kind, ObjectId, Planned, Removal, Rules, User, Verdict, unit,
};

use crate::{
    chunk, keys,
    lease::{Lease, Stop},
    links::{self, Ancestry, Pages},
    load::Loader,
    ports::{Fault, Item, Key, Store, Table},
    records::{Entry, Run, Work, read},
};

/// Which members of a group are to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Memberships {
    /// All of them.
    All,
    /// These users, by Entra's id; none where only the group itself changed.
    Of(BTreeSet<ObjectId>),
}

/// What changes among the members of a group.
#[derive(Debug, Default)]
pub struct Difference {
    /// Users who become members, by Entra's id.
    pub join: Vec<ObjectId>,
    /// Users who leave, by our id.
    pub leave: Vec<ObjectId>,
}

/// Who will be here once the run is done, and under which of our ids.
pub type Cache = BTreeMap<ObjectId, Option<ObjectId>>;
/// So many are remembered.
const MOST_CACHED: usize = 100_000;

/// What is found once and serves all groups of one invocation.
pub struct Groups<'a, S> {
    /// Who is in which group.
    pub ancestry: Ancestry<'a, S>,
    /// The groups to look at.
    pub touched: Option<BTreeMap<ObjectId, Memberships>>,
    /// Who will be here.
    pub present: Cache,
}

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

/// What changes among the members of a group that is here, or comes with this run.
///
/// # Errors
/// The store's.
pub async fn difference<S: Store>(
    loader: &Loader<'_, S>,
    rules: &Rules<'_>,
    group: &ObjectId,
    local: &ObjectId,
    which: &Memberships,
    groups: &mut Groups<'_, S>,
) -> Result<Difference, Fault> {
    let mut difference = Difference::default();
    match which {
        Memberships::All => {
            let (users, _) = links::flatten(loader.store, loader.tenant, group).await?;
            let mut here: BTreeSet<ObjectId> = BTreeSet::new();
            let range = keys::all(Table::Directory, keys::members_pk(loader.tenant, local));
            let mut pages = Pages::of(loader.store, range);
            while let Some(page) = if loader.empty { None } else { pages.next().await? } {
                here.extend(page.into_iter().filter_map(|(id, _)| ObjectId::try_from(id).ok()));
            }
            let users: Vec<ObjectId> = users.into_iter().collect();
            for part in users.chunks(1000) {
                for (user, present) in part.iter().zip(presence(loader, rules, part, &mut groups.present).await?) {
                    match present {
                        Some(local) if here.remove(&local) => (),
                        Some(_) => difference.join.push(user.clone()),
                        None => (),
                    }
                }
            }
            let rest: Vec<ObjectId> = here.into_iter().collect();
            for part in rest.chunks(1000) {
                let lingering =
                    lingering(loader, part, |entra, user| unit::will_be_present(rules, Some(entra), Some(user)));
                let lingering = lingering.await?;
                difference.leave.extend(part.iter().filter(|local| !lingering.contains(*local)).cloned());
            }
        }
        Memberships::Of(users) if users.is_empty() => (),
        Memberships::Of(users) => {
            let users: Vec<ObjectId> = users.iter().cloned().collect();
            groups.ancestry.prepare(&users).await?;
            let present = presence(loader, rules, &users, &mut groups.present).await?;
            let rows = loader.rows(&users.iter().map(|id| (Kind::User, id.clone())).collect::<Vec<_>>()).await?;
            let gone: BTreeSet<&ObjectId> =
                rows.iter().filter(|(_, row)| row.removed.is_some()).map(|(id, _)| id).collect();
            let locals: BTreeMap<&ObjectId, &ObjectId> =
                rows.iter().filter_map(|(id, row)| Some((id, row.local.as_ref()?))).collect();
            let local_of = |user: &ObjectId| locals.get(user).copied().unwrap_or(user).clone();
            let keys: Vec<Key> = users.iter().map(|user| keys::member(loader.tenant, local, &local_of(user))).collect();
            for ((user, present), item) in users.iter().zip(present).zip(loader.store.get(&keys).await?) {
                let is_member = item.is_some();
                let belongs = present.is_some()
                    && ((is_member && gone.contains(user)) || groups.ancestry.of(user).await?.contains(group));
                match (belongs, is_member) {
                    (true, false) => difference.join.push(user.clone()),
                    (false, true) => difference.leave.push(local_of(user)),
                    _ => (),
                }
            }
        }
    }
    Ok(difference)
}

/// Of some members, by our ids, those whom Entra has deleted and who are here all the same, as `here` says: Entra does not
/// name them as members any longer, and they stay what they were.
///
/// # Errors
/// The store's.
pub async fn lingering<S: Store>(
    loader: &Loader<'_, S>,
    locals: &[ObjectId],
    here: impl Fn(&(EntraUser, Option<Removal>), &User) -> bool,
) -> Result<BTreeSet<ObjectId>, Fault> {
    let names: Vec<_> = locals.iter().map(|local| (Kind::User, local.clone())).collect();
    let held = loader.held(&names).await?.into_iter().flatten();
    let users: BTreeMap<ObjectId, User> = held
        .filter_map(|held| match held {
            Held::User(user) => Some((user.entra_id.clone()?, user)),
            Held::Group(_) => None,
        })
        .collect();
    let names: Vec<_> = users.keys().map(|id| (Kind::User, id.clone())).collect();
    let mut lingering = BTreeSet::new();
    for (id, row) in loader.rows(&names).await? {
        if let (Entra::User(entra), Some(how), Some(user)) = (row.entra, row.removed, users.get(&id))
            && here(&(entra, Some(how)), user)
        {
            lingering.insert(user.id.clone());
        }
    }
    Ok(lingering)
}

/// For each user of Entra: our id, where it will be here once the run is done.
async fn presence<S: Store>(
    loader: &Loader<'_, S>,
    rules: &Rules<'_>,
    users: &[ObjectId],
    cache: &mut Cache,
) -> Result<Vec<Option<ObjectId>>, Fault> {
    if cache.len() > MOST_CACHED {
        cache.clear();
    }
    let unknown: Vec<ObjectId> = users.iter().filter(|user| !cache.contains_key(*user)).cloned().collect();
    for (id, entra, local, held) in users_of(loader, &unknown).await? {
        let mut there = unit::will_be_present(rules, entra.as_ref(), held.as_ref());
        if !there && held.is_none() && !rules.settings.add_users && rules.settings.update_users {
            there = is_adopted(loader, rules, &id).await?;
        }
        cache.insert(id, there.then_some(local));
    }
    Ok(users.iter().map(|user| cache.get(user).cloned().flatten()).collect())
}

/// Whether a run that adds nobody takes over somebody who is here already for a user of Entra (rule 3.5).
async fn is_adopted<S: Store>(loader: &Loader<'_, S>, rules: &Rules<'_>, id: &ObjectId) -> Result<bool, Fault> {
    let rows = loader.rows(&[(Kind::User, id.clone())]).await?;
    let adopts = |verdict: &Verdict| {
        matches!(verdict, Verdict::Change(planned)
            if planned.change.object_id == *id && planned.change.fields.contains_key("entra_id"))
    };
    Ok(loader.units(rows).await?.iter().any(|unit| unit::plan(rules, unit).iter().any(adopts)))
}

type Known = (ObjectId, Option<(EntraUser, Option<Removal>)>, ObjectId, Option<User>);

/// Users by Entra's id: what Entra says, our id, and our record.
///
/// # Errors
/// The store's.
pub async fn users_of<S: Store>(loader: &Loader<'_, S>, ids: &[ObjectId]) -> Result<Vec<Known>, Fault> {
    let wanted: Vec<(Kind, ObjectId)> = ids.iter().map(|id| (Kind::User, id.clone())).collect();
    let mut rows: BTreeMap<ObjectId, _> = loader.rows(&wanted).await?.into_iter().collect();
    let locals: Vec<_> = ids
        .iter()
        .map(|id| (Kind::User, rows.get(id).and_then(|row| row.local.clone()).unwrap_or_else(|| id.clone())))
        .collect();
    let held = loader.held(&locals).await?;
    let mut known = Vec::new();
    for ((id, (_, local)), held) in ids.iter().zip(locals).zip(held) {
        let entra = rows.remove(id).and_then(|row| match row.entra {
            Entra::User(user) => Some((user, row.removed)),
            Entra::Group(_) => None,
        });
        let held = match held {
            Some(Held::User(user)) if user.entra_id.as_ref() == Some(id) => Some(user),
            _ => None,
        };
        known.push((id.clone(), entra, local, held));
    }
    Ok(known)
}

/// The change of a group whose members alone change.
pub fn change(held: &Held, id: &ObjectId, members: Field, note: String) -> Planned {
    let change = Change {
        id: String::new(),
        category: Category::Updating,
        object: Kind::Group,
        object_id: id.clone(),
        address: held.addresses().primary.clone(),
        selected: true,
        why: "Entra has other members".to_owned(),
        fields: BTreeMap::from([("members".to_owned(), members)]),
        notes: vec![note],
        outcome: None,
        error: None,
    };
    Planned { change, local: held.id().clone(), rev: Some(held.rev()), purge: false, seats: 0, brakes: false }
}
