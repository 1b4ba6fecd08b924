//! Deleting a tenant with everything that is kept of it.
//!
//! Deleting takes the lease and keeps it to the end, so that no run writes behind its back. Whatever lists other items
//! goes after them, so that it can be killed anywhere and asked for again.

use std::time::Duration;

use directory::{Code, Failure, Kind, ObjectId, RunId};
use serde_json::{Value, json};

use crate::{
    domains, keys,
    lease::{Lease, Stop, delete},
    links,
    operator::{Asked, DELETING, Refused, committed, raced},
    ports::{Change, Clock, Condition, Item, Key, Range, Secrets, Store, Table, Write},
    records::{Schedule, Tenant, read},
};

/// How much of an invocation is left when it stops and asks to be repeated.
const MARGIN: Duration = Duration::from_secs(10);

/// Delete a tenant: its settings, schedule, secret, domains, runs, people and mirror. Where one invocation is too short
/// the answer says so, and asking again goes on.
///
/// # Errors
/// There is no such tenant; a run is at work.
pub async fn delete_tenant(
    (store, secrets, clock): (&impl Store, &impl Secrets, &impl Clock),
    asked: &Asked,
) -> Result<Value, Refused> {
    let tenant = &asked.tenant;
    let items = store.get(&[keys::meta(tenant), keys::sync(tenant), keys::registered(tenant)]).await?;
    let [meta, sync, registered] = <[Option<Item>; 3]>::try_from(items).unwrap_or_default();
    if meta.is_none() && sync.is_none() && registered.is_none() {
        return Err(Failure::not_found(format!("there is no tenant {tenant}")).into());
    }
    let sync: Schedule = read("the schedule", sync.unwrap_or_default())?;
    let lease = take(store, asked, &sync, meta.is_some(), clock).await?;
    match remove(store, secrets, clock, &lease, meta).await {
        Ok(true) => Ok(json!({"tenant": tenant, "deleted": true})),
        Ok(false) => Ok(json!({
            "tenant": tenant, "deleted": false,
            "help": "this takes longer than one invocation: send delete_tenant again until it answers that it is done",
        })),
        Err(Stop::LeaseLost | Stop::Raced) => Err(raced()),
        Err(Stop::Fault(fault)) => Err(fault.into()),
    }
}

/// Take the lease for good: from a run that is at work never, from a deletion that was interrupted at once.
async fn take(
    store: &impl Store,
    asked: &Asked,
    sync: &Schedule,
    there: bool,
    clock: &impl Clock,
) -> Result<Lease, Refused> {
    let tenant = &asked.tenant;
    let now = asked.now.as_millisecond();
    let deleting = sync.owner.as_ref().is_some_and(|owner| owner.starts_with(DELETING));
    if sync.owner.is_some() && !deleting && sync.lease_until.is_some_and(|until| until >= now) {
        let message = format!("a run of tenant {tenant} is at work");
        let mut busy = Failure::new(Code::Busy, message, "wait until it is done, and ask again; nothing was changed");
        busy.run = sync.run.as_ref().map(RunId::to_string);
        busy.since = sync.since;
        return Err(busy.into());
    }
    let lease = Lease {
        tenant: tenant.clone(),
        run: asked.as_run(),
        owner: format!("{DELETING}{}", asked.nonce),
        fence: sync.fence + 1,
    };
    let until = now + i64::try_from(clock.remaining().as_millis()).unwrap_or_default();
    let mut set = Item::from_iter([
        ("owner".to_owned(), json!(lease.owner)),
        ("lease_until".to_owned(), json!(until)),
        ("fence".to_owned(), json!(lease.fence)),
    ]);
    set.extend(["due_shard", "due_at", "run", "since"].map(|name| (name.to_owned(), Value::Null)));
    let owner =
        sync.owner.as_ref().map_or(Condition::Without("owner"), |owner| Condition::Equals("owner", json!(owner)));
    let fence =
        if sync.fence == 0 { Condition::Without("fence") } else { Condition::Equals("fence", json!(sync.fence)) };
    let change = Change::Set { set, add: Vec::new() };
    let mut writes = vec![Write { key: keys::sync(tenant), change, only_if: vec![owner, fence] }];
    if there {
        // Whoever is changing the settings right now is refused, and then finds that the tenant is being deleted.
        let change = Change::Set { set: Item::new(), add: vec![("rev", 1)] };
        writes.push(Write { key: keys::meta(tenant), change, only_if: vec![Condition::Exists] });
        writes.push(asked.audit(0, "delete_tenant", tenant.as_str(), Value::Null, Value::Null));
    }
    if committed(store, writes).await? { Ok(lease) } else { Err(raced()) }
}

