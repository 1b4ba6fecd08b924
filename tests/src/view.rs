//! The directory as people see it, without revisions and times, so that two ways to the same place compare.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use directory::{Group, Kind, ObjectId, TenantId, User, UserType};
use engine::{ports::Table, records::read};
use jiff::Timestamp;

use crate::tables::Items;

/// Users, groups and members of one tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// By our id, with revision 0 and, where marked as deleted, at the epoch.
    pub users: BTreeMap<ObjectId, User>,
    /// As the users.
    pub groups: BTreeMap<ObjectId, Group>,
    /// Group, then its users, by our ids.
    pub members: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
}

impl View {
    /// What the tables hold.
    pub fn of(items: &Items, tenant: &TenantId) -> Self {
        let mut view = Self::default();
        for (key, item) in items.iter().filter(|(key, _)| key.table == Table::Directory) {
            let parts: Vec<&str> = key.pk.split('#').collect();
            if parts.get(1) != Some(&tenant.as_str()) {
                continue;
            }
            let id = || ObjectId::try_from(key.sk.as_str()).expect("an id");
            match parts.as_slice() {
                ["U", ..] => {
                    let mut user: User = read("a user", item.clone()).expect("a user");
                    (user.rev, user.deleted_at) = (0, user.deleted_at.map(|_| Timestamp::UNIX_EPOCH));
                    view.users.insert(id(), user);
                }
                ["G", ..] => {
                    let mut group: Group = read("a group", item.clone()).expect("a group");
                    (group.rev, group.deleted_at) = (0, group.deleted_at.map(|_| Timestamp::UNIX_EPOCH));
                    view.groups.insert(id(), group);
                }
                ["GM", _, group] => {
                    let group = ObjectId::try_from(*group).expect("a group");
                    view.members.entry(group).or_default().insert(id());
                }
                _ => (),
            }
        }
        view
    }

    /// How many objects of a kind there are.
    pub fn number(&self, kind: Kind) -> usize {
        match kind {
            Kind::User => self.users.len(),
            Kind::Group => self.groups.len(),
        }
    }
}

impl fmt::Display for View {
    /// One line for each object: `ann: ann@contoso.com + a@contoso.com, The ann` and what is not as usual.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for (id, user) in &self.users {
            let mut line = format!("{id}: {}", shown(&user.addresses));
            line += &format!(", {}", user.profile.display_name.as_deref().unwrap_or("-"));
            match user.kind {
                UserType::EndUser => (),
                UserType::SilentUser => line += ", silent",
                UserType::FunctionalAccount => line += ", functional",
                UserType::OrganizationAdmin => line += ", admin",
            }
            if user.managed_by == directory::ManagedBy::Hand {
                line += ", by hand";
            }
            if user.deleted_at.is_some() {
                line += ", deleted";
            } else if !user.is_active {
                line += ", inactive";
            }
            lines.push(line);
        }
        for (id, group) in &self.groups {
            let members =
                self.members.get(id).into_iter().flatten().map(ObjectId::as_str).collect::<Vec<_>>().join(" ");
            let deleted = if group.deleted_at.is_some() { ", deleted" } else { "" };
            lines.push(format!("{id}: {}, {}: [{members}]{deleted}", shown(&group.addresses), group.name));
        }
        write!(f, "{}", lines.join("\n"))
    }
}

fn shown(addresses: &directory::Addresses) -> String {
    let mut text = addresses.primary.as_ref().map_or("-", |primary| primary.as_str()).to_owned();
    for alias in &addresses.aliases {
        text += &format!(" + {alias}");
    }
    text
}
