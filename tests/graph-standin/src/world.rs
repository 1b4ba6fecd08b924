//! Everything the stand-in holds: directories, faults, the log of requests and its clock.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    change::{Change, Refusal},
    clock,
    directory::Directory,
    faults::Rule,
    identity::SigningKey,
    issuers::Keys,
    openid::OpenId,
    requests::Request,
    settings::Settings,
};

pub(crate) struct World {
    seed: Vec<Directory>,
    pub(crate) directories: Vec<Directory>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) requests: Vec<Request>,
    pub(crate) settings: Settings,
    pub(crate) now: Option<Timestamp>,
    pub(crate) salt: u64,
    /// Scheme, host and port where this stand-in is.
    pub(crate) origin: String,
    /// The role that identity tokens are about from the beginning.
    pub(crate) role: Option<String>,
    /// Signs identity tokens; made when it is needed.
    pub(crate) signing_key: Arc<OnceLock<SigningKey>>,
    /// Keys of trusted issuers.
    pub(crate) keys: Keys,
    pub(crate) openid: OpenId,
}

impl World {
    pub(crate) fn new(seed: Vec<Directory>, origin: String) -> Self {
        let (salt, generation) = Uuid::new_v4().as_u64_pair();
        let mut directories = seed.clone();
        for directory in &mut directories {
            directory.generation = generation;
        }
        let settings = Settings::default();
        Self {
            seed,
            directories,
            rules: Vec::new(),
            requests: Vec::new(),
            settings,
            now: None,
            salt,
            origin,
            role: None,
            signing_key: Arc::default(),
            keys: Keys::default(),
            openid: OpenId::default(),
        }
    }

    /// Back to the beginning. Access and identity tokens stay good; delta tokens don't.
    pub(crate) fn reset(&mut self) {
        let new = Self::new(std::mem::take(&mut self.seed), std::mem::take(&mut self.origin));
        let signing_key = Arc::clone(&self.signing_key);
        let role = self.role.take();
        *self = Self { salt: self.salt, signing_key, ..new };
        self.set_role(role);
    }

    /// The role that identity tokens are about, now and after a reset.
    pub(crate) fn set_role(&mut self, role: Option<String>) {
        self.settings.identity_subject = role.clone().unwrap_or_else(|| Settings::default().identity_subject);
        self.role = role;
    }

    /// Add a directory, in the place of one with the same id or name.
    pub(crate) fn add(&mut self, mut directory: Directory) {
        directory.generation = Uuid::new_v4().as_u64_pair().0;
        self.directories.retain(|other| other.id != directory.id && other.name != directory.name);
        self.directories.push(directory);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(clock::now)
    }

    /// A directory by short name, GUID or domain.
    pub(crate) fn directory(&self, tenant: &str) -> Option<&Directory> {
        self.directories.iter().find(|directory| directory.name == tenant || directory.answers_to(tenant))
    }

    pub(crate) fn directory_mut(&mut self, tenant: &str) -> Option<&mut Directory> {
        self.directories.iter_mut().find(|directory| directory.name == tenant || directory.answers_to(tenant))
    }

    /// Make changes in order; the first refusal stops, with those before it made.
    pub(crate) fn change(&mut self, tenant: &str, changes: Vec<Change>) -> Result<Vec<Uuid>, Refusal> {
        let tell_groups = self.settings.purge_tells_groups;
        let directory = self.directory_mut(tenant).ok_or_else(|| Refusal::NoDirectory(tenant.to_owned()))?;
        changes.into_iter().map(|change| directory.change(change, tell_groups)).collect()
    }
}
