//! The items of the control table and of the mirror, as they are stored.

use std::collections::{BTreeMap, BTreeSet};

use directory::{
    Address, Change, Entra, EntraGroup, EntraUser, Failure, Held, Kind, MemberKind, ObjectId, Outcome, PerKind,
    Planned, Removal, RunId, Settings, Skipped, UserType, settle::Local,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::ports::{Fault, Item, Requests};

/// Read an item.
///
/// # Errors
/// A fault that will not pass: the item was written by something else.
pub fn read<T: DeserializeOwned>(what: &str, item: Item) -> Result<T, Fault> {
    serde_json::from_value(Value::Object(item))
        .map_err(|err| Fault::permanent(format!("cannot read {what}")).because(err))
}

/// Write an item. Optional attributes that are `None` are left out.
pub fn write<T: Serialize>(record: &T) -> Item {
    match serde_json::to_value(record) {
        Ok(Value::Object(mut item)) => {
            item.retain(|_, value| !value.is_null());
            item
        }
        _ => Item::new(),
    }
}

/// A tenant: what people set, and what its connection check said. Only `admin` writes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tenant {
    /// The settings.
    pub settings: Settings,
    /// Goes up with each change.
    pub rev: u64,
    /// Goes up when the connection is replaced (rule 1.1).
    pub connection: u32,
    /// Green or grey, since when and why (rule 1.6).
    pub status: Status,
    /// When the tenant was made.
    pub created_at: Timestamp,
    /// Of the credential that is in use.
    #[serde(default)]
    pub credential: Option<CredentialFacts>,
    /// Since when there is no tech contact (rule 4.2).
    #[serde(default)]
    pub no_contact_since: Option<Timestamp>,
}

/// What the last manual check of a connection said (rule 1.6).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Whether it succeeded with the present credential.
    pub green: bool,
    /// When it last succeeded.
    pub verified_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Failure>,
}

/// What is known of a credential without the credential itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialFacts {
    /// When it was saved.
    pub saved_at: Timestamp,
    /// The day on which it expires, as stated at save or assumed.
    pub expires_on: jiff::civil::Date,
    /// Where that day comes from.
    pub source: ExpirySource,
}

/// Where the day of expiry comes from (rule 6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpirySource {
    /// Read from the application in Entra.
    Entra,
    /// Stated at save.
    Stated,
    /// The day of save plus 24 months.
    Assumed,
}

/// The schedule and the lease of a tenant, and what outlives a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Schedule {
    /// `S#<h>`; absent for tenants that never run by themselves.
    pub due_shard: Option<String>,
    /// Epoch seconds.
    pub due_at: Option<i64>,
    /// Who holds the lease.
    pub owner: Option<String>,
    /// Until when, in epoch milliseconds.
    pub lease_until: Option<i64>,
    /// Goes up with each lease: every write of a run checks it.
    pub fence: u64,
    /// The run that holds the lease, or that goes on in the next slice.
    pub run: Option<RunId>,
    /// Since when that run goes on.
    pub since: Option<Timestamp>,
    /// How often all users were asked to be evaluated (rule 4.10).
    pub everybody_users: u64,
    /// How often all groups were.
    pub everybody_groups: u64,
    /// Up to which number that was done.
    pub done: PerKind<u64>,
    /// The newest preview, or the newest applied run: the only plan that may be applied.
    pub newest: Option<RunId>,
    /// The newest run that holds changes (rule 4.8).
    pub holding: Option<RunId>,
    /// When a run last succeeded.
    pub last_success: Option<Timestamp>,
    /// Why the last run failed; none after a success.
    pub last_error: Option<Failure>,
    /// How many runs failed since the last that did not.
    pub failures: u32,
}

impl Schedule {
    /// Up to which number everybody of a kind is to be evaluated, where that is still to be done.
    pub fn everybody(&self, kind: Kind) -> Option<u64> {
        let wanted = if kind == Kind::User { self.everybody_users } else { self.everybody_groups };
        (wanted > self.done[kind]).then_some(wanted)
    }
}

