//! The handle of a running stand-in: start, change, watch, stop.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{
    change::{Change, Refusal},
    control::counters,
    directory::{Directory, Kind, Properties},
    faults::Rule,
    openid::SignIns,
    requests::{About, Request},
    server::{Shared, lock, serve},
    settings::Settings,
    world::World,
};

/// A running stand-in on 127.0.0.1. It has a thread of its own and stops when dropped.
pub struct Standin {
    world: Shared,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Standin {
    /// Start with these directories on a free port.
    pub fn start(directories: Vec<Directory>) -> io::Result<Self> {
        Self::start_at(0, directories)
    }

    /// Start with these directories on a given port.
    pub fn start_at(port: u16, directories: Vec<Directory>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let world: Shared = Arc::new(Mutex::new(World::new(directories, format!("http://{address}"))));
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&world);
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let thread = std::thread::Builder::new().name("graph-standin".to_owned());
        let thread = thread.spawn(move || runtime.block_on(serve(listener, shared, stopped)))?;
        Ok(Self { world, address, stop: Some(stop), thread: Some(thread) })
    }

    /// With another role that identity tokens are about.
    #[must_use]
    pub fn with_role(self, role: &str) -> Self {
        lock(&self.world).set_role(Some(role.to_owned()));
        self
    }

    /// Base URL of AWS's token service; also the issuer of its identity tokens.
    pub fn identity_endpoint(&self) -> String {
        format!("http://{}/identity", self.address)
    }

    /// Base URL of Graph, without `/v1.0`.
    pub fn graph_endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Base URL of the sign-in, without a tenant. The same origin as Graph.
    pub fn login_endpoint(&self) -> String {
        self.graph_endpoint()
    }

    /// Make one change in a directory, named by short name, GUID or domain.
    pub fn change(&self, tenant: &str, change: Change) -> Result<Uuid, Refusal> {
        let ids = lock(&self.world).change(tenant, vec![change])?;
        ids.first().copied().ok_or_else(|| Refusal::NoDirectory(tenant.to_owned()))
    }

    /// Add a directory, in the place of one with the same id or name.
    pub fn add(&self, directory: Directory) {
        lock(&self.world).add(directory);
    }

    /// Play a fault.
    pub fn fault(&self, rule: Rule) {
        lock(&self.world).rules.push(rule);
    }

    /// Play no more faults.
    pub fn clear_faults(&self) {
        lock(&self.world).rules.clear();
    }

    /// How a directory signs people in from now on.
    ///
    /// # Errors
    /// Where there is no such directory.
    pub fn sign_ins(&self, tenant: &str, how: SignIns) -> Result<(), Refusal> {
        let world = &mut lock(&self.world);
        let id = world.directory(tenant).map(|directory| directory.id);
        let id = id.ok_or_else(|| Refusal::NoDirectory(tenant.to_owned()))?;
        world.openid.of.insert(id, how);
        Ok(())
    }

