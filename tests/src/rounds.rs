//! Delta rounds over the directory in memory: what Graph tells, page by page.

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use directory::{Code, Failure, Kind, MailboxKind, ObjectId, Observed, Removal};
use engine::ports::{
    Certificate, Connection, Fault, Graph, GraphPage, MOST_MAILBOXES, Mailboxes, NewSecret, Next, NoPage, NotAdded,
    Registration,
};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::{
    application,
    entra::{Entra, Life, Properties, State, Thing, Trouble},
};

/// A round under way: what is left to tell, fixed when it began.
#[derive(Debug, Clone)]
pub struct Round {
    kind: Kind,
    /// The version of the directory when it began: the next round starts there.
    version: u64,
    pages: Vec<Vec<Observed>>,
}

impl Graph for Entra {
    async fn page(
        &self,
        who: &Connection,
        kind: Kind,
        link: Option<&str>,
        budget: Duration,
    ) -> Result<GraphPage, NoPage> {
        if budget.is_zero() {
            let message = "no time was left to ask";
            return Err(NoPage::Failure(Failure::new(Code::MicrosoftUnavailable, message, "nothing")));
        }
        let told = self.turnstile.pass("page", || self.tell(who, kind, link)).await;
        told.unwrap_or_else(|fault| Err(NoPage::Failure(away(fault))))
    }

    async fn try_out(&self, who: &Connection, _: Duration) -> Result<(), Failure> {
        self.turnstile.pass("try_out", || self.sign_in_as(who)).await.map_err(away)?
    }

    async fn count(&self, _: &Connection, kind: Kind, _: Duration) -> Result<u64, Failure> {
        let count = || {
            let stated = self.state.borrow().count;
            stated.unwrap_or(self.live(kind).len() as u64)
        };
        self.turnstile.pass("count", count).await.map_err(away)
    }

    async fn mailboxes(&self, who: &Connection, users: &[ObjectId], _: Duration) -> Result<Mailboxes, Failure> {
        assert!((1..=MOST_MAILBOXES).contains(&users.len()), "a question about {} users", users.len());
        self.turnstile.pass("mailboxes", || self.purposes(who, users)).await.map_err(away)
    }

    async fn registration(&self, who: &Connection, _: Duration) -> Result<Option<Registration>, Failure> {
        self.turnstile.pass("registration", || self.register(who)).await.map_err(away)?
    }

    async fn add_secret(
        &self,
        who: &Connection,
        name: &str,
        ends: Timestamp,
        _: Duration,
    ) -> Result<NewSecret, NotAdded> {
        self.turnstile.pass("add_secret", || self.add(who, name, ends)).await.map_err(away)?
    }

    async fn remove_secret(&self, who: &Connection, key_id: &str, _: Duration) -> Result<(), Failure> {
        self.turnstile.pass("remove_secret", || self.remove(who, key_id)).await.map_err(away)?
    }

    fn certificate(&self, pem: &SecretString) -> Result<Certificate, Failure> {
        application::certificate(pem)
    }

    fn forget(&self, _: &Connection) {}
}

/// Microsoft does not answer.
fn away(fault: Fault) -> Failure {
    Failure::new(Code::MicrosoftUnavailable, fault.to_string(), "nothing: it is tried again")
}

impl Entra {
    fn purposes(&self, who: &Connection, users: &[ObjectId]) -> Mailboxes {
        who.meter.graph.fetch_add(1, Ordering::Relaxed);
        self.questions.borrow_mut().push(users.to_vec());
        let state = self.state.borrow();
        if state.mailboxes_denied {
            let message = "the permission MailboxSettings.Read is missing";
            let denied = Some(Failure::new(Code::PermissionMissing, message, "grant it"));
            return Mailboxes { denied, ..Mailboxes::default() };
        }
        let kind = |id: &ObjectId| state.purposes.get(id).copied().unwrap_or(MailboxKind::User);
        let kinds = users.iter().filter(|id| !state.unpurposed.contains(id)).map(|id| (id.clone(), kind(id)));
        Mailboxes { kinds: kinds.collect(), ..Mailboxes::default() }
    }