/// Remove everything, as far as the time goes: `false` where something is left.
async fn remove(
    store: &impl Store,
    secrets: &impl Secrets,
    clock: &impl Clock,
    lease: &Lease,
    meta: Option<Item>,
) -> Result<bool, Stop> {
    let tenant = &lease.tenant;
    secrets.delete_secret(tenant).await?;
    if let Some(meta) = meta {
        let meta: Tenant = read("the tenant", meta)?;
        let names: Vec<Key> = meta.settings.domains.iter().map(|domain| keys::domain(&domain.name)).collect();
        let mut writes = Vec::new();
        for (key, item) in names.iter().zip(store.get(&names).await?) {
            let Some(item) = item else { continue };
            if read::<domains::Owner>("the owner of a domain", item)?.tenant == *tenant {
                writes.push(delete(key.clone()));
            }
        }
        // From here on there is no such tenant for anybody who asks.
        writes.push(delete(keys::meta(tenant)));
        lease.commit_in_order(store, writes).await?;
    }
    let sweep = Sweep { store, clock, lease };
    if !(sweep.directory().await? && sweep.control().await?) {
        return Ok(false);
    }
    // Somebody may have been trying a new secret while the tenant went, and saved it since.
    secrets.delete_secret(tenant).await?;
    lease.commit(store, vec![delete(keys::sync(tenant)), delete(keys::registered(tenant))]).await?;
    Ok(true)
}

struct Sweep<'a, S, C> {
    store: &'a S,
    clock: &'a C,
    lease: &'a Lease,
}

impl<S: Store, C: Clock> Sweep<'_, S, C> {
    /// Users, groups, members, addresses and the mirror.
    async fn directory(&self) -> Result<bool, Stop> {
        let tenant = &self.lease.tenant;
        // Addresses go first: none is ever said to belong to somebody who is not there.
        for shard in keys::SHARDS.chars() {
            if !self.all(keys::all(Table::Directory, format!("A#{tenant}#{shard}"))).await? {
                return Ok(false);
            }
        }
        for shard in keys::SHARDS.chars() {
            let groups = [keys::objects_pk(tenant, Kind::Group, shard), keys::mirror_pk(tenant, Kind::Group, shard)];
            for pk in groups {
                if !self.groups(pk).await? {
                    return Ok(false);
                }
            }
            for pk in [
                keys::objects_pk(tenant, Kind::User, shard),
                keys::mirror_pk(tenant, Kind::User, shard),
                format!("MA#{tenant}#{shard}"),
                keys::signs_in_pk(tenant, shard),
            ] {
                if !self.all(keys::all(Table::Directory, pk)).await? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The groups of a partition, each after its members.
    async fn groups(&self, pk: String) -> Result<bool, Stop> {
        let tenant = &self.lease.tenant;
        loop {
            let page = self.store.list(&keys::all(Table::Directory, pk.clone())).await?;
            if page.items.is_empty() {
                return Ok(true);
            }
            for (sk, _) in page.items {
                if let Ok(group) = ObjectId::try_from(sk.as_str()) {
                    let members = keys::all(Table::Directory, keys::members_pk(tenant, &group));
                    if !(self.all(members).await? && self.links(&group).await?) {
                        return Ok(false);
                    }
                }
                let key = Key { table: Table::Directory, pk: pk.clone(), sk };
                self.lease.commit(self.store, vec![delete(key)]).await?;
            }
        }
    }

    /// The memberships of a group in Entra, both ways.
    async fn links(&self, group: &ObjectId) -> Result<bool, Stop> {
        let tenant = &self.lease.tenant;
        loop {
            let page = self.store.list(&keys::all(Table::Directory, keys::mirror_members_pk(tenant, group))).await?;
            if page.items.is_empty() {
                return Ok(true);
            }
            let members = page.items.iter().filter_map(|(id, _)| ObjectId::try_from(id.as_str()).ok());
            let pairs = members
                .flat_map(|id| [keys::mirror_parent(tenant, &id, group), keys::mirror_member(tenant, group, &id)]);
            self.lease.commit_in_order(self.store, pairs.map(delete).collect()).await?;
            if self.is_late() {
                return Ok(false);
            }
        }
    }

    /// Worklist, verdicts, plans, and last everything small but the schedule, which holds the lease.
    async fn control(&self) -> Result<bool, Stop> {
        let tenant = &self.lease.tenant;
        for pk in [keys::work_pk(tenant), keys::standing_pk(tenant)] {
            if !self.all(keys::all(Table::Control, pk)).await? {
                return Ok(false);
            }
        }
        let runs = keys::starting(Table::Control, keys::tenant_pk(tenant), "RUN#");
        for (sk, _) in links::everything(self.store, runs.clone()).await? {
            if let Some(Ok(run)) = sk.strip_prefix("RUN#").map(str::parse::<RunId>) {
                if !self.all(keys::all(Table::Control, keys::plan_pk(tenant, &run))).await? {
                    return Ok(false);
                }
                self.lease.commit(self.store, vec![delete(keys::run(tenant, &run))]).await?;
            }
        }
        self.all(keys::all(Table::Control, keys::tenant_pk(tenant))).await
    }

    /// Every item of a range but the schedule.
    async fn all(&self, range: Range) -> Result<bool, Stop> {
        let mut after = None;
        loop {
            let page = self.store.list(&Range { after, ..range.clone() }).await?;
            let keys = page.items.into_iter().map(|(sk, _)| Key { table: range.table, pk: range.pk.clone(), sk });
            let schedule = keys::sync(&self.lease.tenant);
            let writes: Vec<Write> = keys.filter(|key| *key != schedule).map(delete).collect();
            self.lease.commit_in_order(self.store, writes).await?;
            match page.more {
                Some(more) => after = Some(more),
                None => return Ok(true),
            }
            if self.is_late() {
                return Ok(false);
            }
        }
    }

    fn is_late(&self) -> bool {
        self.clock.remaining() <= MARGIN
    }
}
