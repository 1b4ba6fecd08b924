//! All that the engine knows of the world: a few ports in our own words.
//!
//! Their first implementation is `entra` and `platform`; their second is the in-memory world of the tests, which can
//! stop a run at every call.

mod registration;
mod rotation;
mod secrets;

use std::{
    collections::BTreeMap,
    fmt,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use directory::{Address, Cloud, CredentialKind, Failure, Kind, MailboxKind, ObjectId, Observed, TenantId};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use registration::{Certificate, NewSecret, NotAdded, Registered, Registration};
pub use rotation::{Rotated, Version, Versions};
pub use secrets::{Moved, Place, RENEWAL_DAYS, Secrets};

/// The world failed: storage, queue, mail or secrets, not Microsoft and not the caller.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Fault {
    /// What was tried and what came back, without anything secret.
    pub what: String,
    /// Whether the same call may succeed later.
    pub passes: bool,
    /// The world answered that it did nothing: trying again cannot do it twice.
    pub nothing_done: bool,
    /// The cause, where there is one.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Fault {
    /// A fault that will not pass by itself.
    pub fn permanent(what: impl Into<String>) -> Self {
        Self { what: what.into(), passes: false, nothing_done: false, source: None }
    }

    /// A fault that may pass.
    pub fn passing(what: impl Into<String>) -> Self {
        Self { what: what.into(), passes: true, nothing_done: false, source: None }
    }

    /// The world said that it did nothing of what was asked.
    #[must_use]
    pub fn nothing_done(mut self) -> Self {
        self.nothing_done = true;
        self
    }

    /// With its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// One of the two tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Tenants, schedules, cursors, worklists, runs, plans.
    Control,
    /// Users, groups, addresses, the mirror.
    Directory,
}

/// Where an item lives: a partition (at most 2,048 bytes) and a sort key in it (at most 1,024 bytes).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Which table.
    pub table: Table,
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.pk, self.sk)
    }
}

/// The attributes of an item without its key. `null` is stored as no attribute.
pub type Item = Map<String, Value>;

/// A stretch of one partition in the order of its sort keys (bytewise).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Which table.
    pub table: Table,
    /// Partition key.
    pub pk: String,
    /// First sort key, inclusive.
    pub from: String,
    /// Last sort key, inclusive.
    pub to: String,
    /// Go on behind this sort key (exclusive), in the direction of reading.
    pub after: Option<String>,
    /// At most that many items; a page may hold fewer although there are more.
    pub limit: usize,
    /// Read from the end.
    pub newest_first: bool,
}

/// A page of a [`Range`].
#[derive(Debug, Default)]
pub struct Listing {
    /// Sort key and attributes.
    pub items: Vec<(String, Item)>,
    /// Where to go on (`after` of the next page); `None` when the range is at its end.
    pub more: Option<String>,
}

/// What must hold of an item for a write to take place.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// There is no such item.
    NoItem,
    /// There is such an item.
    Exists,
    /// The item, if there is one, lacks this attribute.
    Without(&'static str),
    /// The item's attribute has this value.
    Equals(&'static str, Value),
}

/// One write of a commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Which item.
    pub key: Key,
    /// What happens to it.
    pub change: Change,
    /// All of these must hold.
    pub only_if: Vec<Condition>,
}

/// What happens to an item.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Replace it.
    Put(Item),
    /// Change some attributes and keep the others; makes the item where there is none.
    Set {
        /// Attributes to set; `null` removes the attribute.
        set: Item,
        /// Numbers to add to attributes, starting from 0.
        add: Vec<(&'static str, i64)>,
    },
    /// Remove it; removing nothing is fine.
    Delete,
    /// Nothing: only check the conditions.
    Check,
}

/// Why a commit did not take place. Nothing of it was written.
#[derive(Debug, thiserror::Error)]
pub enum NotCommitted {
    /// Conditions did not hold: the positions of these writes.
    #[error("conditions of writes {0:?} did not hold")]
    Refused(Vec<usize>),
    /// The world failed; it is not known whether the commit took place where the fault passes.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The most writes of one commit (DynamoDB: "TransactWriteItems", 100 actions).
pub const MOST_WRITES: usize = 100;

/// Where everything is kept.
pub trait Store {
    /// The items under `keys`, in their order; strongly consistent. Any number of keys, which may repeat.
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault>;
    /// A page of a range; strongly consistent.
    async fn list(&self, range: &Range) -> Result<Listing, Fault>;
    /// All of 1 to [`MOST_WRITES`] writes, or none. No two writes name the same item.
    async fn commit(&self, writes: Vec<Write>) -> Result<(), NotCommitted>;
    /// Items whose `due_shard` is `shard` and whose `due_at` (epoch seconds) is at most `until`, the longest overdue first.
    /// Eventually consistent: whoever acts on it must check the item itself.
    async fn due(&self, shard: &str, until: i64, limit: usize) -> Result<Vec<Due>, Fault>;
}

/// An item that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Which item.
    pub key: Key,
    /// Since when, in epoch seconds.
    pub due_at: i64,
}

/// How to reach one tenant's directory.
pub struct Connection {
    /// Whose.
    pub tenant: TenantId,
    /// Directory GUID, or a domain of the directory.
    pub authority: String,
    /// The application (client) id.
    pub application_id: String,
    /// The Microsoft cloud.
    pub cloud: Cloud,
    /// What kind of credential `secret` is.
    pub kind: CredentialKind,
    /// The credential.
    pub secret: SecretString,
    /// Counts the requests that are made.
    pub meter: Meter,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({}, {})", self.tenant, self.authority)
    }
}

