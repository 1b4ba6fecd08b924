//! Changes of users by hand: making, changing, converting and deleting them.
//!
//! They happen without the lease of a run. Each is one commit on condition of the user's revision and of the owner of
//! every address, so that a run that comes in between finds its change stale, or this one is decided anew.

use std::collections::{BTreeMap, BTreeSet};

use directory::{Address, Addresses, Domain, Failure, Held, Kind, ManagedBy, ObjectId, Profile, User, UserType};
use serde_json::{Map, Value, json};

use crate::{
    domains, exemptions, keys,
    lease::{put, set},
    links,
    operator::{self, Asked, Refused, TRIES, committed},
    people::{self, Wanted, show_user},
    plan::{self, add_totals},
    ports::{Change, Condition, Fault, Item, Key, Store, Write},
    records::{Claim, Claimants, Counts, Work, read, write},
};

/// The keys of a user that can be set by hand.
const BY_HAND: [&str; 14] = [
    "primary_email",
    "alias_emails",
    "firstname",
    "surname",
    "display_name",
    "job_title",
    "department",
    "mobile",
    "phone",
    "language",
    "upn",
    "type",
    "digests",
    "is_active",
];
/// The keys of a user that are there to be read. They may be sent back as they were read.
const TO_READ: [&str; 5] = ["id", "entra_id", "managed_by", "exempt", "deleted_at"];
/// No name or number is longer.
const LONGEST_TEXT: usize = 256;
/// So many addresses come and go at once: all of them move in one commit.
const MOST_ADDRESSES: usize = 30;
/// So many groups lose a member in one commit.
const MOST_GROUPS: usize = 40;

/// Make a user by hand, or change one: of a synchronised user only `digests`. A user that is there is found by its `id`,
/// else by its primary address; keys that are not named keep their value.
///
/// # Errors
/// `invalid_input` where a key cannot be set, a value cannot be, or an address belongs to somebody else.
pub async fn put_user(store: &impl Store, asked: &Asked, patch: &Map<String, Value>) -> Result<Value, Refused> {
    if let Some(key) = patch.keys().find(|key| !BY_HAND.contains(&key.as_str()) && !TO_READ.contains(&key.as_str())) {
        return Err(Failure::invalid(format!("user: unknown field `{key}`")).into());
    }
    let primary = match patch.get("primary_email") {
        None | Some(Value::Null) => None,
        Some(text) => Some(address("user.primary_email", text)?),
    };
    for _ in 0..TRIES {
        operator::tenant(store, &asked.tenant).await?;
        let exempt = plan::exemptions(store, &asked.tenant).await?;
        let before = present(store, asked, patch, primary.as_ref()).await?;
        let (base, shown) = match &before {
            Some(user) => (user.clone(), show_user(user, &exempt)),
            None => {
                let user = fresh(asked, primary.clone())?;
                let shown = show_user(&user, &exempt);
                (user, shown)
            }
        };
        let after = merged(&base, &shown, patch, before.is_some())?;
        if before.as_ref() == Some(&after) {
            return Ok(json!({"user": shown}));
        }
        check_domains(store, asked, before.as_ref(), &after).await?;
        let after = User { rev: before.as_ref().map_or(1, |user| user.rev + 1), ..after };
        if commit(store, asked, "put_user", before.as_ref(), Some(&after), Vec::new()).await? {
            return Ok(json!({"user": show_user(&after, &exempt)}));
        }
    }
    Err(operator::raced())
}

/// The user that is meant, where it is there.
async fn present(
    store: &impl Store,
    asked: &Asked,
    patch: &Map<String, Value>,
    primary: Option<&Address>,
) -> Result<Option<User>, Refused> {
    if let Some(id) = patch.get("id").filter(|id| !id.is_null()) {
        let id = id.as_str().and_then(|id| ObjectId::try_from(id).ok());
        let id = id.ok_or_else(|| Failure::invalid("user.id: expected the id of a user that is there"))?;
        let found = people::find(store, &asked.tenant, Kind::User, &Wanted::Id(id)).await?;
        return Ok(if let Held::User(user) = found { Some(user) } else { None });
    }
    let Some(primary) = primary else {
        return Err(Failure::invalid("user.primary_email: expected the address of the user").into());
    };
    let Some(claim) = people::owner(store, &asked.tenant, primary).await? else { return Ok(None) };
    match people::load(store, &asked.tenant, claim.kind, &claim.owner).await? {
        Some(Held::User(user)) if user.addresses.primary.as_ref() == Some(primary) => Ok(Some(user)),
        _ => Err(taken(primary, &claim).into()),
    }
}

/// A user as it is made by hand, before its keys are set.
fn fresh(asked: &Asked, primary: Option<Address>) -> Result<User, Fault> {
    let milliseconds = u64::try_from(asked.now.as_millisecond()).unwrap_or_default();
    let id = ulid::Ulid::from_parts(milliseconds, asked.random()).to_string();
    Ok(User {
        id: ObjectId::try_from(id).map_err(|err| Fault::permanent("cannot name a new user").because(err))?,
        entra_id: None,
        addresses: Addresses { primary, aliases: BTreeSet::new() },
        profile: Profile::default(),
        kind: UserType::EndUser,
        digests: true,
        is_active: true,
        managed_by: ManagedBy::Hand,
        deleted_at: None,
        rev: 1,
        connection: 0,
    })
}

