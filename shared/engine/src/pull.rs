//! Pull: Graph's delta pages into the mirror and the worklist (design: idempotent per page).
//!
//! The writes of a page go in an order in which a kill between any two of them loses nothing: worklist, addresses,
//! memberships, objects, and last the cursor. A page that is read again finds its objects in the mirror and writes nothing.

mod intake;

use std::time::Duration;

use directory::{Code, Failure, GroupTold, Kind, ObjectId, Removal, UserTold};

use self::intake::take_in;
use crate::{
    keys,
    lease::{Lease, Stop, delete, put},
    links,
    ports::{Change, Clock, Connection, Graph, Item, Next, NoPage, Store, Table, Write},
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
