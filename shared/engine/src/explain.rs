//! Explain: why somebody is, or is not, in the directory (rule 4.13). Reads only.

use std::collections::BTreeSet;

use directory::{
    Address, Candidate, Failure, Kind, ObjectId, PerKind, Rules, TenantId, Verdict,
    explain::{Step, next, steps},
    unit,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    keys,
    load::Loader,
    plan::exemptions,
    ports::{Fault, Item, Range, Store, Table},
    records::{Claim, Claimants, Cursor, MirrorRow, Run, Schedule, Standing, Tenant, read, said},
    undo,
};

/// The way of an address, an object id or a user principal name through the rules.
///
/// # Errors
/// The store's. A tenant that is not there comes back as the inner error.
pub async fn explain(
    store: &impl Store,
    tenant: &TenantId,
    text: &str,
    now: Timestamp,
) -> Result<Result<Value, Failure>, Fault> {
    explain_within(store, tenant, text, now, usize::MAX).await
}

/// The same at a bounded cost: what is neither an address nor an id is compared with the principal names of at most so
/// many users, and the answer says where that were not all.
///
/// # Errors
/// As [`explain`].
pub async fn explain_within(
    store: &impl Store,
    tenant: &TenantId,
    text: &str,
    now: Timestamp,
    most: usize,
) -> Result<Result<Value, Failure>, Fault> {
    let keys =
        [keys::meta(tenant), keys::sync(tenant), keys::cursor(tenant, Kind::User), keys::cursor(tenant, Kind::Group)];
    let [meta, sync, users, groups] = <[_; 4]>::try_from(store.get(&keys).await?).unwrap_or_default();
    let Some(meta) = meta else { return Ok(Err(Failure::not_found(format!("there is no tenant {tenant}")))) };
    let meta: Tenant = read("the tenant", meta)?;
    let sync: Schedule = read("the schedule", sync.unwrap_or_default())?;
    let loader = loader(store, tenant, users, groups)?;
    let exempt = exemptions(store, tenant).await?;
    let rules = Rules { settings: &meta.settings, exempt: &exempt, connection: meta.connection, now, deletions: true };

    let Found { candidates, at, all } = find(&loader, text, most).await?;
    let (mut shown, next) = match at {
        Some(at) => {
            let verdicts = unit::plan(&rules, &candidates);
            let verdict = verdicts.get(at).unwrap_or(&Verdict::Settled);
            let mut others = candidates.clone();
            let candidate = others.remove(at);
            let undone = sync.undone && is_undone(&loader, &candidate, verdict).await?;
            let mut next = next(&candidate, verdict);
            if undone {
                next =
                    format!("hold what a person has undone, until it is released or Entra changes the object: {next}");
            }
            let mut shown = steps(&rules, &candidate, &others);
            shown.push(would(verdict, undone, &next));
            shown.push(last(store, tenant, &candidate, &sync).await?);
            (shown, next)
        }
        None if all => {
            (nobody(&rules, text, NOT_IN_ENTRA), "nothing: neither Entra nor the directory knows it".to_owned())
        }
        None => (
            nobody(&rules, text, NOT_FOUND_YET),
            "not known: look for it by an address or by a part of its name".to_owned(),
        ),
    };
    if sync.last_error.is_some() || sync.last_success.is_none() {
        let detail = sync.last_error.map_or("no run has succeeded yet".to_owned(), |failure| failure.message);
        shown.push(Step { rule: "4.9".into(), question: "is Entra read?".into(), answer: "no".into(), detail });
    }
    Ok(Ok(json!({"address": text, "steps": shown, "next": next})))
}

fn loader<'a, S: Store>(
    store: &'a S,
    tenant: &'a TenantId,
    users: Option<Item>,
    groups: Option<Item>,
) -> Result<Loader<'a, S>, Fault> {
    let round = |item: Option<Item>| Ok(read::<Cursor>("a cursor", item.unwrap_or_default())?.first_round);
    Ok(Loader { store, tenant, first_round: PerKind { users: round(users)?, groups: round(groups)? }, empty: false })
}

/// All addresses of whoever has one of them, here or in Entra.
///
/// # Errors
/// The store's.
pub(crate) async fn addresses_beside(
    store: &impl Store,
    tenant: &TenantId,
    address: &Address,
) -> Result<BTreeSet<Address>, Fault> {
    let items = store.get(&Kind::ALL.map(|kind| keys::cursor(tenant, kind))).await?;
    let [users, groups] = <[_; 2]>::try_from(items).unwrap_or_default();
    // A principal name is no address.
    let Found { mut candidates, at, all: _ } =
        find(&loader(store, tenant, users, groups)?, address.as_str(), 0).await?;
    Ok(at.map(|at| candidates.swap_remove(at).addresses().into_iter().collect()).unwrap_or_default())
}

