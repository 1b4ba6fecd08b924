//! Tenants as operators make and change them: settings, domains, schedule and register, in one commit each.

use directory::{Failure, Kind, ManagedBy, Settings, TenantId};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    connection::{self, shown},
    domains, keys,
    lease::{put, set},
    load::read_held,
    operator::{self, Asked, Refused, TRIES, committed},
    ports::{Change, Condition, Fault, Graph, Item, Range, Secrets, Store, Table, Write},
    records::{Counts, Schedule, Status, Tenant, read, write},
    schedule,
};

/// The settings of which saving checks the connection (rule 1.5).
const CONNECTION_KEYS: [&str; 5] = ["primary_domain", "directory_id", "application_id", "credential", "cloud"];
/// The first connection of a tenant.
const FIRST_CONNECTION: u32 = 1;
/// So many tenants make a page.
const PAGE: usize = 50;

/// Make a tenant, or lay a partial update over its settings.
///
/// # Errors
/// `invalid_input` for settings that cannot be, a domain of another tenant, or another directory under a tenant that
/// holds objects of the present one, unless the connection is to be replaced (rule 1.1).
pub async fn put_settings(
    (graph, store, secrets): (&impl Graph, &impl Store, &impl Secrets),
    asked: &Asked,
    patch: &Value,
    replace_connection: bool,
) -> Result<Value, Refused> {
    let (mut part, mut tries) = (0, 0);
    while tries < TRIES {
        let found = operator::find(store, &asked.tenant).await?;
        let before = found.as_ref().map(|(tenant, _)| tenant.settings.clone()).unwrap_or_default();
        let mut settings = before.with(patch)?;
        let elsewhere = found.is_some() && leads_elsewhere(&before, &settings);
        if elsewhere && !replace_connection && holds_synchronised(store, &asked.tenant).await? {
            let message =
                format!("tenant {} holds objects that were synchronised from another directory", asked.tenant);
            let help = "to point it at this directory, send \"replace_connection\": true beside the settings: nothing is deleted, and \
                        objects are adopted by address";
            return Err(Failure::new(directory::Code::InvalidInput, message, help).into());
        }
        let (step, domain_writes) = domains::step(store, &asked.tenant, &before.domains, &settings.domains).await?;
        let last = step.is_none();
        if let Some(domains) = step {
            // More domains than fit into one commit: the others follow, each step whole in itself.
            settings = Settings { domains, ..before.clone() };
        }
        let new = found.is_none();
        let old_status = found.as_ref().map(|(tenant, _)| tenant.status.clone()).unwrap_or_default();
        let names_connection =
            patch.as_object().is_some_and(|keys| keys.keys().any(|key| CONNECTION_KEYS.contains(&key.as_str())));
        let status = if last && (new || names_connection) {
            connection::checked((graph, secrets), asked, &settings, &old_status).await?
        } else {
            old_status
        };
        let mut writes = domain_writes;
        let (tenant, sync) = match found {
            None => made(asked, settings, status, &mut writes),
            Some((tenant, sync)) => {
                changed(asked, tenant, sync, settings, status, last && elsewhere, part, &mut writes)
            }
        };
        part += 1;
        match committed(store, writes).await? {
            true if last => return Ok(shown(&asked.tenant, &tenant, &sync, asked.now)),
            true => (),
            false => tries += 1,
        }
    }
    Err(operator::raced())
}

/// The writes that make a tenant: it is due at once (rule 4.1).
fn made(asked: &Asked, settings: Settings, status: Status, writes: &mut Vec<Write>) -> (Tenant, Schedule) {
    let id = &asked.tenant;
    let due = (settings.sync_frequency.0 != 0).then_some(asked.now.as_second());
    let tenant = Tenant {
        rev: 1,
        connection: FIRST_CONNECTION,
        status,
        created_at: asked.now,
        credential: None,
        no_contact_since: settings.tech_contact.is_none().then_some(asked.now),
        settings,
    };
    let sync = Schedule { due_shard: due.map(|_| schedule::run_shard(id)), due_at: due, ..Schedule::default() };
    writes.extend([
        Write { key: keys::meta(id), change: Change::Put(write(&tenant)), only_if: vec![Condition::NoItem] },
        Write {
            key: keys::sync(id),
            change: Change::Set { set: due_attributes(sync.due_shard.clone(), due), add: Vec::new() },
            only_if: vec![Condition::Without("owner")],
        },
        report_write(asked, &tenant.settings),
        put(keys::registered(id), Item::from_iter([("since".to_owned(), json!(asked.now))])),
        settings_audit(asked, 0, &Settings::default(), &tenant.settings),
    ]);
    (tenant, sync)
}

