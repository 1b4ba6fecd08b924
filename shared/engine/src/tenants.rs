//! Tenants as operators make and change them: settings, domains, schedule and register, in one commit each.

use directory::{Code, CredentialKind, Failure, Settings, TenantId};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    connection::{self, Checked, shown},
    credential::renews_itself,
    domains, elsewhere, keys,
    lease::{put, set},
    operator::{self, Asked, Refused, TRIES, committed},
    ports::{Change, Condition, Fault, Graph, Item, Range, Secrets, Store, Table, Write},
    records::{Schedule, Status, Tenant, read, write},
    renewal, schedule,
};

/// The settings of which saving checks the connection (rule 1.5).
const CONNECTION_KEYS: [&str; 5] = ["primary_domain", "directory_id", "application_id", "credential", "cloud"];
/// The setting that has the secret renewed by itself (rule 7.3).
const ROTATE: &str = "rotate_secret";
/// The first connection of a tenant.
const FIRST_CONNECTION: u32 = 1;
/// So many tenants make a page.
const PAGE: usize = 50;

/// What is to become of a tenant's settings.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    /// A partial update.
    pub settings: Value,
    /// What some settings must be for it to take place: whoever saves what somebody else has changed meanwhile hears of it.
    pub expected: Map<String, Value>,
    /// Another directory may come in the place of the present one (rule 1.1).
    pub replace_connection: bool,
}

/// Make a tenant, or lay a partial update over its settings.
///
/// # Errors
/// `superseded` where a setting is not what it is expected to be; `invalid_input` for settings that cannot be, a domain of another tenant, or another directory under a tenant that
/// holds objects of the present one, unless the connection is to be replaced (rule 1.1).
pub async fn put_settings(
    (graph, store, secrets): (&impl Graph, &impl Store, &impl Secrets),
    asked: &Asked,
    Patch { settings: patch, expected, replace_connection }: &Patch,
) -> Result<Value, Refused> {
    let (mut part, mut tries) = (0, 0);
    let mut expected = expected.clone();
    while tries < TRIES {
        let found = operator::find(store, &asked.tenant).await?;
        let before = found.as_ref().map(|(tenant, _)| tenant.settings.clone()).unwrap_or_default();
        as_expected(&asked.tenant, &before, &expected)?;
        let mut settings = before.with(patch)?;
        if patch[ROTATE] == true && !renews_itself(&settings) {
            return Err(Failure::invalid("settings.rotate_secret: only a client secret is renewed by itself").into());
        }
        let replaces = match &found {
            Some((_, sync)) if elsewhere::leads_elsewhere(&before, &settings) => {
                elsewhere::may_replace(store, asked, sync, *replace_connection).await?;
                true
            }
            _ => false,
        };
        let (step, domain_writes) = domains::step(store, &asked.tenant, &before.domains, &settings.domains).await?;
        let last = step.is_none();
        if let Some(domains) = step {
            // More domains than fit into one commit: the others follow, each step whole in itself.
            settings = Settings { domains, ..before.clone() };
        }
        let new = found.is_none();
        let names_connection =
            patch.as_object().is_some_and(|keys| keys.keys().any(|key| CONNECTION_KEYS.contains(&key.as_str())));
        let checked = if last && (new || names_connection) {
            Some(connection::checked((graph, secrets), asked, &settings, found.as_ref()).await?)
        } else {
            None
        };
        let renews = if last { renewing(secrets, asked, patch, &before, &settings).await? } else { false };
        let mut writes = domain_writes;
        let (tenant, mut sync) = match found {
            None => made(asked, settings, checked.unwrap_or_default().status, &mut writes),
            Some(found) => {
                let report_due = report_due(store, &asked.tenant).await?;
                let names_contact = patch.get("tech_contact").is_some();
                let update = Update { settings, checked, replaces: last && replaces, names_contact, report_due, part };
                changed(asked, found, update, &mut writes)
            }
        };
        part += 1;
        match committed(store, writes).await? {
            true if last => {
                if renews {
                    renewal::hurry((store, secrets), asked, &tenant, &mut sync).await;
                }
                return Ok(shown(&asked.tenant, &tenant, &sync, asked.now));
            }
            // The next step goes on from the domains that this one has written.
            true => {
                if let Some(domains) = expected.get_mut("domains") {
                    *domains = json!(tenant.settings.domains);
                }
            }
            false => tries += 1,
        }
    }
    Err(operator::raced())
}

