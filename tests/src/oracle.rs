//! What a directory must be, worked out in the most naive way from Entra as it is now: an oracle beside the rulebook.
//!
//! It knows nothing of the past. For an empty directory its answer is complete; for one that was synchronised before it
//! says of each object of Entra what must be true of it whatever happened before ([`Oracle::check`]).

use std::collections::BTreeSet;

use directory::{
    Address, Addresses, BlockedSignIn, Domain, Group, GroupKind, Kind, ManagedBy, MemberKind, NewUserRole, ObjectId,
    Profile, Settings, User, UserType,
};
use serde_json::Value;

use crate::{
    entra::{Life, Properties, State, proxies},
    view::View,
};

/// Entra, settings and exemptions.
#[derive(Debug)]
pub struct Oracle<'a> {
    /// Entra.
    pub entra: &'a State,
    /// The tenant's settings.
    pub settings: &'a Settings,
    /// Exempt addresses.
    pub exempt: &'a BTreeSet<Address>,
    /// The number of the connection.
    pub connection: u32,
}

/// What the rules want of an object, whatever the directory holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Want<T> {
    /// Like this.
    Here(T),
    /// Inactive if it is here, else nowhere (rule 2.7).
    Disabled(T),
    /// As it was, or not at all.
    Left,
}