/// The writes that change a tenant.
#[expect(clippy::too_many_arguments, reason = "one caller, which has just taken them apart")]
fn changed(
    asked: &Asked,
    mut tenant: Tenant,
    mut sync: Schedule,
    settings: Settings,
    status: Status,
    replaces: bool,
    part: usize,
    writes: &mut Vec<Write>,
) -> (Tenant, Schedule) {
    let id = &asked.tenant;
    let before = std::mem::replace(&mut tenant.settings, settings);
    let differs = before != tenant.settings;
    let only_if = vec![Condition::Equals("rev", json!(tenant.rev))];
    tenant.connection += u32::from(replaces);
    tenant.rev += u64::from(differs);
    tenant.status = status;
    let contact = tenant.settings.tech_contact.is_some();
    tenant.no_contact_since = tenant.no_contact_since.or(Some(asked.now)).filter(|_| !contact);
    let set_attributes = Item::from_iter([
        ("settings".to_owned(), json!(tenant.settings)),
        ("connection".to_owned(), json!(tenant.connection)),
        ("status".to_owned(), json!(tenant.status)),
        ("rev".to_owned(), json!(tenant.rev)),
        ("no_contact_since".to_owned(), json!(tenant.no_contact_since)),
    ]);
    let meta = Change::Set { set: set_attributes, add: Vec::new() };
    writes.push(Write { key: keys::meta(id), change: meta, only_if });
    let mut schedule = Item::new();
    if before.sync_frequency != tenant.settings.sync_frequency {
        let next = schedule::next_run(id, tenant.settings.sync_frequency, asked.now);
        sync.due_at = next.map(|next| sync.due_at.unwrap_or(next).min(next));
        sync.due_shard = next.map(|_| schedule::run_shard(id));
        schedule = due_attributes(sync.due_shard.clone(), sync.due_at);
    }
    if before.sync_frequency != tenant.settings.sync_frequency || before.report != tenant.settings.report {
        writes.push(report_write(asked, &tenant.settings));
    }
    let (mended_sync, mended) = connection::mended(id, sync, &tenant.status);
    if mended.is_some() {
        schedule.insert("last_error".to_owned(), Value::Null);
    }
    let mut everybody = operator::everybody(id);
    if let Change::Set { set, add } = &mut everybody.change {
        if !(before.decides_otherwise_than(&tenant.settings) || replaces) {
            add.clear();
        }
        if !(schedule.is_empty() && add.is_empty()) {
            *set = schedule;
            writes.push(everybody);
        }
    }
    if differs {
        writes.push(settings_audit(asked, part, &before, &tenant.settings));
    }
    (tenant, mended_sync)
}

fn due_attributes(shard: Option<String>, at: Option<i64>) -> Item {
    Item::from_iter([("due_shard".to_owned(), json!(shard)), ("due_at".to_owned(), json!(at))])
}

/// When the tenant's next report is due: never, where it never runs by itself (rule 6.1).
fn report_write(asked: &Asked, settings: &Settings) -> Write {
    let due = (settings.sync_frequency.0 != 0).then(|| schedule::next_report(&settings.report, asked.now));
    set(keys::report(&asked.tenant), due_attributes(due.map(|_| schedule::report_shard(&asked.tenant)), due))
}

/// One entry for all the settings that one request changes; of the domains only those that come and go.
fn settings_audit(asked: &Asked, part: usize, before: &Settings, after: &Settings) -> Write {
    let (mut from, mut to, mut what) = (Item::new(), Item::new(), Vec::new());
    for (key, old, new) in before.differences(after) {
        let (old, new) = if key == "domains" { (without(&old, &new), without(&new, &old)) } else { (old, new) };
        from.insert(key.clone(), old);
        to.insert(key.clone(), new);
        what.push(key);
    }
    asked.audit(part, "put_tenant", what.join(", "), Value::Object(from), Value::Object(to))
}

fn without(list: &Value, other: &Value) -> Value {
    let in_other = |item: &Value| other.as_array().is_some_and(|other| other.contains(item));
    list.as_array().into_iter().flatten().filter(|item| !in_other(item)).cloned().collect()
}

