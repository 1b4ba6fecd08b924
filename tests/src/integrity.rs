//! What must hold of the tables: after every commit, and once nothing is under way.

use std::collections::{BTreeMap, BTreeSet};

use directory::{Addresses, Held, Kind, ObjectId, TenantId};
use engine::{
    keys,
    ports::{Item, Key, Table},
    records::{Claim, Claimants, Counts, MirrorRow, Standing, read},
};

use crate::tables::Items;

/// What a key of the directory table names.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    Object(TenantId, Kind),
    Claim(TenantId),
    Other,
}

fn name(key: &Key) -> Name {
    let mut parts = key.pk.split('#');
    let (Table::Directory, Some(letter), Some(Ok(tenant))) =
        (key.table, parts.next(), parts.next().map(|tenant| TenantId::try_from(tenant.to_owned())))
    else {
        return Name::Other;
    };
    match letter {
        "U" => Name::Object(tenant, Kind::User),
        "G" => Name::Object(tenant, Kind::Group),
        "A" => Name::Claim(tenant),
        _ => Name::Other,
    }
}

fn held(kind: Kind, item: &Item) -> Held {
    match kind {
        Kind::User => Held::User(read("a user", item.clone()).expect("a user")),
        Kind::Group => Held::Group(read("a group", item.clone()).expect("a group")),
    }
}

/// After a commit: every address of an object that it touched is claimed for that object, every claim that it touched
/// names an object that has the address, and no claim stays behind.
pub fn of_commit(before: &BTreeMap<Key, Option<Item>>, items: &Items) {
    for (key, old) in before {
        match name(key) {
            Name::Object(tenant, kind) => {
                let new = items.get(key).map(|item| held(kind, item));
                let old = old.as_ref().map(|item| held(kind, item));
                if let Some(new) = &new {
                    check_object(items, &tenant, key, new);
                    assert!(
                        old.as_ref().is_none_or(|old| old == new || old.rev() < new.rev() || only_counted(old, new)),
                        "{key} changes without a new revision"
                    );
                }
                for address in old.iter().flat_map(|old| old.addresses().all()) {
                    if !new.as_ref().is_some_and(|new| new.addresses().contains(address)) {
                        let claim = items
                            .get(&keys::claim(&tenant, address))
                            .map(|item| read::<Claim>("a claim", item.clone()).expect("a claim"));
                        assert!(
                            claim.is_none_or(|claim| (claim.kind, claim.owner.as_str()) != (kind, key.sk.as_str())),
                            "a claim stays behind: {address} of {key}"
                        );
                    }
                }
            }
            Name::Claim(tenant) => {
                if let Some(item) = items.get(key) {
                    check_claim(items, &tenant, key, item);
                }
            }
            Name::Other => (),
        }
    }
}

fn only_counted(old: &Held, new: &Held) -> bool {
    match (old, new) {
        (Held::Group(old), Held::Group(new)) => {
            directory::Group { member_count: new.member_count, ..old.clone() } == *new
        }
        _ => false,
    }
}

fn check_object(items: &Items, tenant: &TenantId, key: &Key, object: &Held) {
    let Addresses { primary, aliases } = object.addresses();
    assert!(
        primary.as_ref().is_none_or(|primary| !aliases.contains(primary)),
        "the primary of {key} is among its aliases"
    );
    assert_eq!(object.id().as_str(), key.sk, "an object under another key");
    for address in object.addresses().all() {
        let claim =
            items.get(&keys::claim(tenant, address)).unwrap_or_else(|| panic!("{address} of {key} is not claimed"));
        let claim: Claim = read("a claim", claim.clone()).expect("a claim");
        assert_eq!(
            (claim.kind, &claim.owner),
            (object.kind(), object.id()),
            "{address} of {key} is claimed for another object"
        );
    }
}

/// Whoever was made by hand for an object of Entra is found by it.
fn check_sign_in(items: &Items, tenant: &TenantId, object: &Held) {
    let Held::User(user) = object else { return };
    if let (None, Some(entra_id)) = (&user.entra_id, &user.signs_in_as) {
        let pointer =
            items.get(&keys::signs_in(tenant, entra_id)).unwrap_or_else(|| panic!("{} is not found", user.id));
        assert_eq!(pointer["user"].as_str(), Some(user.id.as_str()), "who signs in as {entra_id}");
    }
}

