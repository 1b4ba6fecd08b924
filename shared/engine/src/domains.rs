//! Which tenant a domain belongs to: one only (rule 1.1).

use std::collections::BTreeMap;

use directory::{Domain, Failure, RegisteredDomain, TenantId};
use serde::{Deserialize, Serialize};

use crate::{
    keys,
    operator::Refused,
    ports::{Change, Condition, Key, Store, Write},
    records::{read, write},
};

/// So many domains come and go in one commit.
const STEP: usize = 60;

/// Whose a domain is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The tenant.
    pub tenant: TenantId,
}

/// The next step from `before` to `after`: the writes that make the domains the tenant's own, and those that it has
/// then, where more steps follow.
///
/// # Errors
/// `invalid_input` where one of all the domains to come belongs to another tenant: then nothing is done.
pub(crate) async fn step(
    store: &impl Store,
    tenant: &TenantId,
    before: &[RegisteredDomain],
    after: &[RegisteredDomain],
) -> Result<(Option<Vec<RegisteredDomain>>, Vec<Write>), Refused> {
    let names = |list: &[RegisteredDomain]| list.iter().map(|domain| domain.name.clone()).collect::<Vec<Domain>>();
    let (old, new) = (names(before), names(after));
    let gained: Vec<&Domain> = new.iter().filter(|name| !old.contains(name)).collect();
    let lost: Vec<&Domain> = old.iter().filter(|name| !new.contains(name)).collect();
    let keys: Vec<Key> = gained.iter().chain(&lost).map(|name| keys::domain(name)).collect();
    let mut owners: BTreeMap<&Domain, TenantId> = BTreeMap::new();
    for (name, item) in gained.iter().chain(&lost).zip(store.get(&keys).await?) {
        if let Some(item) = item {
            owners.insert(name, read::<Owner>("the owner of a domain", item)?.tenant);
        }
    }
    if let Some(name) = gained.iter().find(|name| owners.get(*name).is_some_and(|owner| owner != tenant)) {
        return Err(Failure::invalid(format!("settings.domains: {name} belongs to another tenant")).into());
    }
    let mut domains = before.to_vec();
    let mut writes = Vec::new();
    let own = Condition::Equals("tenant", serde_json::json!(tenant));
    for name in lost.iter().take(STEP) {
        domains.retain(|domain| domain.name != **name);
        if owners.get(name) == Some(tenant) {
            writes.push(Write { key: keys::domain(name), change: Change::Delete, only_if: vec![own.clone()] });
        }
    }
    for name in gained.iter().take(STEP.saturating_sub(lost.len())) {
        let only_if = if owners.contains_key(name) { own.clone() } else { Condition::NoItem };
        let change = Change::Put(write(&Owner { tenant: tenant.clone() }));
        writes.push(Write { key: keys::domain(name), change, only_if: vec![only_if] });
        domains.extend(after.iter().find(|domain| domain.name == **name).cloned());
    }
    Ok(((gained.len() + lost.len() > STEP).then_some(domains), writes))
}
