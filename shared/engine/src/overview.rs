//! All tenants at a glance, for the operator: of each only what a row shows, from three items that every tenant has.

use directory::{Code, Frequency, RunId, TenantId, facts::CredentialState};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::{
    connection, credential, keys,
    links::Pages,
    no_contact,
    ports::{Fault, Item, Key, Store, Table},
    records::{Counts, HeldBack, Run, Schedule, Tenant, read},
    schedule,
};

/// The items of so many tenants are asked for together.
const PART: usize = 100;
/// So many parts are read side by side: one after the other, those of ten thousand tenants take longer than a page may.
const TOGETHER: usize = 16;
/// A run is overdue once it has been due for so long: dispatch looks every minute, and asks again after a quarter of an
/// hour.
const OVERDUE: SignedDuration = SignedDuration::from_hours(1);

/// A tenant at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// Its primary domain.
    pub domain: Option<String>,
    /// How often it runs.
    pub frequency: Frequency,
    /// Whether the last manual check of the connection succeeded (rule 1.6).
    pub green: bool,
    /// Why it did not.
    pub error: Option<Code>,
    /// How the credential does (rule 7.1).
    pub credential: CredentialState,
    /// The day on which it ends, and how many days that is away.
    pub expiry: Option<(Date, i32)>,
    /// When a run last succeeded.
    pub last_success: Option<Timestamp>,
    /// When the next run is due.
    pub next_sync: Option<Timestamp>,
    /// Since when a run is due that does not begin or end.
    pub overdue: Option<Timestamp>,
    /// The run that is under way.
    pub running: Option<RunId>,
    /// What waits for a person.
    pub held: Option<Held>,
    /// Why the last run failed.
    pub failing: Option<Code>,
    /// How many runs have failed since the last that did not.
    pub failures: u32,
    /// Reports reach nobody: it has no tech contact, or mails to it come back (rule 4.2).
    pub unreached: bool,
    /// Users, functional accounts among them.
    pub users: i64,
    /// Groups.
    pub groups: i64,
    /// Billable users (rule 5.5).
    pub billable: i64,
}

/// What a run of a tenant holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which run.
    pub run: RunId,
    /// Users that would be disabled or deleted.
    pub users: u64,
    /// Groups that would be deleted.
    pub groups: u64,
    /// Groups that would be emptied.
    pub emptied: u64,
    /// Changes that a person has undone.
    pub undone: u64,
}

impl Row {
    /// Whether somebody has to do something. A tenant that never runs by itself waits for nobody but whoever has to release
    /// what it holds.
    pub fn needs_attention(&self) -> bool {
        let runs = self.frequency.0 != 0;
        let credential = !matches!(self.credential, CredentialState::Working);
        self.held.is_some()
            || (runs
                && (credential
                    || self.failing.is_some()
                    || self.overdue.is_some()
                    || self.unreached
                    || self.error.is_some()))
    }
}

/// A row for each tenant, ordered by id.
///
/// # Errors
/// The store's.
pub async fn rows(store: &impl Store, now: Timestamp) -> Result<Vec<Row>, Fault> {
    let mut ids: Vec<TenantId> = Vec::new();
    let mut pages = Pages::of(store, keys::all(Table::Control, keys::TENANTS.to_owned()));
    while let Some(page) = pages.next().await? {
        ids.extend(page.iter().filter_map(|(id, _)| id.parse().ok()));
    }
    let parts: Vec<Vec<TenantId>> = ids.chunks(PART).map(<[TenantId]>::to_vec).collect();
    let mut found = stream::iter(parts).map(|ids| part(store, ids, now)).buffered(TOGETHER);
    let mut rows = Vec::with_capacity(ids.len());
    while let Some(part) = found.try_next().await? {
        rows.extend(part);
    }
    Ok(rows)
}

/// The rows of some tenants.
async fn part(store: &impl Store, ids: Vec<TenantId>, now: Timestamp) -> Result<Vec<Row>, Fault> {
    let keys: Vec<Key> = ids.iter().flat_map(|id| [keys::meta(id), keys::sync(id), keys::counts(id)]).collect();
    let mut items = store.get(&keys).await?.into_iter();
    let mut rows = Vec::with_capacity(ids.len());
    let mut holding = Vec::new();
    for id in ids {
        let [meta, sync, counts]: [Option<Item>; 3] = std::array::from_fn(|_| items.next().flatten());
        // One that is being deleted has no settings any longer.
        let Some(meta) = meta else { continue };
        let sync: Schedule = read("the schedule", sync.unwrap_or_default())?;
        let counts: Counts = read("the totals", counts.unwrap_or_default())?;
        holding.extend(sync.holding.as_ref().map(|run| (rows.len(), keys::run(&id, run))));
        rows.push(row(id, &read("the tenant", meta)?, sync, &counts, now));
    }
    // Few hold anything, and only their runs say how much.
    let keys: Vec<Key> = holding.iter().map(|(_, key)| key.clone()).collect();
    for ((at, _), item) in holding.into_iter().zip(store.get(&keys).await?) {
        let run = item.map(|item| read::<Run>("a run", item)).transpose()?;
        rows[at].held = run.and_then(held);
    }
    Ok(rows)
}

fn held(run: Run) -> Option<Held> {
    let HeldBack { users, groups, members, undone, limits: _ } = run.held?;
    Some(Held { run: run.run, users, groups, emptied: members, undone })
}

fn row(id: TenantId, meta: &Tenant, sync: Schedule, counts: &Counts, now: Timestamp) -> Row {
    let time = |seconds: Option<i64>| seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    let due = time(sync.due_since.or(sync.due_at)).filter(|_| meta.settings.sync_frequency.0 != 0);
    let ends = credential::ends(meta, &sync).map(|(day, _)| day);
    Row {
        name: meta.settings.name.clone(),
        domain: meta.settings.primary_domain.as_ref().map(ToString::to_string),
        frequency: meta.settings.sync_frequency,
        green: meta.status.green,
        error: meta.status.error.as_ref().map(|failure| failure.code),
        credential: connection::state(meta, &sync, now),
        expiry: ends.zip(credential::days_left(meta, &sync, now)),
        last_success: sync.last_success,
        next_sync: schedule::next_told(&id, meta, &sync, now),
        overdue: due.filter(|due| now.duration_since(*due) > OVERDUE),
        held: None,
        failing: sync.last_error.as_ref().map(|failure| failure.code),
        failures: sync.failures,
        unreached: no_contact::since(meta).is_some(),
        users: counts.users,
        groups: counts.groups,
        billable: counts.billable,
        running: sync.run,
        tenant: id,
    }
}
