//! A directory of Entra in memory: users, groups and direct memberships, with the history that delta rounds need.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use directory::{Failure, Kind, MailboxKind, MemberKind, ObjectId};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{application::Application, rounds::Round, turnstile::Turnstile};

/// Properties by their names in Graph.
pub type Properties = Map<String, Value>;

/// Whether an object is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It is there.
    Live,
    /// In the recycle bin.
    Binned,
    /// Gone for good.
    Gone,
}

/// A user or a group.
#[derive(Debug, Clone)]
pub struct Thing {
    /// User or group.
    pub kind: Kind,
    /// Its state after each version in which it changed.
    pub history: Vec<(u64, Life, Properties)>,
}

impl Thing {
    /// Whether it is there now.
    pub fn life(&self) -> Life {
        self.history.last().map_or(Life::Gone, |(_, life, _)| *life)
    }

    /// Its properties now.
    pub fn properties(&self) -> Properties {
        self.history.last().map(|(_, _, properties)| properties.clone()).unwrap_or_default()
    }

    /// Its properties as they were at a version; `None` where it was not there.
    pub fn at(&self, version: u64) -> Option<&Properties> {
        let (_, life, properties) = self.history.iter().rev().find(|(at, ..)| *at <= version)?;
        (*life == Life::Live).then_some(properties)
    }

    /// The version of its last change.
    pub fn changed_at(&self) -> u64 {
        self.history.last().map_or(0, |(at, ..)| *at)
    }
}

/// A direct membership, present or past.
#[derive(Debug, Clone, Copy)]
pub struct Membership {
    /// What the member is.
    pub kind: MemberKind,
    /// Whether it is one.
    pub present: bool,
    /// The version of its last change.
    pub changed_at: u64,
}

/// What goes wrong at a call.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// The delta state is gone.
    StateGone,
    /// The page link is dead.
    LinkDead,
    /// This failure.
    Failure(Box<Failure>),
    /// An answer that looks complete and holds nothing.
    Nothing,
}

/// How Graph answers.
#[derive(Debug, Clone)]
pub struct Manner {
    /// Objects of a page.
    pub page: usize,
    /// Members in one mention of a group.
    pub slice: usize,
    /// Tell only the properties that changed.
    pub minimal: bool,
    /// Tell every second object again on a later page.
    pub repeats: bool,
    /// An empty page before each page.
    pub empty_pages: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self { page: 100, slice: 500, minimal: false, repeats: false, empty_pages: false }
    }
}

/// Everything that an Entra directory knows.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Goes up with every change.
    pub version: u64,
    /// Users and groups, those that are gone too.
    pub things: BTreeMap<ObjectId, Thing>,
    /// Group, then member.
    pub memberships: BTreeMap<(ObjectId, ObjectId), Membership>,
    /// Delta rounds under way, by number.
    pub rounds: BTreeMap<u64, Round>,
    /// How Graph answers.
    pub manner: Manner,
    /// What goes wrong, at which page call of a kind from now on (1 is the next).
    pub troubles: Vec<(Kind, u64, Trouble)>,
    /// Delta links from before this version are gone.
    pub expired: u64,
    /// What `$count` says, where it is not the truth.
    pub count: Option<u64>,
    /// Objects that are told in a way that nobody understands.
    pub unreadable: BTreeSet<ObjectId>,
    /// What mailboxes are for, where they are not a person's. Delta does not tell.
    pub purposes: BTreeMap<ObjectId, MailboxKind>,
    /// Users whose kind of mailbox is not told although it is asked for.
    pub unpurposed: BTreeSet<ObjectId>,
    /// Nobody may know what mailboxes are for.
    pub mailboxes_denied: bool,
    /// The application that reads all this.
    pub application: Application,
}

/// The directory. Every mutator is one change that an administrator could make.
#[derive(Debug)]
pub struct Entra {
    pub(crate) turnstile: Rc<Turnstile>,
    pub(crate) state: RefCell<State>,
    /// The time.
    pub(crate) now: Rc<Cell<Timestamp>>,
    /// Pages that were asked for.
    pub pages: Cell<u64>,
    /// Whose kinds of mailboxes were asked for, question by question.
    pub questions: RefCell<Vec<Vec<ObjectId>>>,
}

/// The domain at which people are.
pub const DOMAIN: &str = "contoso.com";

/// An id for a test: any short word.
pub fn id(text: &str) -> ObjectId {
    ObjectId::try_from(text).expect("an object id")
}

impl Entra {
    /// An empty directory.
    pub fn new(turnstile: Rc<Turnstile>) -> Self {
        let (state, now, questions) = (RefCell::default(), Rc::default(), RefCell::default());
        Self { turnstile, state, now, pages: Cell::new(0), questions }
    }

    /// All of it.
    pub fn snapshot(&self) -> State {
        self.state.borrow().clone()
    }

    /// Go back.
    pub fn restore_state(&self, state: State) {
        self.state.replace(state);
    }

