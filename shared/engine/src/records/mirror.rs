//! What Entra last said, how far it was read, and who owns an address.

use std::collections::{BTreeMap, BTreeSet};

use directory::{Entra, EntraGroup, EntraUser, Kind, MemberKind, ObjectId, Removal, Settings, scope};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{read, write};
use crate::ports::{Fault, Item};

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
    /// Something of the round could not be read and it is not known what, so that nobody can be taken for unseen.
    pub nameless: bool,
    /// Objects that could not be read, and why: each is read again with growing pauses (rule 3.7).
    pub unreadable: BTreeMap<String, String>,
    /// How often a collection was read again because of them.
    pub rereads: u32,
    /// When it is read again, in epoch seconds.
    pub reread_at: Option<i64>,
    /// The full round is read, and its unseen objects are to be marked as gone.
    pub sweep: bool,
    /// How far that has come: a digit, and the last object under it.
    pub swept: Option<(char, Option<String>)>,
}

/// So many objects that could not be read are remembered by name.
const MOST_UNREADABLE: usize = 50;

impl Cursor {
    /// A full round from its first page on.
    #[must_use]
    pub fn begin_full(&self) -> Self {
        Self {
            connection: self.connection,
            round: self.round + 1,
            first_round: self.first_round,
            full: true,
            select: self.select.clone(),
            rereads: self.rereads,
            ..Self::default()
        }
    }

    /// The round under way, from its beginning.
    #[must_use]
    pub fn begin_again(self) -> Self {
        if self.full { self.begin_full() } else { Self { page: None, pages: 0, last_page: String::new(), ..self } }
    }

    /// Remember an object that could not be read. One without an id, or one too many, makes everybody uncertain.
    pub fn cannot_read(&mut self, id: &str, why: &str) {
        self.nameless |= ObjectId::try_from(id).is_err() || self.unreadable.len() == MOST_UNREADABLE;
        if self.unreadable.len() < MOST_UNREADABLE {
            if !self.full && !self.unreadable.contains_key(id) {
                (self.rereads, self.reread_at) = (0, None);
            }
            self.unreadable.insert(id.to_owned(), why.to_owned());
        }
    }

    /// The round has ended: what could not be read is read again with the next run, then after 6, 12 and 24 hours, then
    /// daily.
    pub fn end_round(&mut self, now: Timestamp) {
        if self.unreadable.is_empty() {
            (self.rereads, self.reread_at) = (0, None);
        } else if self.full || self.reread_at.is_none() {
            let hours = [0, 6, 12].get(self.rereads as usize).copied().unwrap_or(24);
            self.rereads += 1;
            self.reread_at = Some(now.as_second() + hours * 3600);
        }
        self.nameless &= self.full;
    }
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

    /// Whether it is a user whose kind of mailbox is still to be asked for (rule 5.2).
    pub fn lacks_mailbox_kind(&self, settings: &Settings) -> bool {
        let Entra::User(user) = &self.entra else { return false };
        self.removed.is_none() && scope::lacks_mailbox_kind(user, settings)
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

/// A hash of what Entra says of an object. The kind of a mailbox is left out: it is known sooner or later.
pub fn said(entra: &Entra, removed: Option<Removal>) -> String {
    let mut entra = entra.clone();
    if let Entra::User(user) = &mut entra {
        user.mailbox_kind = None;
    }
    blake3::hash(format!("{entra:?}{removed:?}").as_bytes()).to_hex()[..16].to_owned()
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
