//! Carrying out the membership changes of a group.

use std::collections::BTreeSet;

use directory::{Kind, ObjectId, Outcome};
use serde_json::json;

use super::Applier;
use crate::{
    chunk, keys,
    lease::{Lease, Stop, delete, put},
    members,
    ports::{Change, Condition, Item, Key, Store, Write},
    records::{ChunkProgress, Entry, Exception, Run},
};

impl<S: Store> Applier<'_, S> {
    /// Carry out a part of the membership changes of a group: whoever is here joins, whoever is no member leaves. What
    /// moves and the progress move together. Answers whether anything of the change has happened, or it is told
    /// elsewhere why not.
    pub(super) async fn members(
        &self,
        run: &Run,
        entry: &Entry,
        progress: &mut ChunkProgress,
        key: &Key,
        through: usize,
    ) -> Result<bool, Stop> {
        let Entry::Members { change, group, local, join, leave, empties, undone, undoes } = entry else {
            return Ok(true);
        };
        let tenant = self.loader.tenant;
        // A release lets those go who were deleted with it; whoever is to join has joined already, or left again since.
        let join: &[ObjectId] = if self.selection.releasing && !*empties && !*undone { &[] } else { join };
        let held_back = self.selection.held.as_ref().is_some_and(|held| *undone || (*empties && held.members > 0));
        let left = progress.exceptions.contains_key(change) || self.selection.unchecked.contains(change) || held_back;
        let group_row = self.store.get(&[keys::object(tenant, Kind::Group, local)]).await?.pop().flatten();
        let group_row = group_row.map(|item| crate::load::read_held(Kind::Group, item)).transpose()?;
        let here = group_row.is_some_and(|held| held.deleted_at().is_none() && held.entra_id() == Some(group));
        if left || !here {
            return Ok(true);
        }
        let mut moves: Vec<(Write, i64)> = Vec::new();
        let joining: Vec<ObjectId> = {
            let known = members::users_of(&self.loader, &self.still(group, join, *undoes).await?).await?;
            known
                .into_iter()
                .filter_map(|(_, _, local, held)| held.filter(directory::User::is_member_material).map(|_| local))
                .collect()
        };
        let keys: Vec<Key> = joining.iter().map(|user| keys::member(tenant, local, user)).collect();
        for (key, item) in keys.iter().zip(self.store.get(&keys).await?) {
            if item.is_none() {
                moves.push((put(key.clone(), Item::from_iter([("since".to_owned(), json!(self.rules.now))])), 1));
            }
        }
        let keys: Vec<Key> = leave.iter().map(|user| keys::member(tenant, local, user)).collect();
        let members = self.store.get(&keys).await?;
        let leave: Vec<&ObjectId> =
            leave.iter().zip(members).filter(|(_, item)| item.is_some()).map(|(id, _)| id).collect();
        let stay = if *undoes { BTreeSet::new() } else { self.stay(group, &leave).await? };
        for user in leave.into_iter().filter(|user| !stay.contains(*user)) {
            moves.push((delete(keys::member(tenant, local, user)), -1));
        }
        let mut parts = moves.chunks(Lease::ROOM - 2).peekable();
        while let Some(part) = parts.next() {
            let mut after = progress.clone();
            after.moved = Some(change.clone());
            if parts.peek().is_none() {
                self.advance(&mut after, through);
            }
            let total: i64 = part.iter().map(|(_, number)| number).sum();
            let mut writes: Vec<Write> = part.iter().map(|(write, _)| write.clone()).collect();
            writes.push(Write {
                key: keys::object(tenant, Kind::Group, local),
                change: Change::Set { set: Item::new(), add: vec![("member_count", total)] },
                only_if: vec![Condition::Exists],
            });
            writes.push(put(key.clone(), self.progress_item(run, &after)));
            self.lease.commit(self.store, writes).await?;
            *progress = after;
        }
        Ok(progress.moved.as_ref() == Some(change))
    }

    /// A change of members alone of which nothing has happened is not applied: those whom it is about are held, or are not
    /// as they were to be.
    pub(super) fn nobody_moved(&self, entries: &[Entry], change: &str, progress: &mut ChunkProgress) {
        let units = entries
            .iter()
            .filter_map(|entry| if let Entry::Unit { changes, .. } = entry { Some(changes) } else { None });
        let Some(own) = units.flatten().find(|planned| planned.change.id == change) else { return };
        if self.selection.releasing || own.change.fields.keys().any(|name| name != "members") {
            return;
        }
        let (outcome, error) = if self.selection.held.is_some() {
            (Outcome::Held, "it waits for the users whom the run holds")
        } else {
            (Outcome::Stale, "nobody of those whom it is about could join or leave")
        };
        if !progress.exceptions.contains_key(change) {
            let exception = Exception { object: Kind::Group, outcome, error: Some(error.to_owned()) };
            progress.exceptions.insert(change.to_owned(), exception);
            let applied = &mut progress.applied[own.change.category].groups;
            *applied = applied.saturating_sub(1);
        }
    }

    /// Whether the entry behind one of a group's members, in this part or at the head of the next, is of the same change.
    pub(super) async fn goes_on(&self, run: &Run, part: u32, next: Option<&Entry>, change: &str) -> Result<bool, Stop> {
        if next.is_some() || part + 1 >= run.chunks {
            return Ok(next.is_some_and(|next| next.is_of_members(change)));
        }
        let behind = chunk::load(self.store, self.loader.tenant, &run.run, part + 1).await?;
        Ok(behind.first().is_some_and(|next| next.is_of_members(change)))
    }

    /// Of those who are to join, the ones whom Entra still names as members.
    async fn still(&self, group: &ObjectId, join: &[ObjectId], undoes: bool) -> Result<Vec<ObjectId>, Stop> {
        if !self.later || undoes {
            return Ok(join.to_vec());
        }
        Ok(self.ancestry.among(join, group).await?.into_iter().collect())
    }

    /// Of the members that are to leave, by our ids, those who do not: they are here, and Entra names them as members now,
    /// or has deleted them while their deletion is held back or not enabled.
    async fn stay(&self, group: &ObjectId, leave: &[&ObjectId]) -> Result<BTreeSet<ObjectId>, Stop> {
        let ids: Vec<ObjectId> = leave.iter().copied().cloned().collect();
        let mut users = members::users_here(&self.loader, &ids).await?;
        users.retain(|_, user| user.is_member_material());
        let mut stay = members::lingering(&self.loader, &users, |_, _| true).await?;
        let entra_ids: Vec<ObjectId> = users.keys().cloned().collect();
        let named = self.ancestry.among(&entra_ids, group).await?;
        stay.extend(users.into_iter().filter(|(id, _)| named.contains(id)).map(|(_, user)| user.id));
        Ok(stay)
    }
}
