//! Changes of users by hand, each in one commit: converting and deleting them; making them is in `by_hand`.
//!
//! They happen without the lease of a run. Each is one commit on condition of the user's revision and of the owner of
//! every address, so that a run that comes in between finds its change stale, or this one is decided anew.

use std::collections::{BTreeMap, BTreeSet};

use directory::{Address, Failure, Held, Kind, ObjectId, User, UserType};
use serde_json::{Value, json};

use crate::{
    exemptions, keys,
    lease::{put, set},
    links,
    operator::{self, Asked, Refused, TRIES, committed},
    people::{self, Wanted, show_user},
    plan::{self, add_totals},
    ports::{Change, Condition, Item, Key, Store, Write},
    records::{Claim, Claimants, Counts, Work, read, write},
};

/// So many addresses come and go at once: all of them move in one commit.
const MOST_ADDRESSES: usize = 30;
/// So many groups lose a member in one commit.
const MOST_GROUPS: usize = 40;

/// Make a user another type of user: no run turns it back (rule 5.1). With `exempt` no run touches it any longer
/// (rule 5.4).
///
/// # Errors
/// No user has the address.
pub async fn convert(
    store: &impl Store,
    asked: &Asked,
    address: &Address,
    to: UserType,
    exempt: bool,
) -> Result<Value, Refused> {
    for _ in 0..TRIES {
        operator::tenant(store, &asked.tenant).await?;
        let before = user(store, asked, address).await?;
        let mut exempted = plan::exemptions(store, &asked.tenant).await?;
        let own = before.addresses.primary.as_ref().unwrap_or(address);
        let mut also = Vec::new();
        if exempt && exempted.insert(own.clone()) {
            also = exemptions::writes(asked, own);
        }
        let mut after = User { kind: to, digests: digests(&before, to), ..before.clone() };
        if to == UserType::FunctionalAccount && before.kind != to {
            // Its mail is to flow, whatever became of the person.
            after.is_active = after.addresses.primary.is_some();
            after.deleted_at = None;
        }
        if before.deleted_at.is_some() && after.deleted_at.is_none() {
            also.extend(member_again(store, asked, &before).await?);
        }
        if after == before && also.is_empty() {
            return Ok(json!({"user": show_user(&before, &exempted)}));
        }
        after.rev += 1;
        if commit(store, asked, "convert", Some(&before), Some(&after), also).await? {
            return Ok(json!({"user": show_user(&after, &exempted)}));
        }
    }
    Err(operator::raced())
}

/// Whether digests are sent to a user of another type: as to a new one of that type, and as before to who stays a person
/// that signs in.
pub(crate) fn digests(before: &User, to: UserType) -> bool {
    let person = |kind| matches!(kind, UserType::EndUser | UserType::OrganizationAdmin);
    match to {
        _ if before.kind == to || (person(before.kind) && person(to)) => before.digests,
        UserType::EndUser | UserType::OrganizationAdmin => true,
        UserType::SilentUser | UserType::FunctionalAccount => false,
    }
}

/// Delete a user. One that Entra still has comes back with the next run, unless it is exempt (rule 3.4).
///
/// # Errors
/// No user has the address.
pub async fn delete_user(store: &impl Store, asked: &Asked, address: &Address) -> Result<Value, Refused> {
    for _ in 0..TRIES {
        operator::tenant(store, &asked.tenant).await?;
        let before = user(store, asked, address).await?;
        leave_groups(store, asked, &before).await?;
        let mut also = Vec::new();
        if let Some(entra_id) = before.entra_id.as_ref().filter(|id| **id != before.id)
            && people::mirrored(store, &asked.tenant, Kind::User, entra_id)
                .await?
                .is_some_and(|row| row.local.is_some())
        {
            let forget = Item::from_iter([("local".to_owned(), Value::Null)]);
            let key = keys::mirror(&asked.tenant, Kind::User, entra_id);
            also.push(Write { only_if: vec![Condition::Exists], ..set(key, forget) });
        }
        if commit(store, asked, "delete_user", Some(&before), None, also).await? {
            return Ok(json!({"tenant": asked.tenant, "address": address, "id": before.id, "deleted": true}));
        }
    }
    Err(operator::raced())
}

