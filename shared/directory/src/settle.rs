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
/// A change whose object has moved on since the plan, or was exempted, is stale and left alone; one whose effect is already
/// there counts as applied, so that settling twice changes nothing twice. Every address that a change gains is taken from
/// whoever holds it, unless that holder is made by hand or `exempt`.
pub fn settle(
    selected: &[Planned],
    now: &BTreeMap<Local, Held>,
    owners: &BTreeMap<Address, Local>,
    exempt: &BTreeSet<Address>,
    connection: u32,
) -> Settled {
    let mut after: BTreeMap<Local, Option<Held>> = BTreeMap::new();
    let mut stale: BTreeMap<Local, String> = BTreeMap::new();
    for planned in selected {
        let local = local(planned);
        match target(planned, now.get(&local), exempt, connection) {
            Ok(object) if object.as_ref() == now.get(&local) => (),
            Ok(object) => drop(after.insert(local, object)),
            Err(why) => drop(stale.insert(local, why)),
        }
    }
    // A change that falls away may have been the one that adopts the holder of another's address.
    loop {
        let refused = |(local, object): (&Local, &Option<Held>)| {
            let why = object.as_ref().and_then(|object| kept(object, local, now, owners, exempt, &after))?;
            Some((local.clone(), why))
        };
        let blocked: Vec<_> = after.iter().filter_map(refused).collect();
        if blocked.is_empty() {
            break;
        }
        after.retain(|local, _| !blocked.iter().any(|(name, _)| name == local));
        stale.extend(blocked);
    }
    let mut gained: BTreeMap<Address, Local> = BTreeMap::new();
    for (local, object) in &after {
        let had = now.get(local).map(Held::addresses);
        let has = object.iter().flat_map(|object| object.addresses().all());
        gained.extend(
            has.filter(|has| !had.is_some_and(|had| had.contains(has))).map(|has| (has.clone(), local.clone())),
        );
    }
    for (local, object) in now {
        let lost: BTreeSet<Address> =
            object.addresses().all().filter(|has| gained.get(has).is_some_and(|by| by != local)).cloned().collect();
        let next = after.get(local).map_or(Some(object), Option::as_ref);
        if let Some(next) = next.filter(|next| next.addresses().all().any(|has| lost.contains(has))) {
            let next = next.readdressed(next.addresses().without(&lost));
            after.insert(local.clone(), Some(next));
        }
    }
    let outcome = |planned| match stale.remove(&local(planned)) {
        None => (Outcome::Applied, None),
        Some(why) => (Outcome::Stale, Some(why)),
    };
    let outcomes = selected.iter().map(outcome).collect();
    let moves =
        after.into_iter().map(|(local, after)| Move { before: now.get(&local).cloned(), local, after }).collect();
    Settled { moves, outcomes }
}

fn local(planned: &Planned) -> Local {
    (planned.change.object, planned.local.clone())
}

/// What the object becomes, which may be what it is already, or why its change is stale.
fn target(
    planned: &Planned,
    now: Option<&Held>,
    exempt: &BTreeSet<Address>,
    connection: u32,
) -> Result<Option<Held>, String> {
    let Planned { change, local, rev, purge, .. } = planned;
    let sets = || {
        change
            .fields
            .iter()
            .map(|(name, field)| (name.as_str(), field.to.clone()))
            .filter(|(name, _)| *name != "members")
    };
    let done = |held: &Held| {
        let fields = held.fields();
        let same = change.fields.contains_key("entra_id") || held.entra_id() == Some(&change.object_id);
        same && sets().all(|(name, to)| *fields.get(name).unwrap_or(&Value::Null) == to)
    };
    let object = match (now, rev) {
        (None, _) if *purge => return Ok(None),
        (None, None) => Some(create(planned, connection)?),
        (None, Some(_)) => return Err("it is not here any longer".to_owned()),
        (Some(held), _) if !purge && done(held) => return Ok(now.cloned()),
        (Some(held), Some(rev)) if held.rev() == *rev && *purge => None,
        (Some(held), Some(rev)) if held.rev() == *rev => {
            Some(held.with(sets()).map_err(|err| err.to_string())?.connected(connection))
        }
        (Some(_), Some(_)) => return Err("it has changed since the plan was made".to_owned()),
        (Some(_), None) => return Err(format!("{} {local} is here already", change.object.name())),
    };
    if now.into_iter().chain(&object).any(|held| is_exempt(held, exempt)) {
        return Err("one of its addresses is exempt since the plan was made".to_owned());
    }
    Ok(object)
}

fn create(planned: &Planned, connection: u32) -> Result<Held, String> {
    let mut object = json!({
        "id": planned.local, "entra_id": planned.change.object_id, "primary_email": null, "alias_emails": [],
        "managed_by": ManagedBy::Sync, "deleted_at": null, "rev": 1, "connection": connection, "is_active": true,
        "digests": false, "member_count": 0,
    });
    for (name, field) in planned.change.fields.iter().filter(|(name, _)| *name != "members") {
        object[name] = field.to.clone();
    }
    debug_assert!(planned.change.category == Category::Adding);
    Held::read(planned.change.object, object).map_err(|err| err.to_string())
}

/// Who keeps an address that the object would have, if anybody does.
fn kept(
    object: &Held,
    local: &Local,
    now: &BTreeMap<Local, Held>,
    owners: &BTreeMap<Address, Local>,
    exempt: &BTreeSet<Address>,
    after: &BTreeMap<Local, Option<Held>>,
) -> Option<String> {
    object.addresses().all().find_map(|address| {
        let owner = owners.get(address).filter(|owner| *owner != local)?;
        let keeps = now.get(owner).is_none_or(|holder| {
            let by_hand = holder.managed_by() == ManagedBy::Hand && !after.contains_key(owner);
            by_hand || is_exempt(holder, exempt)
        });
        keeps.then(|| format!("{address} belongs to {} {} now", owner.0.name(), owner.1))
    })
}

fn is_exempt(held: &Held, exempt: &BTreeSet<Address>) -> bool {
    held.addresses().any_in(exempt)
}
