//! What a mailbox is for (rule 5.2).

use serde::{Deserialize, Serialize};

/// What a mailbox is for, as Entra's directory says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailboxKind {
    /// A person's.
    User,
    /// Shared by several people.
    Shared,
    /// A room's.
    Room,
    /// A piece of equipment's.
    Equipment,
    /// Anything else, or no mailbox that can be asked.
    Other,
}

impl MailboxKind {
    /// Whether nobody signs in to it: its user becomes a functional account.
    pub fn is_functional(self) -> bool {
        matches!(self, Self::Shared | Self::Room | Self::Equipment)
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "a person's mailbox",
            Self::Shared => "a shared mailbox",
            Self::Room => "a room",
            Self::Equipment => "equipment",
            Self::Other => "no kind of mailbox that matters",
        }
    }
}
