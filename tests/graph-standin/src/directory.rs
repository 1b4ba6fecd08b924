//! One directory: its objects, its applications and the log of what happened to it.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{application::Application, policy::Policy};

/// The properties of an object by Microsoft's names, `id` not among them.
pub type Properties = Map<String, Value>;

/// A directory (a tenant of Entra).
#[derive(Clone, Debug)]
pub struct Directory {
    /// The tenant's GUID.
    pub id: Uuid,
    /// The short name by which control addresses and library calls know it.
    pub name: String,
    /// The organisation's name.
    pub display_name: String,
    /// Verified domains, the default one first. Sign-in accepts each in place of the GUID.
    pub domains: Vec<String>,
    /// The cloud where it lives. Tokens of another are refused then; `None` accepts all.
    pub cloud: Option<Cloud>,
    /// Applications that can sign in.
    pub applications: Vec<Application>,
    /// What it allows of new credentials.
    pub policy: Policy,
    pub(crate) users: Objects,
    pub(crate) groups: Objects,
    pub(crate) log: Vec<Entry>,
    /// Which life of the directory's delta state this is. Tokens of an earlier one are expired.
    pub(crate) generation: u64,
}

/// Microsoft's national clouds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Cloud {
    Global,
    UsGov,
    UsGovDod,
    China,
}

/// The two kinds of object that delta tracks here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    User,
    Group,
}

/// Objects of one kind in the order of their creation, which is the order of pages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects {
    pub(crate) all: Vec<Object>,
    index: HashMap<Uuid, usize>,
}

/// A user or group. The properties are kept as JSON text, which is small and cheap to copy.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) id: Uuid,
    pub(crate) text: Arc<str>,
    pub(crate) life: Life,
    /// Grows only: who left stays as a past member, so that a position in it stays true while pages are read.
    pub(crate) members: Vec<Link>,
}

/// Where an object is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Here,
    /// In deleted items; can be restored.
    Deleted,
    Gone,
}

/// A membership, present or past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) id: Uuid,
    pub(crate) kind: MemberKind,
    pub(crate) past: bool,
}

/// What a member of a group can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum MemberKind {
    User,
    Group,
    Device,
    OrgContact,
    ServicePrincipal,
}

/// One line of the log. Its index is the time of delta tokens.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) position: usize,
    pub(crate) what: What,
}

/// What happened to an object.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// Created or restored: everything about it is news.
    Appeared,
    Changed(Vec<String>),
    /// Deleted or purged: nothing but its id is left to tell.
    Disappeared,
    Member(Link),
}

impl Objects {
    pub(crate) fn get(&self, id: Uuid) -> Option<&Object> {
        self.position(id).and_then(|position| self.all.get(position))
    }

    pub(crate) fn position(&self, id: Uuid) -> Option<usize> {
        self.index.get(&id).copied()
    }

    /// Append an object, or `None` when the id is taken.
    pub(crate) fn push(&mut self, id: Uuid, properties: &impl Serialize, members: Vec<Link>) -> Option<usize> {
        if self.index.contains_key(&id) {
            return None;
        }
        let text = serde_json::to_string(properties).ok()?;
        let position = self.all.len();
        self.all.push(Object { id, text: text.into(), life: Life::Here, members });
        self.index.insert(id, position);
        Some(position)
    }

    /// Those that lists and counts show.
    pub(crate) fn here(&self) -> impl Iterator<Item = (usize, &Object)> {
        self.all.iter().enumerate().filter(|(_, object)| object.life == Life::Here)
    }

    /// The first that is not gone and has this id, principal name, address or display name.
    pub(crate) fn find(&self, who: &str) -> Option<usize> {
        if let Ok(id) = Uuid::try_parse(who) {
            return self.position(id);
        }
        let wanted = serde_json::to_string(who).ok()?.to_lowercase();
        self.all.iter().position(|object| {
            object.life != Life::Gone
                && object.text.to_lowercase().contains(&wanted)
                && ["userPrincipalName", "mail", "displayName", "mailNickname"].iter().any(|name| {
                    let properties = object.properties();
                    let value = properties.get(*name).and_then(Value::as_str);
                    value.is_some_and(|value| value.to_lowercase() == who.to_lowercase())
                })
        })
    }
}

impl Object {
    pub(crate) fn properties(&self) -> Properties {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl MemberKind {
    /// `#microsoft.graph.user` and so on.
    pub(crate) fn odata_type(self) -> &'static str {
        match self {
            Self::User => "#microsoft.graph.user",
            Self::Group => "#microsoft.graph.group",
            Self::Device => "#microsoft.graph.device",
            Self::OrgContact => "#microsoft.graph.orgContact",
            Self::ServicePrincipal => "#microsoft.graph.servicePrincipal",
        }
    }
}

impl Directory {
    /// An empty directory.
    pub fn new(id: Uuid, name: &str, display_name: &str, domains: &[&str]) -> Self {
        Self {
            id,
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            domains: domains.iter().map(|&domain| domain.to_owned()).collect(),
            cloud: None,
            applications: Vec::new(),
            policy: Policy::default(),
            users: Objects::default(),
            groups: Objects::default(),
            log: Vec::new(),
            generation: 0,
        }
    }

    /// Add a user as if it had always been there. The answer is `false` when the id is taken.
    pub fn seed_user(&mut self, id: Uuid, properties: &impl Serialize) -> bool {
        self.users.push(id, properties, Vec::new()).is_some()
    }

    /// Add a group with members as if it had always been there. The answer is `false` when the id is taken.
    pub fn seed_group(&mut self, id: Uuid, properties: &impl Serialize, members: &[(Uuid, MemberKind)]) -> bool {
        let links = members.iter().map(|&(id, kind)| Link { id, kind, past: false }).collect();
        self.groups.push(id, properties, links).is_some()
    }

    /// Is this how someone names the directory at sign-in: by GUID or by a verified domain?
    pub(crate) fn answers_to(&self, authority: &str) -> bool {
        Uuid::try_parse(authority).is_ok_and(|id| id == self.id)
            || self.domains.iter().any(|domain| domain.eq_ignore_ascii_case(authority))
    }

    pub(crate) fn objects(&self, kind: Kind) -> &Objects {
        match kind {
            Kind::User => &self.users,
            Kind::Group => &self.groups,
        }
    }

    pub(crate) fn objects_mut(&mut self, kind: Kind) -> &mut Objects {
        match kind {
            Kind::User => &mut self.users,
            Kind::Group => &mut self.groups,
        }
    }

    /// Who is in a group now, as Graph lists it: members in deleted items are not shown.
    pub(crate) fn members<'a>(&'a self, group: &'a Object) -> impl Iterator<Item = (&'a Link, Option<&'a Object>)> {
        group.members.iter().filter(|link| !link.past).filter_map(|link| {
            let object = match link.kind {
                MemberKind::User => Some(self.users.get(link.id)?),
                MemberKind::Group => Some(self.groups.get(link.id)?),
                MemberKind::Device | MemberKind::OrgContact | MemberKind::ServicePrincipal => None,
            };
            object.is_none_or(|object| object.life == Life::Here).then_some((link, object))
        })
    }
}
