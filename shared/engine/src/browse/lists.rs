//! The lists of a run: its changes, what is not enabled, and who is skipped.

use directory::{Change, Kind, Outcome, Skipped, TenantId};
use serde::{Deserialize, Serialize};

use super::{
    Listed, MOST_ROWS, Page, Place, Taker, Walk,
    filter::{Admits, Filter, Left},
};
use crate::{
    keys,
    operator::{self, Refused},
    outcomes::Followed,
    ports::{Fault, Store},
    records::{Contents, Counts, Run, read},
};

/// A page looks at all of so many parts of a plan.
const MOST_UNPACKED: usize = 12;
/// A page searches so many parts of a plan for a text.
const MOST_SEARCHED: usize = 32;
/// A page looks at the progress of so many parts of a plan.
const MOST_FOLLOWED: usize = 5_000;
/// A page looks through so many standing verdicts.
const MOST_STANDING: usize = 5_000;

/// A change of a plan, with what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The change, with outcome and error filled in.
    pub change: Change,
    /// Whether the brake counts it (rule 4.8).
    pub brakes: bool,
    /// Whether its unit would empty a group (rule 4.8).
    pub empties: bool,
    /// Whether a person has undone it before (rule 4.14).
    pub undone: bool,
    /// The part of the plan that has it; what is not enabled stands in none.
    pub part: Option<u32>,
}

impl Row {
    pub(super) fn new(Followed { planned, empties }: Followed, part: u32) -> Self {
        Self { change: planned.change, brakes: planned.brakes, empties, undone: planned.undone, part: Some(part) }
    }
}

/// A page of the changes of a run.
///
/// # Errors
/// `invalid_input` for a cursor that is none or a text that is too long.
pub async fn changes(
    store: &impl Store,
    tenant: &TenantId,
    run: &Run,
    filter: &Filter,
    from: Option<&str>,
    most: usize,
) -> Result<Page<Row>, Refused> {
    page(store, tenant, run, filter, from, most).await
}

/// A page of what is not enabled, of which the filter's category and outcome say nothing. Of a run under the saved
/// settings it is what stands now.
///
/// # Errors
/// `invalid_input` for a cursor that is none or a text that is too long.
pub async fn not_enabled(
    store: &impl Store,
    tenant: &TenantId,
    run: &Run,
    filter: &Filter,
    from: Option<&str>,
    most: usize,
) -> Result<Page<Change>, Refused> {
    page(store, tenant, run, filter, from, most).await
}

/// A page of who is skipped, and why. Of a run under the saved settings it is what stands now.
///
/// # Errors
/// `invalid_input` for a cursor that is none or a text that is too long.
pub async fn skipped(
    store: &impl Store,
    tenant: &TenantId,
    run: &Run,
    filter: &Left,
    from: Option<&str>,
    most: usize,
) -> Result<Page<Skipped>, Refused> {
    page(store, tenant, run, filter, from, most).await
}

/// Where a list goes on, and how many rows it has had before.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Begun {
    place: Option<Place>,
    before: u64,
}

async fn page<T: Listed + Standings, F: Admits<T>>(
    store: &impl Store,
    tenant: &TenantId,
    run: &Run,
    filter: &F,
    from: Option<&str>,
    most: usize,
) -> Result<Page<T>, Refused> {
    let filter = &filter.ready()?;
    let Begun { place, before } = operator::place(from)?;
    let walk = Walk::selecting(store, tenant, run).await?;
    let most = most.clamp(1, MOST_ROWS);
    let mut filling =
        Filling { filter, most, rows: Vec::new(), unpacked: 0, searched: 0, followed: 0, standing: 0, text: None };
    filling.text = filter.text().map(quoted);
    let next = walk.fill(place, &mut filling).await?;
    let rows = filling.rows;
    let total = match (filter.is_exact(), walk.stands::<T>()) {
        (true, false) => walk.sum(|contents| filter.among(contents)),
        (true, true) => Some(filter.among(&standings::<T>(store, tenant).await?)),
        (false, _) => None,
    };
    let through = before + rows.len() as u64;
    // What stands may change from page to page, so that only a plan is known to be at its end.
    let next = next.filter(|_| walk.stands::<T>() || total.is_none_or(|total| through < total));
    let cut = next.is_some() && rows.len() < most;
    let next = next.map(|place| operator::cursor_text(&Begun { place: Some(place), before: through }));
    Ok(Page { rows, next, before, total, cut })
}

/// What the totals of a tenant say of a list of standing verdicts, in the terms of a part of a plan.
trait Standings {
    fn standings(counts: &Counts) -> Contents;
}

impl Standings for Row {
    fn standings(_: &Counts) -> Contents {
        Contents::default()
    }
}

impl Standings for Change {
    fn standings(counts: &Counts) -> Contents {
        let mut contents = Contents::default();
        contents.not_enabled[Kind::User] = u64::try_from(counts.not_enabled_users).unwrap_or_default();
        contents.not_enabled[Kind::Group] = u64::try_from(counts.not_enabled_groups).unwrap_or_default();
        contents
    }
}

impl Standings for Skipped {
    fn standings(counts: &Counts) -> Contents {
        let mut contents = Contents::default();
        contents.skipped[Kind::User] = u64::try_from(counts.skipped_users).unwrap_or_default();
        contents.skipped[Kind::Group] = u64::try_from(counts.skipped_groups).unwrap_or_default();
        contents
    }
}

async fn standings<T: Standings>(store: &impl Store, tenant: &TenantId) -> Result<Contents, Fault> {
    let item = store.get(&[keys::counts(tenant)]).await?.pop().flatten();
    Ok(T::standings(&read("the totals", item.unwrap_or_default())?))
}

/// A text as it stands in JSON.
fn quoted(text: &str) -> String {
    let quoted = serde_json::json!(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// A page as it fills.
struct Filling<'a, T, F> {
    filter: &'a F,
    most: usize,
    rows: Vec<T>,
    unpacked: usize,
    searched: usize,
    followed: usize,
    standing: usize,
    text: Option<String>,
}

impl<T, F: Admits<T>> Taker<T> for Filling<'_, T, F> {
    fn wants(&self, contents: &Contents) -> bool {
        self.filter.among(contents) > 0
    }

    fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    fn outcome(&self) -> Option<Outcome> {
        self.filter.outcome()
    }

    fn read_progress(&mut self, parts: usize) {
        self.followed += parts;
    }

    fn read_part(&mut self, unpacked: bool) {
        self.searched += 1;
        self.unpacked += usize::from(unpacked);
    }

    fn read_standing(&mut self) {
        self.standing += 1;
    }

    fn kind(&self) -> Option<Kind> {
        self.filter.kind()
    }

    fn take(&mut self, found: T) {
        if self.filter.admits(&found) {
            self.rows.push(found);
        }
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= self.most
    }

    fn is_spent(&self) -> bool {
        self.unpacked >= MOST_UNPACKED
            || self.searched >= MOST_SEARCHED
            || self.followed >= MOST_FOLLOWED
            || self.standing >= MOST_STANDING
    }
}
