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
use mail::words::many;

use super::{
    about::About,
    begun::{Begins, Wish, begins},
    changes, left, names,
    standing::Standing,
    view::{List, View},
};
use crate::{
    Console,
    arrival::Arrival,
    ask::new_run,
    form::Fields,
    manage::Manager,
    moment::Moment,
    page,
    session::Person,
    shell::{Place, Shell},
};

/// `GET /runs/{run}`, with what [`View`] and [`Wish`] read.
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    arrival: Arrival,
    Manager(person): Manager,
    query: Fields,
) -> Response {
    let shell = Shell::new(&arrival, &person, Place::Runs, &query);
    let view = View::of(&query);
    page::answer(&arrival, shown(&console, &arrival, StatusCode::OK, shell, &id, &view, &Wish::of(&query)).await)
}

/// The page of a run; `wish` is what was just asked of it.
pub(super) async fn shown(
    console: &Console,
    arrival: &Arrival,
    status: StatusCode,
    shell: Shell<'_>,
    id: &str,
    view: &View,
    wish: &Wish,
) -> Result<Response, Fault> {
    let now = (console.clock)();
    let standing = Standing::of(console, &shell.person.tenant).await?;
    let Some(run) = find(console, shell.person, id).await? else {
        let waited = RunId::try_from(id.to_owned()).map_or(i64::MAX, |id| wish.waited_for(&id, now));
        return match begins(waited, &standing, None, id, now) {
            None => Ok(missing(arrival, shell, &standing, id)),
            Some(Begins::Not(failure)) => Ok(not_begun(console, arrival, shell, wish, failure)),
            Some(begins) => Ok(starting(arrival, shell, id, &begins, wish.query())),
        };
    };
    let waits = match run.state {
        RunState::Planned => true,
        RunState::Held => standing.sync.holding.as_ref() == Some(&run.run),
        RunState::Applied | RunState::Failed | RunState::Continuing => false,
    };
    let waited = wish.asked.filter(|_| waits).map(|asked| now.as_second().saturating_sub(asked));
    let shell = match waited.and_then(|waited| begins(waited, &standing, Some(&run), id, now)) {
        None => shell,
        // The button is there once more, below what is known.
        Some(Begins::Not(failure)) => shell.refused(failure),
        Some(begins) => {
            let query = wish.asked.map_or_else(String::new, |asked| format!("?asked={asked}"));
            return Ok(starting(arrival, shell, id, &begins, query));
        }
    };
    match view.list {
        _ if run.state == RunState::Continuing => under_way(console, arrival, shell, &run).await,
        List::Changes => changes::shown(console, arrival, status, shell, &run, &standing, view).await,
        List::Skipped | List::NotEnabled => left::shown(console, arrival, shell, &run, view).await,
    }
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
        let since = standing.since();
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
    /// What its address says besides.
    query: String,
    /// Nobody goes on with it.
    left: bool,
}

/// The run begins in a moment.
fn starting(arrival: &Arrival, shell: Shell<'_>, id: &str, begins: &Begins, query: String) -> Response {
    let doing = match begins {
        Begins::Late => "It is about to start. This takes longer than usual.",
        Begins::Soon | Begins::Not(_) => "It is about to start.",
    };
    let doing = doing.to_owned();
    let page = UnderWay { shell, id, about: None, doing, parts: None, waits: None, query, left: false };
    page::render(arrival, StatusCode::OK, &page)
}

/// Says that a run that was asked for has not begun, and has the button that asks for it.
#[derive(Template)]
#[template(path = "run_not_begun.html")]
struct NotBegun<'a> {
    shell: Shell<'a>,
    /// The run that is at work.
    other: Option<String>,
    undoes: Option<&'a str>,
    /// The id of the run that the form asks for.
    new: RunId,
}

fn not_begun(console: &Console, arrival: &Arrival, shell: Shell<'_>, wish: &Wish, failure: Box<Failure>) -> Response {
    let (other, new) = (failure.run.clone(), new_run((console.clock)()));
    let page = NotBegun { other, undoes: wish.undoes.as_deref(), new, shell: shell.refused(failure) };
    page::render(arrival, StatusCode::NOT_FOUND, &page)
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
        query: String::new(),
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
