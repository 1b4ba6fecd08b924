//! Users made by hand that sign in as an object of Entra which synchronisation has not brought yet.
//!
//! User and item name each other, and only then it counts: synchronisation knows nothing of it, and may adopt or remove the
//! user without looking here.

use directory::{Failure, Held, Kind, ObjectId, TenantId, User};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    keys,
    operator::{Asked, Refused},
    people,
    ports::{Change, Condition, Fault, Store, Write},
    records::{read, write},
    sign_in,
};

/// Whom an object of Entra signs in.
#[derive(Serialize, Deserialize)]
struct Pointer {
    user: ObjectId,
}

async fn pointer(store: &impl Store, tenant: &TenantId, entra_id: &ObjectId) -> Result<Option<Pointer>, Fault> {
    let item = store.get(&[keys::signs_in(tenant, entra_id)]).await?.pop().flatten();
    item.map(|item| read("who signs in", item)).transpose()
}

/// The user that signs in as an object of Entra because somebody has said so.
///
/// # Errors
/// The store's.
pub(crate) async fn user(store: &impl Store, tenant: &TenantId, entra_id: &ObjectId) -> Result<Option<User>, Fault> {
    let Some(Pointer { user }) = pointer(store, tenant, entra_id).await? else { return Ok(None) };
    match people::load(store, tenant, Kind::User, &user).await? {
        Some(Held::User(user)) if user.entra_id.is_none() && user.signs_in_as.as_ref() == Some(entra_id) => {
            Ok(Some(user))
        }
        _ => Ok(None),
    }
}

/// The writes that go with a change of a user.
///
/// # Errors
/// `invalid_input` where the object of Entra is another user already.
pub(crate) async fn writes(
    store: &impl Store,
    asked: &Asked,
    before: Option<&User>,
    after: Option<&User>,
) -> Result<Vec<Write>, Refused> {
    let tenant = &asked.tenant;
    let of = |user: Option<&User>| user.and_then(|user| user.signs_in_as.clone());
    let (old, new) = (of(before), of(after));
    let mut writes = Vec::new();
    if old == new {
        return Ok(writes);
    }
    if let (Some(old), Some(before)) = (&old, before)
        && pointer(store, tenant, old).await?.is_some_and(|pointer| pointer.user == before.id)
    {
        let only_if = vec![Condition::Equals("user", json!(before.id))];
        writes.push(Write { key: keys::signs_in(tenant, old), change: Change::Delete, only_if });
    }
    if let (Some(new), Some(after)) = (&new, after) {
        if let Some(other) = sign_in::user_of(store, tenant, new).await?.filter(|other| other.id != after.id) {
            return Err(Failure::invalid(format!("user.entra_id: it is that of user {} already", other.id)).into());
        }
        // One that names nobody any longer may be left over.
        let left = pointer(store, tenant, new).await?;
        let only_if = left.map_or(Condition::NoItem, |left| Condition::Equals("user", json!(left.user)));
        let change = Change::Put(write(&Pointer { user: after.id.clone() }));
        writes.push(Write { key: keys::signs_in(tenant, new), change, only_if: vec![only_if] });
    }
    Ok(writes)
}
