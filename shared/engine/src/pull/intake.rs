//! A page of Graph on its way into the mirror and the worklist.

use std::collections::{BTreeMap, BTreeSet};

use directory::{
    Address, Entra, EntraGroup, EntraUser, GroupTold, Kind, MemberKind, ObjectId, Observed, Removal, UserTold,
};

use crate::{
    keys,
    lease::{Lease, Stop, delete, note, put},
    links,
    ports::{GraphPage, Key, Store, Write},
    records::{Claimants, Cursor, Link, MirrorRow, Work, read, write},
};

/// The writes that a page comes to, in their order, without the cursor.
pub(super) async fn take_in(
    store: &impl Store,
    lease: &Lease,
    kind: Kind,
    page: GraphPage,
    cursor: &mut Cursor,
    undone: bool,
) -> Result<Vec<Write>, Stop> {
    let mut intake = Intake {
        store,
        lease,
        kind,
        round: cursor.round,
        full: cursor.full,
        before: BTreeMap::new(),
        rows: BTreeMap::new(),
        work: BTreeMap::new(),
        links: BTreeMap::new(),
        undone,
        changed: BTreeSet::new(),
    };
    let ids: BTreeSet<ObjectId> = page.objects.iter().filter_map(object_id).collect();
    let ids: Vec<ObjectId> = ids.into_iter().collect();
    let keys: Vec<Key> = ids.iter().map(|id| keys::mirror(&lease.tenant, kind, id)).collect();
    for (id, item) in ids.into_iter().zip(store.get(&keys).await?) {
        if let Some(item) = item {
            let row = MirrorRow::read(kind, item)?;
            if row.round >= cursor.first_round {
                intake.rows.insert(id.clone(), row.clone());
            }
            intake.before.insert(id, row);
        }
    }
    for object in page.objects {
        match object {
            Observed::User { id, told } => {
                cursor.seen += 1;
                cursor.unreadable.remove(id.as_str());
                intake.user(id, &told);
            }
            Observed::Group { id, told, members } => {
                cursor.seen += 1;
                intake.group(id, &told, members).await?;
            }
            Observed::Removed { id, how } => {
                cursor.unreadable.remove(id.as_str());
                intake.removed(&id, how).await?;
            }
            Observed::Unreadable { id, why } => {
                // It is there, whatever is wrong with it: nobody may be taken for gone because of it.
                if let Ok(id) = ObjectId::try_from(id.as_str()) {
                    intake.keep(&id);
                }
                cursor.cannot_read(&id, &why);
            }
        }
    }
    intake.writes().await
}

pub(super) fn object_id(object: &Observed) -> Option<ObjectId> {
    match object {
        Observed::User { id, .. } | Observed::Group { id, .. } | Observed::Removed { id, .. } => Some(id.clone()),
        Observed::Unreadable { id, .. } => ObjectId::try_from(id.as_str()).ok(),
    }
}

/// A page on its way into the mirror.
pub(super) struct Intake<'a, S> {
    store: &'a S,
    lease: &'a Lease,
    kind: Kind,
    round: u64,
    full: bool,
    before: BTreeMap<ObjectId, MirrorRow>,
    rows: BTreeMap<ObjectId, MirrorRow>,
    work: BTreeMap<Key, Work>,
    links: BTreeMap<(ObjectId, ObjectId), Option<MemberKind>>,
    undone: bool,
    changed: BTreeSet<ObjectId>,
}

