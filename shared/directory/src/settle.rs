//! Carrying out a unit on paper: what each of its objects becomes, before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Address, Category, Held, Kind, ManagedBy, ObjectId, Outcome, Planned};
use serde_json::{Value, json};

/// An object's name here.
pub type Local = (Kind, ObjectId);

/// What an object of the unit becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Which object.
    pub local: Local,
    /// As it is now; `None` where there is none.
    pub before: Option<Held>,
    /// As it will be; `None` once it is removed for good.
    pub after: Option<Held>,
}

/// The result of settling a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// What changes. Objects that stay as they are, are left out.
    pub moves: Vec<Move>,
    /// What becomes of each selected change, in their order, and why not.
    pub outcomes: Vec<(Outcome, Option<String>)>,
}

/// Carry out `selected` on the unit's objects as they are now.
///
/// A change whose object has moved on since the plan is stale and left alone; one whose effect is already there counts as
/// applied, so that settling twice changes nothing twice. Every address that a change gains is taken from whoever holds
/// it, unless that holder is made by hand or `exempt`.
pub fn settle(
    selected: &[Planned],
    now: &BTreeMap<Local, Held>,
    owners: &BTreeMap<Address, Local>,
    exempt: &BTreeSet<Address>,
    connection: u32,
) -> Settled {
    let mut after: BTreeMap<Local, Option<Held>> = BTreeMap::new();
    let mut outcomes = Vec::new();
    for planned in selected {
        let local = (planned.change.object, planned.local.clone());
        let outcome = match target(planned, now.get(&local), connection) {
            Ok(None) => Ok(()),
            Ok(Some(object)) => free(&object, &local, now, owners, exempt, selected).map(|()| {
                after.insert(local, object.0);
            }),
            Err(stale) => Err(stale),
        };
        outcomes.push(match outcome {
            Ok(()) => (Outcome::Applied, None),
            Err(why) => (Outcome::Stale, Some(why)),
        });
    }
    let gained: BTreeSet<Address> = after
        .iter()
        .flat_map(|(local, object)| {
            let had = now.get(local).map(Held::addresses);
            let has = object.iter().flat_map(|object| object.addresses().all());
            has.filter(move |address| !had.is_some_and(|had| had.contains(address))).cloned()
        })
        .collect();
    for (local, object) in now {
        if !after.contains_key(local) && object.addresses().all().any(|address| gained.contains(address)) {
            after.insert(local.clone(), Some(object.readdressed(object.addresses().without(&gained))));
        }
    }
    let moves = after.into_iter().map(|(local, after)| Move { before: now.get(&local).cloned(), local, after }).collect();
    Settled { moves, outcomes }
}

struct Target(Option<Held>);

/// What the object becomes; `None` where it is so already.
fn target(planned: &Planned, now: Option<&Held>, connection: u32) -> Result<Option<Target>, String> {
    let Planned { change, local, rev, purge, .. } = planned;
    let sets = || change.fields.iter().map(|(name, field)| (name.as_str(), field.to.clone()));
    let done = |held: &Held| {
        let fields = held.fields();
        let null = Value::Null;
        held.entra_id() == Some(&change.object_id) && sets().all(|(name, to)| name == "members" || *fields.get(name).unwrap_or(&null) == to)
    };
    match (now, rev) {
        (None, _) if *purge => Ok(None),
        (None, None) => create(planned, connection).map(Some),
        (None, Some(_)) => Err("it is not here any longer".to_owned()),
        (Some(held), _) if !purge && done(held) => Ok(None),
        (Some(held), Some(rev)) if held.rev() == *rev => {
            if *purge {
                return Ok(Some(Target(None)));
            }
            let object = held.with(sets().filter(|(name, _)| *name != "members")).map_err(|err| err.to_string())?;
            Ok(Some(Target(Some(object.managed(&change.object_id, connection)))))
        }
        (Some(_), Some(_)) => Err("it has changed since the plan was made".to_owned()),
        (Some(_), None) => Err(format!("{} {local} is here already", change.object.name())),
    }
}

fn create(planned: &Planned, connection: u32) -> Result<Target, String> {
    let mut object = json!({
        "id": planned.local, "entra_id": planned.change.object_id, "primary_email": null, "alias_emails": [],
        "managed_by": ManagedBy::Sync, "deleted_at": null, "rev": 1, "connection": connection, "is_active": true,
        "digests": false, "member_count": 0,
    });
    for (name, field) in planned.change.fields.iter().filter(|(name, _)| *name != "members") {
        object[name] = field.to.clone();
    }
    debug_assert!(planned.change.category == Category::Adding);
    Held::read(planned.change.object, object).map(|held| Target(Some(held))).map_err(|err| err.to_string())
}

/// Whether every address that the object would gain can be had.
fn free(
    object: &Target,
    local: &Local,
    now: &BTreeMap<Local, Held>,
    owners: &BTreeMap<Address, Local>,
    exempt: &BTreeSet<Address>,
    selected: &[Planned],
) -> Result<(), String> {
    for address in object.0.iter().flat_map(|object| object.addresses().all()) {
        let Some(owner) = owners.get(address).filter(|owner| *owner != local) else { continue };
        let holder = now.get(owner);
        let adopted = selected.iter().any(|planned| planned.local == owner.1 && planned.change.object == owner.0);
        let kept = holder.is_none_or(|held| {
            (held.managed_by() == ManagedBy::Hand && !adopted) || held.addresses().all().any(|address| exempt.contains(address))
        });
        if kept {
            return Err(format!("{address} belongs to {} {} now", owner.0.name(), owner.1));
        }
    }
    Ok(())
}