/// Counts requests to Microsoft, retries included.
#[derive(Debug, Default)]
pub struct Meter {
    /// To Graph.
    pub graph: AtomicU32,
    /// For tokens.
    pub sign_in: AtomicU32,
}

impl Meter {
    /// Both counts so far.
    pub fn read(&self) -> Requests {
        Requests { graph: self.graph.load(Ordering::Relaxed), sign_in: self.sign_in.load(Ordering::Relaxed) }
    }
}

/// Requests made to Microsoft.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// To Graph.
    pub graph: u32,
    /// For tokens.
    pub sign_in: u32,
}

/// One page of a delta round.
#[derive(Debug)]
pub struct GraphPage {
    /// What it says, in its order.
    pub objects: Vec<Observed>,
    /// Where it goes on.
    pub next: Next,
}

/// Where a delta round goes on. Links are pinned to the origin that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// `@odata.nextLink`: the round is not complete.
    Page(String),
    /// `@odata.deltaLink`: the round is complete; the next round starts here.
    Round(String),
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum NoPage {
    /// The delta state is gone: a full round is needed (rule 4.11).
    #[error("the delta state is gone")]
    StateGone(Failure),
    /// The link inside the round is dead: start the round again.
    #[error("the page token is dead")]
    LinkDead(Failure),
    /// Anything else.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// The most users of one question for the kinds of mailboxes.
pub const MOST_MAILBOXES: usize = 20;

/// The answer to a question for the kinds of mailboxes. Whoever is missing is to be asked for again, later.
#[derive(Debug, Default)]
pub struct Mailboxes {
    /// What was told.
    pub kinds: BTreeMap<ObjectId, MailboxKind>,
    /// Some of it was denied: the failure names the permission.
    pub denied: Option<Failure>,
    /// Asking on makes no sense for now.
    pub stopped: bool,
}

/// Microsoft Graph and its sign-in. Each call retries what passes, within `budget`; a pause that outlasts it comes back
/// as a failure with `retry_after`.
pub trait Graph {
    /// A page of users or groups by delta: the first of a full round, or what `link` names.
    async fn page(
        &self,
        who: &Connection,
        kind: Kind,
        link: Option<&str>,
        budget: Duration,
    ) -> Result<GraphPage, NoPage>;
    /// Ask for a fresh token and read one user and one group (rule 1.5).
    async fn try_out(&self, who: &Connection, budget: Duration) -> Result<(), Failure>;
    /// How many objects of a kind the directory has (Graph's `$count`).
    async fn count(&self, who: &Connection, kind: Kind, budget: Duration) -> Result<u64, Failure>;
    /// What the mailboxes of at most [`MOST_MAILBOXES`] users are for (rule 5.2).
    async fn mailboxes(&self, who: &Connection, users: &[ObjectId], budget: Duration) -> Result<Mailboxes, Failure>;
    /// The application's registration (rule 6.5). `None` where the token's roles do not allow reading it, so that nothing
    /// was asked, or where the application is registered in another directory.
    async fn registration(&self, who: &Connection, budget: Duration) -> Result<Option<Registration>, Failure>;
    /// Add a client secret to the application (rule 7.3). Where the outcome is unclear it may have been added: it is then
    /// found by its name.
    async fn add_secret(
        &self,
        who: &Connection,
        name: &str,
        ends: Timestamp,
        budget: Duration,
    ) -> Result<NewSecret, NotAdded>;
    /// Remove a client secret from the application; removing nothing is fine.
    async fn remove_secret(&self, who: &Connection, key_id: &str, budget: Duration) -> Result<(), Failure>;
    /// Read key and certificate (PEM), and see that they belong together. Asks nobody.
    fn certificate(&self, pem: &SecretString) -> Result<Certificate, Failure>;
    /// Forget the cached token of this connection.
    fn forget(&self, who: &Connection);
}

/// The identity of the cloud account as a client assertion: the credential that nobody has to keep (rule 1.3).
pub trait Identity {
    /// An identity token (JWT, RS256) for `audience`; may come from a cache while most of its life is left.
    async fn token(&self, audience: &str) -> Result<SecretString, Fault>;
}

/// Which queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueName {
    /// Runs.
    Sync,
    /// Reports.
    Report,
}

/// A hint to work: the tables hold the truth, so a message may be lost, doubled or late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The tenant, for fair queueing.
    pub group: String,
    /// JSON, as the function would be invoked with.
    pub body: String,
    /// Delivered no sooner than this (at most 15 minutes).
    pub delay: Duration,
}

/// The queues.
pub trait Queue {
    /// Send all of the messages; on a fault some may have been sent.
    async fn send(&self, queue: QueueName, messages: Vec<Message>) -> Result<(), Fault>;
}

/// A mail, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Whose mail it is, for when it comes back; the operator's is nobody's.
    pub tenant: Option<TenantId>,
    /// To whom.
    pub to: Address,
    /// One line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// The post.
pub trait Mailer {
    /// Send a mail; answers the post's own id for it. On a fault that does not say [`Fault::nothing_done`] the mail may
    /// have been sent.
    async fn send(&self, letter: &Letter) -> Result<String, Fault>;
}

/// How much time the invocation has left.
pub trait Clock {
    /// Time until the invocation is stopped.
    fn remaining(&self) -> Duration;
    /// The time at which the invocation takes place.
    fn now(&self) -> Timestamp;
}