    fn tell(&self, who: &Connection, kind: Kind, link: Option<&str>) -> Result<GraphPage, NoPage> {
        self.sign_in_as(who).map_err(NoPage::Failure)?;
        who.meter.graph.fetch_add(1, Ordering::Relaxed);
        self.pages.set(self.pages.get() + 1);
        let mut state = self.state.borrow_mut();
        match trouble(&mut state, kind) {
            Some(Trouble::StateGone) => return Err(gone()),
            Some(Trouble::LinkDead) => return Err(dead()),
            Some(Trouble::Failure(failure)) => return Err(NoPage::Failure(*failure)),
            Some(Trouble::Nothing) => {
                return Ok(GraphPage { objects: Vec::new(), next: Next::Round(delta_link(kind, state.version)) });
            }
            None => (),
        }
        let (number, page) = match link {
            None => (begin(&mut state, kind, None), 0),
            Some(link) => match read_link(kind, link) {
                Link::Delta(since) if since < state.expired => return Err(gone()),
                Link::Delta(since) => (begin(&mut state, kind, Some(since)), 0),
                Link::Page(number, page) => (number, page),
            },
        };
        let Some(round) = state.rounds.get(&number).filter(|round| round.kind == kind) else { return Err(dead()) };
        let mut objects = round.pages.get(page).cloned().unwrap_or_default();
        for object in &mut objects {
            let id = match object {
                Observed::User { id, .. } | Observed::Group { id, .. } => id.clone(),
                Observed::Removed { .. } | Observed::Unreadable { .. } => continue,
            };
            if state.unreadable.contains(&id) {
                *object =
                    Observed::Unreadable { id: id.to_string(), why: "a property is of the wrong type".to_owned() };
            }
        }
        let next = if page + 1 < round.pages.len() {
            Next::Page(format!("https://graph.example/{}s?round={number}&page={}", kind.name(), page + 1))
        } else {
            Next::Round(delta_link(kind, round.version))
        };
        Ok(GraphPage { objects, next })
    }
}

fn gone() -> NoPage {
    NoPage::StateGone(Failure::new(Code::BadAnswer, "the delta state is gone", "nothing: everything is read again"))
}

fn dead() -> NoPage {
    NoPage::LinkDead(Failure::new(Code::BadAnswer, "the page link is dead", "nothing: the round starts again"))
}

fn trouble(state: &mut State, kind: Kind) -> Option<Trouble> {
    let mut now = None;
    state.troubles.retain_mut(|(about, call, trouble)| {
        if *about == kind {
            *call -= 1;
            if *call == 0 {
                now = Some(trouble.clone());
            }
        }
        *call > 0
    });
    now
}

fn delta_link(kind: Kind, version: u64) -> String {
    format!("https://graph.example/{}s?since={version}", kind.name())
}

enum Link {
    Delta(u64),
    Page(u64, usize),
}

fn read_link(kind: Kind, link: &str) -> Link {
    let prefix = format!("https://graph.example/{}s?", kind.name());
    let query = link.strip_prefix(&prefix).unwrap_or_else(|| panic!("a link of something else: {link}"));
    let values: BTreeMap<&str, u64> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name, value.parse().expect("a number")))
        .collect();
    match values.get("since") {
        Some(since) => Link::Delta(*since),
        None => Link::Page(values["round"], usize::try_from(values["page"]).expect("a page")),
    }
}

fn begin(state: &mut State, kind: Kind, since: Option<u64>) -> u64 {
    let mut said: Vec<Observed> = Vec::new();
    let mut again: Vec<Observed> = Vec::new();
    let mut repeated: Vec<Observed> = Vec::new();
    for (id, thing) in state.things.iter().filter(|(_, thing)| thing.kind == kind) {
        let mentions = mention(state, id, thing, since);
        if let (true, true, Some(first)) = (state.manner.repeats, said.len().is_multiple_of(2), mentions.first()) {
            repeated.push(first.clone());
        }
        let mut mentions = mentions.into_iter();
        said.extend(mentions.next());
        // What does not fit into one mention of a group comes later in the round.
        again.extend(mentions);
    }
    if said.len() > state.manner.page {
        again.extend(repeated);
    }
    said.extend(again);
    let mut pages: Vec<Vec<Observed>> = Vec::new();
    for page in said.chunks(state.manner.page.max(1)) {
        if state.manner.empty_pages {
            pages.push(Vec::new());
        }
        pages.push(page.to_vec());
    }
    if pages.is_empty() {
        pages.push(Vec::new());
    }
    let number = state.rounds.last_key_value().map_or(1, |(number, _)| number + 1);
    state.rounds.insert(number, Round { kind, version: state.version, pages });
    number
}

