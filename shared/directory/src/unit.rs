//! The plan of a unit: objects that share an address, in Entra or here, and so must be decided together.
//!
//! Most units are one object. A swap, an alias that becomes somebody's primary, or a leaver's address given to a new
//! person are units of two or three. Because a unit holds every object that lists one of its addresses, who owns an
//! address afterwards depends on nothing outside it, and not on the order in which objects are evaluated (rule 3.6).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Address, Addresses, Category, Change, Domain, EntraGroup, EntraUser, Field, Held, Kind, ManagedBy, NewUserRole, ObjectId,
    Removal, Settings, SkipReason, Skipped, UserType,
    scope::{self, Scope},
};

/// What a plan is made under.
#[derive(Debug, Clone)]
pub struct Rules<'a> {
    /// The tenant's settings, or those of this run.
    pub settings: &'a Settings,
    /// Addresses that no run touches (rule 5.3).
    pub exempt: &'a BTreeSet<Address>,
    /// The number of the present connection (rule 1.1).
    pub connection: u32,
    /// The time of the run.
    pub now: Timestamp,
    /// Whether deletions may be planned: not after a short read (rule 4.9).
    pub deletions: bool,
}

/// What Entra says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entra {
    /// A user.
    User(EntraUser),
    /// A group.
    Group(EntraGroup),
}

/// An object as Entra knows it, as we hold it, or both.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Entra's object id, what it last said, and whether it is gone.
    pub entra: Option<(ObjectId, Entra, Option<Removal>)>,
    /// Our record.
    pub held: Option<Held>,
}

/// A change with what is needed to carry it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The change as people see it.
    pub change: Change,
    /// Our id of the object.
    pub local: ObjectId,
    /// The revision that the change builds on; `None` where it makes a new object.
    pub rev: Option<u64>,
    /// Remove the object for good rather than mark it.
    pub purge: bool,
    /// How many billable users more (or fewer) there are afterwards.
    pub seats: i32,
    /// Whether the brake counts it (rule 4.8).
    pub brakes: bool,
}

/// What is decided of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    Settled,
    /// It is left alone, with a reason.
    Skipped(Skipped),
    /// It should change.
    Change(Box<Planned>),
    /// It should change, but its switch is off (rule 3.1).
    NotEnabled(Box<Planned>),
    /// It cannot get its primary address; the change carries the error (rule 3.6).
    Failed(Box<Planned>),
    /// It is marked as deleted, and is to be removed for good at this time (rule 3.4).
    Dormant(Timestamp),
    /// Nothing is decided until Entra was read in full (rule 4.9).
    Postponed,
}