impl Oracle<'_> {
    /// The directory after a first sync.
    pub fn first(&self) -> View {
        let mut view = View::default();
        for (id, properties) in self.live(Kind::User) {
            if let (Want::Here(user), true) = (self.user(id, properties), self.settings.add_users) {
                view.users.insert(id.clone(), user);
            }
        }
        for (id, properties) in self.live(Kind::Group) {
            if let (Want::Here(mut group), true) = (self.group(id, properties), self.settings.add_groups) {
                let members: BTreeSet<ObjectId> =
                    self.flatten(id).into_iter().filter(|member| view.users.contains_key(member)).collect();
                group.member_count = members.len() as u64;
                if !members.is_empty() {
                    view.members.insert(id.clone(), members);
                }
                view.groups.insert(id.clone(), group);
            }
        }
        view
    }

    /// What is wrong with a directory that was synchronised just now, whatever was before; all switches are on and the
    /// brake is off.
    pub fn check(&self, view: &View) -> Vec<String> {
        let mut wrong = Vec::new();
        let kept = self.kept_by_exemption(view);
        for (id, properties) in self.live(Kind::User) {
            let here = view.users.get(id);
            let wanted = self.user(id, properties);
            let exempt = here.is_some_and(|here| self.is_exempt(&here.addresses));
            if exempt || claims(properties).iter().any(|address| kept.contains(address)) {
                continue;
            }
            match wanted {
                Want::Here(user) => match here {
                    None => wrong.push(format!(
                        "user {id} is missing: {}",
                        user.addresses.primary.as_ref().map_or("-", |p| p.as_str())
                    )),
                    Some(here) => wrong.extend(unlike(&user, here).map(|what| format!("user {id}: {what}"))),
                },
                Want::Disabled(user) => {
                    if let Some(here) = here.filter(|here| here.deleted_at.is_none()) {
                        let active = here.kind == UserType::FunctionalAccount;
                        let user = User { is_active: active, kind: here.kind, ..user };
                        wrong.extend(unlike(&user, here).map(|what| format!("user {id}: {what}")));
                    }
                }
                Want::Left => (),
            }
        }
        for (id, properties) in self.live(Kind::Group) {
            let exempt = view.groups.get(id).is_some_and(|here| self.is_exempt(&here.addresses));
            if exempt || claims(properties).iter().any(|address| kept.contains(address)) {
                continue;
            }
            if let Want::Here(group) = self.group(id, properties) {
                match view.groups.get(id) {
                    None => wrong.push(format!("group {id} is missing")),
                    Some(here) => {
                        let group = Group { member_count: here.member_count, ..group };
                        if *here != group {
                            wrong.push(format!("group {id} is {here:?}, not {group:?}"));
                        }
                        self.check_members(id, view, &mut wrong);
                    }
                }
            }
        }
        for (id, user) in &view.users {
            let gone = self.entra.things.get(id).is_none_or(|thing| thing.life() != Life::Live);
            let exempt = self.is_exempt(&user.addresses) || self.lists_exempt(id);
            // Of a kind that is off nobody is deleted (rule 2.1).
            let kept = exempt || !self.settings.sync_active_users;
            if gone && !kept && user.deleted_at.is_none() && user.managed_by == ManagedBy::Sync {
                wrong.push(format!("user {id} is gone in Entra, and still here"));
            }
            if user.deleted_at.is_some() && user.is_active {
                wrong.push(format!("user {id} is marked as deleted, and active"));
            }
        }
        for (id, group) in &view.groups {
            let gone = self.entra.things.get(id).is_none_or(|thing| thing.life() != Life::Live);
            let exempt = self.is_exempt(&group.addresses) || self.lists_exempt(id);
            let kept = exempt || !self.maintains(group.kind);
            if gone && !kept && group.deleted_at.is_none() && group.managed_by == ManagedBy::Sync {
                wrong.push(format!("group {id} is gone in Entra, and still here"));
            }
        }
        wrong
    }

    fn check_members(&self, group: &ObjectId, view: &View, wrong: &mut Vec<String>) {
        let of_entra = self.flatten(group);
        let empty = BTreeSet::new();
        let here = view.members.get(group).unwrap_or(&empty);
        for (id, user) in &view.users {
            let live = self.entra.things.get(id).is_some_and(|thing| thing.life() == Life::Live);
            let belongs = user.deleted_at.is_none() && of_entra.contains(id);
            if (live || user.deleted_at.is_some()) && belongs != here.contains(id) {
                wrong.push(format!("user {id} {} a member of {group}", if belongs { "is not" } else { "is" }));
            }
        }
        for id in here.iter().filter(|id| !view.users.contains_key(*id)) {
            wrong.push(format!("user {id} is a member of {group}, and not here"));
        }
    }

    fn live(&self, kind: Kind) -> impl Iterator<Item = (&ObjectId, &Properties)> {
        let things =
            self.entra.things.iter().filter(move |(_, thing)| thing.kind == kind && thing.life() == Life::Live);
        things.filter_map(|(id, thing)| thing.history.last().map(|(_, _, properties)| (id, properties)))
    }

    fn is_exempt(&self, addresses: &Addresses) -> bool {
        addresses.all().any(|address| self.exempt.contains(address))
    }

    fn lists_exempt(&self, id: &ObjectId) -> bool {
        let thing = self.entra.things.get(id);
        thing.is_some_and(|thing| claims(&thing.properties()).iter().any(|address| self.exempt.contains(address)))
    }

    /// Addresses that an exempt object holds, which nobody else gets.
    fn kept_by_exemption(&self, view: &View) -> BTreeSet<Address> {
        let users = view.users.iter().map(|(id, user)| (id, &user.addresses));
        let groups = view.groups.iter().map(|(id, group)| (id, &group.addresses));
        let exempt = |(id, own): &(&ObjectId, &Addresses)| {
            own.all().any(|address| self.exempt.contains(address)) || self.lists_exempt(id)
        };
        users.chain(groups).filter(exempt).flat_map(|(_, own)| own.all().cloned()).collect()
    }

    fn user(&self, id: &ObjectId, properties: &Properties) -> Want<User> {
        let text = |name: &str| properties.get(name).and_then(Value::as_str).map(str::to_owned);
        let Some(addresses) = self.addresses(properties) else { return Want::Left };
        let guest = text("userType").as_deref() == Some("Guest");
        let exempt = claims(properties).iter().any(|address| self.exempt.contains(address));
        if !self.settings.sync_active_users || (guest && !self.settings.sync_guests) || exempt {
            return Want::Left;
        }
        let blocked = properties.get("accountEnabled") == Some(&Value::Bool(false));
        let functional = blocked && self.settings.blocked_sign_in == BlockedSignIn::FunctionalAccount;
        let end_user = self.settings.default_user_role_name == NewUserRole::EndUser;
        let phones = properties.get("businessPhones").and_then(|phones| phones.get(0)).and_then(Value::as_str);
        let user = User {
            id: id.clone(),
            entra_id: Some(id.clone()),
            addresses,
            profile: Profile {
                firstname: text("givenName"),
                surname: text("surname"),
                display_name: text("displayName"),
                job_title: text("jobTitle"),
                department: text("department"),
                mobile: text("mobilePhone"),
                phone: phones.map(str::to_owned),
                language: text("preferredLanguage"),
                upn: text("userPrincipalName"),
            },
            kind: match (functional, end_user) {
                (true, _) => UserType::FunctionalAccount,
                (false, true) => UserType::EndUser,
                (false, false) => UserType::SilentUser,
            },
            digests: end_user && !functional,
            is_active: true,
            managed_by: ManagedBy::Sync,
            deleted_at: None,
            rev: 0,
            connection: self.connection,
            signs_in_as: None,
        };
        if blocked && self.settings.blocked_sign_in == BlockedSignIn::Disable {
            Want::Disabled(user)
        } else {
            Want::Here(user)
        }
    }

    fn group(&self, id: &ObjectId, properties: &Properties) -> Want<Group> {
        let is = |name: &str| properties.get(name) == Some(&Value::Bool(true));
        let unified = properties
            .get("groupTypes")
            .and_then(Value::as_array)
            .is_some_and(|types| types.contains(&Value::from("Unified")));
        let kind = match (unified, is("securityEnabled")) {
            (true, _) => GroupKind::Microsoft365,
            (false, true) => GroupKind::Security,
            (false, false) => GroupKind::Distribution,
        };
        let on = self.maintains(kind);
        let exempt = claims(properties).iter().any(|address| self.exempt.contains(address));
        let nameless = kind == GroupKind::Security && claims(properties).is_empty();
        let addresses = if nameless { Some(Addresses::default()) } else { self.addresses(properties) };
        let (true, false, Some(addresses)) = (on, exempt, addresses) else { return Want::Left };
        let name = properties.get("displayName").and_then(Value::as_str).unwrap_or_default().to_owned();
        Want::Here(Group {
            id: id.clone(),
            entra_id: Some(id.clone()),
            name,
            addresses,
            kind,
            member_count: 0,
            managed_by: ManagedBy::Sync,
            deleted_at: None,
            rev: 0,
            connection: self.connection,
        })
    }

    fn maintains(&self, kind: GroupKind) -> bool {
        match kind {
            GroupKind::Security => self.settings.sync_security_groups,
            GroupKind::Distribution | GroupKind::Microsoft365 => self.settings.sync_distribution_groups,
        }
    }

    /// Primary and aliases on registered domains; nothing where the primary is on none.
    fn addresses(&self, properties: &Properties) -> Option<Addresses> {
        let smtp: Vec<String> =
            proxies(properties).into_iter().filter(|entry| entry.to_ascii_lowercase().starts_with("smtp:")).collect();
        let primary = smtp.iter().find(|entry| entry.starts_with("SMTP:")).or(smtp.first())?;
        let parse = |entry: &String| Address::parse(&entry[5..]).ok();
        let registered = |address: &Address| {
            let domain: Domain = address.domain();
            self.settings.domains.iter().any(|own| own.name == domain)
        };
        let primary = parse(primary).filter(registered)?;
        let aliases: BTreeSet<Address> =
            smtp.iter().filter_map(parse).filter(registered).filter(|alias| *alias != primary).collect();
        Some(Addresses { primary: Some(primary), aliases })
    }

    /// Everybody in a group, through every group that is there, until nobody is added any more.
    fn flatten(&self, group: &ObjectId) -> BTreeSet<ObjectId> {
        let mut groups = BTreeSet::from([group.clone()]);
        let mut users = BTreeSet::new();
        loop {
            let before = (groups.len(), users.len());
            for ((from, member), link) in self.entra.memberships.iter().filter(|(_, link)| link.present) {
                let there = self.entra.things.get(from).is_some_and(|thing| thing.life() == Life::Live);
                if there && groups.contains(from) {
                    match link.kind {
                        MemberKind::User => drop(users.insert(member.clone())),
                        MemberKind::Group => drop(groups.insert(member.clone())),
                        MemberKind::Other => (),
                    }
                }
            }
            if before == (groups.len(), users.len()) {
                return users;
            }
        }
    }
}

/// Every address that Entra gives an object.
fn claims(properties: &Properties) -> BTreeSet<Address> {
    let smtp = proxies(properties).into_iter().filter(|entry| entry.to_ascii_lowercase().starts_with("smtp:"));
    smtp.filter_map(|entry| Address::parse(&entry[5..]).ok()).collect()
}

/// How a user that is here is unlike what it should be; type and digests are set once, and a functional account stays one.
fn unlike(wanted: &User, here: &User) -> Option<String> {
    let mut wanted = wanted.clone();
    if wanted.kind != UserType::FunctionalAccount {
        (wanted.kind, wanted.digests) = (here.kind, here.digests);
    }
    wanted.digests = here.digests;
    (wanted != *here).then(|| format!("is {here:?}\n  not {wanted:?}"))
}
