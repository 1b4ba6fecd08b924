//! Random directories, changes and settings, for properties.

use directory::{Kind, ObjectId};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    entra::{DOMAIN, Entra, Life, bare},
    world::World,
};

/// A change that an administrator of Entra makes. Numbers pick among the objects that are there, so that every sequence
/// has a meaning.
#[derive(Debug, Clone)]
pub enum Op {
    /// A new person: which name, how many aliases.
    Hire(u8, u8),
    /// Another display name.
    Rename(u8, u8),
    /// Another primary address; the old one stays as an alias or goes.
    Readdress(u8, u8, bool),
    /// Two objects exchange their addresses: two users, or a user and a group.
    Swap(u8, u8, bool),
    /// An alias goes from one user to another.
    MoveAlias(u8, u8),
    /// A leaver's address goes to somebody else.
    Inherit(u8, u8),
    /// One more alias, or one on a domain that is not registered.
    Alias(u8, u8, bool),
    /// No addresses any more.
    Unmail(u8),
    /// Into the recycle bin.
    Bin(u8),
    /// Out of it.
    Restore(u8),
    /// Gone for good.
    Purge(u8),
    /// Sign-in blocked or allowed.
    SignIn(u8, bool),
    /// Guest or member.
    Guest(u8, bool),
    /// To a domain that is not registered, or back.
    Move(u8, bool),
    /// A new group: which kind.
    Group(u8, u8),
    /// Another name of a group.
    RenameGroup(u8, u8),
    /// A group is gone.
    DropGroup(u8),
    /// A user joins a group.
    Join(u8, u8),
    /// A group joins a group.
    Nest(u8, u8),
    /// A member leaves a group.
    Leave(u8, u8),
}

impl Op {
    /// Whether what was before can matter for what the directory is afterwards (rules 2.7 and 2.14; somebody
    /// may lose all addresses on registered domains).
    pub fn is_remembered(&self) -> bool {
        matches!(
            self,
            Self::SignIn(..) | Self::Guest(..) | Self::Move(..) | Self::Swap(_, _, true) | Self::Alias(_, _, true)
        )
    }

    /// Make the change, where there is somebody to make it to.
    pub fn make(&self, entra: &Entra) {
        let users = entra.live(Kind::User);
        let groups = entra.live(Kind::Group);
        let pick =
            |among: &[ObjectId], at: u8| (!among.is_empty()).then(|| among[usize::from(at) % among.len()].clone());
        let user = |at: u8| pick(&users, at);
        let group = |at: u8| pick(&groups, at);
        let _ = self.try_make(entra, &user, &group);
    }

