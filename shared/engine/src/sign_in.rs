//! Who may sign in (rules 8.1 and 8.5): the tenant of an address, the user behind a Microsoft account, and the sessions
//! that come of it.

use directory::{Address, Failure, Held, Kind, ObjectId, TenantId, User, UserType};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    domains::Owner,
    keys,
    load::read_held,
    operator::{Asked, DELETING, Refused, committed, raced},
    people,
    ports::{Change, Fault, Item, Key, Store, Write},
    records::{MirrorRow, Schedule, Tenant, read},
    signs_in,
};

/// No session is longer than this.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(8);
/// A session ends when nothing was asked for so long.
pub const IDLE: SignedDuration = SignedDuration::from_hours(1);
/// The clocks of two machines may differ by so much.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Why a user may not sign in (rule 8.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// There is no such user.
    Unknown,
    /// It is not active, or marked as deleted.
    Disabled,
    /// A silent user.
    Silent,
    /// A functional account.
    Functional,
}

impl Denied {
    /// In one word, for logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Disabled => "disabled",
            Self::Silent => "silent_user",
            Self::Functional => "functional_account",
        }
    }
}

/// Whether a user may sign in. What it is goes before whether it is active: it tells more about what to do.
///
/// # Errors
/// [`Denied`] says why not.
pub fn admit(user: Option<User>) -> Result<User, Denied> {
    let user = user.ok_or(Denied::Unknown)?;
    match user.kind {
        UserType::SilentUser => Err(Denied::Silent),
        UserType::FunctionalAccount => Err(Denied::Functional),
        UserType::EndUser | UserType::OrganizationAdmin if user.is_active && user.deleted_at.is_none() => Ok(user),
        UserType::EndUser | UserType::OrganizationAdmin => Err(Denied::Disabled),
    }
}

/// The tenant that an address belongs to, by its domain (rule 1.1). Nobody's address is looked at, so that the answer
/// does not tell who exists.
///
/// # Errors
/// The store's.
pub async fn tenant_of(store: &impl Store, address: &Address) -> Result<Option<Here>, Fault> {
    let Some(item) = store.get(&[keys::domain(&address.domain())]).await?.pop().flatten() else { return Ok(None) };
    let Owner { tenant } = read("the owner of a domain", item)?;
    find(store, &tenant).await
}

/// A tenant that people may sign in to.
#[derive(Debug, Clone)]
pub struct Here {
    /// Which.
    pub tenant: TenantId,
    /// Its settings and the like.
    pub record: Tenant,
    sessions: Sessions,
}

/// How often the sessions of a tenant were ended. Counted rather than timed, so that no two clocks have to agree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Sessions {
    ended: u64,
}

/// A tenant that is there and not being deleted.
///
/// # Errors
/// The store's.
pub async fn find(store: &impl Store, tenant: &TenantId) -> Result<Option<Here>, Fault> {
    let items = store.get(&keys_of(tenant)).await?;
    here(tenant, <[Option<Item>; 3]>::try_from(items).unwrap_or_default())
}

fn keys_of(tenant: &TenantId) -> [Key; 3] {
    [keys::meta(tenant), keys::sync(tenant), keys::sessions(tenant)]
}

fn here(tenant: &TenantId, [meta, sync, sessions]: [Option<Item>; 3]) -> Result<Option<Here>, Fault> {
    let sync: Schedule = read("the schedule", sync.unwrap_or_default())?;
    let Some(meta) = meta.filter(|_| !sync.owner.is_some_and(|owner| owner.starts_with(DELETING))) else {
        return Ok(None);
    };
    let sessions = read("the sessions", sessions.unwrap_or_default())?;
    Ok(Some(Here { tenant: tenant.clone(), record: read("the tenant", meta)?, sessions }))
}

/// The user behind an object of Entra (rule 8.1): the one that synchronisation created under Entra's own id, or the one
/// that it adopted, whose id the mirror names; else one that was made by hand for it.
///
/// # Errors
/// The store's.
pub async fn user_of(store: &impl Store, tenant: &TenantId, entra_id: &ObjectId) -> Result<Option<User>, Fault> {
    let keys = [keys::object(tenant, Kind::User, entra_id), keys::mirror(tenant, Kind::User, entra_id)];
    let [own, mirrored] = <[Option<Item>; 2]>::try_from(store.get(&keys).await?).unwrap_or_default();
    if let Some(user) = is(own, entra_id)? {
        return Ok(Some(user));
    }
    let row = mirrored.map(|item| MirrorRow::read(Kind::User, item)).transpose()?;
    if let Some(local) = row.and_then(|row| row.local) {
        let item = store.get(&[keys::object(tenant, Kind::User, &local)]).await?.pop().flatten();
        if let Some(user) = is(item, entra_id)? {
            return Ok(Some(user));
        }
    }
    signs_in::user(store, tenant, entra_id).await
}

