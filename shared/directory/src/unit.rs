//! The plan of a unit: objects that share an address, in Entra or here, and so must be decided together.
//!
//! Most units are one object. A swap, an alias that becomes somebody's primary, or a leaver's address given to a new
//! person are units of two or three. Because a unit holds every object that lists one of its addresses, who owns an
//! address afterwards depends on nothing outside it, and not on the order in which objects are evaluated (rule 3.6).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Address, Addresses, Change, Domain, EntraGroup, EntraUser, Held, Kind, ObjectId, Removal, Settings, SkipReason,
    Skipped,
    losers::Losers,
    owners::{self, Round},
    scope::{self, Scope},
    subject::Subject,
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
    /// Whether a person has undone it, and Entra has not changed the object since (rule 4.14).
    #[serde(default)]
    pub undone: bool,
    /// A hash of what Entra said of the object when it was planned: where a person carries it out later, Entra must still
    /// say so (rule 4.6).
    #[serde(default)]
    pub said: Option<String>,
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
pub(crate) enum Wish {
    In { addresses: Addresses, fields: Vec<(&'static str, Value)>, active: bool, functional: bool, notes: Vec<String> },
    Gone(&'static str),
    Out(SkipReason, String, Option<Domain>),
    Nothing,
}

/// Decide every candidate of a unit. The verdicts stand in the candidates' order; for our own objects that Entra does
/// not know the verdict is [`Verdict::Settled`].
pub fn plan(rules: &Rules<'_>, candidates: &[Candidate]) -> Vec<Verdict> {
    let exempt: Vec<bool> = candidates.iter().map(|c| c.addresses().iter().any(|a| rules.exempt.contains(a))).collect();
    // Whoever cannot have its primary address fails alone: the others are decided as if it wanted nothing (rule 3.6).
    let mut losers = Losers::default();
    loop {
        let (verdicts, beaten) = decide(rules, candidates, &exempt, &losers);
        if beaten.is_empty() {
            match losers.second_chance(rules, candidates, &exempt) {
                Some(again) => losers = again,
                None => return verdicts,
            }
            continue;
        }
        // Whoever is beaten by one that fails itself may yet have its address, unless that one keeps it whatever becomes
        // of its own change; in a ring of the others the largest id goes first.
        let lasting = |by: &Beaten| by.keeps || !beaten.contains_key(&by.by);
        let mut fails: Vec<usize> = beaten.iter().filter(|(_, by)| lasting(by)).map(|(at, _)| *at).collect();
        if fails.is_empty() {
            fails.extend(beaten.into_keys().max_by_key(|at| candidates[*at].entra_id()));
        }
        losers.failed.extend(fails.into_iter().map(|at| (at, verdicts[at].clone())));
    }
}

/// Because of whom somebody cannot have its primary address.
pub(crate) struct Beaten {
    by: usize,
    /// It has the address now and keeps it, whether it fails itself or not.
    keeps: bool,
}

/// One round: the verdicts, and who cannot have its primary address because of whom.
pub(crate) fn decide(
    rules: &Rules<'_>,
    candidates: &[Candidate],
    exempt: &[bool],
    losers: &Losers,
) -> (Vec<Verdict>, BTreeMap<usize, Beaten>) {
    let out = |at: usize| losers.failed.contains_key(&at);
    let adopted = owners::adopt(rules, candidates, exempt, |at| out(at) || losers.modest.contains(&at));
    let base: Vec<Option<&Held>> =
        (0..candidates.len()).map(|at| candidates[*adopted.get(&at).unwrap_or(&at)].held.as_ref()).collect();
    let wishes =
        candidates.iter().enumerate().map(|(at, candidate)| candidate.wish(base[at], rules, exempt[at])).collect();
    let round = Round { candidates, exempt, base, wishes };
    let shares = round.share(rules, out);
    let mut verdicts: Vec<Verdict> = candidates
        .iter()
        .enumerate()
        .map(|(at, candidate)| {
            let Some((id, entra, _)) = &candidate.entra else { return Verdict::Settled };
            if let Some(failed) = losers.failed.get(&at) {
                return failed.clone();
            }
            let subject = Subject {
                rules,
                round: &round,
                id,
                kind: entra.kind(),
                held: round.base[at],
                adopts: adopted.contains_key(&at),
            };
            match &round.wishes[at] {
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
        })
        .collect();
    owners::bereave(&round, &shares, &mut verdicts);
    let beaten = round.wanted().filter_map(|(at, addresses)| {
        let primary = addresses.primary.as_ref()?;
        let by = *shares[at].lost.get(primary)?;
        let holder = &candidates[by];
        let has = holder.held.as_ref().is_some_and(|held| held.addresses().contains(primary));
        Some((at, Beaten { by, keeps: has && (exempt[by] || holder.claims().contains(primary)) }))
    });
    let beaten = beaten.collect();
    (verdicts, beaten)
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
    pub(crate) fn claims(&self) -> BTreeSet<Address> {
        match &self.entra {
            Some((_, entra, None)) => entra.claims(),
            _ => BTreeSet::new(),
        }
    }

    pub(crate) fn entra_id(&self) -> Option<&ObjectId> {
        self.entra.as_ref().map(|(id, ..)| id)
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

    /// What the rules want of it, where `held` is the object here that it is or would take over.
    pub(crate) fn wish(&self, held: Option<&Held>, rules: &Rules<'_>, exempt: bool) -> Wish {
        let Some((_, entra, removed)) = &self.entra else { return Wish::Nothing };
        if let Some(how) = removed {
            let (selected, what) = scope::selection(entra, rules.settings);
            return match (held, exempt) {
                (None, _) => Wish::Nothing,
                (Some(_), _) if !selected => Wish::Out(
                    SkipReason::KindNotSelected,
                    format!("it is gone in Entra, but {what} are not synchronised; it stays as it is"),
                    None,
                ),
                (Some(_), true) => Wish::Out(
                    SkipReason::Exempt,
                    "it is gone in Entra, but one of its addresses is exempt".to_owned(),
                    None,
                ),
                (Some(_), false) if *how == Removal::Soft => Wish::Gone("it was deleted in Entra"),
                (Some(_), false) => Wish::Gone("it was deleted for good in Entra"),
            };
        }
        match entra {
            Entra::User(user) => {
                let held = held.and_then(|held| if let Held::User(user) = held { Some(user) } else { None });
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
                let held = held.and_then(|held| if let Held::Group(group) = held { Some(group) } else { None });
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
    let crate::Profile { firstname, surname, display_name, job_title, department, mobile, phone, language, upn } =
        profile;
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

/// Whether a user will be here and not marked as deleted once a run under `rules` is done, as far as that can be told
/// without looking at addresses: who may be a member of a group (rule 2.10). What really becomes of it is checked again
/// when members are written.
pub fn will_be_present(
    rules: &Rules<'_>,
    entra: Option<&(EntraUser, Option<Removal>)>,
    held: Option<&crate::User>,
) -> bool {
    let here = held.is_some_and(crate::User::is_member_material);
    let Some((entra, removed)) = entra else { return here };
    let proxies = entra.proxy_addresses.as_deref().filter(|_| removed.is_none());
    let own = scope::claimed(proxies, entra.mail.as_deref());
    let exempt = own.iter().chain(held.iter().flat_map(|user| user.addresses.all())).any(|a| rules.exempt.contains(a));
    let settings = rules.settings;
    let leaves = rules.deletions && settings.sync_active_users && settings.remove_deleted_users && !exempt;
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
