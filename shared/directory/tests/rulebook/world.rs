//! A tenant in a few words, planned and settled.
//!
//! A directory is `a=ann,al b=bob:off G=team`: users and groups (in capitals), their primary address and aliases, flags. An
//! address without a domain is in `c.ch`, which is registered, as is `m.ch` (management); others are not. `a=-,al` has no
//! primary. Entra's side reads the same; whom synchronisation brought here and Entra does not list, it has deleted.
//!
//! Flags here: `off`, `goneN` (marked as deleted N days ago), `hand` (made by hand), `old` (of a connection before),
//! `fun` (functional account), `silent`, `admin`. Flags in Entra: `blocked`, `guest`, `security`, `unified`, `hard`,
//! and the kinds of mailboxes `person`, `shared`, `room`, `equipment`, `other`.

use std::collections::{BTreeMap, BTreeSet};

use directory::{
    Address, Candidate, Category, Entra, EntraGroup, EntraUser, Held, Kind, MailboxKind, ManagedBy, ObjectId, Outcome,
    Planned, Removal, Rules, Settings, UserType, Verdict,
    settle::{Local, Settled, settle},
    unit,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub(crate) const CONNECTION: u32 = 2;

/// What Entra says of its objects.
pub(crate) type Said = BTreeMap<(Kind, ObjectId), (Entra, Option<Removal>)>;

/// A tenant.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) here: BTreeMap<Local, Held>,
    pub(crate) entra: Said,
    pub(crate) settings: Settings,
    pub(crate) exempt: BTreeSet<Address>,
    pub(crate) now: Timestamp,
    pub(crate) deletions: bool,
}

impl World {
    pub(crate) fn new(here: &str, entra: &str, rules: &str) -> Self {
        let mut world = Self {
            here: BTreeMap::new(),
            entra: BTreeMap::new(),
            settings: Settings::default()
                .with(&json!({"domains": [{"name": "c.ch"}, {"name": "m.ch", "kind": "management"}]}))
                .unwrap(),
            exempt: BTreeSet::new(),
            now: "2025-06-01T00:00:00Z".parse().unwrap(),
            deletions: true,
        };
        rules.split_whitespace().for_each(|rule| world.rule(rule));
        for object in here.split_whitespace() {
            let held = held(object, world.now);
            world.here.insert((held.kind(), held.id().clone()), held);
        }
        world.entra = entra.split_whitespace().map(said).collect();
        world.bury();
        world
    }

    fn rule(&mut self, rule: &str) {
        let patch = match rule.split_once('=').unwrap_or((rule, "")) {
            ("exempt", who) => return self.exempt.extend([address(who)]),
            ("short", _) => return self.deletions = false,
            ("remove", _) => json!({"remove_deleted_users": true, "remove_deleted_groups": true}),
            ("days", days) => json!({"recovery_days": days.parse::<u16>().unwrap()}),
            ("blocked", policy) => json!({"blocked_sign_in": policy}),
            ("kinds", _) => json!({"read_mailbox_kind": true}),
            ("silent", _) => json!({"default_user_role_name": "silent_user"}),
            ("guests", _) => json!({"sync_guests": true}),
            ("security", _) => json!({"sync_security_groups": true}),
            ("no-users", _) => json!({"sync_active_users": false}),
            ("no-groups", _) => json!({"sync_distribution_groups": false}),
            ("no-add", _) => json!({"add_users": false, "add_groups": false}),
            ("no-update", _) => json!({"update_users": false, "update_groups": false}),
            _ => panic!("no such rule: {rule}"),
        };
        self.settings = self.settings.with(&patch).unwrap();
    }

    /// Whom the present connection brought here and Entra does not list, it has deleted.
    pub(crate) fn bury(&mut self) {
        for held in self.here.values().filter(|held| held.connection() == CONNECTION) {
            let Some(id) = held.entra_id() else { continue };
            let nothing = || match held.kind() {
                Kind::User => (Entra::User(EntraUser::default()), Some(Removal::Soft)),
                Kind::Group => (Entra::Group(EntraGroup::default()), Some(Removal::Soft)),
            };
            self.entra.entry((held.kind(), id.clone())).or_insert_with(nothing);
        }
    }