impl<S: Store> Intake<'_, S> {
    fn row(&mut self, id: ObjectId, empty: Entra) -> &mut MirrorRow {
        // Whom the same id named under the connection before is the same object: it keeps our id.
        let (round, local) = (self.round, self.before.get(&id).and_then(|row| row.local.clone()));
        let row = self.rows.entry(id).or_insert(MirrorRow { round, removed: None, local, entra: empty });
        row.round = round;
        row.removed = None;
        row
    }

    fn keep(&mut self, id: &ObjectId) {
        if let Some(row) = self.rows.get_mut(id) {
            row.round = self.round;
        }
    }

    fn user(&mut self, id: ObjectId, told: &UserTold) {
        let whole = self.full;
        if let Entra::User(user) = &mut self.row(id, Entra::User(EntraUser::default())).entra {
            let before = user.clone();
            told.over(user, whole);
            if *user != before {
                // The kind of a mailbox is not among what delta tells: it may have changed along.
                user.mailbox_kind = None;
            }
        }
    }

    async fn group(
        &mut self,
        id: ObjectId,
        told: &GroupTold,
        members: Vec<(ObjectId, MemberKind, bool)>,
    ) -> Result<(), Stop> {
        let (whole, back) = (self.full, self.rows.get(&id).is_none_or(|row| row.removed.is_some()));
        if let Entra::Group(group) = &mut self.row(id.clone(), Entra::Group(EntraGroup::default())).entra {
            told.over(group, whole);
        }
        if back {
            self.evaluate_members_of(&id, true).await?;
        }
        for (member, kind, is_member) in members {
            self.links.insert((id.clone(), member), is_member.then_some(kind));
        }
        Ok(())
    }

    async fn removed(&mut self, id: &ObjectId, how: Removal) -> Result<(), Stop> {
        let Some(row) = self.rows.get_mut(id) else { return Ok(()) };
        row.removed = Some(how);
        row.round = self.round;
        if self.kind == Kind::Group {
            self.evaluate_members_of(id, false).await?;
        }
        if how == Removal::Hard {
            // Microsoft does not report that somebody who is gone for good has left its groups.
            for group in links::parents(self.store, &self.lease.tenant, id).await? {
                self.links.insert((group, id.clone()), None);
            }
        }
        Ok(())
    }

    /// Put every group on the worklist that has members through this one, and the group itself where it is there.
    async fn evaluate_members_of(&mut self, group: &ObjectId, itself: bool) -> Result<(), Stop> {
        if self.full {
            return Ok(());
        }
        let mut groups = links::ancestors(self.store, &self.lease.tenant, group).await?;
        if itself {
            groups.insert(group.clone());
        }
        for group in groups {
            let work = Work::found(&self.lease.run, true);
            self.work.insert(keys::work(&self.lease.tenant, Kind::Group, &group), work);
        }
        Ok(())
    }

    async fn writes(mut self) -> Result<Vec<Write>, Stop> {
        let tenant = self.lease.tenant.clone();
        let mut claims = self.claims().await?;
        let links = self.link_writes().await?;
        for (id, row) in &self.rows {
            if !self.full
                && self.before.get(id).is_none_or(|before| (&before.entra, before.removed) != (&row.entra, row.removed))
            {
                let work = Work::found(&self.lease.run, false);
                self.work.entry(keys::work(&tenant, self.kind, id)).or_insert(work);
            }
        }
        let mut writes: Vec<Write> = self.work.iter().map(|(key, work)| note(key.clone(), work)).collect();
        writes.append(&mut claims);
        writes.extend(links);
        writes.extend(self.changed.iter().map(|group| delete(keys::undone(&tenant, Kind::Group, group))));
        for (id, row) in &self.rows {
            let changed = self.before.get(id).is_none_or(|before| {
                (&before.entra, before.removed) != (&row.entra, row.removed) || (self.full && before.round != row.round)
            });
            if changed {
                writes.push(put(keys::mirror(&tenant, self.kind, id), row.write()));
            }
        }
        Ok(writes)
    }

    /// Keep the record of who lists which address, and put everybody on the worklist who lists an address that gains or
    /// loses somebody: it may be theirs now, or no longer.
    async fn claims(&mut self) -> Result<Vec<Write>, Stop> {
        let tenant = self.lease.tenant.clone();
        let mut lists: BTreeMap<Address, Vec<(ObjectId, bool)>> = BTreeMap::new();
        for (id, row) in &self.rows {
            let before = self.before.get(id).map(|row| row.entra.claims()).unwrap_or_default();
            let after = if row.removed == Some(Removal::Hard) { BTreeSet::new() } else { row.entra.claims() };
            let unchanged =
                !self.full && self.before.get(id).is_some_and(|b| b.entra == row.entra && b.removed == row.removed);
            if unchanged {
                continue;
            }
            for address in before.difference(&after) {
                lists.entry(address.clone()).or_default().push((id.clone(), false));
            }
            for address in after {
                lists.entry(address).or_default().push((id.clone(), true));
            }
        }
        let keys: Vec<Key> = lists.keys().map(|address| keys::mirror_address(&tenant, address)).collect();
        let mut writes = Vec::new();
        for ((address, changes), item) in lists.into_iter().zip(self.store.get(&keys).await?) {
            let before: Claimants =
                item.map(|item| read("an address of the mirror", item)).transpose()?.unwrap_or_default();
            let mut after = before.clone();
            for (id, lists_it) in changes {
                if lists_it {
                    after.claimants.insert((self.kind, id));
                } else {
                    after.claimants.remove(&(self.kind, id));
                }
            }
            if !self.full {
                for (kind, id) in before
                    .claimants
                    .union(&after.claimants)
                    .filter(|_| before.claimants.len().max(after.claimants.len()) > 1)
                {
                    let work = Work::found(&self.lease.run, false);
                    self.work.entry(keys::work(&tenant, *kind, id)).or_insert(work);
                }
            }
            let key = keys::mirror_address(&tenant, &address);
            if after.claimants.is_empty() && !before.claimants.is_empty() {
                writes.push(delete(key));
            } else if after != before {
                writes.push(put(key, write(&after)));
            }
        }
        Ok(writes)
    }

    async fn link_writes(&mut self) -> Result<Vec<Write>, Stop> {
        let tenant = self.lease.tenant.clone();
        let wanted: Vec<_> = std::mem::take(&mut self.links).into_iter().collect();
        let keys: Vec<Key> =
            wanted.iter().map(|((group, member), _)| keys::mirror_member(&tenant, group, member)).collect();
        let mut writes = Vec::new();
        for (((group, member), kind), item) in wanted.into_iter().zip(self.store.get(&keys).await?) {
            let before: Option<Link> = item.map(|item| read("a membership", item)).transpose()?;
            let after = kind.map(|kind| Link { kind, round: self.round });
            let same = before.as_ref().map(|link| link.kind) == after.as_ref().map(|link| link.kind);
            if same && (!self.full || before == after) {
                continue;
            }
            let (there, back) =
                (keys::mirror_member(&tenant, &group, &member), keys::mirror_parent(&tenant, &member, &group));
            if self.undone && !same {
                // Entra has changed the group since.
                self.changed.insert(group.clone());
            }
            match &after {
                Some(link) => writes.extend([put(there, write(link)), put(back, write(link))]),
                None => writes.extend([delete(there), delete(back)]),
            }
            let nested = [before, after].into_iter().flatten().any(|link| link.kind == MemberKind::Group);
            if nested && !same {
                self.evaluate_members_of(&group, true).await?;
            } else if !self.full && !same {
                let work = Work::found(&self.lease.run, false);
                self.work.insert(keys::work_link(&tenant, &group, &member), work);
            }
        }
        Ok(writes)
    }
}
