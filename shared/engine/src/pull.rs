//! Pull: Graph's delta pages into the mirror and the worklist (design: idempotent per page).
//!
//! The writes of a page go in an order in which a kill between any two of them loses nothing: worklist, addresses,
//! memberships, objects, and last the cursor. A page that is read again finds its objects in the mirror and writes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use directory::{
    Address, Code, Entra, EntraGroup, EntraUser, Failure, GroupTold, Kind, MemberKind, ObjectId, Observed, Removal,
    UserTold,
};

use crate::{
    keys,
    lease::{Lease, Stop, delete, note, put},
    links,
    ports::{Change, Clock, Connection, Graph, GraphPage, Item, Key, Next, NoPage, Store, Table, Write},
    records::{Claimants, Cursor, Link, MirrorRow, Run, Warning, Work, everybody_attribute, read, write},
    standing,
};

/// What became of reading a collection.
#[derive(Debug)]
pub enum Pulled {
    /// The mirror is what Entra said when the round ended.
    Complete,
    /// The same after a full round, which asks for everybody to be evaluated.
    CompleteAfresh,
    /// Something is missing: a fault, a cut answer, an answer that cannot be (rule 4.9).
    Short(Failure),
    /// Time is up, or Microsoft asks for a pause: go on later.
    Later(Duration),
}

/// More pages than any directory has: a round that does not end.
const MOST_PAGES: u64 = 200_000;
/// How often a round is started again within one invocation.
const MOST_RESTARTS: u32 = 2;
/// How many unreadable objects a run names.
const MOST_NAMED: usize = 20;

/// Reads the collections of one directory.
pub struct Reader<'a, G, S, C> {
    /// Microsoft.
    pub graph: &'a G,
    /// The store.
    pub store: &'a S,
    /// The invocation's time.
    pub clock: &'a C,
    /// The lease of the run.
    pub lease: &'a Lease,
    /// How to reach the directory.
    pub who: &'a Connection,
    /// The number of the connection.
    pub connection: u32,
    /// Stop when so little time is left.
    pub margin: Duration,
}