/// The user that has an address.
async fn user(store: &impl Store, asked: &Asked, address: &Address) -> Result<User, Refused> {
    match people::find(store, &asked.tenant, Kind::User, &Wanted::Address(address.clone())).await? {
        Held::User(user) => Ok(user),
        Held::Group(_) => {
            Err(Failure::not_found(format!("no user of tenant {} has the address {address}", asked.tenant)).into())
        }
    }
}

/// The worklist's entries for a user that may be a member of its groups again.
async fn member_again(store: &impl Store, asked: &Asked, user: &User) -> Result<Vec<Write>, Refused> {
    let Some(entra_id) = &user.entra_id else { return Ok(Vec::new()) };
    let work = write(&Work::found(&asked.as_run()?, false));
    let groups = links::parents(store, &asked.tenant, entra_id).await?;
    let key = |group| keys::work_link(&asked.tenant, group, entra_id);
    Ok(groups.iter().take(MOST_GROUPS).map(|group| put(key(group), work.clone())).collect())
}

/// Take a user out of every group that it is a member of.
async fn leave_groups(store: &impl Store, asked: &Asked, user: &User) -> Result<(), Refused> {
    let tenant = &asked.tenant;
    let Some(entra_id) = &user.entra_id else { return Ok(()) };
    let groups: Vec<ObjectId> = links::ancestors(store, tenant, entra_id).await?.into_iter().collect();
    let mut locals = Vec::new();
    for group in &groups {
        let row = people::mirrored(store, tenant, Kind::Group, group).await?;
        locals.push(row.and_then(|row| row.local).unwrap_or_else(|| group.clone()));
    }
    let keys: Vec<Key> = locals.iter().map(|group| keys::member(tenant, group, &user.id)).collect();
    let mut writes = Vec::new();
    for ((group, key), item) in locals.iter().zip(keys).zip(store.get(&keys_of(tenant, &locals, &user.id)).await?) {
        if item.is_none() {
            continue;
        }
        writes.push(Write { key, change: Change::Delete, only_if: vec![Condition::Exists] });
        // The revision too: a run that has read the group writes all of it.
        let fewer = Change::Set { set: Item::new(), add: vec![("member_count", -1), ("rev", 1)] };
        writes.push(Write {
            key: keys::object(tenant, Kind::Group, group),
            change: fewer,
            only_if: vec![Condition::Exists],
        });
    }
    for part in writes.chunks(2 * MOST_GROUPS) {
        if !committed(store, part.to_vec()).await? {
            return Err(operator::raced());
        }
    }
    Ok(())
}

fn keys_of(tenant: &directory::TenantId, groups: &[ObjectId], user: &ObjectId) -> Vec<Key> {
    groups.iter().map(|group| keys::member(tenant, group, user)).collect()
}

pub(crate) fn taken(address: &Address, claim: &Claim) -> Failure {
    Failure::invalid(format!("{address} belongs to {} {}", claim.kind.name(), claim.owner))
}