/// The attribute of [`Schedule`] that asks for everybody of a kind to be evaluated once more when it is raised.
pub fn everybody_attribute(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "everybody_users",
        Kind::Group => "everybody_groups",
    }
}

/// How far the reading of a collection has come.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cursor {
    /// The connection that it belongs to.
    pub connection: u32,
    /// The number of the last full round.
    pub round: u64,
    /// The first round of this connection: rows of the mirror from before belong to another directory.
    pub first_round: u64,
    /// Whether a full round is under way.
    pub full: bool,
    /// The next page of the round under way.
    pub page: Option<String>,
    /// Where the next round starts.
    pub delta: Option<String>,
    /// What was selected; another selection needs a full round.
    pub select: String,
    /// Pages of the round under way.
    pub pages: u64,
    /// Objects seen in the full round under way.
    pub seen: u64,
    /// A hash of the last page, to notice a round that goes in circles.
    pub last_page: String,
    /// The full round named an object by something that is no id, so that nobody can be taken for unseen.
    pub nameless: bool,
    /// The full round is read, and its unseen objects are to be marked as gone.
    pub sweep: bool,
}

/// A row of the mirror.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mirrored<E> {
    /// The full round in which it was last seen.
    pub round: u64,
    /// Whether and how it is gone.
    #[serde(default)]
    pub removed: Option<Removal>,
    /// Our id, where it is not Entra's.
    #[serde(default)]
    pub local: Option<ObjectId>,
    /// What Entra told.
    pub entra: E,
}

/// A row of the mirror of users.
pub type MirroredUser = Mirrored<EntraUser>;
/// A row of the mirror of groups.
pub type MirroredGroup = Mirrored<EntraGroup>;

/// A row of the mirror of either kind.
#[derive(Debug, Clone)]
pub struct MirrorRow {
    /// The full round in which it was last seen.
    pub round: u64,
    /// Whether and how it is gone.
    pub removed: Option<Removal>,
    /// Our id, where it is not Entra's.
    pub local: Option<ObjectId>,
    /// What Entra told.
    pub entra: Entra,
}

impl MirrorRow {
    /// Read a row.
    ///
    /// # Errors
    /// As [`read`].
    pub fn read(kind: Kind, item: Item) -> Result<Self, Fault> {
        Ok(match kind {
            Kind::User => {
                let Mirrored { round, removed, local, entra } = read::<MirroredUser>("a row of the mirror", item)?;
                Self { round, removed, local, entra: Entra::User(entra) }
            }
            Kind::Group => {
                let Mirrored { round, removed, local, entra } = read::<MirroredGroup>("a row of the mirror", item)?;
                Self { round, removed, local, entra: Entra::Group(entra) }
            }
        })
    }

    /// Write a row.
    pub fn write(&self) -> Item {
        let Self { round, removed, local, entra } = self.clone();
        match entra {
            Entra::User(entra) => write(&Mirrored { round, removed, local, entra }),
            Entra::Group(entra) => write(&Mirrored { round, removed, local, entra }),
        }
    }
}

/// A direct membership in the mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What the member is.
    pub kind: MemberKind,
    /// The full round in which it was last seen.
    pub round: u64,
}

/// Which objects of Entra list an address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimants {
    /// Kind and Entra's object id.
    pub claimants: BTreeSet<(Kind, ObjectId)>,
}

/// The owner of an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// User or group.
    pub kind: Kind,
    /// Our id.
    pub owner: ObjectId,
}

/// An entry of the worklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// The run that put it there last: what a later run put is not cleared by an earlier plan.
    pub by: RunId,
    /// For groups: evaluate every member, not only those that changed. For users: evaluate them in all their groups.
    #[serde(default)]
    pub members: bool,
    /// The run that found it unfinished, and so leaves it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<RunId>,
}

impl Work {
    /// Work that a run found in Entra.
    pub fn found(by: &RunId, members: bool) -> Self {
        Self { by: by.clone(), members, keep: None }
    }

