//! Users and groups as operators see them.

mod browse;
mod one;

use std::collections::BTreeSet;

use directory::{Address, Failure, Group, Held, Kind, ObjectId, TenantId, User};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    keys, links,
    load::read_held,
    operator::{self, Refused},
    plan::exemptions,
    ports::{Fault, Range, Store, Table},
    records::{Claim, MirrorRow, read},
};

pub use self::{
    browse::{Found, Sought, browse},
    one::look_up,
};

/// So many users make a page.
const USERS: usize = 1_000;
/// So many groups make a page.
const GROUPS: usize = 100;
/// So many members of a group are shown at once.
const MEMBERS: usize = 1_000;
/// A page of groups ends once they have so many members: an answer holds 6 MB, and everybody is looked at to count who is
/// left out.
const MOST_MEMBERS: u64 = 30_000;

/// Which user or group is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// By any of its addresses.
    Address(Address),
    /// By our id or Entra's.
    Id(ObjectId),
    /// By a group's name.
    Name(String),
}

/// Where a list of users or groups goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Place {
    shard: char,
    after: Option<String>,
}

impl Default for Place {
    fn default() -> Self {
        Self { shard: '0', after: None }
    }
}

/// A page of the users or groups of a tenant.
///
/// # Errors
/// There is no such tenant, or the cursor is none.
pub async fn list(store: &impl Store, tenant: &TenantId, kind: Kind, cursor: Option<&str>) -> Result<Value, Refused> {
    operator::tenant(store, tenant).await?;
    let exempt = exemptions(store, tenant).await?;
    let most = if kind == Kind::User { USERS } else { GROUPS };
    let mut shown = Vec::new();
    let mut members = 0;
    let mut next: Option<Place> = Some(operator::place(cursor)?);
    while let Some(Place { shard, after }) = next.take() {
        let range = keys::all(Table::Directory, keys::objects_pk(tenant, kind, shard));
        let page = store.list(&Range { after, limit: most - shown.len(), ..range }).await?;
        for (id, item) in page.items {
            match read_held(kind, item)? {
                Held::User(user) => shown.push(show_user(&user, &exempt)),
                Held::Group(group) => {
                    members += group.member_count;
                    let exempt = group.addresses.any_in(&exempt);
                    shown.push(show_group(store, tenant, &group, exempt, None).await?.0);
                }
            }
            if members > MOST_MEMBERS {
                next = Some(Place { shard, after: Some(id) });
                break;
            }
        }
        let next_shard = keys::SHARDS.chars().skip_while(|s| *s != shard).nth(1);
        next = match (next, page.more, next_shard) {
            (Some(place), ..) => Some(place),
            (None, Some(after), _) => Some(Place { shard, after: Some(after) }),
            (None, None, next_shard) => next_shard.map(|shard| Place { shard, after: None }),
        };
        if shown.len() >= most || members > MOST_MEMBERS {
            break;
        }
    }
    let name = if kind == Kind::User { "users" } else { "groups" };
    Ok(json!({name: shown, "cursor": next.as_ref().map(operator::cursor)}))
}

/// One user or group. Of a group's members the first thousand, or those from `cursor` on.
///
/// # Errors
/// There is no such tenant, user or group; several groups have the name; the cursor is none.
pub async fn get(
    store: &impl Store,
    tenant: &TenantId,
    kind: Kind,
    wanted: &Wanted,
    cursor: Option<&str>,
) -> Result<Value, Refused> {
    operator::tenant(store, tenant).await?;
    let exempt = exemptions(store, tenant).await?;
    let held = find(store, tenant, kind, wanted).await?;
    let exempt = is_exempt(store, tenant, &held, &exempt).await?;
    match held {
        Held::User(user) => Ok(json!({"user": show(json!(user), exempt)})),
        Held::Group(group) => {
            let (shown, more) = show_group(store, tenant, &group, exempt, operator::place(cursor)?).await?;
            Ok(json!({"group": shown, "cursor": more.as_ref().map(operator::cursor)}))
        }
    }
}

/// The user or group that is meant.
///
/// # Errors
/// `not_found`; `invalid_input` where a name does not say which.
pub(crate) async fn find(store: &impl Store, tenant: &TenantId, kind: Kind, wanted: &Wanted) -> Result<Held, Refused> {
    let name = kind.name();
    match wanted {
        Wanted::Address(address) => {
            let missing = || Failure::not_found(format!("no {name} of tenant {tenant} has the address {address}"));
            let claim = owner(store, tenant, address).await?.filter(|claim| claim.kind == kind).ok_or_else(missing)?;
            Ok(load(store, tenant, kind, &claim.owner).await?.ok_or_else(missing)?)
        }
        Wanted::Id(id) => {
            if let Some(held) = load(store, tenant, kind, id).await? {
                return Ok(held);
            }
            let held = match mirrored(store, tenant, kind, id).await?.and_then(|row| row.local) {
                Some(local) => load(store, tenant, kind, &local).await?.filter(|held| held.entra_id() == Some(id)),
                None => None,
            };
            Ok(held.ok_or_else(|| Failure::not_found(format!("tenant {tenant} has no {name} {id}")))?)
        }
        Wanted::Name(wanted) => named(store, tenant, wanted).await,
    }
}