/// What the rules want of a candidate, before addresses are shared out.
enum Wish {
    In { addresses: Addresses, fields: Vec<(&'static str, Value)>, active: bool, functional: bool, notes: Vec<String> },
    Gone(&'static str),
    Out(SkipReason, String, Option<Domain>),
    Nothing,
}

/// Decide every candidate of a unit. The verdicts stand in the candidates' order; for our own objects that Entra does
/// not know the verdict is [`Verdict::Settled`].
pub fn plan(rules: &Rules<'_>, candidates: &[Candidate]) -> Vec<Verdict> {
    let exempt: Vec<bool> = candidates.iter().map(|c| c.addresses().iter().any(|a| rules.exempt.contains(a))).collect();
    let wishes: Vec<Wish> = candidates.iter().zip(&exempt).map(|(c, exempt)| c.wish(rules, *exempt)).collect();
    let adopted = adopt(rules, candidates, &wishes, &exempt);
    let base: Vec<Option<&Held>> = (0..candidates.len())
        .map(|at| candidates[at].held.as_ref().or_else(|| adopted.get(&at).and_then(|from| candidates[*from].held.as_ref())))
        .collect();
    let shares = share(candidates, &wishes, &exempt, &base);
    candidates.iter().enumerate().map(|(at, candidate)| {
        let Some((id, entra, _)) = &candidate.entra else { return Verdict::Settled };
        let subject = Subject { rules, id, kind: entra.kind(), held: base[at], adopts: adopted.contains_key(&at) };
        match &wishes[at] {
            Wish::Nothing => Verdict::Settled,
            Wish::Out(reason, why, domain) => Verdict::Skipped(Skipped {
                object: subject.kind,
                object_id: id.clone(),
                address: candidate.shown_address(),
                reason: *reason,
                why: why.clone(),
                domain: domain.clone(),
            }),
            Wish::Gone(why) => subject.gone(why),
            Wish::In { addresses, fields, active, functional, notes } => {
                subject.wanted(&shares[at], addresses, fields, *active, *functional, notes)
            }
        }
    }).collect()
}

impl Entra {
    /// User or group.
    pub fn kind(&self) -> Kind {
        match self {
            Self::User(_) => Kind::User,
            Self::Group(_) => Kind::Group,
        }
    }

    /// Every valid address that Entra gives it.
    pub fn claims(&self) -> BTreeSet<Address> {
        match self {
            Self::User(user) => scope::claimed(user.proxy_addresses.as_deref(), user.mail.as_deref()),
            Self::Group(group) => scope::claimed(group.proxy_addresses.as_deref(), group.mail.as_deref()),
        }
    }
}

impl Candidate {
    /// Every address that it has or that Entra gives it: what makes it part of a unit.
    pub fn addresses(&self) -> BTreeSet<Address> {
        let held = self.held.iter().flat_map(|held| held.addresses().all().cloned());
        self.claims().into_iter().chain(held).collect()
    }

    /// What Entra gives it now; nothing, once it is gone.
    fn claims(&self) -> BTreeSet<Address> {
        match &self.entra {
            Some((_, entra, None)) => entra.claims(),
            _ => BTreeSet::new(),
        }
    }

    fn shown_address(&self) -> Option<String> {
        let held = self.held.as_ref().and_then(|held| held.addresses().primary.as_ref()).map(Address::to_string);
        held.or_else(|| {
            let (mail, proxies, upn) = match &self.entra.as_ref()?.1 {
                Entra::User(user) => (&user.mail, &user.proxy_addresses, user.upn.as_ref()),
                Entra::Group(group) => (&group.mail, &group.proxy_addresses, None),
            };
            let primary = proxies.iter().flatten().find_map(|proxy| proxy.strip_prefix("SMTP:").map(str::to_owned));
            primary.or_else(|| mail.clone()).or_else(|| upn.cloned()).map(|text| text.chars().take(320).collect())
        })
    }

    fn wish(&self, rules: &Rules<'_>, exempt: bool) -> Wish {
        let Some((_, entra, removed)) = &self.entra else { return Wish::Nothing };
        if let Some(how) = removed {
            return match (&self.held, exempt) {
                (None, _) => Wish::Nothing,
                (Some(_), true) => Wish::Out(SkipReason::Exempt, "it is gone in Entra, but one of its addresses is exempt".to_owned(), None),
                (Some(_), false) if *how == Removal::Soft => Wish::Gone("it was deleted in Entra"),
                (Some(_), false) => Wish::Gone("it was deleted for good in Entra"),
            };
        }
        match entra {
            Entra::User(user) => {
                let held = self.held.as_ref().and_then(|held| if let Held::User(user) = held { Some(user) } else { None });
                match scope::user(user, held, rules.settings, exempt) {
                    Scope::In(user) => Wish::In {
                        fields: fields_of(&user.profile),
                        addresses: user.addresses,
                        active: user.active,
                        functional: user.functional,
                        notes: user.notes,
                    },
                    Scope::Out(reason, why, domain) => Wish::Out(reason, why, domain),
                    Scope::Unlisted => Wish::Nothing,
                    Scope::LostMailbox => Wish::Gone("it has lost its last SMTP address in Entra, and so its mailbox"),
                }
            }
            Entra::Group(group) => {
                let held = self.held.as_ref().and_then(|held| if let Held::Group(group) = held { Some(group) } else { None });
                match scope::group(group, held, rules.settings, exempt) {
                    Scope::In(group) => Wish::In {
                        fields: vec![("name", json!(group.name)), ("kind", json!(group.kind))],
                        addresses: group.addresses,
                        active: true,
                        functional: false,
                        notes: group.notes,
                    },
                    Scope::Out(reason, why, domain) => Wish::Out(reason, why, domain),
                    Scope::Unlisted | Scope::LostMailbox => Wish::Nothing,
                }
            }
        }
    }
}

fn fields_of(profile: &crate::Profile) -> Vec<(&'static str, Value)> {
    let crate::Profile { firstname, surname, display_name, job_title, department, mobile, phone, language, upn } = profile;
    vec![
        ("firstname", json!(firstname)),
        ("surname", json!(surname)),
        ("display_name", json!(display_name)),
        ("job_title", json!(job_title)),
        ("department", json!(department)),
        ("mobile", json!(mobile)),
        ("phone", json!(phone)),
        ("language", json!(language)),
        ("upn", json!(upn)),
    ]
}

/// Who adopts whom: an object that the rules want and that is not here takes over one that was made by hand, or that a
/// connection before managed, if it has one of its addresses (rules 1.1 and 3.5). The primary decides, then the id.
fn adopt(rules: &Rules<'_>, candidates: &[Candidate], wishes: &[Wish], exempt: &[bool]) -> BTreeMap<usize, usize> {
    let mut takers: Vec<(bool, &ObjectId, usize, usize)> = Vec::new();
    for (at, candidate) in candidates.iter().enumerate() {
        let (Some((id, entra, _)), None, Wish::In { addresses, .. }) = (&candidate.entra, &candidate.held, &wishes[at]) else {
            continue;
        };
        for (from, other) in candidates.iter().enumerate() {
            let Some(held) = &other.held else { continue };
            let free = other.entra.is_none() && (held.managed_by() == ManagedBy::Hand || held.connection() < rules.connection);
            let shared = addresses.all().any(|address| held.addresses().contains(address));
            if free && shared && !exempt[from] && held.kind() == entra.kind() {
                let primary = addresses.primary.as_ref().is_some_and(|primary| held.addresses().contains(primary));
                takers.push((!primary, id, at, from));
            }
        }
    }
    takers.sort();
    let mut adopted = BTreeMap::new();
    for (_, _, at, from) in takers {
        if !adopted.contains_key(&at) && !adopted.values().any(|taken| *taken == from) {
            adopted.insert(at, from);
        }
    }
    adopted
}

/// What a candidate gets of the addresses that the rules want for it.
#[derive(Default)]
struct Share {
    /// Not for it, and who has it instead.
    lost: BTreeMap<Address, String>,
    /// Taken from another object here.
    taken: Vec<(Address, String)>,
}

/// Share out every address among those who want it (rule 3.6).
fn share(candidates: &[Candidate], wishes: &[Wish], exempt: &[bool], base: &[Option<&Held>]) -> Vec<Share> {
    let mut wanted: BTreeMap<&Address, Vec<usize>> = BTreeMap::new();
    for (at, wish) in wishes.iter().enumerate() {
        if let Wish::In { addresses, .. } = wish {
            for address in addresses.all() {
                wanted.entry(address).or_default().push(at);
            }
        }
    }
    let is_primary = |at: usize, address: &Address| {
        matches!(&wishes[at], Wish::In { addresses, .. } if addresses.primary.as_ref() == Some(address))
    };
    let name = |at: usize| match (&candidates[at].entra, &candidates[at].held) {
        (Some((id, entra, _)), _) => format!("{} {id}", entra.kind().name()),
        (None, Some(held)) => format!("{} {}, made by hand", held.kind().name(), held.id()),
        (None, None) => String::new(),
    };
    let mut shares: Vec<Share> = candidates.iter().map(|_| Share::default()).collect();
    for (address, mut contenders) in wanted {
        let holder = (0..candidates.len()).find(|at| base[*at].is_some_and(|held| held.addresses().contains(address)));
        let adopter = |at: usize| (0..candidates.len()).find(|by| *by != at && base[*by].is_some() && same(base[*by], base[at]));
        let holder = holder.map(|at| if candidates[at].entra.is_none() { adopter(at).unwrap_or(at) } else { at });
        let keeps = holder.filter(|at| {
            let by_hand = candidates[*at].entra.is_none() && base[*at].is_some_and(|held| held.managed_by() == ManagedBy::Hand);
            exempt[*at] || by_hand || candidates[*at].claims().contains(address)
        });
        contenders.sort_by_key(|at| (!is_primary(*at, address), candidates[*at].entra.as_ref().map(|(id, ..)| id)));
        let winner = keeps.or(contenders.first().copied());
        for at in contenders {
            match (winner, holder) {
                (Some(winner), _) if winner != at => {
                    shares[at].lost.insert(address.clone(), name(winner));
                }
                (_, Some(holder)) if holder != at => shares[at].taken.push((address.clone(), name(holder))),
                _ => (),
            }
        }
    }
    shares
}

fn same(a: Option<&Held>, b: Option<&Held>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a.kind() == b.kind() && a.id() == b.id())
}

/// One object on its way from what is held to what is wanted.
struct Subject<'a> {
    rules: &'a Rules<'a>,
    id: &'a ObjectId,
    kind: Kind,
    held: Option<&'a Held>,
    adopts: bool,
}

impl Subject<'_> {
    fn gone(&self, why: &str) -> Verdict {
        let Some(held) = self.held else { return Verdict::Settled };
        if !self.rules.deletions {
            return Verdict::Postponed;
        }
        let days = i64::from(self.rules.settings.recovery_days.0);
        let due = |since: Timestamp| since.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
        let (purge, why) = match held.deleted_at() {
            Some(since) if due(since) <= self.rules.now => (true, format!("{why}, and its {days} days of recovery are over: it is removed for good")),
            Some(since) => return Verdict::Dormant(due(since)),
            None if days == 0 => (true, format!("{why}, and there are no days of recovery: it is removed for good")),
            None => (false, format!("{why}: it is made inactive, and removed for good after {days} days")),
        };
        let mut fields = BTreeMap::new();
        if held.deleted_at().is_none() {
            fields.insert("deleted_at".to_owned(), Field { from: Value::Null, to: json!(self.rules.now) });
            if self.kind == Kind::User && held.is_active() {
                fields.insert("is_active".to_owned(), Field { from: json!(true), to: json!(false) });
            }
        } else {
            fields.insert("deleted_at".to_owned(), Field { from: json!(held.deleted_at()), to: Value::Null });
        }
        let planned = self.planned(Category::Deleting, why, fields, Vec::new(), purge);
        self.if_enabled(planned, self.rules.settings.removes(self.kind), "remove_deleted")
    }