    /// Work that a run leaves for the next.
    pub fn left(by: &RunId, members: bool) -> Self {
        Self { by: by.clone(), members, keep: Some(by.clone()) }
    }
}

/// The standing verdict of an object that is not as Entra has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Left alone.
    Skipped(Skipped),
    /// Its switch is off.
    NotEnabled(Box<Change>),
    /// It failed, and is tried again.
    Waiting(Waiting),
}

/// An object that failed (rule 3.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The object as a skip with the reason `waiting_for_retry`.
    pub skipped: Skipped,
    /// Since when it fails.
    pub since: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried again.
    pub retry_at: Timestamp,
}

/// Totals of a tenant, kept with every change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Users, marked as deleted or not.
    pub users: i64,
    /// Groups.
    pub groups: i64,
    /// Functional accounts.
    pub functional: i64,
    /// Billable users (rule 5.5).
    pub billable: i64,
    /// Active users that synchronisation manages: what the brake measures against.
    pub active_users: i64,
    /// Groups that synchronisation manages, without those marked as deleted.
    pub active_groups: i64,
    /// Standing verdicts.
    pub skipped_users: i64,
    /// Standing verdicts.
    pub skipped_groups: i64,
    /// Standing verdicts.
    pub not_enabled_users: i64,
    /// Standing verdicts.
    pub not_enabled_groups: i64,
    /// Of the users: marked as deleted, functional accounts not counted.
    pub deleted_users: i64,
    /// Of the functional accounts: marked as deleted.
    pub deleted_functional: i64,
    /// Of the groups: marked as deleted.
    pub deleted_groups: i64,
    /// Active administrators without a mobile number (rule 2.12).
    pub administrators_without_mobile: i64,
    /// Other active users who may sign in and have no mobile number.
    pub others_without_mobile: i64,
}

impl Counts {
    /// What one object counts for.
    pub fn of(held: Option<&Held>) -> Self {
        let Some(held) = held else { return Self::default() };
        let user = held.kind() == Kind::User;
        let functional = matches!(held, Held::User(user) if user.kind == UserType::FunctionalAccount);
        let deleted = held.deleted_at().is_some();
        let immobile = |kind| {
            let Held::User(user) = held else { return false };
            user.kind == kind && user.is_active && user.profile.mobile.is_none()
        };
        Self {
            users: i64::from(user),
            groups: i64::from(!user),
            functional: i64::from(functional),
            billable: i64::from(held.is_billable()),
            active_users: i64::from(user && held.counts_for_brake()),
            active_groups: i64::from(!user && held.counts_for_brake()),
            deleted_users: i64::from(user && !functional && deleted),
            deleted_functional: i64::from(functional && deleted),
            deleted_groups: i64::from(!user && deleted),
            administrators_without_mobile: i64::from(immobile(UserType::OrganizationAdmin)),
            others_without_mobile: i64::from(immobile(UserType::EndUser)),
            ..Self::default()
        }
    }

    /// What a standing verdict counts for.
    pub fn of_standing(kind: Kind, standing: Option<&Standing>) -> Self {
        let mut counts = Self::default();
        match (standing, kind) {
            (None, _) => (),
            (Some(Standing::NotEnabled(_)), Kind::User) => counts.not_enabled_users = 1,
            (Some(Standing::NotEnabled(_)), Kind::Group) => counts.not_enabled_groups = 1,
            (Some(_), Kind::User) => counts.skipped_users = 1,
            (Some(_), Kind::Group) => counts.skipped_groups = 1,
        }
        counts
    }