/// The user with the keys of the patch laid over it.
fn merged(base: &User, shown: &Value, patch: &Map<String, Value>, there: bool) -> Result<User, Failure> {
    let wrong = |key: &str, expected: &str| Failure::invalid(format!("user.{key}: expected {expected}"));
    let mut user = base.clone();
    let mut aliases = None;
    for (key, value) in patch.iter().filter(|(key, value)| shown.get(key.as_str()) != Some(*value)) {
        if TO_READ.contains(&key.as_str()) {
            // Entra's id names it too; and a new user has none of these.
            if (there && key == "id") || (!there && value.is_null()) {
                continue;
            }
            return Err(Failure::invalid(format!("user.{key}: cannot be set")));
        }
        if there && base.managed_by == ManagedBy::Sync && key != "digests" && !same_address(shown, key, value) {
            return Err(Failure::invalid(format!(
                "user.{key}: cannot be set, since synchronisation maintains this user; only digests can"
            )));
        }
        let text = |value: &Value| match value {
            Value::Null => Ok(None),
            Value::String(text) if text.len() <= LONGEST_TEXT && !text.chars().any(char::is_control) => {
                Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
            }
            _ => Err(wrong(key, "a text of at most 256 characters without control characters, or null")),
        };
        let flag = |value: &Value| value.as_bool().ok_or_else(|| wrong(key, "true or false"));
        match key.as_str() {
            "primary_email" => user.addresses.primary = Some(address("user.primary_email", value)?),
            "alias_emails" => {
                let list = value.as_array().ok_or_else(|| wrong(key, "a list of addresses"))?;
                aliases = Some(list.iter().map(|item| address("user.alias_emails", item)).collect::<Result<_, _>>()?);
            }
            "firstname" => user.profile.firstname = text(value)?,
            "surname" => user.profile.surname = text(value)?,
            "display_name" => user.profile.display_name = text(value)?,
            "job_title" => user.profile.job_title = text(value)?,
            "department" => user.profile.department = text(value)?,
            "mobile" => user.profile.mobile = text(value)?,
            "phone" => user.profile.phone = text(value)?,
            "language" => user.profile.language = text(value)?,
            "upn" => user.profile.upn = text(value)?,
            "type" => {
                let expected = "end_user, silent_user, functional_account or organization_admin";
                user.kind = serde_json::from_value(value.clone()).map_err(|_| wrong(key, expected))?;
                if !patch.contains_key("digests") {
                    user.digests = digests(base, user.kind);
                }
            }
            "digests" => user.digests = flag(value)?,
            "is_active" => user.is_active = flag(value)?,
            _ => return Err(Failure::invalid(format!("user: unknown field `{key}`"))),
        }
    }
    user.addresses.aliases = aliases.unwrap_or(user.addresses.aliases);
    if let Some(primary) = user.addresses.primary.clone() {
        user.addresses.aliases.remove(&primary);
    }
    if user.is_active && user.addresses.primary.is_none() {
        return Err(wrong("primary_email", "an address: an active user needs one"));
    }
    Ok(user)
}

/// Whether an address is the one that is shown, written otherwise.
fn same_address(shown: &Value, key: &str, value: &Value) -> bool {
    key == "primary_email"
        && value.as_str().and_then(|text| Address::parse(text).ok()).map(|a| json!(a)).as_ref() == shown.get(key)
}

fn address(field: &str, value: &Value) -> Result<Address, Failure> {
    let text = value.as_str().ok_or_else(|| Failure::invalid(format!("{field}: expected an address")))?;
    Address::parse(text).map_err(|why| Failure::invalid(format!("{field}: {why}")))
}

fn taken(address: &Address, claim: &Claim) -> Failure {
    Failure::invalid(format!("{address} belongs to {} {}", claim.kind.name(), claim.owner))
}

/// Addresses that a user gets by hand are not those of another tenant's domains.
async fn check_domains(store: &impl Store, asked: &Asked, before: Option<&User>, after: &User) -> Result<(), Refused> {
    let had = |address: &&Address| !before.is_some_and(|user| user.addresses.contains(address));
    let names: BTreeSet<Domain> = after.addresses.all().filter(had).map(Address::domain).collect();
    let keys: Vec<Key> = names.iter().map(keys::domain).collect();
    for (name, item) in names.iter().zip(store.get(&keys).await?) {
        if let Some(item) = item
            && read::<domains::Owner>("the owner of a domain", item)?.tenant != asked.tenant
        {
            return Err(Failure::invalid(format!("user: the domain {name} belongs to another tenant")).into());
        }
    }
    Ok(())
}

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
fn digests(before: &User, to: UserType) -> bool {
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

/// One change of a user, all or nothing: the user, its addresses, the totals, the audit, and the worklist, so that the
/// next run looks at whoever this concerns in Entra. `false` where somebody else came in between.
async fn commit(
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
