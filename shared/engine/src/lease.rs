//! The lease: one run per tenant at a time, and a stalled worker that wakes up can change nothing.
//!
//! Every write of a run checks owner and fence of the lease item in its own transaction. Versions of items alone do not
//! protect: a worker that stalls between plan and apply would write an old decision over a state that looks the same.

use directory::{RunId, TenantId};
use serde_json::json;

use crate::{
    keys,
    ports::{Change, Condition, Fault, Item, MOST_WRITES, NotCommitted, Store, Write},
    records::Work,
};

/// Why a run stops where it is.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// Somebody else has the lease now, and goes on from here.
    #[error("the lease was lost: another invocation goes on with this tenant")]
    LeaseLost,
    /// A condition other than the lease did not hold: somebody changed an item at the same time.
    #[error("items were changed at the same time by somebody else")]
    Raced,
    /// The world failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The right to work on a tenant.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Whose.
    pub tenant: TenantId,
    /// The name by which the worklist knows the run that it was taken for.
    pub run: RunId,
    /// The invocation that took it.
    pub owner: String,
    /// Its number.
    pub fence: u64,
}

impl Lease {
    fn conditions(&self) -> [Condition; 2] {
        [Condition::Equals("owner", json!(self.owner)), Condition::Equals("fence", json!(self.fence))]
    }

    /// Commit writes under the lease, all or none: at most [`Self::ROOM`].
    ///
    /// # Errors
    /// [`Stop::LeaseLost`] where the lease is gone; [`Stop::Raced`] where another condition did not hold.
    pub async fn commit(&self, store: &impl Store, mut writes: Vec<Write>) -> Result<(), Stop> {
        let key = keys::sync(&self.tenant);
        match writes.iter().position(|write| write.key == key) {
            Some(at) => {
                let mut own = writes.remove(at);
                own.only_if.extend(self.conditions());
                writes.insert(0, own);
            }
            None => writes.insert(0, Write { key, change: Change::Check, only_if: self.conditions().into() }),
        }
        store.commit(writes).await.map_err(|err| match err {
            NotCommitted::Refused(which) if which.contains(&0) => Stop::LeaseLost,
            NotCommitted::Refused(_) => Stop::Raced,
            NotCommitted::Fault(fault) => Stop::Fault(fault),
        })
    }

    /// How many writes fit beside the check of the lease.
    pub const ROOM: usize = MOST_WRITES - 1;

    /// Commit any number of writes in their order, as many at once as fit. A stop leaves a beginning of them written.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub async fn commit_in_order(&self, store: &impl Store, writes: Vec<Write>) -> Result<(), Stop> {
        let mut writes = writes.into_iter().peekable();
        while writes.peek().is_some() {
            self.commit(store, writes.by_ref().take(Self::ROOM).collect()).await?;
        }
        Ok(())
    }
}

/// A write without conditions that replaces an item.
pub fn put(key: crate::ports::Key, item: Item) -> Write {
    Write { key, change: Change::Put(item), only_if: Vec::new() }
}

/// A write without conditions that removes an item.
pub fn delete(key: crate::ports::Key) -> Write {
    Write { key, change: Change::Delete, only_if: Vec::new() }
}

/// A write that notes work. Where all members were to be looked at, they still are.
pub fn note(key: crate::ports::Key, work: &Work) -> Write {
    let mut attributes = Item::from_iter([("by".to_owned(), json!(work.by)), ("keep".to_owned(), json!(work.keep))]);
    if work.members {
        attributes.insert("members".to_owned(), json!(true));
    }
    set(key, attributes)
}

/// A write that sets attributes and keeps the others.
pub fn set(key: crate::ports::Key, attributes: Item) -> Write {
    Write { key, change: Change::Set { set: attributes, add: Vec::new() }, only_if: Vec::new() }
}