    fn try_make(
        &self,
        entra: &Entra,
        user: &dyn Fn(u8) -> Option<ObjectId>,
        group: &dyn Fn(u8) -> Option<ObjectId>,
    ) -> Option<()> {
        match *self {
            Self::Hire(name, aliases) => {
                let number = entra.among(Kind::User, Life::Live).len()
                    + entra.among(Kind::User, Life::Binned).len()
                    + entra.among(Kind::User, Life::Gone).len();
                let mut own = vec![format!("SMTP:p{name}@{DOMAIN}")];
                own.extend((0..aliases % 3).map(|alias| format!("smtp:p{name}.{alias}@{DOMAIN}")));
                let taken = entra.taken(None);
                if !own.iter().any(|entry| taken.contains(&bare(entry))) {
                    let own: Vec<&str> = own.iter().map(String::as_str).collect();
                    entra.hire_as(&format!("u{number:02}"), &own);
                }
            }
            Self::Rename(at, name) => entra.rename(&user(at)?, &format!("Name {name}")),
            Self::Readdress(at, name, keep) => {
                let id = user(at)?;
                let primary = format!("SMTP:q{name}@{DOMAIN}");
                if entra.taken(Some(&id)).contains(&bare(&primary)) {
                    return None;
                }
                let mut own = vec![primary.clone()];
                let old = addresses(entra, &id).into_iter().filter(|entry| bare(entry) != bare(&primary));
                own.extend(
                    old.filter(|entry| keep || entry.starts_with("smtp:"))
                        .map(|entry| format!("smtp:{}", bare(&entry))),
                );
                put(entra, &id, &own);
            }
            Self::Swap(a, b, with_group) => {
                let (a, b) = (user(a)?, if with_group { group(b)? } else { user(b)? });
                if a != b {
                    entra.swap(&a, &b);
                }
            }
            Self::MoveAlias(a, b) => {
                let (a, b) = (user(a)?, user(b)?);
                let mut from = addresses(entra, &a);
                let at = from.iter().position(|entry| entry.starts_with("smtp:"))?;
                let alias = from.remove(at);
                put(entra, &a, &from);
                let mut to = addresses(entra, &b);
                to.push(alias);
                put(entra, &b, &to);
            }
            Self::Inherit(a, b) => {
                let (a, b) = (user(a)?, user(b)?);
                if a == b {
                    return None;
                }
                let old = addresses(entra, &a);
                entra.bin(&a);
                let mut own = addresses(entra, &b);
                own.extend(old.iter().map(|entry| format!("smtp:{}", bare(entry))));
                put(entra, &b, &own);
            }
            Self::Alias(at, name, foreign) => {
                let id = user(at)?;
                let alias = format!("smtp:a{name}@{}", if foreign { "elsewhere.example" } else { DOMAIN });
                if !entra.taken(None).contains(&bare(&alias)) {
                    let mut own = addresses(entra, &id);
                    own.push(alias);
                    put(entra, &id, &own);
                }
            }
            Self::Unmail(at) => put(entra, &user(at)?, &[]),
            Self::Bin(at) => entra.bin(&user(at)?),
            Self::Restore(at) => {
                let binned = entra.among(Kind::User, Life::Binned);
                let id = binned.get(usize::from(at) % binned.len().max(1))?;
                entra.restore(id);
            }
            Self::Purge(at) => {
                let binned = entra.among(Kind::User, Life::Binned);
                let id = binned.get(usize::from(at) % binned.len().max(1)).cloned();
                entra.purge(&id.or_else(|| user(at))?);
            }
            Self::SignIn(at, allowed) => entra.sign_in(&user(at)?, allowed),
            Self::Guest(at, guest) => entra.user_type(&user(at)?, if guest { "Guest" } else { "Member" }),
            Self::Move(at, away) => {
                let id = user(at)?;
                let mut own = addresses(entra, &id);
                let primary = own.iter_mut().find(|entry| entry.starts_with("SMTP:"))?;
                let local = bare(primary).split('@').next()?.to_owned();
                let moved = format!("SMTP:{local}@{}", if away { "elsewhere.example" } else { DOMAIN });
                if !entra.taken(Some(&id)).contains(&bare(&moved)) {
                    *primary = moved;
                    put(entra, &id, &own);
                }
            }
            Self::Group(name, kind) => {
                let number = [Life::Live, Life::Binned, Life::Gone]
                    .iter()
                    .map(|life| entra.among(Kind::Group, *life).len())
                    .sum::<usize>();
                let address = format!("SMTP:g{name}@{DOMAIN}");
                if entra.taken(None).contains(&bare(&address)) {
                    return None;
                }
                let (name, address) = (format!("g{number:02}"), [address.as_str()]);
                match kind % 4 {
                    0 => drop(entra.group(&name, &address, true, false, &[])),
                    1 => drop(entra.group(&name, &[], false, true, &[])),
                    2 => drop(entra.group(&name, &address, true, true, &[])),
                    _ => drop(entra.group(&name, &address, true, false, &["Unified"])),
                }
            }
            Self::RenameGroup(at, name) => entra.rename(&group(at)?, &format!("Group {name}")),
            Self::DropGroup(at) => entra.purge(&group(at)?),
            Self::Join(at, member) => entra.join(&group(at)?, &user(member)?),
            Self::Nest(at, member) => entra.join(&group(at)?, &group(member)?),
            Self::Leave(at, member) => {
                let group = group(at)?;
                let members = entra.members(&group);
                entra.leave(&group, members.get(usize::from(member) % members.len().max(1))?);
            }
        }
        Some(())
    }
}

