//! Pull: Graph's delta pages into the mirror and the worklist (design: idempotent per page).
//!
//! The writes of a page go in an order in which a kill between any two of them loses nothing: worklist, addresses,
//! memberships, objects, and last the cursor. A page that is read again finds its objects in the mirror and writes nothing.

mod intake;

use std::time::Duration;

use directory::{Code, Failure, GroupTold, Kind, ObjectId, Removal, UserTold};

use self::intake::take_in;
use crate::{
    forget, keys,
    lease::{Lease, Stop, delete, put},
    links,
    ports::{Change, Clock, Connection, Graph, Item, Next, NoPage, Range, Store, Table, Write},
    records::{Cursor, MirrorRow, Run, everybody_attribute, write},
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

/// So many rows of the mirror are looked at before the time is.
const SWEPT_AT_ONCE: usize = 500;

/// How often a round is started again within one invocation.
const MOST_RESTARTS: u32 = 2;

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

    fn is_late(&self) -> bool {
        self.clock.remaining() <= self.margin
    }

    /// Read a collection to the end of its round, page by page. `cursor` is what is stored, and follows it. A `fresh`
    /// invocation has read nothing yet: it begins a page however little time there is.
    ///
    /// # Errors
    /// [`Stop`]: nothing of the page in hand is lost, since it is read again.
    pub async fn pull(&self, run: &mut Run, cursor: &mut Cursor, kind: Kind, fresh: bool) -> Result<Pulled, Stop> {
        let (store, lease) = (self.store, self.lease);
        let stored = cursor;
        let mut cursor = stored.clone();
        let key = keys::cursor(&lease.tenant, kind);
        let select = select(kind);
        let reread = cursor.page.is_none() && cursor.reread_at.is_some_and(|at| at <= self.clock.now().as_second());
        if cursor.connection != self.connection {
            standing::forget(store, lease, kind).await?;
            cursor = Cursor { connection: self.connection, first_round: cursor.round + 1, ..cursor.begin_full() };
        } else if cursor.select != select
            || std::mem::take(&mut run.full[kind])
            || (cursor.delta.is_none() && !cursor.full)
            || (reread && !cursor.full)
        {
            cursor = cursor.begin_full();
        }
        select.clone_into(&mut cursor.select);
        let mut restarts = 0;
        let mut fresh = fresh;
        while !cursor.sweep {
            if !fresh && self.is_late() {
                return Ok(Pulled::Later(Duration::ZERO));
            }
            let link = cursor.page.as_deref().or(if cursor.full { None } else { cursor.delta.as_deref() });
            let page = match self.graph.page(self.who, kind, link, self.budget()).await {
                Ok(page) => page,
                Err(NoPage::StateGone(failure) | NoPage::LinkDead(failure)) if restarts == MOST_RESTARTS => {
                    return Ok(Pulled::Short(failure));
                }
                Err(NoPage::StateGone(_)) => {
                    restarts += 1;
                    cursor = cursor.begin_full();
                    continue;
                }
                Err(NoPage::LinkDead(_)) => {
                    restarts += 1;
                    cursor = if restarts == MOST_RESTARTS { cursor.begin_full() } else { cursor.begin_again() };
                    continue;
                }
                Err(NoPage::Failure(failure)) => {
                    return Ok(match failure.retry_after {
                        Some(pause) if pause > self.budget() => Pulled::Later(pause),
                        // Not Microsoft's fault: there was too little time left for it to answer.
                        _ if failure.code.passes() && !fresh && self.is_late() => Pulled::Later(Duration::ZERO),
                        _ => Pulled::Short(failure),
                    });
                }
            };
            fresh = false;
            let this_page = blake3::hash(format!("{:?}", page.objects).as_bytes()).to_hex().to_string();
            let circles =
                !page.objects.is_empty() && matches!(page.next, Next::Page(_)) && this_page == cursor.last_page;
            if circles || cursor.pages > MOST_PAGES {
                lease.commit(store, vec![put(key, write(&cursor.begin_again()))]).await?;
                let message = "Microsoft Graph answers the same page again and again, so that the read does not end";
                return Ok(Pulled::Short(Failure::new(
                    Code::BadAnswer,
                    message,
                    "nothing: the next run starts this read again",
                )));
            }
            let mut after = Cursor { pages: cursor.pages + 1, last_page: this_page, ..cursor.clone() };
            let ends = matches!(page.next, Next::Round(_));
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
            let mut writes = take_in(store, lease, kind, page, &mut after, run.undone).await?;
            if ends {
                after.end_round(self.clock.now());
            }
            writes.push(put(key.clone(), write(&after)));
            lease.commit_in_order(store, writes).await?;
            stored.clone_from(&after);
            cursor = after;
            if !cursor.sweep && cursor.page.is_none() {
                return Ok(Pulled::Complete);
            }
        }
        self.sweep(kind, cursor, stored).await
    }

    /// After a full round: what was not seen in it is gone (mark and sweep), and everybody is to be evaluated.
    async fn sweep(&self, kind: Kind, mut cursor: Cursor, stored: &mut Cursor) -> Result<Pulled, Stop> {
        let (store, lease) = (self.store, self.lease);
        let tenant = &lease.tenant;
        let key = keys::cursor(tenant, kind);
        if cursor.seen == 0 && cursor.swept.is_none() && self.has_any(kind, &cursor).await? {
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
                lease.commit(store, vec![put(key, write(&cursor.begin_full()))]).await?;
                return Ok(Pulled::Short(failure));
            }
        }
        let mut place = cursor.swept.take().or(Some(('0', None)));
        while let Some((shard, after)) = place {
            let range = Range {
                after,
                limit: SWEPT_AT_ONCE,
                ..keys::all(Table::Directory, keys::mirror_pk(tenant, kind, shard))
            };
            let page = store.list(&range).await?;
            let mut writes = self.unseen(kind, &cursor, page.items).await?;
            place = keys::behind(shard, page.more);
            if place.is_some() && self.is_late() {
                cursor.swept = place;
                writes.push(put(key, write(&cursor)));
                lease.commit_in_order(store, writes).await?;
                *stored = cursor;
                return Ok(Pulled::Later(Duration::ZERO));
            }
            lease.commit_in_order(store, writes).await?;
        }
        let done = Cursor { full: false, sweep: false, seen: 0, nameless: false, ..cursor };
        let everybody = Change::Set { set: Item::new(), add: vec![(everybody_attribute(kind), 1)] };
        let everybody = Write { key: keys::sync(tenant), change: everybody, only_if: Vec::new() };
        lease.commit(store, vec![put(key, write(&done)), everybody]).await?;
        *stored = done;
        Ok(Pulled::CompleteAfresh)
    }

    /// The writes that mark rows of the mirror as gone that a full round has not seen, and remove the memberships that it
    /// has not. What could not be read stays as it was.
    async fn unseen(&self, kind: Kind, cursor: &Cursor, rows: Vec<(String, Item)>) -> Result<Vec<Write>, Stop> {
        let tenant = &self.lease.tenant;
        let mut writes = Vec::new();
        let (mut groups, mut old) = (Vec::new(), Vec::new());
        for (id, item) in rows {
            let Ok(id) = ObjectId::try_from(id) else { continue };
            let mut row = MirrorRow::read(kind, item)?;
            let seen = row.round == cursor.round;
            if row.round < cursor.first_round {
                // It belongs to the directory that was connected before.
                old.push((id, row.entra));
                continue;
            }
            if !seen && row.removed.is_none() && !cursor.nameless {
                row.removed = Some(Removal::Hard);
                writes.push(put(keys::mirror(tenant, kind, &id), row.write()));
            }
            let uncertain = cursor.unreadable.contains_key(id.as_str()) || (!seen && cursor.nameless);
            if kind == Kind::Group && !uncertain {
                groups.push(id);
            }
        }
        for part in groups.chunks(links::AT_ONCE) {
            let links = part.iter().map(|group| links::members(self.store, tenant, group));
            for (group, links) in part.iter().zip(futures::future::try_join_all(links).await?) {
                for (member, _) in links.into_iter().filter(|(_, link)| link.round < cursor.round) {
                    writes.push(delete(keys::mirror_member(tenant, group, &member)));
                    writes.push(delete(keys::mirror_parent(tenant, &member, group)));
                }
            }
        }
        writes.extend(forget::writes(self.store, tenant, &old).await?);
        Ok(writes)
    }

    /// Whether the mirror has anybody of a kind.
    async fn has_any(&self, kind: Kind, cursor: &Cursor) -> Result<bool, Stop> {
        for shard in keys::SHARDS.chars() {
            let pk = keys::mirror_pk(&self.lease.tenant, kind, shard);
            let mut pages = links::Pages::of(self.store, keys::all(Table::Directory, pk));
            while let Some(page) = pages.next().await? {
                for (_, item) in page {
                    let row = MirrorRow::read(kind, item)?;
                    if row.removed.is_none() && row.round >= cursor.first_round {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }
}

fn select(kind: Kind) -> &'static str {
    match kind {
        Kind::User => UserTold::SELECT,
        Kind::Group => GroupTold::SELECT,
    }
}
