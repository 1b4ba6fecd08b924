//! The members of groups: what Entra's memberships come to among the users who are here (rule 2.10).

use std::collections::{BTreeMap, BTreeSet};

use directory::{Category, Change, Entra, Field, Held, Kind, ObjectId, Planned, Rules, User, unit};

use crate::{
    chunk, keys,
    lease::{Lease, Stop},
    links,
    load::Loader,
    ports::{Fault, Key, Store, Table},
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

/// The groups to look at in a run that does not look at everybody: those on the worklist, those whose members are, and
/// those of users whom the plan brings, takes away or brings back.
///
/// # Errors
/// [`Stop`].
pub async fn touched(store: &impl Store, lease: &Lease, run: &Run) -> Result<BTreeMap<ObjectId, Memberships>, Stop> {
    let tenant = &lease.tenant;
    let mut found: BTreeMap<ObjectId, Memberships> = BTreeMap::new();
    let mut touch = |group: ObjectId, user: Option<&ObjectId>| {
        if let Memberships::Of(users) = found.entry(group).or_insert_with(|| Memberships::Of(BTreeSet::new())) {
            users.extend(user.cloned());
        }
    };
    for (sk, _) in links::everything(store, keys::starting(Table::Control, keys::work_pk(tenant), "0#M#")).await? {
        let mut parts = sk.splitn(4, '#').skip(2).map(ObjectId::try_from);
        let (Some(Ok(group)), Some(Ok(user))) = (parts.next(), parts.next()) else { continue };
        for ancestor in links::ancestors(store, tenant, &group).await? {
            touch(ancestor, Some(&user));
        }
        touch(group, Some(&user));
    }
    for number in 0..run.chunks {
        for entry in chunk::load(store, tenant, &run.run, number).await? {
            let Entry::Unit { changes, .. } = entry else { continue };
            for planned in changes.iter().filter(|planned| planned.change.object == Kind::User) {
                if planned.change.comes_or_goes() && planned.change.error.is_none() {
                    for group in links::ancestors(store, tenant, &planned.change.object_id).await? {
                        touch(group, Some(&planned.change.object_id));
                    }
                }
            }
        }
    }
    for (sk, item) in links::everything(store, keys::starting(Table::Control, keys::work_pk(tenant), "0#U#")).await? {
        let work: Work = read("an entry of the worklist", item)?;
        let Some(Ok(user)) = sk.strip_prefix("0#U#").map(ObjectId::try_from) else { continue };
        if work.members {
            for group in links::ancestors(store, tenant, &user).await? {
                touch(group, Some(&user));
            }
        }
    }
    for (sk, item) in links::everything(store, keys::starting(Table::Control, keys::work_pk(tenant), "0#G#")).await? {
        let work: Work = read("an entry of the worklist", item)?;
        let Some(Ok(group)) = sk.strip_prefix("0#G#").map(ObjectId::try_from) else { continue };
        if work.members {
            found.insert(group, Memberships::All);
        } else {
            found.entry(group).or_insert_with(|| Memberships::Of(BTreeSet::new()));
        }
    }
    Ok(found)
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
    cache: &mut Cache,
) -> Result<Difference, Fault> {
    let mut difference = Difference::default();
    match which {
        Memberships::All => {
            let (users, _) = links::flatten(loader.store, loader.tenant, group).await?;
            let here: BTreeSet<ObjectId> = if loader.empty {
                BTreeSet::new()
            } else {
                let range = keys::all(Table::Directory, keys::members_pk(loader.tenant, local));
                let items = links::everything(loader.store, range).await?;
                items.into_iter().filter_map(|(id, _)| ObjectId::try_from(id).ok()).collect()
            };
            let users: Vec<ObjectId> = users.into_iter().collect();
            let mut stay = BTreeSet::new();
            for part in users.chunks(1000) {
                for (user, present) in part.iter().zip(presence(loader, rules, part, cache).await?) {
                    match present {
                        Some(local) if here.contains(&local) => drop(stay.insert(local)),
                        Some(_) => difference.join.push(user.clone()),
                        None => (),
                    }
                }
            }
            difference.leave = here.difference(&stay).cloned().collect();
        }
        Memberships::Of(users) if users.is_empty() => (),
        Memberships::Of(users) => {
            let users: Vec<ObjectId> = users.iter().cloned().collect();
            let present = presence(loader, rules, &users, cache).await?;
            let rows = loader.rows(&users.iter().map(|id| (Kind::User, id.clone())).collect::<Vec<_>>()).await?;
            let locals: BTreeMap<ObjectId, ObjectId> =
                rows.into_iter().filter_map(|(id, row)| Some((id, row.local?))).collect();
            let local_of = |user: &ObjectId| locals.get(user).unwrap_or(user).clone();
            let keys: Vec<Key> = users.iter().map(|user| keys::member(loader.tenant, local, &local_of(user))).collect();
            for ((user, present), item) in users.iter().zip(present).zip(loader.store.get(&keys).await?) {
                let belongs =
                    present.is_some() && links::ancestors(loader.store, loader.tenant, user).await?.contains(group);
                match (belongs, item.is_some()) {
                    (true, false) => difference.join.push(user.clone()),
                    (false, true) => difference.leave.push(local_of(user)),
                    _ => (),
                }
            }
        }
    }
    Ok(difference)
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
        let there = unit::will_be_present(rules, entra.as_ref(), held.as_ref());
        cache.insert(id, there.then_some(local));
    }
    Ok(users.iter().map(|user| cache.get(user).cloned().flatten()).collect())
}

type Known = (ObjectId, Option<(directory::EntraUser, Option<directory::Removal>)>, ObjectId, Option<User>);

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