/// What a round says of an object: nothing, or one mention, or several of a group with many members.
fn mention(state: &State, id: &ObjectId, thing: &Thing, since: Option<u64>) -> Vec<Observed> {
    let changed = since.is_none_or(|since| thing.changed_at() > since);
    let removed =
        |how| if changed && since.is_some() { vec![Observed::Removed { id: id.clone(), how }] } else { Vec::new() };
    match thing.life() {
        Life::Binned => return removed(Removal::Soft),
        Life::Gone => return removed(Removal::Hard),
        Life::Live => (),
    }
    let told = told(state, thing, since);
    if thing.kind == Kind::User {
        let told = || serde_json::from_value(Value::Object(told)).expect("properties of a user");
        return if changed { vec![Observed::User { id: id.clone(), told: told() }] } else { Vec::new() };
    }
    let links: Vec<_> = state
        .memberships
        .range((id.clone(), first_id())..)
        .take_while(|((group, _), _)| group == id)
        .filter(|(_, link)| since.map_or(link.present, |since| link.changed_at > since))
        .map(|((_, member), link)| (member.clone(), link.kind, link.present))
        .collect();
    if links.is_empty() && !changed {
        return Vec::new();
    }
    let told: directory::GroupTold = serde_json::from_value(Value::Object(told)).expect("properties of a group");
    let mut slices: Vec<Vec<_>> = links.chunks(state.manner.slice.max(1)).map(<[_]>::to_vec).collect();
    if slices.is_empty() {
        slices.push(Vec::new());
    }
    slices.into_iter().map(|members| Observed::Group { id: id.clone(), told: told.clone(), members }).collect()
}

fn first_id() -> ObjectId {
    ObjectId::try_from("-").expect("the first id")
}

/// Properties as a round tells them: in a full one those that are set; else those that changed or all, and `null` for
/// what was cleared.
fn told(state: &State, thing: &Thing, since: Option<u64>) -> Map<String, Value> {
    let now = thing.properties();
    let Some(since) = since else { return now };
    let before = thing.at(since);
    let empty = Properties::new();
    let known = before.unwrap_or(&empty);
    let mut told = now.clone();
    if state.manner.minimal && before.is_some() {
        told.retain(|name, value| known.get(name) != Some(value));
    }
    let cleared =
        thing.history.iter().flat_map(|(_, _, properties)| properties.keys()).filter(|name| !now.contains_key(*name));
    told.extend(cleared.map(|name| (name.clone(), Value::Null)));
    told
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{turnstile::Turnstile, world::connection_for_tests};

    fn read(entra: &Entra, kind: Kind, from: Option<&str>) -> (Vec<String>, String) {
        let who = connection_for_tests();
        let mut told = Vec::new();
        let mut link = from.map(str::to_owned);
        loop {
            let page = entra.tell(&who, kind, link.as_deref()).unwrap();
            told.extend(page.objects.iter().map(|object| match object {
                Observed::User { id, .. } => id.to_string(),
                Observed::Group { id, members, .. } => {
                    let members: Vec<String> =
                        members.iter().map(|(id, _, is)| format!("{}{id}", if *is { '+' } else { '-' })).collect();
                    format!("{id}({})", members.join(" "))
                }
                Observed::Removed { id, how } => format!("{id} {how:?}"),
                Observed::Unreadable { id, .. } => format!("{id}?"),
            }));
            match page.next {
                Next::Page(next) => link = Some(next),
                Next::Round(next) => return (told, next),
            }
        }
    }

    #[test]
    fn rounds_tell_what_changed() {
        let entra = Entra::new(Turnstile::new());
        let (ann, bob) = (entra.hire("ann"), entra.hire("bob"));
        let all = entra.list("all");
        entra.join(&all, &ann);
        entra.join(&all, &bob);
        entra.manner(|manner| (manner.page, manner.slice) = (1, 1));
        let (users, users_link) = read(&entra, Kind::User, None);
        let (groups, groups_link) = read(&entra, Kind::Group, None);
        assert_eq!((users.join(" "), groups.join(" ")), ("ann bob".to_owned(), "all(+ann) all(+bob)".to_owned()));
        entra.bin(&ann);
        entra.set(&bob, json!({"jobTitle": null}));
        assert_eq!(read(&entra, Kind::User, Some(&users_link)).0, ["ann Soft", "bob"]);
        assert_eq!(
            read(&entra, Kind::Group, Some(&groups_link)).0,
            [""; 0],
            "somebody in the bin stays a member silently"
        );
        entra.restore(&ann);
        entra.leave(&all, &bob);
        assert_eq!(read(&entra, Kind::User, Some(&users_link)).0, ["ann", "bob"]);
        assert_eq!(read(&entra, Kind::Group, Some(&groups_link)).0, ["all(-bob)"], "no word of the one who came back");
        entra.purge(&ann);
        assert_eq!(read(&entra, Kind::User, Some(&users_link)).0, ["ann Hard", "bob"]);
        assert_eq!(read(&entra, Kind::Group, None).0, ["all()"]);
        entra.expire_delta();
        assert!(matches!(
            entra.tell(&connection_for_tests(), Kind::User, Some(&users_link)),
            Err(NoPage::StateGone(_))
        ));
    }
}