impl<G: Graph, S: Store, C: Clock> Reader<'_, G, S, C> {
    fn budget(&self) -> Duration {
        self.clock.remaining().saturating_sub(self.margin)
    }

    /// Read a collection to the end of its round, page by page. `cursor` is what is stored, and follows it.
    ///
    /// # Errors
    /// [`Stop`]: nothing of the page in hand is lost, since it is read again.
    pub async fn pull(&self, run: &mut Run, cursor: &mut Cursor, kind: Kind) -> Result<Pulled, Stop> {
        let (store, lease) = (self.store, self.lease);
        let stored = cursor;
        let mut cursor = stored.clone();
        let key = keys::cursor(&lease.tenant, kind);
        let select = select(kind);
        if cursor.connection != self.connection {
            standing::forget(store, lease, kind).await?;
            cursor = Cursor { connection: self.connection, first_round: cursor.round + 1, ..begin_full(&cursor) };
        } else if cursor.select != select
            || std::mem::take(&mut run.full[kind])
            || (cursor.delta.is_none() && !cursor.full)
        {
            cursor = begin_full(&cursor);
        }
        select.clone_into(&mut cursor.select);
        let mut restarts = 0;
        let mut first = true;
        while !cursor.sweep {
            if !first && self.clock.remaining() <= self.margin {
                return Ok(Pulled::Later(Duration::ZERO));
            }
            first = false;
            let link = cursor.page.as_deref().or(if cursor.full { None } else { cursor.delta.as_deref() });
            let page = match self.graph.page(self.who, kind, link, self.budget()).await {
                Ok(page) => page,
                Err(NoPage::StateGone(failure) | NoPage::LinkDead(failure)) if restarts == MOST_RESTARTS => {
                    return Ok(Pulled::Short(failure));
                }
                Err(NoPage::StateGone(_)) => {
                    restarts += 1;
                    cursor = begin_full(&cursor);
                    continue;
                }
                Err(NoPage::LinkDead(_)) => {
                    restarts += 1;
                    cursor = if cursor.full || restarts == MOST_RESTARTS {
                        begin_full(&cursor)
                    } else {
                        Cursor { page: None, pages: 0, last_page: String::new(), ..cursor }
                    };
                    continue;
                }
                Err(NoPage::Failure(failure)) => {
                    return Ok(match failure.retry_after {
                        Some(pause) if pause > self.budget() => Pulled::Later(pause),
                        _ => Pulled::Short(failure),
                    });
                }
            };
            let this_page = blake3::hash(format!("{:?}", page.objects).as_bytes()).to_hex().to_string();
            let circles =
                !page.objects.is_empty() && matches!(page.next, Next::Page(_)) && this_page == cursor.last_page;
            if circles || cursor.pages > MOST_PAGES {
                let start = if cursor.full {
                    begin_full(&cursor)
                } else {
                    Cursor { page: None, pages: 0, last_page: String::new(), ..cursor }
                };
                lease.commit(store, vec![put(key, write(&start))]).await?;
                let message = "Microsoft Graph answers the same page again and again, so that the read does not end";
                return Ok(Pulled::Short(Failure::new(
                    Code::BadAnswer,
                    message,
                    "nothing: the next run starts this read again",
                )));
            }
            let mut after = Cursor { pages: cursor.pages + 1, last_page: this_page, ..cursor.clone() };
            match &page.next {
                Next::Page(link) => after.page = Some(link.clone()),
                Next::Round(link) => {
                    after.page = None;
                    after.delta = Some(link.clone());
                    after.pages = 0;
                    after.last_page = String::new();
                    after.sweep = cursor.full;
                }
            }
            let mut writes = take_in(store, lease, run, kind, page, &mut after).await?;
            writes.push(put(key.clone(), write(&after)));
            lease.commit_in_order(store, writes).await?;
            stored.clone_from(&after);
            cursor = after;
            if !cursor.sweep && cursor.page.is_none() {
                return Ok(Pulled::Complete);
            }
        }
        self.sweep(kind, cursor).await
    }

    /// After a full round: what was not seen in it is gone (mark and sweep), and everybody is to be evaluated.
    async fn sweep(&self, kind: Kind, cursor: Cursor) -> Result<Pulled, Stop> {
        let (store, lease) = (self.store, self.lease);
        let tenant = &lease.tenant;
        if cursor.seen == 0 && has_any(store, lease, kind, &cursor).await? {
            let failure = match self.graph.count(self.who, kind, self.budget()).await {
                Ok(0) => None,
                Ok(count) => Some(Failure::new(
                    Code::BadAnswer,
                    format!("Microsoft Graph returned no {0}s in a full read, but counts {count} {0}s", kind.name()),
                    "nothing: the next run reads again, and nothing was deleted",
                )),
                Err(failure) => Some(failure),
            };
            if let Some(failure) = failure {
                lease.commit(store, vec![put(keys::cursor(tenant, kind), write(&begin_full(&cursor)))]).await?;
                return Ok(Pulled::Short(failure));
            }
        }
        for shard in keys::SHARDS.chars() {
            let mut range = keys::all(Table::Directory, keys::mirror_pk(tenant, kind, shard));
            loop {
                let page = store.list(&range).await?;
                let mut writes = Vec::new();
                for (id, item) in page.items {
                    let Ok(id) = ObjectId::try_from(id) else { continue };
                    let mut row = MirrorRow::read(kind, item)?;
                    if row.round < cursor.first_round {
                        writes.push(delete(keys::mirror(tenant, kind, &id)));
                    } else if row.round < cursor.round && row.removed.is_none() && !cursor.nameless {
                        row.removed = Some(Removal::Hard);
                        writes.push(put(keys::mirror(tenant, kind, &id), row.write()));
                    }
                    if kind == Kind::Group {
                        for (member, link) in links::members(store, tenant, &id).await? {
                            if link.round < cursor.round {
                                writes.push(delete(keys::mirror_member(tenant, &id, &member)));
                                writes.push(delete(keys::mirror_parent(tenant, &member, &id)));
                            }
                        }
                    }
                }
                lease.commit_in_order(store, writes).await?;
                match page.more {
                    Some(after) => range.after = Some(after),
                    None => break,
                }
            }
        }
        let done = Cursor { full: false, sweep: false, seen: 0, nameless: false, ..cursor };
        let everybody = Change::Set { set: Item::new(), add: vec![(everybody_attribute(kind), 1)] };
        let everybody = Write { key: keys::sync(tenant), change: everybody, only_if: Vec::new() };
        lease.commit(store, vec![put(keys::cursor(tenant, kind), write(&done)), everybody]).await?;
        Ok(Pulled::CompleteAfresh)
    }
}

