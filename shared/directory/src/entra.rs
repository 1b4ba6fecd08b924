//! What Entra last told us of a user or group, before any rule: the mirror.

use serde::{Deserialize, Serialize};

use crate::{MailboxKind, ObjectId};

/// A property as a Graph answer has it: left out, cleared, or set (the page "Use delta query").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Told<T> {
    /// Left out: never set, or not part of this answer.
    #[default]
    Nothing,
    /// `null`: cleared.
    Null,
    /// A value.
    Value(T),
}

impl<T: Clone> Told<T> {
    /// Lay this over what was known. A complete answer (`whole`) clears what it leaves out.
    fn over(&self, known: &mut Option<T>, whole: bool) {
        match self {
            Self::Nothing if !whole => (),
            Self::Nothing | Self::Null => *known = None,
            Self::Value(value) => *known = Some(value.clone()),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Told<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(from).map(|value| value.map_or(Self::Null, Self::Value))
    }
}

macro_rules! mirrored {
    ($(#[$doc:meta])* $object:ident, $(#[$told_doc:meta])* $told:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty = $name:literal),* $(,)? } $(beside { $($(#[$own_doc:meta])* $own:ident: $own_kind:ty),* })?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $object {
            $($(#[$field_doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$kind>,)*
            $($($(#[$own_doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $own: Option<$own_kind>,)*)?
        }

        $(#[$told_doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
        #[serde(default)]
        pub struct $told {
            $($(#[$field_doc])* #[serde(rename = $name)] pub $field: Told<$kind>,)*
        }

        impl $told {
            /// The `$select` that asks for these properties, `id` first.
            pub const SELECT: &'static str = concat!("id" $(, ",", $name)*);

            /// Lay what was told over what is known; a complete answer (`whole`) clears what it leaves out.
            pub fn over(&self, known: &mut $object, whole: bool) {
                $(self.$field.over(&mut known.$field, whole);)*
            }
        }
    };
}

mirrored! {
    /// A user as Entra has it.
    EntraUser,
    /// A user as one Graph answer tells it.
    UserTold {
        /// User principal name.
        upn: String = "userPrincipalName",
        /// Display name.
        display_name: String = "displayName",
        /// First name.
        given_name: String = "givenName",
        /// Last name.
        surname: String = "surname",
        /// The SMTP address that Entra shows.
        mail: String = "mail",
        /// Every address with its scheme; `SMTP:` in capitals is the primary one.
        proxy_addresses: Vec<String> = "proxyAddresses",
        /// Whether sign-in is allowed.
        account_enabled: bool = "accountEnabled",
        /// `Member` or `Guest`.
        user_type: String = "userType",
        /// Mobile number.
        mobile: String = "mobilePhone",
        /// Business numbers; Entra keeps at most one.
        business_phones: Vec<String> = "businessPhones",
        /// Job title.
        job_title: String = "jobTitle",
        /// Department.
        department: String = "department",
        /// Preferred language, such as `en-US`.
        language: String = "preferredLanguage",
    } beside {
        /// What its mailbox is for, once it was asked for; unknown again when anything of the user changes (rule 5.2).
        mailbox_kind: MailboxKind
    }
}

mirrored! {
    /// A group as Entra has it, without its members.
    EntraGroup,
    /// A group as one Graph answer tells it.
    GroupTold {
        /// Display name.
        display_name: String = "displayName",
        /// The SMTP address that Entra shows.
        mail: String = "mail",
        /// Every address with its scheme.
        proxy_addresses: Vec<String> = "proxyAddresses",
        /// Receives mail.
        mail_enabled: bool = "mailEnabled",
        /// Can carry permissions.
        security_enabled: bool = "securityEnabled",
        /// Holds `Unified` for Microsoft 365 groups.
        group_types: Vec<String> = "groupTypes",
        /// `HiddenMembership` hides the members from us.
        visibility: String = "visibility",
    }
}

/// How Entra says that an object is gone (`@removed.reason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// In the recycle bin: may be restored, and keeps its memberships silently.
    Soft,
    /// Gone for good.
    Hard,
}

/// A member of a group as Graph names it. Only users and groups matter; others are counted as left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberKind {
    /// A user.
    User,
    /// A group inside a group.
    Group,
    /// A device, contact or service principal.
    Other,
}

/// One thing that a page of Graph says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// A user, new or changed.
    User {
        /// Entra's object id.
        id: ObjectId,
        /// What was told.
        told: UserTold,
    },
    /// A group, new or changed, with a slice of its membership changes.
    Group {
        /// Entra's object id.
        id: ObjectId,
        /// What was told.
        told: GroupTold,
        /// Member, its kind, and whether it is (`true`) or no longer is (`false`) a member.
        members: Vec<(ObjectId, MemberKind, bool)>,
    },
    /// An object that is gone.
    Removed {
        /// Entra's object id.
        id: ObjectId,
        /// For how long.
        how: Removal,
    },
    /// Something that could not be read. It is reported, and the rest goes on.
    Unreadable {
        /// The id as Microsoft wrote it, cut to 64 characters, where there was one.
        id: String,
        /// What is wrong with it.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_null_and_value_differ() {
        let known = EntraUser { surname: Some("Vance".into()), mobile: Some("1".into()), ..EntraUser::default() };
        let told: UserTold = serde_json::from_str(r#"{"mobilePhone": null, "givenName": "Adele"}"#).unwrap();
        let mut after = known.clone();
        told.over(&mut after, false);
        assert_eq!(
            (after.surname.as_deref(), after.mobile, after.given_name.as_deref()),
            (Some("Vance"), None, Some("Adele"))
        );
        let mut after = known;
        told.over(&mut after, true);
        assert_eq!(after.surname, None, "a complete answer clears what it leaves out");
    }

    #[test]
    fn the_select_is_the_tracking_set() {
        assert!(UserTold::SELECT.starts_with("id,userPrincipalName,"));
        assert!(GroupTold::SELECT.ends_with(",visibility"));
    }
}
