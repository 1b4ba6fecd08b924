//! The items of the control table and of the mirror, as they are stored.

mod credential;
mod mirror;
mod plan;
mod run;
mod tenant;
mod totals;
mod work;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::ports::{Fault, Item};

pub use directory::facts::ExpirySource;

pub use self::{
    credential::{CredentialFacts, NotRenewed, Seen, Told},
    mirror::{Claim, Claimants, Cursor, Link, MirrorRow, Mirrored, MirroredGroup, MirroredUser, said},
    plan::{Bereft, ChunkProgress, Contents, Entry, Exception},
    run::{Action, Billable, HeldBack, KEPT_DAYS, PLAN_HOURS, Phase, Run, RunCounts, RunState, Tally, Warning},
    tenant::{Audit, Exemption, Schedule, Status, Tenant, Unreachable, everybody_attribute},
    totals::Counts,
    work::{Standing, Undone, Waiting, Work},
};

/// Read an item.
///
/// # Errors
/// A fault that will not pass: the item was written by something else.
pub fn read<T: DeserializeOwned>(what: &str, item: Item) -> Result<T, Fault> {
    serde_json::from_value(Value::Object(item))
        .map_err(|err| Fault::permanent(format!("cannot read {what}")).because(err))
}

/// Write an item. Optional attributes that are `None` are left out.
pub fn write<T: Serialize>(record: &T) -> Item {
    match serde_json::to_value(record) {
        Ok(Value::Object(mut item)) => {
            item.retain(|_, value| !value.is_null());
            item
        }
        _ => Item::new(),
    }
}
