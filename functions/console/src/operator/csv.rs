//! All tenants as a table for spreadsheets.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{
        HeaderValue,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse as _, Response},
};
use engine::{
    overview::{self, Row},
    ports::Fault,
};

use super::{Operator, table::COLUMNS};
use crate::{Console, arrival::Arrival, page, session::Person};

/// `GET /operator.csv`
pub(super) async fn export(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Operator(person): Operator,
) -> Response {
    page::answer(&arrival, exported(&console, &person).await)
}

async fn exported(console: &Console, person: &Person) -> Result<Response, Fault> {
    let now = (console.clock)();
    let rows = overview::rows(&console.store, now).await?;
    tracing::info!(user = person.user.as_str(), tenants = rows.len(), "all tenants were exported");
    let name = format!("attachment; filename=\"tenants-{}.csv\"", now.strftime("%Y-%m-%d"));
    let name = HeaderValue::try_from(name).map_err(|err| Fault::permanent("cannot name a file").because(err))?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present")),
        (CONTENT_DISPOSITION, name),
    ];
    Ok((headers, table(&rows)).into_response())
}

/// The table: a line of headings, then a line for each tenant.
fn table(rows: &[Row]) -> String {
    let heads = line(COLUMNS.iter().map(|(_, words)| (*words).to_owned()));
    let lines = rows.iter().map(|row| line(COLUMNS.iter().map(|(column, _)| column.text(row))));
    std::iter::once(heads).chain(lines).collect()
}

fn line(cells: impl Iterator<Item = String>) -> String {
    cells.map(|cell| quoted(&cell)).collect::<Vec<_>>().join(",") + "\r\n"
}

/// A cell that is text for every spreadsheet: one that begins like a formula gets an apostrophe before it.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn no_cell_is_a_formula() {
        check("a word",             "Contoso",                   "\"Contoso\"");
        check("nothing",            "",                          "\"\"");
        check("quotes",             "the \"best\", ltd",         "\"the \"\"best\"\", ltd\"");
        check("a formula",          "=HYPERLINK(\"http://x\")",  "\"'=HYPERLINK(\"\"http://x\"\")\"");
        check("a sum",              "+1+2",                      "\"'+1+2\"");
        check("a negative number",  "-3",                        "\"'-3\"");
        check("a command",          "@SUM(A1)",                  "\"'@SUM(A1)\"");
        check("behind a tab",       "\t=1",                      "\"'\t=1\"");
        check("behind a return",    "\r=1",                      "\"'\r=1\"");
        check("in the middle",      "a=1",                       "\"a=1\"");
        check("a line break",       "a\nb",                      "\"a\nb\"");
        check("right to left",      "\u{202e}abc",               "\"\u{202e}abc\"");
    }

    #[track_caller]
    fn check(name: &str, cell: &str, expected: &str) {
        assert_eq!(quoted(cell), expected, "{name}");
    }
}