/// Whether a user who may sign in manages the tenant: as an administrator, or because the operator has made one by hand for
/// the same object of Entra, under another address. That holds as long as the one made by hand is there.
///
/// # Errors
/// The store's.
pub async fn manages(store: &impl Store, tenant: &TenantId, user: &User) -> Result<bool, Fault> {
    let is = |user: &User| user.kind == UserType::OrganizationAdmin;
    if is(user) {
        return Ok(true);
    }
    let Some(entra_id) = user.is_in_entra() else { return Ok(false) };
    let named = signs_in::user(store, tenant, entra_id).await?;
    Ok(named.is_some_and(|named| is(&named) && named.is_active && named.deleted_at.is_none()))
}

/// Whether a user is a member of a group, directly or through others (rule 2.10), as the directory has it. The group is
/// named by its object id in Entra, which nobody else's can become.
///
/// # Errors
/// The store's.
pub async fn is_member(
    store: &impl Store,
    tenant: &TenantId,
    user: &ObjectId,
    group: &ObjectId,
) -> Result<bool, Fault> {
    let Some(group) = people::of_entra(store, tenant, Kind::Group, group).await? else { return Ok(false) };
    // Whoever is marked as deleted keeps its members for a while.
    let there = group.deleted_at().is_none();
    Ok(there && store.get(&[keys::member(tenant, group.id(), user)]).await?.pop().flatten().is_some())
}

/// A user, where it is the one of this object of Entra: our own ids are nobody's proof of who they are.
fn is(item: Option<Item>, entra_id: &ObjectId) -> Result<Option<User>, Fault> {
    match item.map(|item| read_held(Kind::User, item)).transpose()? {
        Some(Held::User(user)) if user.is_in_entra() == Some(entra_id) => Ok(Some(user)),
        _ => Ok(None),
    }
}

/// Somebody who has signed in. Kept by the browser, sealed; what it says is looked up again each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Of which tenant.
    pub tenant: TenantId,
    /// Our id of the user.
    pub user: ObjectId,
    /// Entra's id of the user.
    entra_id: ObjectId,
    /// The connection that it came over: another directory's sessions are not this one's.
    connection: u32,
    /// When the tenant was made: one of the same name, made later, is another one.
    made: Timestamp,
    /// How often the tenant's sessions had been ended.
    ended: u64,
    /// When the user signed in.
    since: Timestamp,
    /// When something was last asked for.
    seen: Timestamp,
}

impl Session {
    /// The session of a user who has just signed in.
    pub fn new(here: &Here, user: &User, entra_id: ObjectId, now: Timestamp) -> Self {
        Self {
            tenant: here.tenant.clone(),
            user: user.id.clone(),
            entra_id,
            connection: here.record.connection,
            made: here.record.created_at,
            ended: here.sessions.ended,
            since: now,
            seen: now,
        }
    }

    /// The same, after something was asked for.
    #[must_use]
    pub fn seen_at(self, now: Timestamp) -> Self {
        Self { seen: now, ..self }
    }

    /// How long ago something was last asked for, as far as it says.
    pub fn idle(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.seen)
    }

    /// Whether its time is over.
    fn has_run_out(&self, now: Timestamp) -> bool {
        let (age, idle) = (now.duration_since(self.since), now.duration_since(self.seen));
        age >= LONGEST || idle >= IDLE || age.min(idle) < -SKEW
    }
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its time is over.
    RanOut,
    /// The tenant is not there, or not the same any longer.
    Tenant,
    /// An operator ended the sessions of the tenant.
    Revoked,
    /// The user may not sign in any longer.
    User(Denied),
}

impl Ended {
    /// In one word, for logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::RanOut => "ran_out",
            Self::Tenant => "tenant",
            Self::Revoked => "revoked",
            Self::User(denied) => denied.name(),
        }
    }
}