fn select(kind: Kind) -> &'static str {
    match kind {
        Kind::User => UserTold::SELECT,
        Kind::Group => GroupTold::SELECT,
    }
}

fn begin_full(cursor: &Cursor) -> Cursor {
    Cursor {
        connection: cursor.connection,
        round: cursor.round + 1,
        first_round: cursor.first_round,
        full: true,
        select: cursor.select.clone(),
        ..Cursor::default()
    }
}

/// The writes that a page comes to, in their order, without the cursor.
async fn take_in(
    store: &impl Store,
    lease: &Lease,
    run: &mut Run,
    kind: Kind,
    page: GraphPage,
    cursor: &mut Cursor,
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
                intake.user(id, &told);
            }
            Observed::Group { id, told, members } => {
                cursor.seen += 1;
                intake.group(id, &told, members).await?;
            }
            Observed::Removed { id, how } => intake.removed(&id, how).await?,
            Observed::Unreadable { id, why } => {
                // It is there, whatever is wrong with it: nobody may be taken for gone because of it.
                match ObjectId::try_from(id.as_str()) {
                    Ok(id) => intake.keep(&id),
                    Err(_) => cursor.nameless = true,
                }
                if run.warnings.iter().filter(|warning| warning.code == "unreadable_object").count() < MOST_NAMED {
                    let message =
                        format!("{} {id:?} of Entra could not be read and is left as it is: {why}", kind.name());
                    let warning = Warning { code: "unreadable_object".to_owned(), message };
                    if !run.warnings.contains(&warning) {
                        run.warnings.push(warning);
                    }
                }
            }
        }
    }
    intake.writes().await
}

fn object_id(object: &Observed) -> Option<ObjectId> {
    match object {
        Observed::User { id, .. } | Observed::Group { id, .. } | Observed::Removed { id, .. } => Some(id.clone()),
        Observed::Unreadable { id, .. } => ObjectId::try_from(id.as_str()).ok(),
    }
}

/// A page on its way into the mirror.
struct Intake<'a, S> {
    store: &'a S,
    lease: &'a Lease,
    kind: Kind,
    round: u64,
    full: bool,
    before: BTreeMap<ObjectId, MirrorRow>,
    rows: BTreeMap<ObjectId, MirrorRow>,
    work: BTreeMap<Key, Work>,
    links: BTreeMap<(ObjectId, ObjectId), Option<MemberKind>>,
}

impl<S: Store> Intake<'_, S> {
    fn row(&mut self, id: ObjectId, empty: Entra) -> &mut MirrorRow {
        let round = self.round;
        let row = self.rows.entry(id).or_insert(MirrorRow { round, removed: None, local: None, entra: empty });
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
            told.over(user, whole);
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

async fn has_any(store: &impl Store, lease: &Lease, kind: Kind, cursor: &Cursor) -> Result<bool, Stop> {
    for shard in keys::SHARDS.chars() {
        for (_, item) in
            links::everything(store, keys::all(Table::Directory, keys::mirror_pk(&lease.tenant, kind, shard))).await?
        {
            let row = MirrorRow::read(kind, item)?;
            if row.removed.is_none() && row.round >= cursor.first_round {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
