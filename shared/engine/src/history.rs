//! Runs as operators look back on them: what was to change, what became of it, and who is left out.

use directory::{Change, Kind, RunId, Skipped, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    keys,
    operator::{self, Refused},
    outcomes,
    ports::{Fault, Range, Store, Table},
    records::{Run, Standing, read},
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
    let after: Option<String> = operator::place(cursor)?;
    let range = keys::starting(Table::Control, keys::tenant_pk(tenant), "RUN#");
    let page = store.list(&Range { after, limit: RUNS, newest_first: true, ..range }).await?;
    let mut runs = Vec::new();
    for (_, item) in page.items {
        runs.push(recorded(tenant, &read::<Run>("a run", item)?));
    }
    Ok(json!({"runs": runs, "cursor": page.more.as_ref().map(operator::cursor)}))
}

/// Where a page of a run goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    /// The stored plan: the number of the part and how many of what it holds were shown.
    Plan(Part, u32, usize),
    /// The standing verdicts of a kind, behind this sort key.
    Standing(Part, Kind, Option<String>),
}

/// The changes come first, then what is not enabled, then the skipped: each is one way through what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Changes,
    NotEnabled,
    Skipped,
}

impl Default for Place {
    fn default() -> Self {
        Self::Plan(Part::Changes, 0, 0)
    }
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
    fn is_full(&self) -> bool {
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
    let item = store.get(&[keys::run(tenant, id)]).await?.pop().flatten();
    let missing = || directory::Failure::not_found(format!("tenant {tenant} has no run {id}"));
    let run: Run = read("a run", item.ok_or_else(missing)?)?;
    let mut page = Page::default();
    let mut next = Some(operator::place(cursor)?);
    while let Some(place) = next.take() {
        next = match place {
            Place::Plan(part, chunk, shown) => plan(store, tenant, &run, part, chunk, shown, &mut page).await?,
            Place::Standing(part, kind, after) => standing(store, tenant, part, kind, after, &mut page).await?,
        };
        if page.is_full() {
            break;
        }
    }
    let Page { changes, skipped, .. } = page;
    Ok(json!({
        "run": recorded(tenant, &run), "changes": changes, "skipped": skipped,
        "cursor": next.as_ref().map(operator::cursor),
    }))
}

/// Show what is left of a part of the plan. Answers where to go on.
async fn plan(
    store: &impl Store,
    tenant: &TenantId,
    run: &Run,
    part: Part,
    number: u32,
    shown: usize,
    page: &mut Page,
) -> Result<Option<Place>, Fault> {
    if number >= run.chunks {
        return Ok(match (part, run.settings.is_some()) {
            (Part::Changes, true) => Some(Place::Plan(Part::NotEnabled, 0, 0)),
            (Part::NotEnabled, true) => Some(Place::Plan(Part::Skipped, 0, 0)),
            (Part::Changes, false) => Some(Place::Standing(Part::NotEnabled, Kind::User, None)),
            (Part::NotEnabled | Part::Skipped, _) => None,
        });
    }
    let found = outcomes::part(store, tenant, run, number).await?;
    let changes: Vec<Change> = match part {
        Part::Changes => found.changes.into_iter().map(|followed| followed.planned.change).collect(),
        Part::NotEnabled => found.not_enabled,
        Part::Skipped => Vec::new(),
    };
    let skipped = if part == Part::Skipped { found.skipped } else { Vec::new() };
    let whole = changes.len() + skipped.len();
    let mut at = shown;
    for change in changes.iter().skip(shown) {
        page.change(change);
        at += 1;
        if page.is_full() {
            break;
        }
    }
    for skipped in skipped.iter().skip(shown) {
        page.skipped(skipped);
        at += 1;
        if page.is_full() {
            break;
        }
    }
    Ok(Some(if at < whole { Place::Plan(part, number, at) } else { Place::Plan(part, number + 1, 0) }))
}

/// Show a stretch of the standing verdicts. Answers where to go on.
async fn standing(
    store: &impl Store,
    tenant: &TenantId,
    part: Part,
    kind: Kind,
    after: Option<String>,
    page: &mut Page,
) -> Result<Option<Place>, Fault> {
    let prefix = match kind {
        Kind::User => "U#",
        Kind::Group => "G#",
    };
    let range = keys::starting(Table::Control, keys::standing_pk(tenant), prefix);
    let found = store.list(&Range { after, limit: PAGE, ..range }).await?;
    for (sk, item) in found.items {
        page.looked += 1;
        match (part, read::<Standing>("a standing verdict", item)?) {
            (Part::NotEnabled, Standing::NotEnabled(change)) => page.change(&change),
            (Part::Skipped, Standing::Skipped(skipped)) => page.skipped(&skipped),
            (Part::Skipped, Standing::Waiting(waiting)) => page.skipped(&waiting.skipped),
            _ => (),
        }
        if page.is_full() {
            return Ok(Some(Place::Standing(part, kind, Some(sk))));
        }
    }
    Ok(match (found.more, kind, part) {
        (Some(after), ..) => Some(Place::Standing(part, kind, Some(after))),
        (None, Kind::User, _) => Some(Place::Standing(part, Kind::Group, None)),
        (None, Kind::Group, Part::NotEnabled) => Some(Place::Standing(Part::Skipped, Kind::User, None)),
        (None, Kind::Group, _) => None,
    })
}