/// Whether a person has undone what would change, and Entra says of the object what it said then (rule 4.14).
async fn is_undone<S: Store>(loader: &Loader<'_, S>, candidate: &Candidate, verdict: &Verdict) -> Result<bool, Fault> {
    let (Some((id, entra, removed)), Verdict::Change(_)) = (&candidate.entra, verdict) else { return Ok(false) };
    let name = (entra.kind(), id.clone());
    let undone = undo::of(loader, std::slice::from_ref(&name)).await?;
    Ok(undone.get(&name).is_some_and(|undone| undone.said == said(entra, *removed)))
}

/// Who is meant.
struct Found {
    /// Everybody who shares an address with the one that is meant.
    candidates: Vec<Candidate>,
    /// The place of that one.
    at: Option<usize>,
    /// Everybody was looked at who could be meant.
    all: bool,
}

/// Look for who is meant; a principal name among so many users.
async fn find<S: Store>(loader: &Loader<'_, S>, text: &str, most: usize) -> Result<Found, Fault> {
    let text = text.trim();
    let mut names: Vec<(Kind, ObjectId)> = Vec::new();
    let mut holder = None;
    let address = Address::parse(text).ok();
    if let Some(address) = &address {
        let keys = [keys::mirror_address(loader.tenant, address), keys::claim(loader.tenant, address)];
        let [claimants, claim] = <[_; 2]>::try_from(loader.store.get(&keys).await?).unwrap_or_default();
        if let Some(item) = claimants {
            names.extend(read::<Claimants>("an address of the mirror", item)?.claimants);
        }
        if let Some(item) = claim {
            let Claim { kind, owner } = read("an address", item)?;
            holder = loader.held(&[(kind, owner)]).await?.pop().flatten();
        }
    } else if let Ok(id) = ObjectId::try_from(text) {
        for kind in Kind::ALL {
            names.push((kind, id.clone()));
            holder = holder.or(loader.held(&[(kind, id.clone())]).await?.pop().flatten());
        }
    }
    if let Some(held) = &holder {
        names.extend(held.entra_id().map(|id| (held.kind(), id.clone())));
    }
    let mut rows = loader.rows(&names).await?;
    if rows.is_empty() && holder.is_none() {
        match by_principal_name(loader, text, most).await? {
            Named::By(found) => rows.push(*found),
            Named::Nobody => (),
            Named::PerhapsLater => return Ok(Found { candidates: Vec::new(), at: None, all: false }),
        }
    }
    let meant = |candidate: &Candidate| {
        let listed = address.as_ref().is_some_and(|address| candidate.addresses().contains(address));
        let named = candidate.entra.as_ref().is_some_and(|(id, ..)| id.as_str() == text)
            || candidate.held.as_ref().is_some_and(|held| held.id().as_str() == text);
        listed || named
    };
    if rows.is_empty() {
        let candidates: Vec<Candidate> =
            holder.into_iter().map(|held| Candidate { entra: None, held: Some(held) }).collect();
        let at = (!candidates.is_empty()).then_some(0);
        return Ok(Found { candidates, at, all: true });
    }
    let found: Vec<ObjectId> = rows.iter().map(|(id, _)| id.clone()).collect();
    let rank = |candidate: &Candidate| {
        let is_found = candidate.entra.as_ref().is_some_and(|(id, ..)| found.contains(id));
        let stranger = if meant(candidate) { 0 } else { 2 - u8::from(is_found) };
        (stranger, is_gone(candidate), candidate.held.is_none())
    };
    // An address that has moved on may still be listed for one that is gone: that one comes last, in a unit of its own.
    let units = loader.units(rows).await?;
    let places = units.iter().enumerate().flat_map(|(unit, all)| (0..all.len()).map(move |at| (unit, at)));
    let Some((unit, at)) = places.min_by_key(|(unit, at)| rank(&units[*unit][*at])) else {
        return Ok(Found { candidates: Vec::new(), at: None, all: true });
    };
    Ok(Found { candidates: units.into_iter().nth(unit).unwrap_or_default(), at: Some(at), all: true })
}

/// Whether an object is gone from Entra, or marked as deleted where Entra does not know it.
fn is_gone(candidate: &Candidate) -> bool {
    match &candidate.entra {
        Some((_, _, removed)) => removed.is_some(),
        None => candidate.held.as_ref().is_some_and(|held| held.deleted_at().is_some()),
    }
}

/// Who has a principal name.
enum Named {
    By(Box<(ObjectId, MirrorRow)>),
    Nobody,
    /// It is none of those that were looked at.
    PerhapsLater,
}

