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

/// What is known of a user of Entra.
#[derive(Debug, Clone)]
pub struct Presence {
    /// Our id.
    local: ObjectId,
    /// Whether it will be here once the run is done.
    here: bool,
    /// Whether Entra has deleted it.
    gone: bool,
}

/// What is known of users, by Entra's ids.
pub type Cache = BTreeMap<ObjectId, Presence>;
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
                for (user, known) in part.iter().zip(presence(loader, rules, part, &mut groups.present).await?) {
                    if known.here && !here.remove(&known.local) {
                        difference.join.push(user.clone());
                    }
                }
            }
            let rest: Vec<ObjectId> = here.into_iter().collect();
            for part in rest.chunks(1000) {
                let users = users_here(loader, part).await?;
                let stay =
                    lingering(loader, &users, |entra, user| unit::will_be_present(rules, Some(entra), Some(user)));
                let stay = stay.await?;
                difference.leave.extend(part.iter().filter(|local| !stay.contains(*local)).cloned());
            }
        }
        Memberships::Of(users) if users.is_empty() => (),
        Memberships::Of(users) => {
            let users: Vec<ObjectId> = users.iter().cloned().collect();
            groups.ancestry.prepare(&users).await?;
            let known = presence(loader, rules, &users, &mut groups.present).await?;
            let keys: Vec<Key> = known.iter().map(|user| keys::member(loader.tenant, local, &user.local)).collect();
            for ((user, known), item) in users.iter().zip(known).zip(loader.store.get(&keys).await?) {
                let is_member = item.is_some();
                let belongs =
                    known.here && ((is_member && known.gone) || groups.ancestry.of(user).await?.contains(group));
                match (belongs, is_member) {
                    (true, false) => difference.join.push(user.clone()),
                    (false, true) => difference.leave.push(known.local),
                    _ => (),
                }
            }
        }
    }
    Ok(difference)
}

/// The users among some members, by our ids, who came from Entra.
///
/// # Errors
/// The store's.
pub async fn users_here<S: Store>(
    loader: &Loader<'_, S>,
    locals: &[ObjectId],
) -> Result<BTreeMap<ObjectId, User>, Fault> {
    let names: Vec<_> = locals.iter().map(|local| (Kind::User, local.clone())).collect();
    let users = loader.held(&names).await?.into_iter().filter_map(|held| match held {
        Some(Held::User(user)) => Some((user.entra_id.clone()?, user)),
        _ => None,
    });
    Ok(users.collect())
}

/// Of some users, by Entra's ids, our ids of those whom Entra has deleted and who are here all the same, as `here` says:
/// Entra does not name them as members any longer, and they stay what they were.
///
/// # Errors
/// The store's.
pub async fn lingering<S: Store>(
    loader: &Loader<'_, S>,
    users: &BTreeMap<ObjectId, User>,
    here: impl Fn(&(EntraUser, Option<Removal>), &User) -> bool,
) -> Result<BTreeSet<ObjectId>, Fault> {
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

/// For each user of Entra what is known of it.
async fn presence<S: Store>(
    loader: &Loader<'_, S>,
    rules: &Rules<'_>,
    users: &[ObjectId],
    cache: &mut Cache,
) -> Result<Vec<Presence>, Fault> {
    if cache.len() > MOST_CACHED {
        cache.clear();
    }
    let unknown: Vec<ObjectId> = users.iter().filter(|user| !cache.contains_key(*user)).cloned().collect();
    for (id, entra, local, held) in users_of(loader, &unknown).await? {
        let mut here = unit::will_be_present(rules, entra.as_ref(), held.as_ref());
        if !here && held.is_none() && !rules.settings.add_users && rules.settings.update_users {
            here = is_adopted(loader, rules, &id).await?;
        }
        let gone = entra.is_some_and(|(_, removed)| removed.is_some());
        cache.insert(id, Presence { local, here, gone });
    }
    Ok(users.iter().filter_map(|user| cache.get(user).cloned()).collect())
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
