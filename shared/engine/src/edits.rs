//! Changes of users by hand, each in one commit: converting and deleting them; making them is in `by_hand`.
//!
//! They happen without the lease of a run. Each is one commit on condition of the user's revision and of the owner of
//! every address, so that a run that comes in between finds its change stale, or this one is decided anew.

use std::collections::{BTreeMap, BTreeSet};

use directory::{Address, Failure, Held, Kind, ObjectId, User, UserType};
use serde_json::{Value, json};

use crate::{
    exemptions, keys,
    lease::{note, set},
    links::Pages,
    operator::{self, Asked, Refused, TRIES, committed},
    people::{self, Wanted, show_user},
    plan::{self, add_totals},
    ports::{Change, Condition, Fault, Item, Key, Store, Table, Write},
    records::{Audit, Claim, Claimants, Counts, Work, read, write},
    signs_in,
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
        if to == UserType::FunctionalAccount && (before.kind != to || before.deleted_at.is_some()) {
            // Its mail is to flow, whatever became of the person.
            after.is_active = after.addresses.primary.is_some();
            after.deleted_at = None;
        }
        if after == before && also.is_empty() {
            return Ok(json!({"user": show_user(&before, &exempted)}));
        }
        after.rev += 1;
        if commit(store, asked, ("convert", 0), Some(&before), Some(&after), also).await? {
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
    let (mut part, mut tries) = (0, 0);
    while tries < TRIES {
        operator::tenant(store, &asked.tenant).await?;
        let before = user(store, asked, address).await?;
        let after = with_fewer_addresses(&before, address);
        let mut also = Vec::new();
        if after.is_none() {
            leave_groups(store, asked, &before).await?;
            also.extend(forgotten_name(store, asked, &before).await?);
            also.extend(signs_in::writes(store, asked, Some(&before), None).await?);
        }
        match commit(store, asked, ("delete_user", part), Some(&before), after.as_ref(), also).await? {
            true if after.is_none() => {
                return Ok(json!({"tenant": asked.tenant, "address": address, "id": before.id, "deleted": true}));
            }
            true => part += 1,
            false => tries += 1,
        }
    }
    Err(operator::raced())
}

/// Whoever has more addresses than go in one commit lets go of some of the others first, each step whole in itself;
/// nothing, once all that is left goes at once.
fn with_fewer_addresses(user: &User, but: &Address) -> Option<User> {
    let first: BTreeSet<Address> =
        user.addresses.aliases.iter().filter(|alias| *alias != but).take(MOST_ADDRESSES).cloned().collect();
    let many = user.addresses.aliases.len() > MOST_ADDRESSES;
    many.then(|| User { addresses: user.addresses.without(&first), rev: user.rev + 1, ..user.clone() })
}

/// The write by which the mirror forgets our id of a user that was adopted.
async fn forgotten_name(store: &impl Store, asked: &Asked, user: &User) -> Result<Option<Write>, Fault> {
    let Some(entra_id) = user.entra_id.as_ref().filter(|id| **id != user.id) else { return Ok(None) };
    let row = people::mirrored(store, &asked.tenant, Kind::User, entra_id).await?;
    let forget = Item::from_iter([("local".to_owned(), Value::Null)]);
    let key = keys::mirror(&asked.tenant, Kind::User, entra_id);
    let named = row.is_some_and(|row| row.local.is_some());
    Ok(named.then(|| Write { only_if: vec![Condition::Exists], ..set(key, forget) }))
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

/// Take a user out of every group that it is a member of. All groups are asked: of those that are gone in Entra nothing
/// else may know their members any longer.
async fn leave_groups(store: &impl Store, asked: &Asked, user: &User) -> Result<(), Refused> {
    let tenant = &asked.tenant;
    let Some(entra_id) = &user.entra_id else { return Ok(()) };
    for shard in keys::SHARDS.chars() {
        let range = keys::all(Table::Directory, keys::objects_pk(tenant, Kind::Group, shard));
        let mut pages = Pages::of(store, range);
        while let Some(page) = pages.next().await? {
            let groups: Vec<ObjectId> = page.into_iter().filter_map(|(id, _)| id.try_into().ok()).collect();
            let members: Vec<Key> = groups.iter().map(|group| keys::member(tenant, group, &user.id)).collect();
            let found = groups.iter().zip(&members).zip(store.get(&members).await?);
            let leaving: Vec<Write> = found
                .filter(|(_, item)| item.is_some())
                .flat_map(|((group, key), _)| {
                    // The revision too: a run that has read the group writes all of it.
                    let fewer = Change::Set { set: Item::new(), add: vec![("member_count", -1), ("rev", 1)] };
                    [(key.clone(), Change::Delete), (keys::object(tenant, Kind::Group, group), fewer)]
                })
                .map(|(key, change)| Write { key, change, only_if: vec![Condition::Exists] })
                .collect();
            for part in leaving.chunks(2 * MOST_GROUPS) {
                // Should it end here, the next run makes the user a member again.
                let again = note(keys::work(tenant, Kind::User, entra_id), &Work::found(&asked.as_run(), true));
                if !committed(store, part.iter().cloned().chain([again]).collect()).await? {
                    return Err(operator::raced());
                }
            }
        }
    }
    Ok(())
}

pub(crate) fn taken(address: &Address, claim: &Claim) -> Failure {
    Failure::invalid(format!("{address} belongs to {} {}", claim.kind.name(), claim.owner))
}

/// One change of a user, all or nothing: the user, its addresses, the totals, the audit, and the worklist, so that the
/// next run looks at whoever this concerns in Entra. `false` where somebody else came in between. `part` tells the commits
/// of one request apart.
pub(crate) async fn commit(
    store: &impl Store,
    asked: &Asked,
    (action, part): (&str, usize),
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
    let held = |user: Option<&User>| user.map(|user| Held::User(user.clone()));
    let mut totals = Counts::of(held(after).as_ref());
    totals.add(Counts::of(held(before).as_ref()), -1);
    let yielding = yielding(store, asked, &gained).await?;
    for address in &gained {
        let holder = yielding.iter().map(|(holder, _)| holder).find(|holder| holder.addresses().contains(address));
        let only_if = holder.map_or(Condition::NoItem, |holder| Condition::Equals("owner", json!(holder.id())));
        let claim = Change::Put(write(&Claim { kind: Kind::User, owner: own.id.clone() }));
        writes.push(Write { key: keys::claim(tenant, address), change: claim, only_if: vec![only_if] });
    }
    for (holder, left) in &yielding {
        let key = keys::object(tenant, holder.kind(), holder.id());
        let only_if = vec![Condition::Equals("rev", json!(holder.rev()))];
        writes.push(Write { key, change: Change::Put(write(left)), only_if });
        totals.add(Counts::of(Some(left)), 1);
        totals.add(Counts::of(Some(holder)), -1);
    }
    writes.extend(add_totals(tenant, &totals));
    writes.push(asked.tenant_is_there());
    let (from, to) = differences(before, after);
    let whom = own.addresses.primary.as_ref().map_or_else(|| own.id.to_string(), ToString::to_string);
    let (by, action, what) = (asked.by.clone(), action.to_owned(), whom);
    writes.push(asked.written_down(part, Audit { at: asked.now, by, action, what, from, to, totals: Some(totals) }));
    writes.extend(also);
    // Those who stay beyond what one commit holds are put on the worklist ahead of it: they are only looked at.
    let back =
        before.is_some_and(|user| user.deleted_at.is_some()) && after.is_some_and(|user| user.deleted_at.is_none());
    let mut work = concerned(store, asked, (before.or(after), back), lost.iter().chain(&gained).copied()).await?;
    let room = crate::ports::MOST_WRITES.saturating_sub(writes.len());
    let ahead = work.split_off(work.len().min(room));
    for part in ahead.chunks(crate::ports::MOST_WRITES) {
        committed(store, part.to_vec()).await?;
    }
    writes.extend(work);
    Ok(committed(store, writes).await?)
}

/// Whoever is marked as deleted and has one of some addresses that another user needs now: as it is, and without them
/// (rule 3.4).
///
/// # Errors
/// One of them belongs to somebody who keeps it.
async fn yielding(store: &impl Store, asked: &Asked, needed: &[&Address]) -> Result<Vec<(Held, Held)>, Refused> {
    if needed.is_empty() {
        return Ok(Vec::new());
    }
    let exempt = plan::exemptions(store, &asked.tenant).await?;
    let yields = |held: &Held| held.deleted_at().is_some() && !held.addresses().any_in(&exempt);
    let mut yielding: BTreeMap<(Kind, ObjectId), (Held, Held)> = BTreeMap::new();
    for address in needed {
        let Some(claim) = people::owner(store, &asked.tenant, address).await? else { continue };
        let name = (claim.kind, claim.owner.clone());
        let (holder, left) = match yielding.remove(&name) {
            Some(known) => known,
            None => {
                let held = people::load(store, &asked.tenant, claim.kind, &claim.owner).await?;
                let held = held.filter(yields).ok_or_else(|| taken(address, &claim))?;
                (held.clone(), held)
            }
        };
        let left = left.readdressed(left.addresses().without(&BTreeSet::from([(*address).clone()])));
        yielding.insert(name, (holder, left));
    }
    Ok(yielding.into_values().collect())
}

/// The worklist's entries of a user's own object in Entra, with all of its memberships where it is `back`, and of all
/// that list one of some addresses.
async fn concerned(
    store: &impl Store,
    asked: &Asked,
    (user, back): (Option<&User>, bool),
    addresses: impl Iterator<Item = &Address>,
) -> Result<Vec<Write>, Refused> {
    let tenant = &asked.tenant;
    let mut ids: BTreeMap<Key, bool> = BTreeMap::new();
    let keys: Vec<Key> = addresses.map(|address| keys::mirror_address(tenant, address)).collect();
    for item in store.get(&keys).await?.into_iter().flatten() {
        for (kind, id) in read::<Claimants>("an address of the mirror", item)?.claimants {
            ids.insert(keys::work(tenant, kind, &id), false);
        }
    }
    if let Some(entra_id) = user.and_then(|user| user.entra_id.as_ref()) {
        ids.insert(keys::work(tenant, Kind::User, entra_id), back);
    }
    let by = asked.as_run();
    Ok(ids.into_iter().map(|(key, members)| note(key, &Work::found(&by, members))).collect())
}

/// What the audit says of a change: the keys that differ, before and after.
fn differences(before: Option<&User>, after: Option<&User>) -> (Value, Value) {
    let fields = |user: Option<&User>| {
        let mut fields = user.map(|user| Held::User(user.clone()).fields()).unwrap_or_default();
        fields.extend(user.map(|user| ("entra_id".to_owned(), json!(user.is_in_entra()))));
        fields
    };
    let (old, new) = (fields(before), fields(after));
    let only = |of: &BTreeMap<String, Value>, than: &BTreeMap<String, Value>| {
        of.iter()
            .filter(|(key, value)| than.get(*key) != Some(*value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    (Value::Object(only(&old, &new)), Value::Object(only(&new, &old)))
}