/// The user with a principal name. Nothing is kept by it, so that the mirror of users is looked through: so many of them.
async fn by_principal_name<S: Store>(loader: &Loader<'_, S>, name: &str, most: usize) -> Result<Named, Fault> {
    let mut left = most;
    for shard in keys::SHARDS.chars() {
        let mut range = keys::all(Table::Directory, keys::mirror_pk(loader.tenant, Kind::User, shard));
        loop {
            if left == 0 {
                return Ok(Named::PerhapsLater);
            }
            range.limit = range.limit.min(left);
            let page = loader.store.list(&range).await?;
            left = left.saturating_sub(page.items.len());
            for (id, item) in page.items {
                let is = item["entra"]["upn"].as_str().is_some_and(|upn| upn.eq_ignore_ascii_case(name));
                if let (true, Ok(id)) = (is, ObjectId::try_from(id)) {
                    return Ok(Named::By(Box::new((id, MirrorRow::read(Kind::User, item)?))));
                }
            }
            match page.more {
                Some(after) => range.after = Some(after),
                None => break,
            }
        }
    }
    Ok(Named::Nobody)
}

fn would(verdict: &Verdict, undone: bool, next: &str) -> Step {
    let answer = match verdict {
        _ if undone => "hold".to_owned(),
        Verdict::Change(planned) => {
            serde_json::to_value(planned.change.category).unwrap_or_default().as_str().unwrap_or_default().to_owned()
        }
        Verdict::Failed(_) => "fail".to_owned(),
        _ => "nothing".to_owned(),
    };
    Step { rule: "4.4".into(), question: "what would the next run do?".into(), answer, detail: next.to_owned() }
}

/// What stands against the object since a run last looked at it.
async fn last(store: &impl Store, tenant: &TenantId, candidate: &Candidate, sync: &Schedule) -> Result<Step, Fault> {
    let mut answer = "nothing stands against it".to_owned();
    let mut detail = String::new();
    if let Some((id, entra, _)) = &candidate.entra {
        let item = store.get(&[keys::standing(tenant, entra.kind(), id)]).await?.pop().flatten();
        match item.map(|item| read::<Standing>("a standing verdict", item)).transpose()? {
            Some(Standing::Skipped(skipped)) => answer = format!("skipped: {}", skipped.why),
            Some(Standing::NotEnabled(change)) => answer = format!("not enabled: {}", change.why),
            Some(Standing::Waiting(waiting)) => {
                answer =
                    format!("failed {} times since {:.0}: {}", waiting.attempts, waiting.since, waiting.skipped.why);
                detail = format!("tried again at {:.0}; ", waiting.retry_at);
            }
            None => (),
        }
    }
    let range =
        Range { limit: 1, newest_first: true, ..keys::starting(Table::Control, keys::tenant_pk(tenant), "RUN#") };
    detail += &match store.list(&range).await?.items.pop() {
        Some((_, item)) => {
            let run: Run = read("a run", item)?;
            let state = serde_json::to_value(run.state).unwrap_or_default();
            format!("the last run is {}, {}", run.run, state.as_str().unwrap_or_default())
        }
        None => "no run has taken place".to_owned(),
    };
    detail += &sync.last_success.map(|at| format!("; the last success was at {at:.0}")).unwrap_or_default();
    Ok(Step { rule: "4.12".into(), question: "what happened last time?".into(), answer, detail })
}

const NOT_IN_ENTRA: &str = "no object of Entra has it, as far as Entra was read";
const NOT_FOUND_YET: &str =
    "no object of Entra has it as an address or an id; only a part of the principal names was compared";

fn nobody(rules: &Rules<'_>, text: &str, why: &str) -> Vec<Step> {
    let step = |rule: &str, question: &str, answer: &str, detail: String| Step {
        rule: rule.to_owned(),
        question: question.to_owned(),
        answer: answer.to_owned(),
        detail,
    };
    let mut steps = vec![step("2.13", "is it found in Entra?", "no", why.to_owned())];
    if let Ok(address) = Address::parse(text) {
        let domain = address.domain();
        let registered = rules.settings.is_registered(&domain);
        let means = if registered { "is registered here" } else { "is not registered here" };
        steps.push(step(
            "2.4",
            "is its domain registered?",
            if registered { "yes" } else { "no" },
            format!("{domain} {means}"),
        ));
        let exempt = rules.exempt.contains(&address);
        steps.push(step("5.3", "is it exempt?", if exempt { "yes" } else { "no" }, String::new()));
    }
    steps.push(step("3.6", "who has its address here?", "nobody", "it is not in the directory".to_owned()));
    steps
}
