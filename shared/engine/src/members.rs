//! The members of groups: what Entra's memberships come to among the users who are here (rule 2.10).

use std::collections::{BTreeMap, BTreeSet};

use directory::{
    Category, Change, Entra, EntraUser, Field, Held, Kind, ObjectId, Planned, Removal, Rules, User, Verdict, unit,
};

use crate::{
    keys,
    links::{self, Ancestry, Pages},
    load::Loader,
    ports::{Fault, Key, Store, Table},
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
    Planned {
        change,
        local: held.id().clone(),
        rev: Some(held.rev()),
        purge: false,
        seats: 0,
        brakes: false,
        undone: false,
        said: None,
    }
}
