//! Who joins a group with a change of a plan, and who leaves it, a page at a time.

use directory::{Entra, Held, Kind, ObjectId, RunId, TenantId};
use serde::{Deserialize, Serialize};

use super::{MOST_ROWS, Page};
use crate::{
    chunk, keys,
    load::read_held,
    operator::{self, Refused},
    packed,
    ports::{Fault, Item, Key, Store},
    records::{Entry, MirrorRow, Run},
};

/// A page looks for a change in so many parts of a plan.
const MOST_LOOKED: usize = 32;
/// So many parts are read at once, once the first did not do.
const TOGETHER: usize = 8;

/// Somebody who joins a group, or leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moving {
    /// Joins, rather than leaves.
    pub joins: bool,
    /// Entra's id of who joins, ours of who leaves.
    pub id: ObjectId,
    /// The address, where one is known.
    pub address: Option<String>,
    /// The name, where one is known.
    pub name: Option<String>,
}

/// Where the list goes on.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Begun {
    part: u32,
    entry: usize,
    /// So many of the entry were listed.
    listed: usize,
    before: u64,
    /// Some of the change's were found: they stand together.
    met: bool,
}

/// A page of those who join or leave a group with a change: first who joins, with each stretch of the plan. `part` is the
/// part of the plan that has the change; they stand in it and behind it.
///
/// # Errors
/// `invalid_input` for a cursor that is none.
pub async fn members(
    store: &impl Store,
    tenant: &TenantId,
    run: &Run,
    (part, change): (u32, &str),
    from: Option<&str>,
    most: usize,
) -> Result<Page<Moving>, Refused> {
    let most = most.clamp(1, MOST_ROWS);
    let begun = operator::place::<Option<Begun>>(from)?.unwrap_or(Begun { part, ..Begun::default() });
    let mut looking = Looking { change, most, at: begun, found: Vec::new(), next: None };
    let (mut looked, mut done) = (0, false);
    while !done && looking.at.part < run.chunks && looked < MOST_LOOKED {
        let together = if looked == 0 || looking.at.met { 1 } else { TOGETHER };
        let numbers = looking.at.part..run.chunks.min(looking.at.part.saturating_add(together as u32));
        looked += numbers.len();
        done = looking.take(parts(store, tenant, &run.run, numbers, change).await?);
    }
    let Looking { at, found, next, .. } = looking;
    let cut = !done && at.part < run.chunks;
    let next = next.or_else(|| cut.then_some(at));
    let before = begun.before;
    let through = before.saturating_add(found.len() as u64);
    let next = next.map(|next| operator::cursor_text(&Begun { before: through, ..next }));
    Ok(Page { rows: known(store, tenant, found).await?, next, before, total: None, cut })
}

/// What is looked for, and how far that has come.
struct Looking<'a> {
    change: &'a str,
    most: usize,
    at: Begun,
    found: Vec<(bool, ObjectId)>,
    /// Where the next page begins.
    next: Option<Begun>,
}

impl Looking<'_> {
    /// Look through the next parts. Answers whether there is enough, or no more.
    fn take(&mut self, parts: Vec<Vec<Entry>>) -> bool {
        for entries in parts {
            if self.at.met && entries.is_empty() {
                return true;
            }
            for (number, entry) in entries.into_iter().enumerate().skip(self.at.entry) {
                let (join, leave) = match entry {
                    Entry::Members { change, join, leave, .. } if change == self.change => (join, leave),
                    _ if self.at.met => return true,
                    _ => continue,
                };
                self.at.met = true;
                let all = join.into_iter().map(|id| (true, id)).chain(leave.into_iter().map(|id| (false, id)));
                for (listed, one) in all.enumerate().skip(self.at.listed) {
                    if self.found.len() == self.most {
                        self.next = Some(Begun { entry: number, listed, ..self.at });
                        return true;
                    }
                    self.found.push(one);
                }
                self.at.listed = 0;
            }
            self.at = Begun { part: self.at.part + 1, entry: 0, listed: 0, ..self.at };
        }
        false
    }
}

/// The entries of some parts; none of a part that does not name the change.
async fn parts(
    store: &impl Store,
    tenant: &TenantId,
    run: &RunId,
    numbers: std::ops::Range<u32>,
    change: &str,
) -> Result<Vec<Vec<Entry>>, Fault> {
    let keys: Vec<Key> = numbers.map(|number| keys::chunk(tenant, run, number)).collect();
    let mut parts = Vec::new();
    for (key, item) in keys.iter().zip(store.get(&keys).await?) {
        let json = item.map(|item| packed::unpack(key, &item)).transpose()?.unwrap_or_default();
        let named = String::from_utf8_lossy(&json).contains(change);
        parts.push(if named { chunk::entries(key, &json)? } else { Vec::new() });
    }
    Ok(parts)
}

/// Those who were found, with what is known of them here, else in Entra.
async fn known(store: &impl Store, tenant: &TenantId, found: Vec<(bool, ObjectId)>) -> Result<Vec<Moving>, Fault> {
    let keys: Vec<Key> = found.iter().map(|(_, id)| keys::mirror(tenant, Kind::User, id)).collect();
    let mut rows = Vec::new();
    for item in store.get(&keys).await? {
        rows.push(item.map(|item| MirrorRow::read(Kind::User, item)).transpose()?);
    }
    // Who joins may have another id here; who leaves is named by ours.
    let local = |((joins, id), row): (&(bool, ObjectId), &Option<MirrorRow>)| {
        let local = row.as_ref().and_then(|row| row.local.clone()).filter(|_| *joins);
        keys::object(tenant, Kind::User, &local.unwrap_or_else(|| id.clone()))
    };
    let keys: Vec<Key> = found.iter().zip(&rows).map(local).collect();
    let held = store.get(&keys).await?;
    found.into_iter().zip(rows).zip(held).map(|((found, row), held)| moving(found, row, held)).collect()
}

fn moving((joins, id): (bool, ObjectId), row: Option<MirrorRow>, held: Option<Item>) -> Result<Moving, Fault> {
    let held = held.map(|item| read_held(Kind::User, item)).transpose()?;
    let here = |held: &Held| !joins || held.entra_id() == Some(&id);
    let (address, name) = match (held.filter(here), row.map(|row| row.entra)) {
        (Some(Held::User(user)), _) => (user.addresses.primary.map(|one| one.to_string()), user.profile.display_name),
        (_, Some(Entra::User(user))) => (user.mail.or(user.upn), user.display_name),
        _ => (None, None),
    };
    Ok(Moving { joins, id, address, name })
}
