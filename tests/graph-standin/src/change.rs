//! What can happen to a directory while it is watched, by library call or by HTTP.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    application::{Application, ApplicationChange},
    directory::{Cloud, Directory, Entry, Kind, Life, Link, MemberKind, Properties, What},
    policy::Policy,
};

/// A change. Users, groups and members are named by id, principal name, mail, nickname or display name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the names say it; null as a property's value clears it")]
pub enum Change {
    CreateUser {
        id: Option<Uuid>,
        properties: Properties,
    },
    UpdateUser {
        user: String,
        properties: Properties,
    },
    /// To deleted items, from where it can be restored. It keeps its memberships, and groups say nothing.
    DeleteUser {
        user: String,
    },
    /// For good, from wherever it is.
    PurgeUser {
        user: String,
    },
    RestoreUser {
        user: String,
    },
    CreateGroup {
        id: Option<Uuid>,
        properties: Properties,
        #[serde(default)]
        members: Vec<String>,
    },
    UpdateGroup {
        group: String,
        properties: Properties,
    },
    /// A distribution list is gone at once; other groups go to deleted items.
    DeleteGroup {
        group: String,
    },
    PurgeGroup {
        group: String,
    },
    RestoreGroup {
        group: String,
    },
    /// `kind` is needed for members that are neither a user nor a group of the directory.
    AddMember {
        group: String,
        member: String,
        kind: Option<MemberKind>,
    },
    RemoveMember {
        group: String,
        member: String,
    },
    /// Change what is given of the application with this client id (of the first one without).
    SetApplication(ApplicationChange),
    /// Register one more application, or put it in the place of the one with the same client id.
    PutApplication {
        application: Application,
    },
    /// Restrict new credentials; what is left out is not restricted.
    SetPolicy(Policy),
    /// Bind the directory to one cloud, or to none.
    SetCloud {
        cloud: Option<Cloud>,
    },
    /// From now on every delta token that was handed out is answered with `syncStateNotFound`.
    ExpireDeltaTokens,
}

/// Why a change could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Refusal {
    #[error("no directory is called {0}")]
    NoDirectory(String),
    #[error("no {0} is called {1}")]
    NoObject(&'static str, String),
    #[error("{0} is in use already")]
    Taken(Uuid),
    #[error("{0} is not in deleted items")]
    NotDeleted(String),
    #[error("the directory has no such application")]
    NoApplication,
    #[error("an application has at most 20 federated credentials")]
    TooManyFederated,
}

impl Directory {
    /// Make one change. The answer is the id of what changed. `tell_groups`: a purge also ends memberships visibly.
    pub(crate) fn change(&mut self, change: Change, tell_groups: bool) -> Result<Uuid, Refusal> {
        match change {
            Change::CreateUser { id, mut properties } => {
                properties.entry("accountEnabled").or_insert(Value::Bool(true));
                properties.entry("userType").or_insert_with(|| "Member".into());
                self.create(Kind::User, id, properties)
            }
            Change::CreateGroup { id, mut properties, members } => {
                properties.entry("groupTypes").or_insert_with(|| Value::Array(Vec::new()));
                for member in &members {
                    self.member(member, None)?;
                }
                let id = self.create(Kind::Group, id, properties)?;
                for member in members {
                    self.change(Change::AddMember { group: id.to_string(), member, kind: None }, tell_groups)?;
                }
                Ok(id)
            }
            Change::UpdateUser { user, properties } => self.update(Kind::User, &user, properties),
            Change::UpdateGroup { group, properties } => self.update(Kind::Group, &group, properties),
            Change::DeleteUser { user } => self.end(Kind::User, &user, Life::Deleted),
            Change::DeleteGroup { group } => {
                let position = self.position(Kind::Group, &group)?;
                let restorable = self.groups.all.get(position).is_some_and(|group| {
                    let properties = group.properties();
                    let is = |name| properties.get(name).and_then(Value::as_bool).unwrap_or_default();
                    let types = properties.get("groupTypes").and_then(Value::as_array);
                    let unified = types.is_some_and(|types| types.iter().any(|kind| kind == "Unified"));
                    unified || is("securityEnabled") || !is("mailEnabled")
                });
                self.end(Kind::Group, &group, if restorable { Life::Deleted } else { Life::Gone })
            }
            Change::PurgeUser { user } => {
                let id = self.end(Kind::User, &user, Life::Gone)?;
                self.forget_member(id, tell_groups);
                Ok(id)
            }
            Change::PurgeGroup { group } => {
                let id = self.end(Kind::Group, &group, Life::Gone)?;
                self.forget_member(id, tell_groups);
                Ok(id)
            }
            Change::RestoreUser { user } => self.restore(Kind::User, &user),
            Change::RestoreGroup { group } => self.restore(Kind::Group, &group),
            Change::AddMember { group, member, kind } => {
                let (id, kind) = self.member(&member, kind)?;
                self.link(&group, Link { id, kind, past: false })
            }
            Change::RemoveMember { group, member } => {
                let position = self.position(Kind::Group, &group)?;
                let id = self.member(&member, Some(MemberKind::Device))?.0;
                let links = self.groups.all.get(position).map(|group| &group.members);
                let known = links.and_then(|links| links.iter().find(|link| link.id == id));
                let link = *known.ok_or(Refusal::NoObject("member", member))?;
                self.link(&group, Link { past: true, ..link })
            }
            Change::SetApplication(change) => {
                let mut all = self.applications.iter_mut();
                let application = all.find(|one| change.client_id.is_none_or(|id| id == one.client_id));
                let application = application.ok_or(Refusal::NoApplication)?;
                if application.change(change) { Ok(application.client_id) } else { Err(Refusal::TooManyFederated) }
            }
            Change::PutApplication { application } => {
                let id = application.client_id;
                self.applications.retain(|other| other.client_id != id);
                self.applications.push(application);
                Ok(id)
            }
            Change::SetPolicy(policy) => {
                self.policy = policy;
                Ok(self.id)
            }
            Change::SetCloud { cloud } => {
                self.cloud = cloud;
                Ok(self.id)
            }
            Change::ExpireDeltaTokens => {
                self.generation = self.generation.wrapping_add(1);
                Ok(self.id)
            }
        }
    }

