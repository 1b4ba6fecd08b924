//! The runs of a tenant, and the button that starts one.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use directory::{RunId, TimeZone};
use engine::{
    browse,
    ports::Fault,
    records::{Run, RunState},
};
use jiff::Timestamp;
use mail::words::figure;
use serde_json::Value;

use super::{
    about,
    names::{self, CATEGORIES, SWITCHES, WHAT},
    standing::{Plan, Standing},
};
use crate::{
    Console,
    arrival::Arrival,
    ask::new_run,
    fit::cut,
    form::Fields,
    manage::Manager,
    mark::Mark,
    moment::Moment,
    page,
    shell::{Place, Shell},
};

/// So many runs make a page.
const RUNS: usize = 25;

/// A run, in one line.
struct Line {
    id: String,
    at: Moment,
    by: String,
    action: &'static str,
    mark: Mark,
    /// By category: users and groups.
    numbers: Vec<String>,
    failed: String,
    /// What it holds, or why it failed.
    remark: Option<String>,
}

/// A setting of What or How.
pub(super) struct Switch {
    name: &'static str,
    words: &'static str,
    /// What is saved.
    was: bool,
    on: bool,
}

#[derive(Template)]
#[template(path = "runs.html")]
struct History<'a> {
    shell: Shell<'a>,
    what: Vec<Switch>,
    how: Vec<Switch>,
    /// What was asked for, where it was refused.
    full: bool,
    /// The id of the run that the form asks for.
    new: RunId,
    opened: bool,
    runs: Vec<Line>,
    next: Option<String>,
    first: bool,
}

impl History<'_> {
    /// The run that stood in the way.
    fn in_the_way(&self) -> Option<(&str, Option<Moment>)> {
        let refused = self.shell.refused.as_ref()?;
        let since = refused.since.map(|since| Moment::new(since, &self.shell.person.zone));
        Some((refused.run.as_deref()?, since))
    }
}

/// `GET /runs[?from=…]`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Manager(person): Manager,
    query: Fields,
) -> Response {
    let shell = Shell::new(&arrival, &person, Place::Runs, &query);
    page::answer(&arrival, shown(&console, &arrival, StatusCode::OK, shell, query.text("from"), None).await)
}

/// The page; `asked` is a form that was refused.
pub(super) async fn shown(
    console: &Console,
    arrival: &Arrival,
    status: StatusCode,
    shell: Shell<'_>,
    from: Option<&str>,
    asked: Option<&Fields>,
) -> Result<Response, Fault> {
    let tenant = &shell.person.tenant;
    let standing = Standing::of(console, tenant).await?;
    let page = match browse::runs(&console.store, tenant, from, RUNS).await {
        Ok(page) => page,
        Err(refused) => return page::not_shown(arrival, shell, refused),
    };
    let mut what = switches(&standing, asked);
    let how = what.split_off(WHAT);
    let history = History {
        what,
        how,
        full: asked.is_some_and(|form| form.has("full")),
        new: new_run((console.clock)()),
        opened: asked.is_some_and(|form| !super::search::own(form).is_empty()),
        runs: page.rows.iter().map(|run| line(run, &standing, &shell.person.zone, (console.clock)())).collect(),
        next: page.next,
        first: from.is_some(),
        shell,
    };
    Ok(page::render(arrival, status, &history))
}

/// What is saved; or what was asked for, where that was refused.
fn switches(standing: &Standing, asked: Option<&Fields>) -> Vec<Switch> {
    let saved = standing.meta.as_ref().and_then(|meta| serde_json::to_value(&meta.settings).ok()).unwrap_or_default();
    let switch = |(name, words): (&'static str, &'static str)| {
        let was = saved.get(name).and_then(Value::as_bool).unwrap_or_default();
        let on = asked.map_or(was, |form| form.all("on").any(|on| on == name));
        Switch { name, words, was, on }
    };
    SWITCHES.into_iter().map(switch).collect()
}

fn line(run: &Run, standing: &Standing, zone: &TimeZone, now: Timestamp) -> Line {
    let counts = run.applied.unwrap_or_else(|| run.counts.plan());
    let numbers = CATEGORIES.map(|category| figure(counts.changes(Some(category), None)));
    let failed = run.counts.failed;
    let held = run.held.as_ref().map(|held| super::summary::held(held).join(" "));
    let error = run.error.as_ref().map(|failure| cut(&failure.message, 160));
    Line {
        id: run.run.to_string(),
        at: Moment::in_table(run.started_at, zone),
        by: about::by(run),
        action: names::action(run.action, run.undoes.is_some()),
        mark: match run.state {
            RunState::Planned if standing.plan(run, now) != Plan::Open => Mark::quiet("Out of date"),
            state => names::state(state, standing.has_left(run)),
        },
        numbers: numbers.into(),
        failed: figure(failed.users + failed.groups),
        remark: error.or(held.filter(|_| run.state == RunState::Held)),
    }
}