fn addresses(entra: &Entra, id: &ObjectId) -> Vec<String> {
    serde_json::from_value(entra.property(id, "proxyAddresses")).unwrap_or_default()
}

fn put(entra: &Entra, id: &ObjectId, own: &[String]) {
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    entra.readdress(id, &own);
}

/// One change.
pub fn op() -> impl Strategy<Value = Op> {
    let n = || 0..12_u8;
    prop_oneof![
        6 => (n(), any::<u8>()).prop_map(|(a, b)| Op::Hire(a, b)),
        1 => (n(), n()).prop_map(|(a, b)| Op::Rename(a, b)),
        2 => (n(), 0..5_u8, any::<bool>()).prop_map(|(a, b, c)| Op::Readdress(a, b, c)),
        2 => (n(), n(), any::<bool>()).prop_map(|(a, b, c)| Op::Swap(a, b, c)),
        2 => (n(), n()).prop_map(|(a, b)| Op::MoveAlias(a, b)),
        2 => (n(), n()).prop_map(|(a, b)| Op::Inherit(a, b)),
        2 => (n(), n(), any::<bool>()).prop_map(|(a, b, c)| Op::Alias(a, b, c)),
        1 => n().prop_map(Op::Unmail),
        2 => n().prop_map(Op::Bin),
        2 => n().prop_map(Op::Restore),
        2 => n().prop_map(Op::Purge),
        2 => (n(), any::<bool>()).prop_map(|(a, b)| Op::SignIn(a, b)),
        2 => (n(), any::<bool>()).prop_map(|(a, b)| Op::Guest(a, b)),
        2 => (n(), any::<bool>()).prop_map(|(a, b)| Op::Move(a, b)),
        4 => (n(), n()).prop_map(|(a, b)| Op::Group(a, b)),
        1 => (n(), n()).prop_map(|(a, b)| Op::RenameGroup(a, b)),
        1 => n().prop_map(Op::DropGroup),
        6 => (n(), n()).prop_map(|(a, b)| Op::Join(a, b)),
        4 => (n(), n()).prop_map(|(a, b)| Op::Nest(a, b)),
        2 => (n(), n()).prop_map(|(a, b)| Op::Leave(a, b)),
    ]
}

/// Changes, one after another.
pub fn ops(most: usize) -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 1..most)
}

/// Settings that leave every switch on and the brake off; objects that are deleted are removed at once.
pub fn settings() -> impl Strategy<Value = Value> {
    let policy = prop::sample::select(vec!["disable", "functional_account", "ignore"]);
    let role = prop::sample::select(vec!["end_user", "silent_user"]);
    let days = prop::sample::select(vec![0, 30]);
    (any::<bool>(), any::<bool>(), policy, role, days).prop_map(|(security, guests, policy, role, days)| {
        json!({
            "sync_security_groups": security, "sync_guests": guests, "blocked_sign_in": policy,
            "default_user_role_name": role, "recovery_days": days, "brake": {"enabled": false},
        })
    })
}

/// How Graph answers.
pub fn manner() -> impl Strategy<Value = (usize, usize, bool, bool, bool)> {
    (1..8_usize, 1..4_usize, any::<bool>(), any::<bool>(), any::<bool>())
}

/// Take on a manner.
pub fn behave(world: &World, (page, slice, minimal, repeats, empty_pages): (usize, usize, bool, bool, bool)) {
    world.entra.manner(|manner| {
        (manner.page, manner.slice) = (page, slice);
        (manner.minimal, manner.repeats, manner.empty_pages) = (minimal, repeats, empty_pages);
    });
}