/// Whether the settings are those that whoever changes them has seen.
fn as_expected(tenant: &TenantId, settings: &Settings, expected: &Map<String, Value>) -> Result<(), Failure> {
    let Value::Object(present) = json!(settings) else { return Ok(()) };
    if let Some(key) = expected.keys().find(|key| !present.contains_key(*key)) {
        return Err(Failure::invalid(format!("expected.{key}: there is no such setting")));
    }
    let changed: Vec<&str> =
        expected.iter().filter(|(key, value)| present[*key] != **value).map(|(key, _)| key.as_str()).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let message = format!("settings of tenant {tenant} were changed meanwhile: {}", changed.join(", "));
    let help = "look at the settings as they are now, and save again what should be different";
    Err(Failure::new(Code::Superseded, message, help))
}

/// Have the secret renewed by itself or no longer, before that is written down: what was interrupted in between is mended
/// by saving again. Naming the setting does it whatever was saved before. Whether it is renewed from now on.
async fn renewing(
    secrets: &impl Secrets,
    asked: &Asked,
    patch: &Value,
    before: &Settings,
    after: &Settings,
) -> Result<bool, Fault> {
    let named = patch.get(ROTATE).is_some();
    match (renews_itself(before), renews_itself(after)) {
        (from, true) if named || !from => return secrets.start_rotation(&asked.tenant).await,
        (from, false) if named || from => secrets.stop_rotation(&asked.tenant).await?,
        _ => (),
    }
    Ok(false)
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
        federated_since: None,
        no_contact_since: settings.tech_contact.is_none().then_some(asked.now),
        contact_saved_at: None,
        contact_bounced: None,
        settings,
    };
    let sync = Schedule { due_shard: due.map(|_| schedule::run_shard(id)), due_at: due, ..Schedule::default() };
    writes.extend([
        Write { key: keys::meta(id), change: Change::Put(write(&tenant)), only_if: vec![Condition::NoItem] },
        Write {
            key: keys::sync(id),
            change: Change::Set { set: schedule::due_attributes(id, due), add: Vec::new() },
            only_if: vec![Condition::Without("owner")],
        },
        report_write(asked, &tenant.settings, None),
        put(keys::registered(id), Item::from_iter([("since".to_owned(), json!(asked.now))])),
        settings_audit(asked, 0, &Settings::default(), &tenant.settings),
    ]);
    (tenant, sync)
}

/// What becomes of a tenant in one commit.
struct Update {
    settings: Settings,
    /// What the check of the connection said, where this request made one.
    checked: Option<Checked>,
    /// Another directory comes in the place of the present one.
    replaces: bool,
    /// The request names the tech contact, be it the present one.
    names_contact: bool,
    /// When a report is due as things are.
    report_due: Option<i64>,
    /// Tells the commits of one request apart.
    part: usize,
}

