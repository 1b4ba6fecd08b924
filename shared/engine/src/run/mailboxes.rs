//! Asking for the kinds of mailboxes that are not known yet, as far as one invocation reaches (rule 5.2).
//!
//! Whoever is about to be evaluated comes first, then whom earlier runs have left. Planning leaves whom it finds unknown.

use std::{collections::BTreeSet, time::Duration};

use directory::{Entra, Failure, Kind, ObjectId};

use super::World;
use crate::{
    keys,
    lease::{Lease, Stop, delete, note, set},
    links::Pages,
    ports::{
        Clock, Connection, Graph, Item, Key, MOST_MAILBOXES, Mailboxes, Queue, Range, Secrets, Store, Table, Write,
    },
    reach,
    records::{MirrorRow, Run, Tenant, Warning, Work},
};

/// Questions of one invocation: ten thousand users.
const MOST_QUESTIONS: usize = 500;
/// The longest that one question may take, pauses included.
const LONGEST: Duration = Duration::from_secs(30);
/// So many users are looked at before the next are.
const AT_ONCE: usize = 200;

/// Where users are found whose kind may be unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Among {
    /// A part of the mirror.
    Everybody(char),
    /// The worklist.
    Changed,
    /// Those whom earlier runs have left.
    Unasked,
}

/// What is asked under, and what was asked so far.
struct Asking<'a> {
    lease: &'a Lease,
    meta: &'a Tenant,
    first_round: u64,
    margin: Duration,
    who: Option<Connection>,
    questions: usize,
    asked: BTreeSet<ObjectId>,
    over: bool,
}

type Users = Vec<(ObjectId, MirrorRow)>;