/// The user or group that an object of Entra is here: under its own id, or where it was adopted.
///
/// # Errors
/// The store's.
pub(crate) async fn of_entra(
    store: &impl Store,
    tenant: &TenantId,
    kind: Kind,
    id: &ObjectId,
) -> Result<Option<Held>, Fault> {
    let local = mirrored(store, tenant, kind, id).await?.and_then(|row| row.local);
    let held = load(store, tenant, kind, local.as_ref().unwrap_or(id)).await?;
    Ok(held.filter(|held| held.entra_id() == Some(id)))
}

/// The group with a name.
async fn named(store: &impl Store, tenant: &TenantId, name: &str) -> Result<Held, Refused> {
    let mut found = Vec::new();
    for shard in keys::SHARDS.chars() {
        let mut range = keys::all(Table::Directory, keys::objects_pk(tenant, Kind::Group, shard));
        loop {
            let page = store.list(&range).await?;
            for (_, item) in page.items {
                let held = read_held(Kind::Group, item)?;
                if matches!(&held, Held::Group(group) if group.name == name) {
                    found.push(held);
                }
            }
            match page.more {
                Some(after) => range.after = Some(after),
                None => break,
            }
        }
    }
    match (found.pop(), found.len()) {
        (Some(held), 0) => Ok(held),
        (None, _) => Err(Failure::not_found(format!("no group of tenant {tenant} has this name")).into()),
        (Some(last), _) => {
            let ids: BTreeSet<&str> = found.iter().chain([&last]).map(|held| held.id().as_str()).take(20).collect();
            let ids = ids.into_iter().collect::<Vec<_>>().join(", ");
            Err(Failure::invalid(format!("name: several groups have this name; ask for one of them by its id: {ids}"))
                .into())
        }
    }
}

/// Who owns an address.
pub(crate) async fn owner(store: &impl Store, tenant: &TenantId, address: &Address) -> Result<Option<Claim>, Fault> {
    let item = store.get(&[keys::claim(tenant, address)]).await?.pop().flatten();
    item.map(|item| read("an address", item)).transpose()
}

/// A user or group by our id.
pub(crate) async fn load(
    store: &impl Store,
    tenant: &TenantId,
    kind: Kind,
    id: &ObjectId,
) -> Result<Option<Held>, Fault> {
    let item = store.get(&[keys::object(tenant, kind, id)]).await?.pop().flatten();
    item.map(|item| read_held(kind, item)).transpose()
}

/// What Entra last told of an object.
pub(crate) async fn mirrored(
    store: &impl Store,
    tenant: &TenantId,
    kind: Kind,
    id: &ObjectId,
) -> Result<Option<MirrorRow>, Fault> {
    let item = store.get(&[keys::mirror(tenant, kind, id)]).await?.pop().flatten();
    item.map(|item| MirrorRow::read(kind, item)).transpose()
}

/// Whether runs leave an object alone for one of its addresses, here or in Entra: some of those that Entra lists are left
/// out here (rules 2.4 and 5.3).
async fn is_exempt(
    store: &impl Store,
    tenant: &TenantId,
    held: &Held,
    exempt: &BTreeSet<Address>,
) -> Result<bool, Fault> {
    if exempt.is_empty() || held.addresses().any_in(exempt) {
        return Ok(!exempt.is_empty());
    }
    let Some(id) = held.entra_id() else { return Ok(false) };
    let row = mirrored(store, tenant, held.kind(), id).await?.filter(|row| row.removed.is_none());
    Ok(row.is_some_and(|row| !row.entra.claims().is_disjoint(exempt)))
}

/// A user as callers see it (section 9), exempt by the addresses that it has here: to ask the mirror too takes a read for
/// each.
pub(crate) fn show_user(user: &User, exempt: &BTreeSet<Address>) -> Value {
    show(json!(user), user.addresses.any_in(exempt))
}

fn show(mut object: Value, exempt: bool) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.retain(|name, _| name != "rev" && name != "connection");
        if let Some(entra_id) = fields.remove("signs_in_as")
            && fields.get("entra_id").is_none_or(Value::is_null)
        {
            fields.insert("entra_id".to_owned(), entra_id);
        }
        fields.insert("exempt".to_owned(), json!(exempt));
    }
    object
}

/// A group as callers see it, with a page of its members, and where the next page goes on. Who is a member in Entra and
/// not here is counted as left out (rule 2.10).
async fn show_group(
    store: &impl Store,
    tenant: &TenantId,
    group: &Group,
    exempt: bool,
    after: Option<String>,
) -> Result<(Value, Option<String>), Fault> {
    let range = keys::all(Table::Directory, keys::members_pk(tenant, &group.id));
    let page = store.list(&Range { after, limit: MEMBERS, ..range }).await?;
    let members: Vec<String> = page.items.into_iter().map(|(id, _)| id).collect();
    let everybody = match &group.entra_id {
        Some(id) => {
            let (users, others) = links::flatten(store, tenant, id).await?;
            users.len() as u64 + others
        }
        None => 0,
    };
    let mut shown = show(json!(group), exempt);
    shown["members"] = json!(members);
    shown["members_left_out"] = json!(everybody.saturating_sub(group.member_count));
    Ok((shown, page.more))
}
