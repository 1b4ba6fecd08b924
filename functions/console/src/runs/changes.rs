//! The changes of a run: a plan for review, with a box for each; afterwards what became of each.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use directory::{Failure, Kind, Outcome, RunId};
use engine::{
    ports::Fault,
    records::{Billable, PLAN_HOURS, Run, RunState},
    review,
};
use mail::words::{self, figure};

use super::{
    about::About,
    listing::{self, Listing},
    names,
    row::{Beside, so_many},
    standing::{Plan, Standing},
    summary::{self, Line},
    view::{List, View},
};
use crate::{
    Console,
    arrival::Arrival,
    ask::new_run,
    form::named,
    health::{for_people, for_whoever_asked},
    page,
    shell::Shell,
};

/// So many warnings are shown.
const WARNINGS: usize = 10;

#[derive(Template)]
#[template(path = "run.html")]
struct Changes<'a> {
    shell: Shell<'a>,
    title: &'static str,
    about: About,
    error: Option<Failure>,
    warnings: Vec<String>,
    /// What the brake says of the plan, or holds.
    verdict: Option<Vec<String>>,
    billable: String,
    /// What stands in the way of the plan.
    closed: Option<Closed>,
    path: String,
    view: &'a View,
    reviews: bool,
    /// It is the plan of an undo.
    undoes: bool,
    /// The name of the marks that the page shows.
    seen: String,
    lines: Vec<Line>,
    checked: u64,
    total: u64,
    deletes: Option<String>,
    skipped: String,
    not_enabled: String,
    outcomes: Vec<Tab>,
    listing: Listing,
    release: Release,
    /// Whether it was carried out, as far as it could be.
    results: bool,
    undo: bool,
    /// The id of the run that a form asks for.
    new: RunId,
}

/// Why a plan cannot be applied.
enum Closed {
    Expired,
    Superseded(Option<String>),
}

/// Whether what a run holds can be released.
enum Release {
    None,
    /// By this run.
    Here,
    /// This one came after it.
    There(String),
    /// Nothing is held any longer.
    Over,
}

/// A filter by what became of a change.
struct Tab {
    words: &'static str,
    query: String,
    current: bool,
}

impl Changes<'_> {
    /// The filter that a search for a text keeps.
    fn kept(&self) -> impl Iterator<Item = (&'static str, String)> {
        let View { category, kind, outcome, .. } = self.view;
        let named = [("category", category.map(named)), ("kind", kind.map(named)), ("outcome", outcome.map(named))];
        named.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    fn shown_checked(&self) -> String {
        figure(self.checked)
    }

    fn shown_total(&self) -> String {
        figure(self.total)
    }
}