    /// The attributes in the order of the fields, for adding to the stored totals and for summing up.
    pub fn each(&self) -> [(&'static str, i64); 15] {
        let Self {
            users,
            groups,
            functional,
            billable,
            active_users,
            active_groups,
            skipped_users,
            skipped_groups,
            not_enabled_users,
            not_enabled_groups,
            deleted_users,
            deleted_functional,
            deleted_groups,
            administrators_without_mobile,
            others_without_mobile,
        } = *self;
        [
            ("users", users),
            ("groups", groups),
            ("functional", functional),
            ("billable", billable),
            ("active_users", active_users),
            ("active_groups", active_groups),
            ("skipped_users", skipped_users),
            ("skipped_groups", skipped_groups),
            ("not_enabled_users", not_enabled_users),
            ("not_enabled_groups", not_enabled_groups),
            ("deleted_users", deleted_users),
            ("deleted_functional", deleted_functional),
            ("deleted_groups", deleted_groups),
            ("administrators_without_mobile", administrators_without_mobile),
            ("others_without_mobile", others_without_mobile),
        ]
    }

    /// Add `sign` times another.
    pub fn add(&mut self, other: Self, sign: i64) {
        self.users += sign * other.users;
        self.groups += sign * other.groups;
        self.functional += sign * other.functional;
        self.billable += sign * other.billable;
        self.active_users += sign * other.active_users;
        self.active_groups += sign * other.active_groups;
        self.skipped_users += sign * other.skipped_users;
        self.skipped_groups += sign * other.skipped_groups;
        self.not_enabled_users += sign * other.not_enabled_users;
        self.not_enabled_groups += sign * other.not_enabled_groups;
        self.deleted_users += sign * other.deleted_users;
        self.deleted_functional += sign * other.deleted_functional;
        self.deleted_groups += sign * other.deleted_groups;
        self.administrators_without_mobile += sign * other.administrators_without_mobile;
        self.others_without_mobile += sign * other.others_without_mobile;
    }
}

/// An entry of a stored plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A unit: changes that belong together, and the objects that may lose an address to them.
    Unit {
        /// The changes.
        changes: Vec<Planned>,
        /// Everybody else of the unit who is here.
        bystanders: Vec<Local>,
        /// For a change of a group: whether it would empty the group (rule 4.8).
        #[serde(default)]
        empties: bool,
        /// Those that failed before, by Entra's id: their standing verdict goes when they succeed.
        #[serde(default)]
        waiting: Vec<ObjectId>,
    },
    /// Left alone, under settings of this run only: other runs have it as a standing verdict.
    Skipped(Skipped),
    /// Not enabled, under settings of this run only.
    NotEnabled(Box<Change>),
    /// A part of the membership changes that belong to the change of a group.
    Members {
        /// The change.
        change: String,
        /// Entra's id of the group.
        group: ObjectId,
        /// Our id of the group.
        local: ObjectId,
        /// Users who become members, by Entra's id.
        join: Vec<ObjectId>,
        /// Users who leave, by our id.
        leave: Vec<ObjectId>,
        /// Whether it belongs to a change that would empty the group.
        #[serde(default)]
        empties: bool,
    },
}

/// How far a chunk was carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChunkProgress {
    /// Entries done.
    pub through: usize,
    /// What became of changes that were not simply applied, and why.
    pub exceptions: BTreeMap<String, (Outcome, Option<String>)>,
    /// Entries of which the held changes were released.
    pub released: usize,
}

/// How many of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are the interface")]
pub struct RunCounts {
    pub adding: PerKind<u64>,
    pub updating: PerKind<u64>,
    pub disabling: PerKind<u64>,
    pub deleting: PerKind<u64>,
    pub skipped: PerKind<u64>,
    pub not_enabled: PerKind<u64>,
    pub failed: PerKind<u64>,
    pub stale: PerKind<u64>,
}

/// What the brake holds (rule 4.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    /// Users that would be disabled or deleted.
    pub users: u64,
    /// Groups that would be deleted.
    pub groups: u64,
    /// Groups that would be emptied.
    pub members: u64,
    /// The limits that were in force.
    pub limits: Value,
}

/// Billable users before and after, and the limit (rule 5.5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the interface")]
pub struct Billable {
    pub before: i64,
    pub after: i64,
    pub seats: Option<u32>,
}