    pub(crate) fn rules(&self) -> Rules<'_> {
        Rules {
            settings: &self.settings,
            exempt: &self.exempt,
            connection: CONNECTION,
            now: self.now,
            deletions: self.deletions,
        }
    }

    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let by_entra = |kind: Kind, id: &ObjectId| {
            self.here.values().find(|held| held.kind() == kind && held.entra_id() == Some(id))
        };
        let mut candidates = Vec::new();
        for ((kind, id), (entra, removed)) in &self.entra {
            candidates.push(Candidate {
                entra: Some((id.clone(), entra.clone(), *removed)),
                held: by_entra(*kind, id).cloned(),
            });
        }
        let known = |held: &Held| held.entra_id().is_some_and(|id| self.entra.contains_key(&(held.kind(), id.clone())));
        candidates.extend(
            self.here
                .values()
                .filter(|held| !known(held))
                .map(|held| Candidate { entra: None, held: Some(held.clone()) }),
        );
        candidates
    }

    /// The verdicts by object.
    pub(crate) fn plan(&self) -> BTreeMap<(Kind, ObjectId), Verdict> {
        self.plan_of(&self.candidates())
    }

    pub(crate) fn plan_of(&self, candidates: &[Candidate]) -> BTreeMap<(Kind, ObjectId), Verdict> {
        let verdicts = candidates.iter().zip(unit::plan(&self.rules(), candidates));
        verdicts
            .filter_map(|(candidate, verdict)| {
                let (id, entra, _) = candidate.entra.as_ref()?;
                Some(((entra.kind(), id.clone()), verdict))
            })
            .collect()
    }

    /// The one change of the plan.
    pub(crate) fn change(&self) -> Planned {
        let mut changes = changes(&self.plan());
        assert_eq!(changes.len(), 1, "{changes:#?}");
        changes.remove(0)
    }

    /// Carry out some changes.
    pub(crate) fn settle(&mut self, selected: &[Planned]) -> Settled {
        let settled = settle(selected, &self.here, &self.owners(), &self.exempt, CONNECTION);
        for moved in &settled.moves {
            assert_eq!(moved.before.as_ref(), self.here.get(&moved.local), "a move starts from what is here");
            assert_ne!(moved.before, moved.after, "a move changes something");
            match &moved.after {
                Some(held) => drop(self.here.insert(moved.local.clone(), held.clone())),
                None => drop(self.here.remove(&moved.local)),
            }
        }
        settled
    }

    /// Who owns which address; panics where one has two owners.
    pub(crate) fn owners(&self) -> BTreeMap<Address, Local> {
        let mut owners = BTreeMap::new();
        for (local, held) in &self.here {
            for address in held.addresses().all() {
                let other = owners.insert(address.clone(), local.clone());
                assert_eq!(other, None, "{address} belongs to {local:?} too");
            }
        }
        owners
    }

    pub(crate) fn shown(&self) -> String {
        self.here.values().map(|held| shown(held, self.now)).collect::<Vec<_>>().join(" ")
    }
}

/// The changes of a plan that apply carries out.
pub(crate) fn changes(plan: &BTreeMap<(Kind, ObjectId), Verdict>) -> Vec<Planned> {
    plan.values()
        .filter_map(|verdict| if let Verdict::Change(planned) = verdict { Some((**planned).clone()) } else { None })
        .collect()
}

/// Plan and carry out one row; `after` is `same` where nothing here changes. What holds for every unit is checked with it.
#[track_caller]
pub(crate) fn check(name: &str, here: &str, entra: &str, rules: &str, plan: &str, after: &str) {
    let mut world = World::new(here, entra, rules);
    let before = world.shown();
    let verdicts = world.plan();
    assert_eq!(sentence(&verdicts, world.now), plan, "{name}: the plan");
    let reversed: Vec<_> = world.candidates().into_iter().rev().collect();
    assert_eq!(world.plan_of(&reversed), verdicts, "{name}: the order in the unit does not matter");
    let changes = changes(&verdicts);
    let settled = world.settle(&changes);
    assert!(settled.outcomes.iter().all(|(outcome, _)| *outcome == Outcome::Applied), "{name}: {:?}", settled.outcomes);
    assert_eq!(world.shown(), if after == "same" { &before } else { after }, "{name}: the directory afterwards");
    world.owners();
    let again = world.settle(&changes);
    assert_eq!(again.moves, [], "{name}: applying twice changes nothing twice");
    assert_eq!(again.outcomes, settled.outcomes, "{name}: applying twice");
    assert_eq!(self::changes(&world.plan()), [], "{name}: nothing is left to do");
}