/// Whether the settings point at another directory (rule 1.1). Naming the same directory by its GUID rather than by its
/// primary domain, or the other way round, does not; another cloud does, and so does pointing nowhere.
fn leads_elsewhere(before: &Settings, after: &Settings) -> bool {
    if before.authority().is_none() {
        return false;
    }
    if after.authority().is_none() || before.cloud != after.cloud {
        return true;
    }
    match (&before.directory_id, &after.directory_id) {
        (Some(before), Some(after)) => before != after,
        _ => before.primary_domain != after.primary_domain,
    }
}

/// Whether any object of the tenant came by synchronisation.
async fn holds_synchronised(store: &impl Store, tenant: &TenantId) -> Result<bool, Fault> {
    let counts = store.get(&[keys::counts(tenant)]).await?.pop().flatten().unwrap_or_default();
    let counts: Counts = read("the totals", counts)?;
    if counts.active_users > 0 || counts.active_groups > 0 {
        return Ok(true);
    }
    // What is left are inactive objects, those marked as deleted, and those made by hand.
    for (kind, number) in [(Kind::User, counts.users), (Kind::Group, counts.groups)] {
        for shard in keys::SHARDS.chars().filter(|_| number > 0) {
            let mut range = keys::all(Table::Directory, keys::objects_pk(tenant, kind, shard));
            loop {
                let page = store.list(&range).await?;
                for (_, item) in page.items {
                    if read_held(kind, item)?.managed_by() == ManagedBy::Sync {
                        return Ok(true);
                    }
                }
                match page.more {
                    Some(after) => range.after = Some(after),
                    None => break,
                }
            }
        }
    }
    Ok(false)
}

/// A tenant.
///
/// # Errors
/// `not_found`.
pub async fn get(store: &impl Store, id: &TenantId, now: Timestamp) -> Result<Value, Refused> {
    let (tenant, sync) = operator::tenant(store, id).await?;
    Ok(shown(id, &tenant, &sync, now))
}

/// A page of all tenants, ordered by id.
///
/// # Errors
/// `invalid_input` for a cursor that is none.
pub async fn list(store: &impl Store, cursor: Option<&str>, now: Timestamp) -> Result<Value, Refused> {
    let after: Option<String> = operator::place(cursor)?;
    let range = Range { after, limit: PAGE, ..keys::all(Table::Control, keys::TENANTS.to_owned()) };
    let page = store.list(&range).await?;
    let ids: Vec<TenantId> = page.items.into_iter().filter_map(|(id, _)| id.parse().ok()).collect();
    let keys: Vec<_> = ids.iter().flat_map(|id| [keys::meta(id), keys::sync(id)]).collect();
    let mut items = store.get(&keys).await?.into_iter();
    let mut tenants = Vec::new();
    for id in &ids {
        let (meta, sync) = (items.next().flatten(), items.next().flatten());
        // One that is being deleted has none any longer.
        let Some(meta) = meta else { continue };
        let (tenant, sync) = (read("the tenant", meta)?, read("the schedule", sync.unwrap_or_default())?);
        tenants.push(shown(id, &tenant, &sync, now));
    }
    Ok(json!({"tenants": tenants, "cursor": page.more.as_ref().map(operator::cursor)}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn r1_1_what_is_another_directory() {
        let (a, b) = ("11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222");
        check("nothing before",            json!({}),                                           json!({"directory_id": a}),                          false);
        check("another GUID",              json!({"directory_id": a}),                          json!({"directory_id": b}),                          true);
        check("the same GUID, capitals",   json!({"directory_id": "aAaaaaaa-1111-1111-1111-111111111111"}), json!({"directory_id": "aaaaaaaa-1111-1111-1111-111111111111"}), false);
        check("another domain beside it",  json!({"directory_id": a, "primary_domain": "a.com"}), json!({"primary_domain": "b.com"}),                false);
        check("another domain alone",      json!({"primary_domain": "a.com"}),                  json!({"primary_domain": "b.com"}),                  true);
        check("its GUID is named at last", json!({"primary_domain": "a.com"}),                  json!({"directory_id": a}),                          false);
        check("both change",               json!({"primary_domain": "a.com"}),                  json!({"directory_id": a, "primary_domain": "b.com"}), true);
        check("another cloud",             json!({"directory_id": a}),                          json!({"cloud": "china"}),                           true);
        check("nowhere",                   json!({"directory_id": a}),                          json!({"directory_id": null}),                       true);
        check("another application",       json!({"directory_id": a}),                          json!({"application_id": b}),                        false);
    }

    #[track_caller]
    fn check(name: &str, before: Value, patch: Value, expected: bool) {
        let before = Settings::default().with(&before).unwrap();
        assert_eq!(leads_elsewhere(&before, &before.with(&patch).unwrap()), expected, "{name}");
    }
}