fn check_claim(items: &Items, tenant: &TenantId, key: &Key, item: &Item) {
    let claim: Claim = read("a claim", item.clone()).expect("a claim");
    let owner = items
        .get(&keys::object(tenant, claim.kind, &claim.owner))
        .unwrap_or_else(|| panic!("{key} names nobody: {claim:?}"));
    let owner = held(claim.kind, owner);
    assert!(
        owner.addresses().all().any(|address| address.as_str() == key.sk),
        "{key} names an object that does not have it"
    );
}

/// Once nothing is under way: claims, members, totals and the mirror's own indexes agree.
pub fn of_rest(items: &Items) {
    let mut counts: BTreeMap<TenantId, Counts> = BTreeMap::new();
    let mut members: BTreeMap<(String, String), BTreeSet<ObjectId>> = BTreeMap::new();
    let mut forth: BTreeSet<(String, String, String)> = BTreeSet::new();
    let mut back: BTreeSet<(String, String, String)> = BTreeSet::new();
    let mut listed: BTreeSet<(String, String, Kind, ObjectId)> = BTreeSet::new();
    let mut lists: BTreeSet<(String, String, Kind, ObjectId)> = BTreeSet::new();
    for (key, item) in items {
        match name(key) {
            Name::Object(tenant, kind) => {
                let object = held(kind, item);
                check_object(items, &tenant, key, &object);
                check_sign_in(items, &tenant, &object);
                counts.entry(tenant).or_default().add(Counts::of(Some(&object)), 1);
            }
            Name::Claim(tenant) => check_claim(items, &tenant, key, item),
            Name::Other => (),
        }
        let parts: Vec<&str> = key.pk.split('#').collect();
        let text = |part: &str| part.to_owned();
        match parts.as_slice() {
            ["GM", tenant, group] => {
                members
                    .entry((text(tenant), text(group)))
                    .or_default()
                    .insert(ObjectId::try_from(key.sk.as_str()).expect("a member"));
            }
            ["MM", tenant, group] => drop(forth.insert((text(tenant), text(group), key.sk.clone()))),
            ["MR", tenant, member] => drop(back.insert((text(tenant), key.sk.clone(), text(member)))),
            ["MA", tenant, _] => {
                let claimants: Claimants = read("claimants", item.clone()).expect("claimants");
                listed
                    .extend(claimants.claimants.into_iter().map(|(kind, id)| (text(tenant), key.sk.clone(), kind, id)));
            }
            [letter @ ("MU" | "MG"), tenant, _] => {
                let kind = if *letter == "MU" { Kind::User } else { Kind::Group };
                let row = MirrorRow::read(kind, item.clone()).expect("a row of the mirror");
                if row.removed.is_none() {
                    let id = ObjectId::try_from(key.sk.as_str()).expect("an id");
                    lists.extend(
                        row.entra
                            .claims()
                            .into_iter()
                            .map(|address| (text(tenant), address.to_string(), kind, id.clone())),
                    );
                }
            }
            [letter, tenant] if *letter == "S" => {
                let standing: Standing = read("a standing verdict", item.clone()).expect("a standing verdict");
                let kind = if key.sk.starts_with("U#") { Kind::User } else { Kind::Group };
                let tenant = TenantId::try_from(text(tenant)).expect("a tenant");
                counts.entry(tenant).or_default().add(Counts::of_standing(kind, Some(&standing)), 1);
            }
            _ => (),
        }
    }
    assert_eq!(forth, back, "memberships of the mirror, from both ends");
    let unlisted: Vec<_> = lists.difference(&listed).collect();
    assert!(unlisted.is_empty(), "addresses of the mirror that nobody is found by: {unlisted:?}");
    check_members(items, &members);
    for (tenant, counted) in counts {
        let stored = items.get(&keys::counts(&tenant)).cloned().unwrap_or_default();
        let stored: Counts = read("the totals", stored).expect("the totals");
        assert_eq!(stored, counted, "the totals of {tenant}");
    }
}

fn check_members(items: &Items, members: &BTreeMap<(String, String), BTreeSet<ObjectId>>) {
    let mut known = BTreeSet::new();
    for (key, item) in items {
        let Name::Object(tenant, Kind::Group) = name(key) else { continue };
        let Held::Group(group) = held(Kind::Group, item) else { continue };
        let group_key = (tenant.to_string(), key.sk.clone());
        let own = members.get(&group_key).map_or(0, BTreeSet::len);
        assert_eq!(group.member_count, own as u64, "the member count of {key}");
        known.insert(group_key);
    }
    for (tenant, group) in members.keys() {
        assert!(known.contains(&(tenant.clone(), group.clone())), "members of a group that is not here: {group}");
    }
}