/// Only the plan of one row.
#[track_caller]
pub(crate) fn plans(name: &str, here: &str, entra: &str, rules: &str, plan: &str) {
    let world = World::new(here, entra, rules);
    assert_eq!(sentence(&world.plan(), world.now), plan, "{name}");
}

/// A plan as a sentence.
pub(crate) fn sentence(plan: &BTreeMap<(Kind, ObjectId), Verdict>, now: Timestamp) -> String {
    let words = plan.iter().filter_map(|((_, id), verdict)| {
        Some(match verdict {
            Verdict::Settled => return None,
            Verdict::Skipped(skipped) => format!("skip {id} {}", name(skipped.reason)),
            Verdict::NotEnabled(_) => format!("off {id}"),
            Verdict::Failed(planned) => {
                let error = planned.change.error.clone().unwrap();
                let holder = error.strip_prefix("its primary address belongs to ").unwrap().split(", ").next().unwrap();
                format!("fail {id} for {holder}")
            }
            Verdict::Dormant(until) => format!("sleep {id} {}d", until.duration_since(now).as_hours() / 24),
            Verdict::Postponed => format!("wait {id}"),
            Verdict::Change(planned) => match planned.change.category {
                Category::Adding => format!("add {id}"),
                Category::Updating if planned.change.why.contains("adopts") => {
                    format!("adopt {} as {id}", planned.local)
                }
                Category::Updating if planned.change.why.contains("restored") => format!("restore {id}"),
                Category::Updating => format!("update {id}"),
                Category::Disabling => format!("disable {id}"),
                Category::Deleting if planned.purge => format!("purge {id}"),
                Category::Deleting => format!("delete {id}"),
                Category::NotEnabled => panic!("a change that is not enabled"),
            },
        })
    });
    words.collect::<Vec<_>>().join(", ")
}

fn name(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

pub(crate) fn id(text: &str) -> ObjectId {
    ObjectId::try_from(text).unwrap()
}

pub(crate) fn address(text: &str) -> Address {
    Address::parse(&full(text)).unwrap()
}

fn full(text: &str) -> String {
    if text.contains('@') { text.to_owned() } else { format!("{text}@c.ch") }
}

struct Parsed<'a> {
    kind: Kind,
    id: &'a str,
    addresses: Vec<&'a str>,
    flags: Vec<&'a str>,
}

fn parsed(text: &str) -> Parsed<'_> {
    let mut parts = text.split(':');
    let (id, addresses) = parts.next().unwrap().split_once('=').unwrap_or((text.split(':').next().unwrap(), ""));
    let kind = if id.starts_with(|c: char| c.is_ascii_uppercase()) { Kind::Group } else { Kind::User };
    Parsed { kind, id, addresses: addresses.split(',').filter(|a| !a.is_empty()).collect(), flags: parts.collect() }
}