    fn create(&mut self, kind: Kind, id: Option<Uuid>, mut properties: Properties) -> Result<Uuid, Refusal> {
        let id = id.unwrap_or_else(Uuid::new_v4);
        properties.retain(|_, value| !value.is_null());
        let pushed = self.objects_mut(kind).push(id, &properties, Vec::new());
        let position = pushed.ok_or(Refusal::Taken(id))?;
        self.log.push(Entry { kind, position, what: What::Appeared });
        Ok(id)
    }

    /// Only values that differ are changes; null clears a value and is none where there never was one.
    fn update(&mut self, kind: Kind, who: &str, new: Properties) -> Result<Uuid, Refusal> {
        let position = self.position(kind, who)?;
        let Some(object) = self.objects_mut(kind).all.get_mut(position) else {
            return Err(no_object(kind, who));
        };
        let mut properties = object.properties();
        let mut changed = Vec::new();
        for (name, value) in new {
            let same = match properties.get(&name) {
                Some(old) => *old == value,
                None => value.is_null(),
            };
            if !same {
                properties.insert(name.clone(), value);
                changed.push(name);
            }
        }
        object.text = Value::Object(properties).to_string().into();
        let id = object.id;
        if !changed.is_empty() {
            self.log.push(Entry { kind, position, what: What::Changed(changed) });
        }
        Ok(id)
    }

    fn end(&mut self, kind: Kind, who: &str, life: Life) -> Result<Uuid, Refusal> {
        let position = self.position(kind, who)?;
        let found = self.objects_mut(kind).all.get_mut(position);
        let object = found.ok_or_else(|| no_object(kind, who))?;
        let id = object.id;
        if object.life != life {
            object.life = life;
            self.log.push(Entry { kind, position, what: What::Disappeared });
        }
        Ok(id)
    }

    fn restore(&mut self, kind: Kind, who: &str) -> Result<Uuid, Refusal> {
        let position = self.position(kind, who)?;
        let found = self.objects_mut(kind).all.get_mut(position);
        let object = found.filter(|object| object.life == Life::Deleted);
        let object = object.ok_or_else(|| Refusal::NotDeleted(who.to_owned()))?;
        object.life = Life::Here;
        let id = object.id;
        self.log.push(Entry { kind, position, what: What::Appeared });
        Ok(id)
    }

    /// Set a membership to present or past.
    fn link(&mut self, group: &str, link: Link) -> Result<Uuid, Refusal> {
        let position = self.position(Kind::Group, group)?;
        let found = self.groups.all.get_mut(position);
        let object = found.ok_or_else(|| no_object(Kind::Group, group))?;
        let id = object.id;
        match object.members.iter_mut().find(|known| known.id == link.id) {
            Some(known) if known.past == link.past => return Ok(id),
            Some(known) => known.past = link.past,
            None => object.members.push(link),
        }
        self.log.push(Entry { kind: Kind::Group, position, what: What::Member(link) });
        Ok(id)
    }

    /// End the memberships of something that was purged.
    fn forget_member(&mut self, member: Uuid, tell: bool) {
        for (position, group) in self.groups.all.iter_mut().enumerate() {
            for link in group.members.iter_mut().filter(|link| link.id == member && !link.past) {
                link.past = true;
                if tell {
                    self.log.push(Entry { kind: Kind::Group, position, what: What::Member(*link) });
                }
            }
        }
    }

    /// Who is meant by a member's name.
    fn member(&self, who: &str, kind: Option<MemberKind>) -> Result<(Uuid, MemberKind), Refusal> {
        if let Some(user) = self.users.find(who).and_then(|at| self.users.all.get(at)) {
            return Ok((user.id, MemberKind::User));
        }
        if let Some(group) = self.groups.find(who).and_then(|at| self.groups.all.get(at)) {
            return Ok((group.id, MemberKind::Group));
        }
        match (Uuid::try_parse(who), kind) {
            (Ok(id), Some(kind)) => Ok((id, kind)),
            _ => Err(Refusal::NoObject("member", who.to_owned())),
        }
    }

    fn position(&self, kind: Kind, who: &str) -> Result<usize, Refusal> {
        let objects = self.objects(kind);
        let found = objects.find(who).filter(|&at| objects.all.get(at).is_some_and(|one| one.life != Life::Gone));
        found.ok_or_else(|| no_object(kind, who))
    }
}

fn no_object(kind: Kind, who: &str) -> Refusal {
    let kind = match kind {
        Kind::User => "user",
        Kind::Group => "group",
    };
    Refusal::NoObject(kind, who.to_owned())
}