    /// Change the settings.
    pub fn settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut lock(&self.world).settings);
    }

    /// Set the clock, or let it run again.
    pub fn set_now(&self, now: Option<Timestamp>) {
        lock(&self.world).now = now;
    }

    /// Back to the directories of the start, without faults, settings and log.
    pub fn reset(&self) {
        lock(&self.world).reset();
    }

    /// Every request since the start or since the log was cleared.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.world).requests.clone()
    }

    /// How many requests were about this.
    pub fn count(&self, about: About) -> usize {
        lock(&self.world).requests.iter().filter(|request| request.kind == about).count()
    }

    /// Requests by what they were about: `total`, `token`, `users`, `groups`, `identity`, `other`, `users_delta`, `groups_delta`.
    pub fn counters(&self) -> BTreeMap<String, usize> {
        counters(&lock(&self.world).requests)
    }

    /// Forget the requests.
    pub fn clear_requests(&self) {
        lock(&self.world).requests.clear();
    }

    /// Create a user; the answer is its id.
    pub fn create_user(&self, tenant: &str, properties: Value) -> Result<Uuid, Refusal> {
        self.change(tenant, Change::CreateUser { id: None, properties: object(properties) })
    }

    /// Change properties of a user; null clears.
    pub fn update_user(&self, tenant: &str, user: impl ToString, properties: Value) -> Result<Uuid, Refusal> {
        self.change(tenant, Change::UpdateUser { user: user.to_string(), properties: object(properties) })
    }

    /// Delete a user to deleted items.
    pub fn delete_user(&self, tenant: &str, user: impl ToString) -> Result<Uuid, Refusal> {
        self.change(tenant, Change::DeleteUser { user: user.to_string() })
    }

    /// Delete a user for good.
    pub fn purge_user(&self, tenant: &str, user: impl ToString) -> Result<Uuid, Refusal> {
        self.change(tenant, Change::PurgeUser { user: user.to_string() })
    }

    /// Restore a user from deleted items.
    pub fn restore_user(&self, tenant: &str, user: impl ToString) -> Result<Uuid, Refusal> {
        self.change(tenant, Change::RestoreUser { user: user.to_string() })
    }

    /// Create a group with members; the answer is its id.
    pub fn create_group(&self, tenant: &str, properties: Value, members: &[Uuid]) -> Result<Uuid, Refusal> {
        let members = members.iter().map(ToString::to_string).collect();
        self.change(tenant, Change::CreateGroup { id: None, properties: object(properties), members })
    }

    /// Change properties of a group; null clears.
    pub fn update_group(&self, tenant: &str, group: impl ToString, properties: Value) -> Result<Uuid, Refusal> {
        self.change(tenant, Change::UpdateGroup { group: group.to_string(), properties: object(properties) })
    }

    /// Delete a group: a distribution list for good, any other to deleted items.
    pub fn delete_group(&self, tenant: &str, group: impl ToString) -> Result<Uuid, Refusal> {
        self.change(tenant, Change::DeleteGroup { group: group.to_string() })
    }

    /// Delete a group for good.
    pub fn purge_group(&self, tenant: &str, group: impl ToString) -> Result<Uuid, Refusal> {
        self.change(tenant, Change::PurgeGroup { group: group.to_string() })
    }

    /// Restore a group from deleted items.
    pub fn restore_group(&self, tenant: &str, group: impl ToString) -> Result<Uuid, Refusal> {
        self.change(tenant, Change::RestoreGroup { group: group.to_string() })
    }

    /// Add a user or group to a group.
    pub fn add_member(&self, tenant: &str, group: impl ToString, member: impl ToString) -> Result<Uuid, Refusal> {
        let (group, member) = (group.to_string(), member.to_string());
        self.change(tenant, Change::AddMember { group, member, kind: None })
    }

    /// Remove a member from a group.
    pub fn remove_member(&self, tenant: &str, group: impl ToString, member: impl ToString) -> Result<Uuid, Refusal> {
        self.change(tenant, Change::RemoveMember { group: group.to_string(), member: member.to_string() })
    }
}

/// What is true, to compare with what was read.
impl Standin {
    /// The id of a user by principal name, mail, nickname or display name.
    pub fn user_id(&self, tenant: &str, user: &str) -> Option<Uuid> {
        self.id(tenant, Kind::User, user)
    }

    /// The id of a group by mail, nickname or display name.
    pub fn group_id(&self, tenant: &str, group: &str) -> Option<Uuid> {
        self.id(tenant, Kind::Group, group)
    }

    /// Users that are not deleted, with their properties.
    pub fn users(&self, tenant: &str) -> BTreeMap<Uuid, Properties> {
        let world = lock(&self.world);
        let users = world.directory(tenant).into_iter().flat_map(|directory| directory.users.here());
        users.map(|(_, user)| (user.id, user.properties())).collect()
    }

    /// Groups that are not deleted, with their properties and those of their direct members that are not deleted.
    pub fn groups(&self, tenant: &str) -> BTreeMap<Uuid, (Properties, BTreeSet<Uuid>)> {
        let world = lock(&self.world);
        let Some(directory) = world.directory(tenant) else { return BTreeMap::new() };
        let members = |group| directory.members(group).map(|(link, _)| link.id).collect();
        directory.groups.here().map(|(_, group)| (group.id, (group.properties(), members(group)))).collect()
    }

    fn id(&self, tenant: &str, kind: Kind, who: &str) -> Option<Uuid> {
        let world = lock(&self.world);
        let objects = world.directory(tenant)?.objects(kind);
        objects.all.get(objects.find(who)?).map(|object| object.id)
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        // Nobody listens any more when the thread ended by itself.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn object(properties: Value) -> Properties {
    match properties {
        Value::Object(properties) => properties,
        _ => Properties::new(),
    }
}
