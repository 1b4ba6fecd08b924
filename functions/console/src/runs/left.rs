//! Who is left out of a run, and what would change were it switched on.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use directory::Kind;
use engine::{ports::Fault, records::Run};

use super::{
    listing::{self, Listing},
    names::{self, REASONS},
    row::Beside,
    view::{List, View},
};
use crate::{Console, arrival::Arrival, form::named, page, shell::Shell};

#[derive(Template)]
#[template(path = "run_left.html")]
struct Left<'a> {
    shell: Shell<'a>,
    path: String,
    view: &'a View,
    skipped: bool,
    /// The list is what stands now, whenever the run was.
    now: bool,
    kinds: [(Option<Kind>, &'static str); 3],
    listing: Listing,
}

impl Left<'_> {
    fn reasons(&self) -> impl Iterator<Item = (String, &'static str, bool)> {
        REASONS.iter().map(|reason| (named(reason), names::reason(*reason), self.view.reason == Some(*reason)))
    }

    fn kinds_of(&self) -> impl Iterator<Item = (String, &'static str, bool)> {
        self.kinds.iter().map(|(kind, words)| (kind.map(named).unwrap_or_default(), *words, self.view.kind == *kind))
    }
}

/// The page.
pub(super) async fn shown(
    console: &Console,
    arrival: &Arrival,
    shell: Shell<'_>,
    run: &Run,
    view: &View,
) -> Result<Response, Fault> {
    let tenant = &shell.person.tenant;
    let path = format!("{}/runs/{}", shell.base, run.run);
    let skipped = view.list == List::Skipped;
    let listing = if skipped {
        listing::skipped(console, tenant, run, view).await
    } else {
        listing::changes(console, tenant, run, view, &path, |_| Beside::Nothing).await
    };
    let listing = match listing {
        Ok(listing) => listing,
        Err(refused) => return page::not_shown(arrival, shell, refused),
    };
    let left = Left {
        path,
        view,
        skipped,
        now: run.settings.is_none(),
        kinds: [(None, "Users and groups"), (Some(Kind::User), "Users"), (Some(Kind::Group), "Groups")],
        listing,
        shell,
    };
    Ok(page::render(arrival, StatusCode::OK, &left))
}
