//! A batch of verdicts on its way into the store.

use directory::{Kind, ObjectId};
use serde::Deserialize;
use serde_json::json;

use super::{Batch, MOST_KEPT, Planner};
use crate::{
    chunk, forget, keys,
    lease::{Stop, put},
    links,
    ports::{Item, Store, Table},
    records::{Entry, Run, read, write},
    standing,
};

impl<S: Store> Planner<'_, S> {
    /// Store the batch: standing verdicts first, then the part of the plan together with the position.
    pub(super) async fn flush(&self, run: &mut Run, batch: &mut Batch) -> Result<(), Stop> {
        let many = batch.kept() >= MOST_KEPT || !batch.ahead.is_empty();
        let Batch { mut entries, standing, stored, changing, ahead, forgotten, mut other, .. } = std::mem::take(batch);
        other.extend(forget::writes(self.store, self.loader.tenant, &forgotten).await?);
        if self.saved {
            let waiting = standing::keep(self.store, self.lease, standing, stored, &changing).await?;
            for entry in &mut entries {
                if let Entry::Unit { changes, waiting: own, .. } = entry {
                    let ids = changes.iter().map(|planned| (planned.change.object, planned.change.object_id.clone()));
                    own.extend(ids.filter(|name| waiting.contains(name)).map(|(_, id)| id));
                }
            }
        }
        self.lease.commit_in_order(self.store, other).await?;
        let mut entries = entries.into_iter().peekable();
        let mut parts = Vec::new();
        while entries.peek().is_some() {
            let mut weight = 0;
            let mut part = Vec::new();
            while let Some(entry) = entries.next_if(|_| weight < 2 * chunk::FULL) {
                weight += match &entry {
                    Entry::Unit { changes, .. } => changes.len(),
                    Entry::Members { join, leave, .. } => 1 + (join.len() + leave.len()) / chunk::MEMBERS_PER_ENTRY,
                    Entry::Skipped(_) | Entry::NotEnabled(_) => 1,
                };
                part.push(entry);
            }
            parts.push(part);
            if parts.len() == 4 {
                let writes = chunk::add(self.loader.tenant, run, &std::mem::take(&mut parts))?;
                self.lease.commit(self.store, writes).await?;
            }
        }
        let mut writes = chunk::add(self.loader.tenant, run, &parts)?;
        if many || !writes.is_empty() {
            if !ahead.is_empty() {
                let item = Item::from_iter([("names".to_owned(), json!(ahead)), ("ttl".to_owned(), json!(run.ttl))]);
                writes.push(put(keys::ahead(self.loader.tenant, &run.run, run.ahead_parts), item));
                run.ahead_parts += 1;
            }
            writes.push(put(keys::run(self.loader.tenant, &run.run), write(run)));
            self.lease.commit(self.store, writes).await?;
        }
        Ok(())
    }

    /// Who was evaluated ahead of their turn by the invocations before.
    pub(super) async fn read_ahead(&self, run: &mut Run) -> Result<(), Stop> {
        if run.ahead_parts > 0 {
            let range = keys::starting(Table::Control, keys::plan_pk(self.loader.tenant, &run.run), "AH#");
            for (_, item) in links::everything(self.store, range).await? {
                run.ahead.extend(read::<Ahead>("a part of a plan", item)?.names);
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Ahead {
    names: Vec<(Kind, ObjectId)>,
}