/// One change of a user, all or nothing: the user, its addresses, the totals, the audit, and the worklist, so that the
/// next run looks at whoever this concerns in Entra. `false` where somebody else came in between.
pub(crate) async fn commit(
    store: &impl Store,
    asked: &Asked,
    action: &str,
    before: Option<&User>,
    after: Option<&User>,
    also: Vec<Write>,
) -> Result<bool, Refused> {
    let tenant = &asked.tenant;
    let Some(own) = after.or(before) else { return Ok(true) };
    let all = |user: Option<&User>| {
        user.into_iter().flat_map(|user| user.addresses.all().cloned()).collect::<BTreeSet<Address>>()
    };
    let (had, has) = (all(before), all(after));
    let (lost, gained): (Vec<&Address>, Vec<&Address>) =
        (had.difference(&has).collect(), has.difference(&had).collect());
    if after.is_some() && lost.len() + gained.len() > MOST_ADDRESSES {
        return Err(
            Failure::invalid(format!("user: at most {MOST_ADDRESSES} addresses can come and go at once")).into()
        );
    }
    let unchanged = before.map_or(Condition::NoItem, |user| Condition::Equals("rev", json!(user.rev)));
    let change = after.map_or(Change::Delete, |user| Change::Put(write(user)));
    let mut writes = vec![Write { key: keys::object(tenant, Kind::User, &own.id), change, only_if: vec![unchanged] }];
    for address in &lost {
        let only_if = vec![Condition::Equals("owner", json!(own.id))];
        writes.push(Write { key: keys::claim(tenant, address), change: Change::Delete, only_if });
    }
    for address in &gained {
        if let Some(claim) = people::owner(store, tenant, address).await? {
            return Err(taken(address, &claim).into());
        }
        let claim = Change::Put(write(&Claim { kind: Kind::User, owner: own.id.clone() }));
        writes.push(Write { key: keys::claim(tenant, address), change: claim, only_if: vec![Condition::NoItem] });
    }
    let held = |user: Option<&User>| user.map(|user| Held::User(user.clone()));
    let mut totals = Counts::of(held(after).as_ref());
    totals.add(Counts::of(held(before).as_ref()), -1);
    writes.extend(add_totals(tenant, &totals));
    writes.push(asked.tenant_is_there());
    let (from, to) = differences(before, after);
    writes.push(asked.audit(0, action, own.id.as_str(), from, to));
    writes.extend(also);
    // Those who stay beyond what one commit holds are put on the worklist ahead of it: they are only looked at.
    let mut work = concerned(store, asked, before.or(after), lost.iter().chain(&gained).copied()).await?;
    let room = crate::ports::MOST_WRITES.saturating_sub(writes.len());
    let ahead = work.split_off(work.len().min(room));
    for part in ahead.chunks(crate::ports::MOST_WRITES) {
        committed(store, part.to_vec()).await?;
    }
    writes.extend(work);
    Ok(committed(store, writes).await?)
}

/// The worklist's entries of a user's own object in Entra, and of all that list one of some addresses.
async fn concerned(
    store: &impl Store,
    asked: &Asked,
    user: Option<&User>,
    addresses: impl Iterator<Item = &Address>,
) -> Result<Vec<Write>, Refused> {
    let tenant = &asked.tenant;
    let mut ids: BTreeMap<Key, ()> = BTreeMap::new();
    if let Some(entra_id) = user.and_then(|user| user.entra_id.as_ref()) {
        ids.insert(keys::work(tenant, Kind::User, entra_id), ());
    }
    let keys: Vec<Key> = addresses.map(|address| keys::mirror_address(tenant, address)).collect();
    for item in store.get(&keys).await?.into_iter().flatten() {
        for (kind, id) in read::<Claimants>("an address of the mirror", item)?.claimants {
            ids.insert(keys::work(tenant, kind, &id), ());
        }
    }
    let work = write(&Work::found(&asked.as_run()?, false));
    Ok(ids.into_keys().map(|key| put(key, work.clone())).collect())
}

/// What the audit says of a change: the keys that differ, before and after.
fn differences(before: Option<&User>, after: Option<&User>) -> (Value, Value) {
    let fields = |user: Option<&User>| user.map(|user| Held::User(user.clone()).fields()).unwrap_or_default();
    let (old, new) = (fields(before), fields(after));
    let only = |of: &BTreeMap<String, Value>, than: &BTreeMap<String, Value>| {
        of.iter()
            .filter(|(key, value)| than.get(*key) != Some(*value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    (Value::Object(only(&old, &new)), Value::Object(only(&new, &old)))
}