fn held(text: &str, now: Timestamp) -> Held {
    let Parsed { kind, id, addresses, flags } = parsed(text);
    let primary = addresses.first().filter(|primary| **primary != "-").map(|primary| address(primary));
    let aliases: BTreeSet<Address> = addresses.iter().skip(1).map(|alias| address(alias)).collect();
    let mut object = json!({
        "id": id, "entra_id": id, "primary_email": primary, "alias_emails": aliases, "managed_by": ManagedBy::Sync,
        "deleted_at": null, "rev": 1, "connection": CONNECTION, "is_active": true, "digests": true, "type": UserType::EndUser,
        "member_count": 0, "name": if addresses.is_empty() { "nobody".to_owned() } else { full(addresses[0]) }, "kind": "distribution",
    });
    if kind == Kind::User {
        object["kind"] = Value::Null;
    }
    for flag in flags {
        match flag {
            "off" => object["is_active"] = json!(false),
            "hand" => (object["managed_by"], object["entra_id"]) = (json!(ManagedBy::Hand), Value::Null),
            "old" => (object["connection"], object["entra_id"]) = (json!(1), json!(format!("{id}-before"))),
            "fun" => (object["type"], object["digests"]) = (json!(UserType::FunctionalAccount), json!(false)),
            "silent" => (object["type"], object["digests"]) = (json!(UserType::SilentUser), json!(false)),
            "admin" => object["type"] = json!(UserType::OrganizationAdmin),
            "security" => object["kind"] = json!("security"),
            _ => {
                let days: i64 = flag.strip_prefix("gone").unwrap().parse().unwrap();
                object["deleted_at"] = json!(now - SignedDuration::from_hours(24 * days));
                object["is_active"] = json!(false);
            }
        }
    }
    Held::read(kind, object).unwrap()
}

fn shown(held: &Held, now: Timestamp) -> String {
    let short = |address: &Address| address.as_str().strip_suffix("@c.ch").unwrap_or(address.as_str()).to_owned();
    let addresses = held.addresses();
    let mut text = held.id().to_string();
    if addresses.all().next().is_some() {
        let primary = addresses.primary.as_ref().map_or("-".to_owned(), short);
        let all: Vec<String> = std::iter::once(primary).chain(addresses.aliases.iter().map(short)).collect();
        text += &format!("={}", all.join(","));
    }
    if let Held::User(user) = held {
        match user.kind {
            UserType::EndUser => (),
            UserType::SilentUser => text += ":silent",
            UserType::FunctionalAccount => text += ":fun",
            UserType::OrganizationAdmin => text += ":admin",
        }
        if user.digests != matches!(user.kind, UserType::EndUser | UserType::OrganizationAdmin) {
            text += if user.digests { ":digests" } else { ":no-digests" };
        }
        if !user.is_active && user.deleted_at.is_none() {
            text += ":off";
        }
        assert!(user.deleted_at.is_none() || !user.is_active, "{text}: marked as deleted, and active");
    }
    if held.managed_by() == ManagedBy::Hand {
        text += ":hand";
    }
    if held.connection() != CONNECTION {
        text += ":old";
    }
    if let Some(since) = held.deleted_at() {
        text += &format!(":gone{}", now.duration_since(since).as_hours() / 24);
    }
    text
}

fn said(text: &str) -> ((Kind, ObjectId), (Entra, Option<Removal>)) {
    let Parsed { kind, id: object, addresses, flags } = parsed(text);
    let is = |flag: &str| flags.contains(&flag);
    let scheme = |at: usize| if at == 0 { "SMTP" } else { "smtp" };
    let proxies: Vec<String> =
        addresses.iter().enumerate().map(|(at, address)| format!("{}:{}", scheme(at), full(address))).collect();
    let proxy_addresses = (!proxies.is_empty()).then_some(proxies);
    let removed = is("hard").then_some(Removal::Hard);
    let entra = match kind {
        Kind::User => Entra::User(EntraUser {
            proxy_addresses,
            account_enabled: Some(!is("blocked")),
            user_type: Some(if is("guest") { "Guest" } else { "Member" }.to_owned()),
            mailbox_kind: [
                ("person", MailboxKind::User),
                ("shared", MailboxKind::Shared),
                ("room", MailboxKind::Room),
                ("equipment", MailboxKind::Equipment),
                ("other", MailboxKind::Other),
            ]
            .into_iter()
            .find_map(|(flag, kind)| is(flag).then_some(kind)),
            ..EntraUser::default()
        }),
        Kind::Group => Entra::Group(EntraGroup {
            display_name: Some(addresses.first().map_or("nobody".to_owned(), |address| full(address))),
            proxy_addresses,
            mail_enabled: Some(true),
            security_enabled: Some(is("security")),
            group_types: Some(if is("unified") { vec!["Unified".to_owned()] } else { Vec::new() }),
            ..EntraGroup::default()
        }),
    };
    ((kind, id(object)), (entra, removed))
}
