//! The way through a tenant: everybody of a kind, or the worklist, page by page.

use std::collections::BTreeSet;

use directory::{Kind, ObjectId};

use super::{Batch, Planner};
use crate::{
    keys,
    lease::{Stop, note},
    members::{Groups, Memberships},
    ports::{Range, Store, Table},
    records::{MirrorRow, Phase, Run, Work},
    standing, touched,
};

/// So many users are evaluated at a time.
const BATCH: usize = 100;
/// So many groups, since the members of each come with it.
const GROUPS: usize = 10;

impl<S: Store> Planner<'_, S> {
    /// A page of all users.
    pub(super) async fn all_users(
        &self,
        run: &mut Run,
        batch: &mut Batch,
        shard: char,
        after: Option<String>,
    ) -> Result<(), Stop> {
        let (seeds, next) = self.page(Kind::User, BATCH, shard, after).await?;
        self.evaluate(run, batch, Kind::User, seeds).await?;
        run.phase = next;
        Ok(())
    }

    /// A page of all groups, with all their members.
    pub(super) async fn all_groups(
        &self,
        run: &mut Run,
        batch: &mut Batch,
        groups: &mut Groups<'_, S>,
        shard: char,
        after: Option<String>,
    ) -> Result<(), Stop> {
        let (seeds, next) = self.page(Kind::Group, GROUPS, shard, after).await?;
        let ids: BTreeSet<ObjectId> = seeds.iter().map(|(id, _)| id.clone()).collect();
        let evaluated = self.evaluate(run, batch, Kind::Group, seeds).await?;
        for id in ids {
            self.members_of(run, batch, &id, evaluated.get(&id), &Memberships::All, groups).await?;
        }
        run.phase = next;
        Ok(())
    }

    /// A page of the mirror of a kind, and where planning goes on behind it.
    pub(super) async fn page(
        &self,
        kind: Kind,
        limit: usize,
        shard: char,
        after: Option<String>,
    ) -> Result<(Vec<(ObjectId, MirrorRow)>, Phase), Stop> {
        let pk = keys::mirror_pk(self.loader.tenant, kind, shard);
        let page = self.store.list(&Range { after, limit, ..keys::all(Table::Directory, pk) }).await?;
        let mut seeds = Vec::new();
        for (id, item) in page.items {
            let row = MirrorRow::read(kind, item)?;
            if let Ok(id) = ObjectId::try_from(id)
                && row.round >= self.loader.first_round[kind]
            {
                seeds.push((id, row));
            }
        }
        let next = keys::behind(shard, page.more);
        Ok((
            seeds,
            next.map_or_else(|| next_kind(kind), |(shard, after)| Phase::Plan { kind, shard: Some(shard), after }),
        ))
    }

    /// A page of the worklist of users.
    pub(super) async fn users(&self, run: &mut Run, batch: &mut Batch, after: Option<String>) -> Result<(), Stop> {
        let range =
            Range { after, limit: BATCH, ..keys::starting(Table::Control, keys::work_pk(self.loader.tenant), "0#U#") };
        let page = self.store.list(&range).await?;
        let ids: Vec<(Kind, ObjectId)> = page
            .items
            .iter()
            .filter_map(|(sk, _)| Some((Kind::User, ObjectId::try_from(sk.strip_prefix("0#U#")?).ok()?)))
            .collect();
        let seeds = self.loader.rows(&ids).await?;
        self.evaluate(run, batch, Kind::User, seeds).await?;
        run.phase = match page.more {
            Some(after) => Phase::Plan { kind: Kind::User, shard: None, after: Some(after) },
            None => next_kind(Kind::User),
        };
        Ok(())
    }

    /// A page of the groups that are on the worklist, or whose members are.
    pub(super) async fn groups(
        &self,
        run: &mut Run,
        batch: &mut Batch,
        groups: &mut Groups<'_, S>,
        after: Option<String>,
    ) -> Result<(), Stop> {
        let touched = match groups.touched.take() {
            Some(touched) => touched,
            None => {
                self.flush(run, batch).await?;
                touched::touched(self.store, self.lease, run, &groups.ancestry).await?
            }
        };
        let todo: Vec<_> = touched
            .iter()
            .filter(|(id, _)| after.as_deref().is_none_or(|after| id.as_str() > after))
            .take(GROUPS)
            .collect();
        let ids: Vec<(Kind, ObjectId)> = todo.iter().map(|(id, _)| (Kind::Group, (*id).clone())).collect();
        let seeds = self.loader.rows(&ids).await?;
        let neglected = self.neglected(batch, &ids).await?;
        let evaluated = self.evaluate(run, batch, Kind::Group, seeds).await?;
        for (id, which) in &todo {
            let which = if neglected.contains(*id) { &Memberships::All } else { *which };
            self.members_of(run, batch, id, evaluated.get(*id), which, groups).await?;
        }
        run.phase = match todo.last() {
            Some((last, _)) if todo.len() == GROUPS => {
                Phase::Plan { kind: Kind::Group, shard: None, after: Some(last.to_string()) }
            }
            _ => next_kind(Kind::Group),
        };
        groups.touched = Some(touched);
        Ok(())
    }

    /// Groups with a standing verdict: nobody kept their members meanwhile, so that all are to be looked at. The worklist
    /// says so too, because planning takes the verdict away, and the plan may never be applied.
    pub(super) async fn neglected(
        &self,
        batch: &mut Batch,
        groups: &[(Kind, ObjectId)],
    ) -> Result<BTreeSet<ObjectId>, Stop> {
        let tenant = self.loader.tenant;
        let stored = standing::stored(self.store, tenant, groups.iter().cloned()).await?;
        let neglected: BTreeSet<ObjectId> =
            stored.iter().filter(|(_, standing)| standing.is_some()).map(|((_, id), _)| id.clone()).collect();
        let work = Work::found(&self.lease.run, true);
        let writes = neglected.iter().map(|id| note(keys::work(tenant, Kind::Group, id), &work));
        self.lease.commit_in_order(self.store, writes.collect()).await?;
        batch.stored.extend(stored);
        Ok(neglected)
    }
}

pub(super) fn next_kind(kind: Kind) -> Phase {
    match kind {
        Kind::User => Phase::Plan { kind: Kind::Group, shard: None, after: None },
        Kind::Group => Phase::Weigh,
    }
}