/// The writes that change a tenant.
fn changed(
    asked: &Asked,
    (mut tenant, mut sync): (Tenant, Schedule),
    update: Update,
    writes: &mut Vec<Write>,
) -> (Tenant, Schedule) {
    let id = &asked.tenant;
    let Update { settings, checked, replaces, names_contact, report_due, part } = update;
    let before = std::mem::replace(&mut tenant.settings, settings);
    let differs = before != tenant.settings;
    let only_if = vec![Condition::Equals("rev", json!(tenant.rev))];
    tenant.connection += u32::from(replaces);
    // Whoever saves the present contact once more knows that it can be reached again.
    let confirms =
        names_contact && before.tech_contact == tenant.settings.tech_contact && tenant.unreachable().is_some();
    if confirms || before.tech_contact != tenant.settings.tech_contact {
        (tenant.contact_saved_at, tenant.contact_bounced) = (Some(asked.now), None);
    }
    tenant.rev += u64::from(differs || confirms);
    let kind = tenant.settings.credential.kind;
    if before.credential.kind != kind {
        tenant.federated_since = (kind == CredentialKind::Federated).then_some(asked.now);
    }
    let contact = tenant.settings.tech_contact.is_some();
    tenant.no_contact_since = tenant.no_contact_since.or(Some(asked.now)).filter(|_| !contact);
    let mut on_schedule = Item::new();
    if let Some(checked) = checked {
        tenant.status = checked.status.clone();
        on_schedule.extend(checked.on_schedule(&mut sync));
    }
    if sync.rotation.is_some() && !(renews_itself(&before) && renews_itself(&tenant.settings)) {
        // Whoever turns it on again is told of what fails then.
        on_schedule.insert("rotation".to_owned(), Value::Null);
        sync.rotation = None;
    }
    let set_attributes = Item::from_iter([
        ("settings".to_owned(), json!(tenant.settings)),
        ("connection".to_owned(), json!(tenant.connection)),
        ("status".to_owned(), json!(tenant.status)),
        ("federated_since".to_owned(), json!(tenant.federated_since)),
        ("rev".to_owned(), json!(tenant.rev)),
        ("no_contact_since".to_owned(), json!(tenant.no_contact_since)),
        ("contact_saved_at".to_owned(), json!(tenant.contact_saved_at)),
        ("contact_bounced".to_owned(), json!(tenant.contact_bounced)),
    ]);
    let meta = Change::Set { set: set_attributes, add: Vec::new() };
    writes.push(Write { key: keys::meta(id), change: meta, only_if });
    let reschedules = before.sync_frequency != tenant.settings.sync_frequency;
    let mut no_run = Vec::new();
    // A run that is not done is due again by its own time, and sets the next one from the settings as they are then.
    if reschedules && sync.run.is_none() {
        let next = schedule::next_run(id, tenant.settings.sync_frequency, asked.now);
        sync.due_at = next.map(|next| sync.due_at.unwrap_or(next).min(next));
        sync.due_shard = next.map(|_| schedule::run_shard(id));
        on_schedule.extend(schedule::due_attributes(id, sync.due_at));
        no_run = vec![Condition::Without("run")];
    }
    if replaces {
        // Neither a plan of the directory before nor what was held of it can be carried out any longer (rule 1.1).
        on_schedule.extend(["newest", "holding"].map(|name| (name.to_owned(), Value::Null)));
        no_run = vec![Condition::Without("run")];
    }
    if reschedules || before.report != tenant.settings.report {
        writes.push(report_write(asked, &tenant.settings, report_due));
    }
    let mut everybody = operator::everybody(id);
    everybody.only_if = no_run;
    if let Change::Set { set, add } = &mut everybody.change {
        if !(before.decides_otherwise_than(&tenant.settings) || replaces) {
            add.clear();
        }
        if !(on_schedule.is_empty() && add.is_empty()) {
            *set = on_schedule;
            writes.push(everybody);
        }
    }
    if differs {
        writes.push(settings_audit(asked, part, &before, &tenant.settings));
    } else if confirms {
        let contact = json!({"tech_contact": tenant.settings.tech_contact});
        writes.push(asked.audit(part, "put_tenant", "tech_contact", contact.clone(), contact));
    }
    (tenant, sync)
}

/// When a report of the tenant is due as things are.
async fn report_due(store: &impl Store, tenant: &TenantId) -> Result<Option<i64>, Fault> {
    let item = store.get(&[keys::report(tenant)]).await?.pop().flatten();
    Ok(item.and_then(|item| item.get("due_at")?.as_i64()))
}

/// When the tenant's next report is due: never, where it never runs by itself (rule 6.1). One that is due sooner stays
/// so: another hour or time zone takes no day's report away.
fn report_write(asked: &Asked, settings: &Settings, due: Option<i64>) -> Write {
    let next = (settings.sync_frequency.0 != 0).then(|| schedule::next_report(&settings.report, asked.now));
    let due = next.map(|next| due.unwrap_or(next).min(next));
    let shard = due.map(|_| schedule::report_shard(&asked.tenant));
    let due = Item::from_iter([("due_shard".to_owned(), json!(shard)), ("due_at".to_owned(), json!(due))]);
    set(keys::report(&asked.tenant), due)
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