impl<G: Graph, S: Store, X: Secrets, Q: Queue, C: Clock> World<'_, G, S, X, Q, C> {
    /// Ask for unknown kinds of mailboxes, and note down what comes. Nothing fails for what does not.
    pub(super) async fn ask_for_mailboxes(
        &self,
        lease: &Lease,
        run: &mut Run,
        meta: &Tenant,
        first_round: u64,
        margin: Duration,
    ) -> Result<(), Stop> {
        let (who, questions, asked, over) = (None, 0, BTreeSet::new(), false);
        let mut asking = Asking { lease, meta, first_round, margin, who, questions, asked, over };
        let soon = match run.everybody[Kind::User] {
            Some(_) => keys::SHARDS.chars().map(Among::Everybody).collect(),
            None => vec![Among::Changed],
        };
        for (places, left) in [(soon, false), (vec![Among::Unasked], true)] {
            let mut unknown = Vec::new();
            for among in places {
                let mut pages = Pages::of(self.store, among.range(lease));
                while let Some(page) = pages.next().await? {
                    unknown.extend(self.unknown(&asking, among, page).await?);
                    while unknown.len() >= MOST_MAILBOXES && !asking.over {
                        let users = unknown.drain(..MOST_MAILBOXES).collect();
                        self.ask(&mut asking, run, users, left).await?;
                    }
                    if asking.over {
                        return Ok(());
                    }
                }
            }
            self.ask(&mut asking, run, unknown, left).await?;
        }
        Ok(())
    }

    /// Whoever of a page is to be asked for. Those left by earlier runs who are not, are left no longer.
    async fn unknown(&self, asking: &Asking<'_>, among: Among, page: Vec<(String, Item)>) -> Result<Users, Stop> {
        let tenant = &asking.lease.tenant;
        let id = |sk: &str| ObjectId::try_from(sk.rsplit('#').next()?).ok();
        let mut users: Vec<(ObjectId, Option<Item>)> = Vec::new();
        if let Among::Everybody(_) = among {
            users.extend(page.into_iter().filter_map(|(sk, row)| Some((id(&sk)?, Some(row)))));
        } else {
            let ids: Vec<ObjectId> = page.iter().filter_map(|(sk, _)| id(sk)).collect();
            let keys: Vec<Key> = ids.iter().map(|id| keys::mirror(tenant, Kind::User, id)).collect();
            users.extend(ids.into_iter().zip(self.store.get(&keys).await?));
        }
        let (mut unknown, mut known) = (Vec::new(), Vec::new());
        for (id, item) in users {
            let row = item.map(|item| MirrorRow::read(Kind::User, item)).transpose()?;
            let lacks = |row: &MirrorRow| row.lacks_mailbox_kind(&asking.meta.settings);
            match row.filter(|row| row.round >= asking.first_round && lacks(row)) {
                Some(row) if !asking.asked.contains(&id) => unknown.push((id, row)),
                None if among == Among::Unasked => known.push(delete(keys::unasked_user(tenant, &id))),
                _ => (),
            }
        }
        asking.lease.commit_in_order(self.store, known).await?;
        Ok(unknown)
    }

    /// One question, and what it brings. Whoever was `left` by an earlier run is evaluated anew.
    async fn ask(&self, asking: &mut Asking<'_>, run: &mut Run, users: Users, left: bool) -> Result<(), Stop> {
        if users.is_empty() || asking.over {
            return Ok(());
        }
        let tenant = &asking.lease.tenant;
        if asking.who.is_none() {
            asking.who = reach::kept(self.secrets, tenant, &asking.meta.settings).await?.ok();
        }
        let time = self.clock.remaining().saturating_sub(asking.margin);
        let Some(who) = asking.who.as_mut().filter(|_| !time.is_zero() && asking.questions < MOST_QUESTIONS) else {
            asking.over = true;
            return Ok(());
        };
        asking.questions += 1;
        let ids: Vec<ObjectId> = users.iter().map(|(id, _)| id.clone()).collect();
        let told = self.graph.mailboxes(who, &ids, time.min(LONGEST)).await;
        let made = std::mem::take(&mut who.meter).read();
        run.requests.graph += made.graph;
        run.requests.sign_in += made.sign_in;
        asking.asked.extend(ids);
        let Mailboxes { kinds, denied, stopped } = told.unwrap_or_else(|failure| {
            tracing::warn!(code = %failure.code.name(), "the kinds of mailboxes are asked for later");
            Mailboxes { stopped: true, ..Mailboxes::default() }
        });
        asking.over = stopped || (denied.is_some() && kinds.is_empty());
        warn(run, denied);
        let mut writes: Vec<Write> = Vec::new();
        for (id, mut row) in users {
            let (Some(kind), Entra::User(user)) = (kinds.get(&id), &mut row.entra) else { continue };
            user.mailbox_kind = Some(*kind);
            // Only this attribute: an operator may be changing another.
            let entra = row.write().into_iter().filter(|(name, _)| name == "entra").collect();
            let row = set(keys::mirror(tenant, Kind::User, &id), entra);
            if left {
                let work = note(keys::work(tenant, Kind::User, &id), &Work::found(run.mark(), false));
                writes.extend([work, row, delete(keys::unasked_user(tenant, &id))]);
            } else {
                writes.push(row);
            }
        }
        asking.lease.commit_in_order(self.store, writes).await
    }
}

impl Among {
    fn range(self, lease: &Lease) -> Range {
        let tenant = &lease.tenant;
        let range = match self {
            Self::Everybody(shard) => keys::all(Table::Directory, keys::mirror_pk(tenant, Kind::User, shard)),
            Self::Changed => keys::starting(Table::Control, keys::work_pk(tenant), "0#U#"),
            Self::Unasked => keys::unasked(tenant),
        };
        Range { limit: AT_ONCE, ..range }
    }
}

/// Say once what keeps us from reading (rule 1.9).
fn warn(run: &mut Run, denied: Option<Failure>) {
    const CODE: &str = "mailbox_kind_not_readable";
    if let Some(failure) = denied.filter(|_| run.warnings.iter().all(|warning| warning.code != CODE)) {
        run.warnings.push(Warning { code: CODE.to_owned(), message: failure.message });
    }
}
