//! What a person has left out of a plan, fixed as it is when the plan begins to be applied.

use std::collections::{BTreeMap, BTreeSet};

use directory::{Category, Code, Failure, Kind, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Request, World};
use crate::{
    apply::Selection,
    chunk, contents, keys,
    lease::{Stop, put},
    links,
    ports::{Change, Clock, Fault, Graph, Item, Queue, Secrets, Store, Table, Write},
    records::{Entry, Run, read, write},
    review::{self, Review},
};

/// So many ids go into one item.
const TOGETHER: usize = 5000;

/// Changes that are left out.
#[derive(Deserialize)]
struct Unchecked {
    ids: Vec<String>,
}

/// Of a category only these changes are carried out.
#[derive(Serialize, Deserialize)]
struct Only {
    category: Category,
    object: Kind,
    ids: BTreeSet<String>,
    ttl: i64,
}

impl<G: Graph, S: Store, X: Secrets, Q: Queue, C: Clock> World<'_, G, S, X, Q, C> {
    /// The writes that fix what is left out: what the request names, and what is unchecked, if that is meant. Refused where
    /// somebody has marked something since the person looked, or does so at the same time.
    pub(super) async fn left_out(
        &self,
        request: &Request,
        run: &Run,
        writes: &mut Vec<Write>,
    ) -> Result<Result<(), Failure>, Stop> {
        let tenant = &request.tenant;
        let mut ids = request.except.clone();
        if let Some(seen) = &request.reviewed {
            let review = review::load(self.store, tenant, &run.run).await?;
            if review.name() != *seen {
                return Ok(Err(marked_since()));
            }
            for ((category, object), marked) in review.each() {
                let key = keys::review(tenant, &run.run, category, object);
                writes.push(Write { key, change: Change::Check, only_if: vec![review::unchanged(&marked)] });
                if marked.all {
                    ids.extend(marked.except);
                } else if object == Kind::User {
                    let only = Only { category, object, ids: marked.except, ttl: run.ttl };
                    writes.push(put(keys::only(tenant, &run.run, category, object), write(&only)));
                }
            }
            ids.extend(self.groups_left_out(tenant, run, &review).await?);
        }
        let ids: Vec<&String> = ids.iter().collect();
        for (part, ids) in ids.chunks(TOGETHER).enumerate() {
            let item = Item::from_iter([("ids".to_owned(), json!(ids)), ("ttl".to_owned(), json!(run.ttl))]);
            writes.push(put(keys::unchecked(tenant, &run.run, part), item));
        }
        Ok(Ok(()))
    }

    /// The changes of groups whose whole category is left out, one by one: what a plan holds of a group's members names the
    /// change and not its category.
    async fn groups_left_out(&self, tenant: &TenantId, run: &Run, review: &Review) -> Result<Vec<String>, Stop> {
        let left = |((category, kind), marked): ((Category, Kind), review::Marked)| {
            (kind == Kind::Group && !marked.all).then_some(category)
        };
        let categories: Vec<Category> = review.each().filter_map(left).collect();
        let mut ids = Vec::new();
        if categories.is_empty() {
            return Ok(ids);
        }
        let held = contents::load(self.store, tenant, &run.run).await?;
        let has = |number: &u32| {
            held.get(number).is_none_or(|contents| {
                categories.iter().any(|category| contents.changes(Some(*category), Some(Kind::Group)) > 0)
            })
        };
        for number in (0..run.chunks).filter(has) {
            for entry in chunk::load(self.store, tenant, &run.run, number).await? {
                let Entry::Unit { changes, .. } = entry else { continue };
                let changes = changes.into_iter().map(|planned| planned.change);
                let groups = changes.filter(|change| change.object == Kind::Group && !review.is_checked(change));
                ids.extend(groups.map(|change| change.id));
            }
        }
        Ok(ids)
    }

    /// What was fixed.
    pub(super) async fn fixed(&self, tenant: &TenantId, run: &Run, selection: &mut Selection) -> Result<(), Fault> {
        let of = |prefix| keys::starting(Table::Control, keys::plan_pk(tenant, &run.run), prefix);
        for (_, item) in links::everything(self.store, of("SEL#")).await? {
            selection.unchecked.extend(read::<Unchecked>("the unchecked changes", item)?.ids);
        }
        let mut only = BTreeMap::new();
        for (_, item) in links::everything(self.store, of("ONLY#")).await? {
            let Only { category, object, ids, .. } = read("the checked changes", item)?;
            only.insert((category, object), ids);
        }
        selection.only = only;
        Ok(())
    }
}

fn marked_since() -> Failure {
    Failure::new(
        Code::Superseded,
        "somebody has checked or unchecked changes since you looked at the plan",
        "look at what is checked now, and apply that",
    )
}
