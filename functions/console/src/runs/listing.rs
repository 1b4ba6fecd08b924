//! One page of a list of a run: as many lines as fit, where it stands in the whole, and where it goes on.

use directory::{Category, Change, TenantId};
use engine::{
    browse::{self, Page, Row},
    operator::Refused,
    records::Run,
};
use mail::words::figure;

use super::{
    names,
    row::{self, Beside},
    view::{List, View},
};
use crate::{Console, fit::fitting};

/// No page has more lines.
pub(super) const ROWS: usize = 50;

/// A page of a list.
pub(super) struct Listing {
    /// What the list is of.
    pub(super) heading: String,
    /// The markup of each line.
    pub(super) lines: Vec<String>,
    /// Which of how many; nothing on an empty page.
    pub(super) position: Option<String>,
    /// How far a search has come that is not at its end.
    pub(super) searched: Option<String>,
    /// Where the list begins, where this is not its first page.
    pub(super) first: Option<String>,
    /// Where it goes on.
    pub(super) next: Option<String>,
}

impl Listing {
    fn new<T>(heading: String, view: &View, page: Page<T>, lines: Vec<String>) -> Self {
        let Page { next, before, total, cut, .. } = page;
        let last = figure(before + lines.len() as u64);
        let position = (!lines.is_empty()).then(|| match total {
            Some(total) => format!("{}–{last} of {}", figure(before + 1), figure(total)),
            None => format!("{}–{last}", figure(before + 1)),
        });
        let or_mark = |query: String| if query.is_empty() { "?".to_owned() } else { query };
        Self {
            heading,
            lines,
            position,
            searched: cut.then(|| "Not all of it is searched yet.".to_owned()),
            first: view.from.is_some().then(|| or_mark(view.first().query())),
            next: next.map(|next| view.next(next).query()),
        }
    }
}

/// A page of the changes of a run, or of those that are not enabled; `beside` says what each line shows beside it.
///
/// # Errors
/// `invalid_input` for a cursor that is none.
pub(super) async fn changes(
    console: &Console,
    tenant: &TenantId,
    run: &Run,
    view: &View,
    path: &str,
    beside: impl Fn(&Change) -> Beside + Send,
) -> Result<Listing, Refused> {
    let mut most = ROWS;
    let mut names = None;
    loop {
        let page = rows(console, tenant, run, view, most).await?;
        // A shorter page is the beginning of the longer one.
        let called = match names.take() {
            Some(names) => names,
            None => browse::called(&console.store, tenant, page.rows.iter().map(|row| &row.change)).await?,
        };
        let line = |(at, row): (usize, &Row)| {
            let called = called.get(&(row.change.object, row.change.object_id.clone()));
            row::line(at, path, view, row, called, beside(&row.change))
        };
        let lines: Vec<String> = page.rows.iter().enumerate().map(line).collect();
        let fit = fitting(&lines);
        if fit == lines.len() {
            let searched = match page.next.as_ref().filter(|_| page.cut) {
                Some(next) => browse::looked_through(&console.store, tenant, run, next).await?,
                None => None,
            };
            let mut listing = Listing::new(heading(view), view, page, lines);
            if let Some((looked, all)) = searched {
                listing.searched = Some(format!("Looked through {} of {} so far.", figure(looked), figure(all)));
            }
            return Ok(listing);
        }
        names = Some(called);
        // The same page again, and shorter: only the engine can say where the next one begins.
        most = fit;
    }
}

/// A page of changes as they are stored.
pub(super) async fn rows(
    console: &Console,
    tenant: &TenantId,
    run: &Run,
    view: &View,
    most: usize,
) -> Result<Page<Row>, Refused> {
    let (store, filter, from) = (&console.store, view.filter(), view.from.as_deref());
    if view.list != List::NotEnabled {
        return browse::changes(store, tenant, run, &filter, from, most).await;
    }
    let Page { rows, next, before, total, cut } = browse::not_enabled(store, tenant, run, &filter, from, most).await?;
    let plain = |change| Row { change, brakes: false, empties: false, undone: false, part: None };
    Ok(Page { rows: rows.into_iter().map(plain).collect(), next, before, total, cut })
}

/// A page of who is skipped.
///
/// # Errors
/// `invalid_input` for a cursor that is none.
pub(super) async fn skipped(console: &Console, tenant: &TenantId, run: &Run, view: &View) -> Result<Listing, Refused> {
    let mut most = ROWS;
    loop {
        let page = browse::skipped(&console.store, tenant, run, &view.left(), view.from.as_deref(), most).await?;
        let lines: Vec<String> = page.rows.iter().map(row::skipped).collect();
        let fit = fitting(&lines);
        if fit == lines.len() {
            return Ok(Listing::new(heading(view), view, page, lines));
        }
        most = fit;
    }
}

fn heading(view: &View) -> String {
    let kind = view.kind.map(names::kinds);
    let what = match (view.list, view.category) {
        (List::Skipped, _) => ["Skipped", kind.unwrap_or("users and groups")].join(" "),
        (List::NotEnabled, _) => ["Not enabled:", kind.unwrap_or("users and groups")].join(" "),
        (List::Changes, None) => kind.map_or_else(|| "All changes".to_owned(), |kind| format!("Changes of {kind}")),
        (List::Changes, Some(Category::NotEnabled)) => "Not enabled".to_owned(),
        (List::Changes, Some(category)) => [names::category(category), kind.unwrap_or("users and groups")].join(" "),
    };
    let outcome = view.outcome.map(|outcome| format!(", {}", names::outcome(outcome).words.to_lowercase()));
    let reason = view.reason.map(|reason| format!(", {}", names::reason(reason).to_lowercase()));
    let text = view.text.as_ref().map(|text| format!(" with “{text}”"));
    [Some(what), outcome, reason, text].into_iter().flatten().collect()
}
