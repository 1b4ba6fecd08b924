//! Names of tenants, objects and runs, checked once at the border.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A customer organisation: 1 to 40 of `a-z 0-9 -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(String);

/// The id of a user or group, Entra's or our own: 1 to 64 of `A-Z a-z 0-9 . _ -`.
///
/// Entra's are GUIDs (the page "user resource type"); a created object keeps Entra's id as its own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId(Box<str>);

/// A run, named by a ULID, so that runs sort by their start.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// Text that is not the id it should be. Says what is expected, and shows at most the first 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} is not {expected}")]
pub struct BadId {
    shown: String,
    expected: &'static str,
}

impl BadId {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { shown: text.chars().take(64).collect(), expected }
    }
}

impl TryFrom<String> for TenantId {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=40).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text))
        } else {
            Err(BadId::new(&text, "a tenant id: 1 to 40 of a-z, 0-9 and -"))
        }
    }
}

impl TryFrom<String> for ObjectId {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        Self::try_from(text.as_str())
    }
}

impl TryFrom<&str> for ObjectId {
    type Error = BadId;
    fn try_from(text: &str) -> Result<Self, BadId> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.into()))
        } else {
            Err(BadId::new(text, "an object id: 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'"))
        }
    }
}

impl TryFrom<String> for RunId {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        if text.len() == 26 && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) {
            Ok(Self(text))
        } else {
            Err(BadId::new(&text, "a run id: the 26 characters that a run's answer names"))
        }
    }
}

macro_rules! text {
    ($($id:ty),*) => {$(
        impl $id {
            /// The id as text.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl From<$id> for String {
            fn from(id: $id) -> Self { id.0.into() }
        }
        impl std::str::FromStr for $id {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> { Self::try_from(text.to_owned()) }
        }
    )*};
}
text!(TenantId, ObjectId, RunId);

/// What kind of object an id names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person, a room, a shared mailbox.
    User,
    /// A distribution list, security group or Microsoft 365 group.
    Group,
}

impl Kind {
    /// Both, in the order in which runs treat them: a group's members are users.
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// `user` or `group`.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }
}

/// One of two values, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PerKind<T> {
    /// For users.
    pub users: T,
    /// For groups.
    pub groups: T,
}

impl<T> std::ops::Index<Kind> for PerKind<T> {
    type Output = T;
    fn index(&self, kind: Kind) -> &T {
        match kind {
            Kind::User => &self.users,
            Kind::Group => &self.groups,
        }
    }
}

impl<T> std::ops::IndexMut<Kind> for PerKind<T> {
    fn index_mut(&mut self, kind: Kind) -> &mut T {
        match kind {
            Kind::User => &mut self.users,
            Kind::Group => &mut self.groups,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s9_ids_are_checked_at_the_border() {
        for good in ["a", "contoso", "a-1", &"x".repeat(40)] {
            assert!(good.parse::<TenantId>().is_ok(), "{good}");
        }
        for bad in ["", "Contoso", "a#b", "a/b", "a b", "😀", &"x".repeat(41)] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad}");
        }
        for bad in ["", "a#b", "a/b", "😀", &"x".repeat(10_000)] {
            assert!(ObjectId::try_from(bad).is_err(), "{bad}");
        }
        let long = ObjectId::try_from("/".repeat(10_000).as_str()).unwrap_err();
        assert!(long.to_string().len() < 200, "an error does not repeat ten kilobytes");
    }
}
