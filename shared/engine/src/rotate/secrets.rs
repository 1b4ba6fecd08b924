//! Which of an application's secrets a rotation may remove. Several stacks, and people, may use one application: only
//! what carries this secret's own name is ever an orphan.

use crate::{
    connection::hint,
    ports::{Registered, Version},
};

/// The name of a secret that a rotation makes, as the portal shows it.
pub(super) fn named(secret: &str, version: &str) -> String {
    format!("{secret} {version}")
}

/// The secrets that are kept whatever happens.
pub(super) struct Kept<'a> {
    /// The one in use.
    pub(super) current: &'a Version,
    /// The one that was in use before: somebody may still have it cached.
    pub(super) previous: Option<&'a Version>,
}

impl Kept<'_> {
    /// The key ids of secrets that rotations made and that nobody uses: those that were added and never kept, and the
    /// one before last of a rotation that did not come to its end.
    pub(super) fn orphans<'a>(&self, listed: &'a [Registered], secret: &str) -> Vec<&'a str> {
        let prefix = named(secret, "");
        let ours = |one: &Registered| one.name.as_ref().is_some_and(|name| name.starts_with(&prefix));
        let left = |one: &Registered| self.current.retires.as_ref() == Some(&one.key_id);
        let orphans = listed.iter().filter(|one| (ours(one) || left(one)) && !self.needs(one));
        orphans.map(|one| one.key_id.as_str()).collect()
    }

    /// Whether one of the kept ones is this, or may be.
    fn needs(&self, one: &Registered) -> bool {
        [Some(self.current), self.previous].into_iter().flatten().any(|kept| match &kept.key_id {
            Some(key_id) => *key_id == one.key_id,
            None => one.mark.as_ref().is_none_or(|mark| *mark == hint(&kept.ad_key)),
        })
    }

    /// The key id of the secret that goes once a new one is in use: that which was in use before the present one. One
    /// that a person saved is known by how it begins, if no other begins like it.
    pub(super) fn retires(&self, listed: &[Registered]) -> Option<String> {
        let previous = self.previous?;
        let key_id = match &previous.key_id {
            Some(key_id) => key_id.clone(),
            None => {
                let mark = hint(&previous.ad_key);
                let mut alike = listed.iter().filter(|one| one.mark.as_ref() == Some(&mark));
                alike.next().filter(|_| alike.next().is_none())?.key_id.clone()
            }
        };
        let current = match &self.current.key_id {
            Some(current) => *current == key_id,
            None => {
                let one = listed.iter().find(|one| one.key_id == key_id);
                one.and_then(|one| one.mark.as_ref()).is_none_or(|mark| *mark == hint(&self.current.ad_key))
            }
        };
        (!current).then_some(key_id)
    }
}
