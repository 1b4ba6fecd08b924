//! Everything the stand-in holds: directories, faults, the log of requests and its clock.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    change::{Change, Refusal},
    clock,
    directory::Directory,
    faults::Rule,
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
    pub(crate) openid: OpenId,
}

impl World {
    pub(crate) fn new(seed: Vec<Directory>) -> Self {
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
            openid: OpenId::default(),
        }
    }

    /// Back to the beginning. Access tokens stay good; delta tokens don't.
    pub(crate) fn reset(&mut self) {
        let salt = self.salt;
        *self = Self { salt, ..Self::new(std::mem::take(&mut self.seed)) };
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
