//! One run: what it does now, or its plan and what became of it; or why there is nothing to see.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use directory::{Failure, RunId};
use engine::{
    browse::{self, Doing, Progress},
    ports::Fault,
    records::{Run, RunState},
};
use jiff::Timestamp;
use mail::words::many;

use super::{
    about::About,
    changes, left, names,
    standing::Standing,
    view::{List, View},
};
use crate::{
    Console,
    arrival::Arrival,
    form::Fields,
    manage::Manager,
    moment::Moment,
    page,
    session::Person,
    shell::{Place, Shell},
};

/// So long it may take until something that was asked of a run is seen, in seconds.
const SOON: i64 = 60;

/// `GET /runs/{run}`, with what [`View`] reads, and `asked` where something was just asked of the run.
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    arrival: Arrival,
    Manager(person): Manager,
    query: Fields,
) -> Response {
    let shell = Shell::new(&arrival, &person, Place::Runs, &query);
    let view = View::of(&query);
    let asked = query.text("asked").and_then(|asked| asked.parse().ok());
    page::answer(&arrival, shown(&console, &arrival, StatusCode::OK, shell, &id, &view, asked).await)
}

/// The page of a run; `asked` is when something was asked of it, in epoch seconds.
pub(super) async fn shown(
    console: &Console,
    arrival: &Arrival,
    status: StatusCode,
    shell: Shell<'_>,
    id: &str,
    view: &View,
    asked: Option<i64>,
) -> Result<Response, Fault> {
    let now = (console.clock)();
    let standing = Standing::of(console, &shell.person.tenant).await?;
    let Some(run) = find(console, shell.person, id).await? else {
        let begins = is_about_to_start(id, now);
        return Ok(if begins { starting(arrival, shell, id) } else { missing(arrival, shell, &standing, id) });
    };
    let begins = asked.is_some_and(|asked| (0..SOON).contains(&now.as_second().saturating_sub(asked)));
    let waits = match run.state {
        RunState::Planned => true,
        RunState::Held => standing.sync.holding.as_ref() == Some(&run.run),
        RunState::Applied | RunState::Failed | RunState::Continuing => false,
    };
    match view.list {
        _ if run.state == RunState::Continuing => under_way(console, arrival, shell, &run).await,
        _ if begins && waits => Ok(starting(arrival, shell, id)),
        List::Changes => changes::shown(console, arrival, status, shell, &run, &standing, view).await,
        List::Skipped | List::NotEnabled => left::shown(console, arrival, shell, &run, view).await,
    }
}

/// Whether a run's name is so new that the run may be about to start.
fn is_about_to_start(id: &str, now: Timestamp) -> bool {
    let Ok(name) = ulid::Ulid::from_string(id) else { return false };
    let made = i64::try_from(name.timestamp_ms()).unwrap_or(i64::MAX);
    (-5_000..=60_000).contains(&now.as_millisecond().saturating_sub(made))
}

/// A run of the person's own tenant.
pub(super) async fn find(console: &Console, person: &Person, id: &str) -> Result<Option<Run>, Fault> {
    match RunId::try_from(id.to_owned()) {
        Ok(id) => browse::run(&console.store, &person.tenant, &id).await,
        Err(_) => Ok(None),
    }
}

/// There is no such run.
pub(super) fn missing(arrival: &Arrival, shell: Shell<'_>, standing: &Standing, id: &str) -> Response {
    let mut failure = Failure::not_found("There is no such run.");
    failure.help = "Runs are kept for 90 days. Choose one from the list of runs.".to_owned();
    if let Some(other) = standing.sync.run.as_ref().filter(|other| other.as_str() != id) {
        let since = standing
            .sync
            .since
            .map_or_else(String::new, |since| format!(" since {}", Moment::new(since, &shell.person.zone).words));
        failure.message += &format!(" Run {other} is at work{since}: only one can be at a time.");
    }
    page::refused(arrival, shell, Box::new(failure))
}

/// Says how far a run is, and is looked at again.
#[derive(Template)]
#[template(path = "run_under_way.html")]
struct UnderWay<'a> {
    shell: Shell<'a>,
    id: &'a str,
    about: Option<About>,
    doing: String,
    /// Parts that are done, and all of them.
    parts: Option<(u32, u32)>,
    waits: Option<Moment>,
    /// Nobody goes on with it.
    left: bool,
}

/// The run begins in a moment.
fn starting(arrival: &Arrival, shell: Shell<'_>, id: &str) -> Response {
    let doing = "It is about to start.".to_owned();
    let page = UnderWay { shell, id, about: None, doing, parts: None, waits: None, left: false };
    page::render(arrival, StatusCode::OK, &page)
}

async fn under_way(console: &Console, arrival: &Arrival, shell: Shell<'_>, run: &Run) -> Result<Response, Fault> {
    let Progress { doing, slices: _, waits_until } =
        browse::progress(&console.store, &shell.person.tenant, run).await?;
    let page = UnderWay {
        id: run.run.as_str(),
        about: Some(About::of(run, doing == Doing::Interrupted, &shell.person.zone)),
        parts: match doing {
            Doing::Applying { part, of } => Some((part, of)),
            _ => None,
        },
        left: doing == Doing::Interrupted,
        waits: waits_until.map(|at| Moment::new(at, &shell.person.zone)),
        doing: sentence(&doing),
        shell,
    };
    Ok(page::render(arrival, StatusCode::OK, &page))
}

fn sentence(doing: &Doing) -> String {
    match doing {
        Doing::Reading { objects: 0, .. } => "Reading what has changed in Entra.".to_owned(),
        Doing::Reading { kind, objects, .. } => {
            format!("Reading all {} from Entra: {} so far.", names::kinds(*kind), many(*objects, "object"))
        }
        Doing::Planning { changes: 0 } => "Comparing: nothing to change so far.".to_owned(),
        Doing::Planning { changes } => format!("Comparing: {} found so far.", many(*changes, "change")),
        Doing::Undoing { .. } => "Working out how the other run is undone.".to_owned(),
        Doing::Applying { part, of } => {
            format!("Carrying out the changes: {part} of {}.", many(u64::from(*of), "part"))
        }
        Doing::Finishing => "Writing down how it ended.".to_owned(),
        Doing::Interrupted => "It was interrupted. What it has not done is done by the next run.".to_owned(),
        Doing::Done => "It is done.".to_owned(),
    }
}