    fn wanted(
        &self,
        share: &Share,
        addresses: &Addresses,
        others: &[(&'static str, Value)],
        active: bool,
        functional: bool,
        notes: &[String],
    ) -> Verdict {
        let mut notes = notes.to_vec();
        let kept = Addresses {
            primary: addresses.primary.clone(),
            aliases: addresses.aliases.iter().filter(|alias| !share.lost.contains_key(*alias)).cloned().collect(),
        };
        for (alias, holder) in share.lost.iter().filter(|(address, _)| addresses.primary.as_ref() != Some(*address)) {
            notes.push(format!("the alias {alias} is left out: {holder} has it too"));
        }
        for (address, holder) in &share.taken {
            notes.push(format!("takes {address} from {holder}"));
        }
        let mut target: Vec<(&str, Value)> = others.to_vec();
        target.push(("primary_email", json!(kept.primary)));
        target.push(("alias_emails", json!(kept.aliases)));
        target.push(("deleted_at", Value::Null));
        if self.kind == Kind::User {
            target.push(("is_active", json!(active)));
            let role = match self.rules.settings.default_user_role_name {
                NewUserRole::EndUser => UserType::EndUser,
                NewUserRole::SilentUser => UserType::SilentUser,
            };
            if functional {
                target.push(("type", json!(UserType::FunctionalAccount)));
            } else if self.held.is_none() {
                target.push(("type", json!(role)));
            }
            if self.held.is_none() {
                target.push(("digests", json!(!functional && role == UserType::EndUser)));
            }
        }
        if self.adopts {
            target.push(("managed_by", json!(ManagedBy::Sync)));
        }
        let before = self.held.map(Held::fields).unwrap_or_default();
        let fields: BTreeMap<String, Field> = target
            .into_iter()
            .map(|(name, to)| (name.to_owned(), Field { from: before.get(name).cloned().unwrap_or(Value::Null), to }))
            .filter(|(name, field)| field.from != field.to && !(self.held.is_none() && name == "alias_emails" && field.to == json!([])))
            .collect();
        if fields.is_empty() && !self.adopts {
            return Verdict::Settled;
        }
        let (category, why) = self.name_it(&fields);
        let planned = self.planned(category, why, fields, notes, false);
        if let Some(holder) = addresses.primary.as_ref().and_then(|primary| share.lost.get(primary)) {
            let mut planned = planned;
            planned.change.error = Some(format!("its primary address belongs to {holder}, and {} {} cannot have it too", self.kind.name(), self.id));
            planned.change.selected = false;
            planned.seats = 0;
            return Verdict::Failed(Box::new(planned));
        }
        let (enabled, switch) = match category {
            Category::Adding => (self.rules.settings.adds(self.kind), "add"),
            _ => (self.rules.settings.updates(self.kind), "update"),
        };
        self.if_enabled(planned, enabled, switch)
    }

    fn name_it(&self, fields: &BTreeMap<String, Field>) -> (Category, String) {
        let goes = |name: &str, from: Value, to: Value| fields.get(name).is_some_and(|f| f.from == from && f.to == to);
        let restored = fields.get("deleted_at").is_some_and(|field| field.to.is_null());
        match self.held {
            None => (Category::Adding, "it is new in Entra".to_owned()),
            Some(_) if self.adopts => (Category::Updating, "adopts the one that is here already with its address".to_owned()),
            Some(_) if restored => (Category::Updating, "it is back in Entra: it is restored with everything it had".to_owned()),
            Some(_) if goes("is_active", json!(true), json!(false)) => {
                (Category::Disabling, "its sign-in is blocked in Entra".to_owned())
            }
            Some(_) if goes("is_active", json!(false), json!(true)) => {
                (Category::Updating, "it is active again in Entra".to_owned())
            }
            Some(_) => {
                let names: Vec<&str> = fields.keys().map(String::as_str).collect();
                (Category::Updating, format!("Entra has another {}", names.join(", ")))
            }
        }
    }

    fn planned(&self, category: Category, why: String, fields: BTreeMap<String, Field>, notes: Vec<String>, purge: bool) -> Planned {
        let to = |name: &str| fields.get(name).map(|field| &field.to);
        let before = self.held.is_some_and(Held::is_billable);
        let active = to("is_active").map_or(self.held.is_some_and(Held::is_active), |value| value == &json!(true));
        let functional = match to("type") {
            Some(value) => value == &json!(UserType::FunctionalAccount),
            None => matches!(self.held, Some(Held::User(user)) if user.kind == UserType::FunctionalAccount),
        };
        let after = self.kind == Kind::User && active && !functional && !purge;
        let address = to("primary_email").and_then(|value| serde_json::from_value(value.clone()).ok());
        let address = address.or_else(|| self.held.and_then(|held| held.addresses().primary.clone()));
        let mut change = Change {
            id: String::new(),
            category,
            object: self.kind,
            object_id: self.id.clone(),
            address,
            selected: true,
            why,
            fields,
            notes,
            outcome: None,
            error: None,
        };
        change.seal("");
        let brakes = matches!(category, Category::Disabling | Category::Deleting) && self.held.is_some_and(Held::counts_for_brake);
        Planned {
            change,
            local: self.held.map_or(self.id, Held::id).clone(),
            rev: self.held.map(Held::rev),
            purge,
            seats: i32::from(after) - i32::from(before),
            brakes,
        }
    }

    fn if_enabled(&self, mut planned: Planned, enabled: bool, switch: &str) -> Verdict {
        if enabled {
            return Verdict::Change(Box::new(planned));
        }
        planned.change.category = Category::NotEnabled;
        planned.change.selected = false;
        planned.seats = 0;
        planned.change.why += &format!("; {switch}_{}s is off", self.kind.name());
        planned.change.seal("");
        Verdict::NotEnabled(Box::new(planned))
    }
}

/// Whether a user will be here and not marked as deleted once a run under `rules` is done, as far as that can be told
/// without looking at addresses: who may be a member of a group (rule 2.10). What really becomes of it is checked again
/// when members are written.
pub fn will_be_present(rules: &Rules<'_>, entra: Option<&(EntraUser, Option<Removal>)>, held: Option<&crate::User>) -> bool {
    let here = held.is_some_and(crate::User::is_member_material);
    let Some((entra, removed)) = entra else { return here };
    let own = scope::claimed(entra.proxy_addresses.as_deref(), entra.mail.as_deref());
    let exempt = own.iter().chain(held.iter().flat_map(|user| user.addresses.all())).any(|a| rules.exempt.contains(a));
    let leaves = rules.deletions && rules.settings.remove_deleted_users && !exempt;
    if removed.is_some() {
        return here && !leaves;
    }
    match scope::user(entra, held, rules.settings, exempt) {
        Scope::In(_) if held.is_none() => rules.settings.add_users,
        Scope::In(_) => here || rules.settings.update_users,
        Scope::LostMailbox => here && !leaves,
        Scope::Out(..) | Scope::Unlisted => here,
    }
}