/// Something to say that is not an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable, for programs.
    pub code: String,
    /// The sentence.
    pub message: String,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// A preview: the plan is stored, and nothing was changed.
    Planned,
    /// Done.
    Applied,
    /// Done, but for what the brake holds.
    Held,
    /// It could not do its work.
    Failed,
    /// It goes on by itself.
    Continuing,
}

/// What a run was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Plan and apply.
    Sync,
    /// Plan only.
    Preview,
    /// Carry out a stored plan.
    Apply,
    /// Carry out what another run held.
    Release,
}

/// What a run does next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum Phase {
    /// Read Entra.
    #[default]
    Pull,
    /// Evaluate the worklist, or everybody.
    Plan {
        /// Which kind.
        kind: Kind,
        /// The digit of the key range, where everybody is evaluated.
        shard: Option<char>,
        /// Go on behind this sort key.
        after: Option<String>,
    },
    /// Carry out the plan from this chunk on.
    Apply {
        /// Number of the chunk.
        chunk: u32,
    },
    /// Clear what was done from the worklist, and finish.
    Finish,
}

/// A run, from its start to 90 days after its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// Its name.
    pub run: RunId,
    /// `schedule` or `manual`.
    pub trigger: String,
    /// What it was asked to do.
    pub action: Action,
    /// Who asked.
    pub by: String,
    /// Where it stands.
    pub state: RunState,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    /// Requests made to Microsoft.
    pub requests: Requests,
    /// By category.
    pub counts: RunCounts,
    /// What the brake holds.
    #[serde(default)]
    pub held: Option<HeldBack>,
    /// Before and after.
    pub billable: Billable,
    /// What else to say.
    pub warnings: Vec<Warning>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<Failure>,
    /// What it does next.
    pub phase: Phase,
    /// Parts of the plan.
    pub chunks: u32,
    /// How many invocations worked on it.
    pub slices: u32,
    /// Settings for this run only (rule 4.4), laid over the saved ones.
    #[serde(default)]
    pub settings: Option<Value>,
    /// Collections of which a full read was asked for, and has not begun (rule 4.11).
    pub full: PerKind<bool>,
    /// Which collections were read in full (rule 4.9).
    pub complete: PerKind<bool>,
    /// What the brake looks at, summed up while planning.
    pub tally: Tally,
    /// Everybody is evaluated, as asked for up to this number; nothing where only the worklist is.
    pub everybody: PerKind<Option<u64>>,
    /// Evaluated ahead of their turn, together with others of their unit.
    pub ahead: BTreeSet<(Kind, ObjectId)>,
    /// Unregistered domains that a manual run met (rule 2.6).
    pub foreign: BTreeSet<String>,
    /// The worklist held something when the run looked: it is cleared at the end.
    pub worked: bool,
    /// The version of the settings that the plan was made under.
    pub settings_rev: u64,
    /// When the record is removed, in epoch seconds.
    pub ttl: i64,
}

impl Run {
    /// Whether there is nobody to evaluate and no plan to carry out.
    pub fn is_idle(&self) -> bool {
        !self.worked && self.chunks == 0 && self.everybody == PerKind::default()
    }
}

/// What a plan amounts to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Users that would be disabled or deleted, and groups that would be deleted.
    pub brakes: PerKind<u64>,
    /// Groups that would be emptied.
    pub empties: u64,
    /// Billable users more or fewer.
    pub seats: i64,
    /// Skipped and not enabled under settings of this run only.
    pub skipped: PerKind<u64>,
    /// See `skipped`.
    pub not_enabled: PerKind<u64>,
}

/// An exemption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exemption {
    /// The address.
    pub address: Address,
    /// Since when.
    pub at: Timestamp,
    /// Who asked.
    pub by: String,
}

/// An entry of the audit: who changed what, when, from what to what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// When.
    pub at: Timestamp,
    /// Who asked.
    pub by: String,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub what: String,
    /// Before.
    #[serde(default)]
    pub from: Value,
    /// After.
    #[serde(default)]
    pub to: Value,
}
