//! One change in full, where a line of a list has no room for it.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use directory::{Change, Failure};
use engine::{browse, ports::Fault};

use super::{
    listing::{self, ROWS},
    members::{self, Members},
    names,
    row::{PAGE, Told},
    show,
    standing::Standing,
    view::View,
};
use crate::{
    Console,
    arrival::Arrival,
    form::Fields,
    manage::Manager,
    mark::Mark,
    page,
    shell::{Place, Shell},
};

/// So many pages of the list are looked through for it.
const PAGES: usize = 4;
/// No page is larger, in bytes.
const LARGEST: usize = 30_000;

#[derive(Template)]
#[template(path = "run_change.html")]
struct One<'a> {
    shell: Shell<'a>,
    back: String,
    told: Told,
    became: Option<Mark>,
    members: Option<Members>,
    object_id: String,
}

/// `GET /runs/{run}/changes/{change}`: the query is that of the page that lists it, and `members` where the list of those
/// who join or leave goes on.
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    Path((id, change)): Path<(String, String)>,
    arrival: Arrival,
    Manager(person): Manager,
    query: Fields,
) -> Response {
    let shell = Shell::new(&arrival, &person, Place::Runs, &query);
    let members = query.text("members");
    page::answer(&arrival, shown(&console, &arrival, shell, (&id, &change), View::of(&query), members).await)
}

async fn shown(
    console: &Console,
    arrival: &Arrival,
    shell: Shell<'_>,
    (id, change): (&str, &str),
    mut view: View,
    from: Option<&str>,
) -> Result<Response, Fault> {
    let tenant = &shell.person.tenant;
    let Some(run) = show::find(console, shell.person, id).await? else {
        let standing = Standing::of(console, tenant).await?;
        return Ok(show::missing(arrival, shell, &standing, id));
    };
    let back = format!("{}/runs/{}{}", shell.base, run.run, view.query());
    let own = format!("{}/runs/{}/changes/{change}{}", shell.base, run.run, view.query());
    for _ in 0..PAGES {
        let page = match listing::rows(console, tenant, &run, &view, ROWS).await {
            Ok(page) => page,
            Err(refused) => return page::not_shown(arrival, shell, refused),
        };
        if let Some(row) = page.rows.into_iter().find(|row| row.change.id == change) {
            let members = match members::of(console, tenant, &run, &row, from, &own).await {
                Ok(members) => members,
                Err(refused) => return page::not_shown(arrival, shell, refused),
            };
            let called = browse::called(&console.store, tenant, std::iter::once(&row.change)).await?;
            let page = in_full(shell, back, &row.change, called.into_values().next().as_ref(), members);
            return Ok(page::written(arrival, StatusCode::OK, page));
        }
        let Some(next) = page.next else { break };
        view = view.next(next);
    }
    let mut failure = Failure::not_found("The change is not on this page of the run.");
    failure.help = "Find it in the run by its address, and open it from there.".to_owned();
    Ok(page::refused(arrival, shell, Box::new(failure)))
}

/// As much of a change as has room on a page.
fn in_full(
    shell: Shell<'_>,
    back: String,
    change: &Change,
    called: Option<&String>,
    members: Option<Members>,
) -> askama::Result<String> {
    let mut one = One {
        shell,
        back,
        told: Told::of(change, called, PAGE[0]),
        became: change.outcome.map(names::outcome),
        members,
        object_id: change.object_id.to_string(),
    };
    let mut page = one.render()?;
    for room in &PAGE[1..] {
        if page.len() <= LARGEST {
            break;
        }
        one.told = Told::of(change, called, *room);
        page = one.render()?;
    }
    Ok(page)
}
