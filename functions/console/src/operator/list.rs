//! The page of all tenants: filtered, ordered, fifty at a time.

use std::{cmp::Reverse, sync::Arc};

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use engine::{
    overview::{self, Row},
    ports::Fault,
};
use mail::words::figure;
use url::form_urlencoded::Serializer;

use super::{
    Operator,
    table::{COLUMNS, Column, FILTERS, Only, state},
};
use crate::{
    Console,
    arrival::Arrival,
    fit::cut,
    form::{Fields, by_name, named},
    mark::Mark,
    page,
    session::Person,
    shell::{Place, Shell},
};

/// So many tenants make a page.
const TENANTS: usize = 50;

/// What of the table is looked at.
#[derive(Debug, Clone, Copy, Default)]
struct View {
    only: Only,
    sort: Column,
    down: bool,
    page: usize,
}

impl View {
    fn of(query: &Fields) -> Self {
        Self {
            only: query.text("only").and_then(by_name).unwrap_or_default(),
            sort: query.text("sort").and_then(by_name).unwrap_or_default(),
            down: query.text("order") == Some("down"),
            page: query.text("page").and_then(|page| page.parse().ok()).unwrap_or(1).clamp(1, 10_000),
        }
    }

    fn query(self) -> String {
        let Self { only, sort, down, page } = self;
        let mut query = Serializer::new(String::new());
        query.append_pair("only", &named(only)).append_pair("sort", &named(sort));
        query.append_pair("order", if down { "down" } else { "up" });
        query.append_pair("page", &page.to_string());
        format!("?{}", query.finish())
    }
}

/// A filter, and how many it would show.
struct Filter {
    words: &'static str,
    count: String,
    query: String,
    current: bool,
}

/// A heading that orders the table.
struct Head {
    words: &'static str,
    query: String,
    /// `ascending` or `descending`, where the table is ordered by it.
    order: Option<&'static str>,
}

/// A tenant.
struct Line {
    id: String,
    /// The other cells.
    cells: Vec<String>,
    state: Mark,
}

#[derive(Template)]
#[template(path = "operator.html")]
struct Tenants<'a> {
    shell: Shell<'a>,
    filters: Vec<Filter>,
    heads: Vec<Head>,
    lines: Vec<Line>,
    position: String,
    before: Option<String>,
    next: Option<String>,
}

/// `GET /operator[?only=…&sort=…&order=…&page=…]`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Operator(person): Operator,
    query: Fields,
) -> Response {
    page::answer(&arrival, shown(&console, &arrival, &person, &query).await)
}

async fn shown(console: &Console, arrival: &Arrival, person: &Person, query: &Fields) -> Result<Response, Fault> {
    let rows = overview::rows(&console.store, (console.clock)()).await?;
    let view = View::of(query);
    let filter = |(only, words): (Only, &'static str)| Filter {
        words,
        count: figure(rows.iter().filter(|row| only.admits(row)).count() as u64),
        query: View { only, page: 1, ..view }.query(),
        current: only == view.only,
    };
    let filters = FILTERS.into_iter().map(filter).collect();
    let found = ordered(rows, view);
    let from = (view.page - 1) * TENANTS;
    let lines: Vec<Line> = found.iter().skip(from).take(TENANTS).map(line).collect();
    let through = from + lines.len();
    let shown = figure(found.len() as u64);
    let page = Tenants {
        shell: Shell::new(arrival, person, Place::Operator, query),
        filters,
        heads: COLUMNS.into_iter().map(|(column, words)| head(column, words, view)).collect(),
        position: if lines.is_empty() {
            format!("0 of {shown}")
        } else {
            format!("{}–{} of {shown}", figure(from as u64 + 1), figure(through as u64))
        },
        lines,
        before: (view.page > 1).then(|| View { page: view.page - 1, ..view }.query()),
        next: (through < found.len()).then(|| View { page: view.page + 1, ..view }.query()),
    };
    Ok(page::render(arrival, StatusCode::OK, &page))
}

/// The tenants that are looked at, in their order; those that are equal by their id.
fn ordered(rows: Vec<Row>, view: View) -> Vec<Row> {
    let mut found: Vec<Row> = rows.into_iter().filter(|row| view.only.admits(row)).collect();
    if view.down {
        found.sort_by_cached_key(|row| Reverse(view.sort.rank(row)));
    } else {
        found.sort_by_cached_key(|row| view.sort.rank(row));
    }
    found
}

fn head(column: Column, words: &'static str, view: View) -> Head {
    let here = column == view.sort;
    let order = here.then_some(if view.down { "descending" } else { "ascending" });
    Head { words, query: View { sort: column, down: here && !view.down, page: 1, ..view }.query(), order }
}

fn line(row: &Row) -> Line {
    let others = COLUMNS.into_iter().filter(|(column, _)| !matches!(column, Column::Id | Column::State));
    Line {
        id: row.tenant.to_string(),
        cells: others.map(|(column, _)| cut(&column.text(row), 80)).collect(),
        state: state(row),
    }
}
