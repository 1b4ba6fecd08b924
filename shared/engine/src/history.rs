//! Runs as operators look back on them: what was to change, what became of it, and who is left out.

use directory::{Change, Kind, RunId, Skipped, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    browse::{self, Place, Row, Taker, Walk},
    operator::{self, Refused},
    ports::Store,
    records::Contents,
    run::recorded,
};

/// So many runs make a page.
const RUNS: usize = 100;
/// So many changes and skipped objects make a page.
const PAGE: usize = 500;
/// A page ends once it is that large, well below the 6 MB that an answer may have.
const LARGE: usize = 2_000_000;
/// A page ends once so many standing verdicts were looked through for it, shown or not.
const MOST_LOOKED: usize = 20_000;

/// Runs of a tenant, the newest first.
///
/// # Errors
/// There is no such tenant, or the cursor is none.
pub async fn list_runs(store: &impl Store, tenant: &TenantId, cursor: Option<&str>) -> Result<Value, Refused> {
    operator::tenant(store, tenant).await?;
    let page = browse::runs(store, tenant, cursor, RUNS).await?;
    let runs: Vec<Value> = page.rows.iter().map(|run| recorded(tenant, run)).collect();
    Ok(json!({"runs": runs, "cursor": page.next}))
}

/// Where a page of a run goes on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Begun {
    part: Part,
    place: Option<Place>,
}

/// The changes come first, then what is not enabled, then the skipped: each is one way through what is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    #[default]
    Changes,
    NotEnabled,
    Skipped,
}

/// A page as it fills.
#[derive(Default)]
struct Page {
    looked: usize,
    changes: Vec<Value>,
    skipped: Vec<Value>,
    size: usize,
}

impl Page {
    fn has_enough(&self) -> bool {
        self.changes.len() + self.skipped.len() >= PAGE || self.size >= LARGE || self.looked >= MOST_LOOKED
    }

    fn change(&mut self, change: &Change) {
        let shown = json!(change);
        self.size += shown.to_string().len();
        self.changes.push(shown);
    }

    fn skipped(&mut self, skipped: &Skipped) {
        let Skipped { object, object_id, address, reason, why, domain: _ } = skipped;
        let shown = json!({"object": object, "object_id": object_id, "address": address, "reason": reason, "why": why});
        self.size += shown.to_string().len();
        self.skipped.push(shown);
    }
}

/// How a page takes each of the lists: all of it, in the order in which it is stored.
macro_rules! takes {
    ($found:ty, $take:expr) => {
        impl Taker<$found> for Page {
            fn wants(&self, _: &Contents) -> bool {
                true
            }

            fn text(&self) -> Option<&str> {
                None
            }

            fn kind(&self) -> Option<Kind> {
                None
            }

            fn read_part(&mut self, _: bool) {}

            fn read_standing(&mut self) {
                self.looked += 1;
            }

            fn take(&mut self, found: $found) {
                $take(self, &found);
            }

            fn is_full(&self) -> bool {
                self.has_enough()
            }

            fn is_spent(&self) -> bool {
                false
            }
        }
    };
}
takes!(Row, |page: &mut Page, row: &Row| page.change(&row.change));
takes!(Change, Page::change);
takes!(Skipped, Page::skipped);

/// A run: its changes with what became of each, then who is skipped. Of a run under the saved settings, what is not enabled
/// or skipped is what stands now, however old the run is: a run that changes nothing would otherwise have to keep the list
/// of everybody. A run with settings of its own keeps its own.
///
/// # Errors
/// There is no such tenant or run, or the cursor is none.
pub async fn get_run(
    store: &impl Store,
    tenant: &TenantId,
    id: &RunId,
    cursor: Option<&str>,
) -> Result<Value, Refused> {
    operator::tenant(store, tenant).await?;
    let missing = || directory::Failure::not_found(format!("tenant {tenant} has no run {id}"));
    let run = browse::run(store, tenant, id).await?.ok_or_else(missing)?;
    let walk = Walk::new(store, tenant, &run);
    let mut page = Page::default();
    let mut next = Some(operator::place::<Begun>(cursor)?);
    while let Some(Begun { part, place }) = next.take() {
        let place = match part {
            Part::Changes => walk.fill::<Row>(place, &mut page).await?,
            Part::NotEnabled => walk.fill::<Change>(place, &mut page).await?,
            Part::Skipped => walk.fill::<Skipped>(place, &mut page).await?,
        };
        next = match (&place, part) {
            (Some(_), _) => Some(Begun { part, place }),
            (None, Part::Changes) => Some(Begun { part: Part::NotEnabled, place }),
            (None, Part::NotEnabled) => Some(Begun { part: Part::Skipped, place }),
            (None, Part::Skipped) => None,
        };
        if page.has_enough() {
            break;
        }
    }
    let Page { changes, skipped, .. } = page;
    Ok(json!({
        "run": recorded(tenant, &run), "changes": changes, "skipped": skipped,
        "cursor": next.as_ref().map(operator::cursor),
    }))
}
