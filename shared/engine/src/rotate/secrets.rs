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

/// The secrets that are in use.
pub(super) struct Used<'a> {
    /// By everybody who asks.
    pub(super) current: &'a Version,
    /// Before that: somebody may still have it cached.
    pub(super) previous: Option<&'a Version>,
}

impl Used<'_> {
    /// The key ids of secrets that rotations made and that nobody uses: those that were added and never kept. `made` is
    /// the one that is being made.
    pub(super) fn orphans<'a>(&self, made: &Version, listed: &'a [Registered], secret: &str) -> Vec<&'a str> {
        let prefix = named(secret, "");
        let ours = |one: &Registered| one.name.as_ref().is_some_and(|name| name.starts_with(&prefix));
        let free = |one: &Registered| made.key_id.as_ref() != Some(&one.key_id) && !self.needs(one);
        let orphans = listed.iter().filter(|one| ours(one) && free(one));
        orphans.map(|one| one.key_id.as_str()).collect()
    }

    /// Whether one of those in use is this, or may be.
    fn needs(&self, one: &Registered) -> bool {
        self.versions().any(|used| is(used, one))
    }

    fn versions(&self) -> impl Iterator<Item = &Version> {
        [Some(self.current), self.previous].into_iter().flatten()
    }

    /// The key ids of the secrets that go once a new one is in use: that which was in use before the present one, and
    /// what was to go before and is still there.
    pub(super) fn retires(&self, listed: &[Registered]) -> Vec<String> {
        let before = self.before(listed).map(|one| &one.key_id);
        let left = |one: &Registered| self.versions().any(|used| used.retires.contains(&one.key_id));
        let goes = |one: &&Registered| before == Some(&one.key_id) || (left(one) && !self.needs(one));
        listed.iter().filter(goes).map(|one| one.key_id.clone()).collect()
    }

    /// What was in use before the present one. If a person saved it, it is known by how it begins, where no other begins
    /// like it.
    fn before<'a>(&self, listed: &'a [Registered]) -> Option<&'a Registered> {
        let previous = self.previous?;
        let mut alike = listed.iter().filter(|one| is(previous, one));
        let one = alike.next().filter(|one| alike.next().is_none() && one.mark.is_some())?;
        (!is(self.current, one)).then_some(one)
    }
}

/// Whether a version holds this secret, or may: one that a person saved is only known by how it begins.
fn is(version: &Version, one: &Registered) -> bool {
    match &version.key_id {
        Some(key_id) => *key_id == one.key_id,
        None => one.mark.as_ref().is_none_or(|mark| *mark == hint(&version.ad_key)),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// `key:mark:name` by word; a name of our stack begins with `ours`.
    fn listed(text: &str) -> Vec<Registered> {
        let one = |word: &str| {
            let [key_id, mark, name] = word.split(':').collect::<Vec<_>>().try_into().unwrap();
            Registered {
                key_id: key_id.to_owned(),
                name: Some(name.replace("ours", "entra-sync/prod/contoso 8f3a")),
                mark: Some(mark.to_owned()).filter(|mark| !mark.is_empty()),
                starts: Timestamp::UNIX_EPOCH,
                ends: Timestamp::MAX,
            }
        };
        text.split_whitespace().map(one).collect()
    }

    /// `key:value:retires`; a key may be missing, and it may retire nothing or several.
    fn version(text: &str) -> Version {
        let [key_id, value, retires] = text.split(':').collect::<Vec<_>>().try_into().unwrap();
        let retires = retires.split_terminator(',').map(str::to_owned).collect();
        let key_id = Some(key_id.to_owned()).filter(|key_id| !key_id.is_empty());
        Version { ad_key: value.to_owned().into(), key_id, ends: None, retires }
    }

    #[test]
    #[rustfmt::skip]
    fn r7_3_what_a_rotation_may_remove() {
        //    what there is                               in use       before       on the application                       orphans  goes
        check("the first rotation",                       ":abc1:",    "",          "1:abc:hand",                            "",      "");
        check("the second",                               "2:bcd1:",   ":abc1:",    "1:abc:hand 2:bcd:ours",                 "",      "1");
        check("the third",                                "3:cde1:1",  "2:bcd1:",   "2:bcd:ours 3:cde:ours",                 "",      "2");
        check("one was added and not kept",               "2:bcd1:",   ":abc1:",    "1:abc:hand 2:bcd:ours 3:cde:ours",      "3",     "1");
        check("the one before last was not removed",      "3:cde1:1",  "2:bcd1:",   "1:abc:hand 2:bcd:ours 3:cde:ours",      "",      "1 2");
        check("nor were those before it",                 "5:efg1:1,3", "4:def1:",  "1:abc:hand 3:cde:ours 4:def:ours 5:efg:ours", "3", "1 3 4");
        check("nor was it when a person saved one",       ":xyz1:",    "2:bcd1:1",  "1:abc:hand 2:bcd:ours 9:xyz:hand",      "",      "1 2");
        check("it was saved again instead",               ":abc1:",    "2:bcd1:1",  "1:abc:hand 2:bcd:ours",                 "",      "2");
        check("others use the application",               "2:bcd1:",   "1:abc1:",   "1:abc:ours 2:bcd:ours 7:x:entra-sync/prod/contoso-2 8:y:entra-sync/dev/contoso 9:z:hand", "", "1");
        check("a person saved one",                       ":xyz1:",    "2:bcd1:1",  "2:bcd:ours 9:xyz:hand",                 "",      "2");
        check("a person saved one, and another",          ":uvw1:",    ":xyz1:",    "2:bcd:ours 8:uvw:hand 9:xyz:hand",      "2",     "9");
        check("two begin alike",                          ":uvw1:",    ":xyz1:",    "7:xyz:hand 8:uvw:hand 9:xyz:hand",      "",      "");
        check("the same one was saved twice",             ":abc1:",    ":abc1:",    "1:abc:hand",                            "",      "");
        check("the one before begins like the one in use", ":abc1:",   ":abc2:",    "1:abc:hand 2:abc:hand",                 "",      "");
        check("the one before is the one in use",         "2:bcd1:",   "2:bcd1:",   "2:bcd:ours",                            "",      "");
        check("the one before is gone",                   "3:cde1:",   "2:bcd1:",   "3:cde:ours",                            "",      "");
        check("of the one in use no key id is known",     ":bcd1:",    "",          "2:bcd:ours 3:cde:ours",                 "3",     "");
        check("nothing is known of how they begin",       ":bcd1:",    "",          "2::ours 3::ours",                       "",      "");
        check("the one that is being made",               "2:bcd1:",   "",          "2:bcd:ours new:new:ours",               "",      "");
    }

    #[track_caller]
    fn check(name: &str, current: &str, previous: &str, on_application: &str, orphans: &str, goes: &str) {
        let (current, previous) = (version(current), (!previous.is_empty()).then(|| version(previous)));
        let (used, listed) = (Used { current: &current, previous: previous.as_ref() }, listed(on_application));
        let found = used.orphans(&version("new:new1:"), &listed, "entra-sync/prod/contoso").join(" ");
        let retires = used.retires(&listed).join(" ");
        assert_eq!((found.as_str(), retires.as_str()), (orphans, goes), "{name}");
    }
}