/// The user of a session and the tenant, as they are now, or why the session is over.
///
/// # Errors
/// The store's.
pub async fn resume(
    store: &impl Store,
    session: &Session,
    now: Timestamp,
) -> Result<Result<(User, Tenant), Ended>, Fault> {
    if session.has_run_out(now) {
        return Ok(Err(Ended::RanOut));
    }
    let tenant = &session.tenant;
    let keys = [keys_of(tenant).as_slice(), &[keys::object(tenant, Kind::User, &session.user)]].concat();
    let [meta, sync, sessions, user] = <[Option<Item>; 4]>::try_from(store.get(&keys).await?).unwrap_or_default();
    let Some(Here { record, sessions, .. }) = here(tenant, [meta, sync, sessions])? else {
        return Ok(Err(Ended::Tenant));
    };
    if (record.connection, record.created_at) != (session.connection, session.made) {
        return Ok(Err(Ended::Tenant));
    }
    if sessions.ended != session.ended {
        return Ok(Err(Ended::Revoked));
    }
    let user = is(user, &session.entra_id)?;
    // Whoever was made by hand gives way once synchronisation has brought the account itself.
    let by_hand = user.as_ref().is_some_and(|user| user.entra_id.is_none());
    if by_hand && user_of(store, tenant, &session.entra_id).await?.map(|user| user.id) != Some(session.user.clone()) {
        return Ok(Err(Ended::User(Denied::Unknown)));
    }
    Ok(admit(user).map(|user| (user, record)).map_err(Ended::User))
}

/// End every session of a tenant: whoever is signed in has to sign in again.
///
/// # Errors
/// There is no such tenant, or the world failed.
pub async fn end_all(store: &impl Store, asked: &Asked) -> Result<Value, Refused> {
    let tenant = &asked.tenant;
    if find(store, tenant).await?.is_none() {
        return Err(Failure::not_found(format!("there is no tenant {tenant}")).into());
    }
    let change = Change::Set { set: Item::new(), add: vec![("ended", 1)] };
    let writes = vec![
        Write { key: keys::sessions(tenant), change, only_if: Vec::new() },
        asked.tenant_is_there(),
        asked.audit(0, "end_sessions", tenant.as_str(), Value::Null, Value::Null),
    ];
    if committed(store, writes).await? { Ok(json!({"tenant": tenant, "ended": true})) } else { Err(raced()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(kind: &str, active: bool, deleted: bool) -> User {
        let user = json!({
            "id": "u", "entra_id": "e", "primary_email": "ann@contoso.com", "alias_emails": [], "type": kind, "digests": true,
            "is_active": active, "managed_by": "sync", "deleted_at": deleted.then_some("2027-03-01T00:00:00Z"), "rev": 1,
            "connection": 1,
        });
        serde_json::from_value(user).unwrap()
    }

    #[test]
    #[rustfmt::skip]
    fn r8_5_who_may_sign_in() {
        //     type                  active  deleted
        check("end_user",            true,   false,  "admitted");
        check("organization_admin",  true,   false,  "admitted");
        check("silent_user",         true,   false,  "silent_user");
        check("silent_user",         false,  false,  "silent_user");
        check("functional_account",  true,   false,  "functional_account");
        check("functional_account",  false,  true,   "functional_account");
        check("end_user",            false,  false,  "disabled");
        check("end_user",            false,  true,   "disabled");
        check("end_user",            true,   true,   "disabled");
        check("organization_admin",  false,  false,  "disabled");
        assert_eq!(admit(None), Err(Denied::Unknown));
    }

    #[track_caller]
    fn check(kind: &str, active: bool, deleted: bool, expected: &str) {
        let outcome = admit(Some(user(kind, active, deleted))).map_or_else(Denied::name, |_| "admitted");
        assert_eq!(outcome, expected, "{kind}, active {active}, deleted {deleted}");
    }

    #[test]
    #[rustfmt::skip]
    fn r8_4_a_session_runs_out() {
        //   signed in at            last seen at            now
        over("2027-03-01T08:00:00Z", "2027-03-01T08:00:00Z", "2027-03-01T08:59:59Z", false);
        over("2027-03-01T08:00:00Z", "2027-03-01T08:00:00Z", "2027-03-01T09:00:00Z", true);
        over("2027-03-01T08:00:00Z", "2027-03-01T15:30:00Z", "2027-03-01T15:59:59Z", false);
        over("2027-03-01T08:00:00Z", "2027-03-01T15:30:00Z", "2027-03-01T16:00:00Z", true);
        over("2027-03-01T08:00:00Z", "2027-03-01T08:00:00Z", "2027-03-01T07:59:59Z", false);
        over("2027-03-01T08:00:00Z", "2027-03-01T08:00:00Z", "2027-03-01T07:54:59Z", true);
    }

    #[track_caller]
    fn over(since: &str, seen: &str, now: &str, expected: bool) {
        let session = json!({
            "tenant": "contoso", "user": "u", "entra_id": "e", "connection": 1, "made": since, "ended": 0,
            "since": since, "seen": seen,
        });
        let session: Session = serde_json::from_value(session).unwrap();
        assert_eq!(session.has_run_out(now.parse().unwrap()), expected, "{since} {seen} {now}");
    }
}