/// The page.
pub(super) async fn shown(
    console: &Console,
    arrival: &Arrival,
    status: StatusCode,
    shell: Shell<'_>,
    run: &Run,
    standing: &Standing,
    view: &View,
) -> Result<Response, Fault> {
    let tenant = &shell.person.tenant;
    let plan = (run.state == RunState::Planned).then(|| standing.plan(run, (console.clock)()));
    let reviews = plan == Some(Plan::Open);
    // Only what is reviewed has marks.
    let marks = if reviews { Some(review::load(&console.store, tenant, &run.run).await?) } else { None };
    let path = format!("{}/runs/{}", shell.base, run.run);
    let beside = |change: &directory::Change| match &marks {
        Some(marks) => Beside::Box(marks.is_checked(change)),
        None if run.state == RunState::Planned => Beside::Nothing,
        None => Beside::Outcome,
    };
    let listing = match listing::changes(console, tenant, run, view, &path, beside).await {
        Ok(listing) => listing,
        Err(refused) => return page::not_shown(arrival, shell, refused),
    };
    let lines = summary::lines(run, view, |category, kind, total| {
        marks.as_ref().map_or(0, |marks| marks.unchecked_of(category, kind, total))
    });
    let held = run.held.as_ref().map(summary::held);
    let changes = Changes {
        title: title(run, &lines),
        about: About::of(run, false, &shell.person.zone),
        error: run.error.clone().map(if run.trigger == "schedule" { for_people } else { for_whoever_asked }),
        warnings: run.warnings.iter().take(WARNINGS).map(|warning| words::stopped(&warning.message)).collect(),
        verdict: held,
        billable: billable(run.billable),
        closed: match plan {
            Some(Plan::Expired) => Some(Closed::Expired),
            Some(Plan::Superseded(by)) => Some(Closed::Superseded(by.map(|by| by.to_string()))),
            Some(Plan::Open) | None => None,
        },
        path,
        view,
        reviews,
        undoes: run.undoes.is_some(),
        seen: marks.as_ref().map(review::Review::name).unwrap_or_default(),
        checked: lines.iter().map(|line| line.checked).sum(),
        total: lines.iter().map(|line| line.total).sum(),
        deletes: summary::deletes(&lines),
        lines,
        skipped: left(run.counts.skipped),
        not_enabled: left(run.counts.not_enabled),
        outcomes: if run.state == RunState::Planned { Vec::new() } else { tabs(view) },
        listing,
        release: release(run, standing),
        results: run.is_carried_out() && run.applied.is_some(),
        undo: run.is_carried_out() && run.chunks > 0 && !nothing_done(run),
        new: new_run((console.clock)()),
        shell,
    };
    Ok(page::render(arrival, status, &changes))
}

fn title(run: &Run, lines: &[Line]) -> &'static str {
    let short = run.warnings.iter().any(|warning| warning.code == "short_read");
    match run.state {
        // What was not read may have held something.
        RunState::Planned | RunState::Applied if lines.is_empty() && short => "Not everything could be read",
        RunState::Planned if lines.is_empty() => "There is nothing to change",
        RunState::Planned => "Review the changes",
        RunState::Applied if lines.is_empty() => "There was nothing to change",
        RunState::Applied if nothing_done(run) => "Nothing was changed",
        RunState::Applied => "What was changed",
        RunState::Held => "Some changes are held",
        RunState::Failed => "The run has failed",
        RunState::Continuing => "The run is under way",
    }
}

/// Whether nothing of a plan was carried out, as far as that is known.
fn nothing_done(run: &Run) -> bool {
    run.applied.is_some_and(|applied| applied.changes(None, None) == 0)
}

/// Users that count, before and after (rule 5.5).
fn billable(billable: Billable) -> String {
    let Billable { before, after, seats } = billable;
    let shown = |count: i64| figure(u64::try_from(count).unwrap_or_default());
    let seats = seats.map_or_else(String::new, |seats| format!(", for {} seats", figure(u64::from(seats))));
    if before == after {
        return format!("{}{seats}", shown(after));
    }
    format!("{} before, {} after{seats}", shown(before), shown(after))
}

fn left(count: directory::PerKind<u64>) -> String {
    match (count.users, count.groups) {
        (users, 0) => so_many(Kind::User, users),
        (0, groups) => so_many(Kind::Group, groups),
        (users, groups) => format!("{}, {}", so_many(Kind::User, users), so_many(Kind::Group, groups)),
    }
}

fn release(run: &Run, standing: &Standing) -> Release {
    match &standing.sync.holding {
        Some(holding) if *holding == run.run => Release::Here,
        _ if run.state != RunState::Held => Release::None,
        Some(holding) => Release::There(holding.to_string()),
        None => Release::Over,
    }
}

fn tabs(view: &View) -> Vec<Tab> {
    let outcomes = [Outcome::Applied, Outcome::Failed, Outcome::Stale, Outcome::Held, Outcome::Unchecked];
    let all = outcomes.into_iter().map(Some);
    let tab = |outcome: Option<Outcome>| {
        let words = outcome.map_or("All", |outcome| names::outcome(outcome).words);
        let only = View { outcome, list: List::Changes, ..view.first() };
        Tab { words, query: only.query(), current: view.outcome == outcome }
    };
    std::iter::once(None).chain(all).map(tab).collect()
}