    /// Answer in another manner.
    pub fn manner(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.state.borrow_mut().manner);
    }

    /// Something goes wrong at the page call of a kind with this number, 1 being the next.
    pub fn trouble(&self, kind: Kind, call: u64, trouble: Trouble) {
        self.state.borrow_mut().troubles.push((kind, call, trouble));
    }

    /// Every delta link handed out so far is gone.
    pub fn expire_delta(&self) {
        let mut state = self.state.borrow_mut();
        state.version += 1;
        state.expired = state.version;
    }

    /// Every page link handed out so far is dead.
    pub fn expire_pages(&self) {
        self.state.borrow_mut().rounds.clear();
    }

    /// Tell some objects in a way that nobody understands, and all others as they are.
    pub fn garble(&self, ids: &[&ObjectId]) {
        self.state.borrow_mut().unreadable = ids.iter().copied().cloned().collect();
    }

    /// What a user's mailbox is for.
    pub fn purpose(&self, id: &ObjectId, kind: MailboxKind) {
        self.state.borrow_mut().purposes.insert(id.clone(), kind);
    }

    /// Whether the permission to know what mailboxes are for is missing.
    pub fn deny_mailboxes(&self, denied: bool) {
        self.state.borrow_mut().mailboxes_denied = denied;
    }

    /// Do not tell what the mailboxes of some users are for.
    pub fn keep_purposes(&self, ids: &[&ObjectId]) {
        self.state.borrow_mut().unpurposed = ids.iter().copied().cloned().collect();
    }

    /// `$count` says something else than the truth.
    pub fn miscount(&self, count: Option<u64>) {
        self.state.borrow_mut().count = count;
    }

    /// Objects of a kind that are there, in their order.
    pub fn live(&self, kind: Kind) -> Vec<ObjectId> {
        self.among(kind, Life::Live)
    }

    /// Objects of a kind in a state, in their order.
    pub fn among(&self, kind: Kind, life: Life) -> Vec<ObjectId> {
        let state = self.state.borrow();
        state
            .things
            .iter()
            .filter(|(_, thing)| thing.kind == kind && thing.life() == life)
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// A property of an object.
    pub fn property(&self, id: &ObjectId, name: &str) -> Value {
        let state = self.state.borrow();
        state.things.get(id).and_then(|thing| thing.properties().get(name).cloned()).unwrap_or_default()
    }

    fn change(&self, id: &ObjectId, change: impl FnOnce(&mut Life, &mut Properties)) {
        let mut state = self.state.borrow_mut();
        state.version += 1;
        let version = state.version;
        let thing = state.things.get_mut(id).unwrap_or_else(|| panic!("no such object: {id}"));
        let (mut life, mut properties) = (thing.life(), thing.properties());
        change(&mut life, &mut properties);
        properties.retain(|_, value| !value.is_null());
        thing.history.push((version, life, properties));
    }

    fn create(&self, name: &str, kind: Kind, properties: Value) -> ObjectId {
        let id = id(name);
        let mut state = self.state.borrow_mut();
        state.version += 1;
        let version = state.version;
        assert!(!state.things.contains_key(&id), "{name} is there already");
        let properties = properties.as_object().expect("properties").clone();
        state.things.insert(id.clone(), Thing { kind, history: vec![(version, Life::Live, properties)] });
        id
    }

    // ---- People ----

    /// A new person `name`, with the address `name@contoso.com`.
    pub fn hire(&self, name: &str) -> ObjectId {
        self.hire_as(name, &[&format!("SMTP:{name}@{DOMAIN}")])
    }

    /// A new person with these `proxyAddresses`.
    pub fn hire_as(&self, name: &str, addresses: &[&str]) -> ObjectId {
        let mail = addresses.iter().find_map(|entry| entry.strip_prefix("SMTP:"));
        self.create(name, Kind::User, json!({
            "userPrincipalName": format!("{name}@{DOMAIN}"), "displayName": format!("The {name}"), "givenName": name,
            "surname": "Person", "mail": mail, "proxyAddresses": addresses, "accountEnabled": true, "userType": "Member",
            "mobilePhone": null, "businessPhones": [], "jobTitle": "Clerk",
        }))
    }

    /// Set or, with `null`, clear properties of a user or group.
    pub fn set(&self, id: &ObjectId, properties: Value) {
        self.change(id, |_, own| own.extend(properties.as_object().expect("properties").clone()));
    }

    /// Another display name.
    pub fn rename(&self, id: &ObjectId, name: &str) {
        self.set(id, json!({"displayName": name}));
    }

    /// Other `proxyAddresses`, as they stand.
    pub fn readdress(&self, id: &ObjectId, addresses: &[&str]) {
        let mail = addresses.iter().find_map(|entry| entry.strip_prefix("SMTP:"));
        self.set(id, json!({"proxyAddresses": addresses, "mail": mail}));
    }

    /// Two objects exchange all their addresses.
    pub fn swap(&self, a: &ObjectId, b: &ObjectId) {
        let of = |id| json!({"proxyAddresses": self.property(id, "proxyAddresses"), "mail": self.property(id, "mail")});
        let (mine, theirs) = (of(a), of(b));
        self.set(a, theirs);
        self.set(b, mine);
    }

    /// Allow or block the sign-in.
    pub fn sign_in(&self, id: &ObjectId, allowed: bool) {
        self.set(id, json!({"accountEnabled": allowed}));
    }

    /// `Member` or `Guest`.
    pub fn user_type(&self, id: &ObjectId, kind: &str) {
        self.set(id, json!({"userType": kind}));
    }

    /// Into the recycle bin: memberships stay, silently.
    pub fn bin(&self, id: &ObjectId) {
        self.change(id, |life, _| *life = Life::Binned);
    }

    /// Out of the recycle bin, without addresses that somebody else has by now. Memberships are not told again.
    pub fn restore(&self, id: &ObjectId) {
        let taken = self.taken(Some(id));
        self.change(id, |life, properties| {
            *life = Life::Live;
            let own = properties.get("proxyAddresses").and_then(Value::as_array).cloned().unwrap_or_default();
            let left: Vec<Value> = own
                .into_iter()
                .filter(|entry| !entry.as_str().is_some_and(|entry| taken.contains(&bare(entry))))
                .collect();
            properties.insert("proxyAddresses".to_owned(), json!(left));
        });
    }

    /// Gone for good. Its memberships go without a word.
    pub fn purge(&self, id: &ObjectId) {
        self.change(id, |life, _| *life = Life::Gone);
        self.state.borrow_mut().memberships.retain(|(group, member), _| group != id && member != id);
    }

    /// Addresses of live objects, in lower case, without those of `but`.
    pub fn taken(&self, but: Option<&ObjectId>) -> BTreeSet<String> {
        let state = self.state.borrow();
        let live = state.things.iter().filter(|(id, thing)| thing.life() == Life::Live && Some(*id) != but);
        live.flat_map(|(_, thing)| proxies(&thing.properties())).map(|entry| bare(&entry)).collect()
    }

    // ---- Groups ----

    /// A new distribution group `name`, with the address `name@contoso.com`.
    pub fn list(&self, name: &str) -> ObjectId {
        self.group(name, &[&format!("SMTP:{name}@{DOMAIN}")], true, false, &[])
    }

    /// A new security group without an address.
    pub fn security(&self, name: &str) -> ObjectId {
        self.group(name, &[], false, true, &[])
    }

    /// A new group of any kind.
    pub fn group(&self, name: &str, addresses: &[&str], mail: bool, security: bool, types: &[&str]) -> ObjectId {
        let own = addresses.iter().find_map(|entry| entry.strip_prefix("SMTP:"));
        self.create(
            name,
            Kind::Group,
            json!({
                "displayName": format!("The {name}"), "mail": own, "proxyAddresses": addresses, "mailEnabled": mail,
                "securityEnabled": security, "groupTypes": types,
            }),
        )
    }

    /// Somebody becomes a member of a group.
    pub fn join(&self, group: &ObjectId, member: &ObjectId) {
        let kind = self.state.borrow().things.get(member).map_or(MemberKind::Other, |thing| match thing.kind {
            Kind::User => MemberKind::User,
            Kind::Group => MemberKind::Group,
        });
        self.link(group, member, kind, true);
    }

    /// Somebody is a member of a group no longer.
    pub fn leave(&self, group: &ObjectId, member: &ObjectId) {
        let known = self.state.borrow().memberships.get(&(group.clone(), member.clone())).copied();
        if let Some(known) = known.filter(|known| known.present) {
            self.link(group, member, known.kind, false);
        }
    }

    fn link(&self, group: &ObjectId, member: &ObjectId, kind: MemberKind, present: bool) {
        let mut state = self.state.borrow_mut();
        state.version += 1;
        let changed_at = state.version;
        state.memberships.insert((group.clone(), member.clone()), Membership { kind, present, changed_at });
    }

    /// The direct members of a group now, those in the recycle bin too.
    pub fn members(&self, group: &ObjectId) -> Vec<ObjectId> {
        let state = self.state.borrow();
        state
            .memberships
            .iter()
            .filter(|((own, _), m)| own == group && m.present)
            .map(|((_, member), _)| member.clone())
            .collect()
    }
}

/// The `proxyAddresses` among properties.
pub fn proxies(properties: &Properties) -> Vec<String> {
    let entries = properties.get("proxyAddresses").and_then(Value::as_array);
    entries.into_iter().flatten().filter_map(|entry| entry.as_str().map(str::to_owned)).collect()
}

/// An entry without its scheme, in lower case.
pub fn bare(entry: &str) -> String {
    entry.split_once(':').map_or(entry, |(_, address)| address).to_ascii_lowercase()
}
