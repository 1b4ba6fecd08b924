//! Who joins a group with a change, and who leaves it: a part of the change's own page.

use askama::Template;
use directory::TenantId;
use engine::{
    browse::{self, Moving, Row},
    operator::Refused,
    records::Run,
};
use mail::words::figure;
use url::form_urlencoded::byte_serialize;

use super::listing::ROWS;
use crate::{
    Console,
    fit::{cut, fitting},
};

/// So many letters of an address or a name are in a line.
const LETTERS: usize = 120;
/// No cursor of ours is longer.
const LONGEST_CURSOR: usize = 500;

/// A page of those who join or leave.
pub(super) struct Members {
    /// The markup of each line.
    pub(super) lines: Vec<String>,
    /// Which they are; nothing on an empty page.
    pub(super) position: Option<String>,
    /// Not all of the plan is looked through yet.
    pub(super) cut: bool,
    /// Where the list begins, where this is not its first page.
    pub(super) first: Option<String>,
    /// Where it goes on.
    pub(super) next: Option<String>,
}

#[derive(Template)]
#[template(path = "run_member_row.html")]
struct Line {
    who: String,
    name: String,
    joins: bool,
}

/// Whether a change of a plan is one of a group's members.
pub(super) fn changes(row: &Row) -> bool {
    row.part.is_some() && row.change.fields.contains_key("members")
}

/// Those who join or leave with a change; nothing where its members do not change. `path` is the address of the change's
/// page.
///
/// # Errors
/// `invalid_input` for a cursor that is none.
pub(super) async fn of(
    console: &Console,
    tenant: &TenantId,
    run: &Run,
    row: &Row,
    from: Option<&str>,
    path: &str,
) -> Result<Option<Members>, Refused> {
    let Some(part) = row.part.filter(|_| changes(row)) else { return Ok(None) };
    let from = from.filter(|from| from.len() <= LONGEST_CURSOR);
    let mut most = ROWS;
    loop {
        let page = browse::members(&console.store, tenant, run, (part, &row.change.id), from, most).await?;
        let lines: Vec<String> = page.rows.iter().map(line).collect();
        let fit = fitting(&lines);
        if fit < lines.len() {
            most = fit;
            continue;
        }
        let last = page.before.saturating_add(lines.len() as u64);
        let mark = if path.contains('?') { '&' } else { '?' };
        let at = |cursor: String| {
            format!("{path}{mark}members={}#members", byte_serialize(cursor.as_bytes()).collect::<String>())
        };
        return Ok(Some(Members {
            position: (!lines.is_empty()).then(|| format!("{}–{}", figure(page.before + 1), figure(last))),
            lines,
            cut: page.cut,
            first: from.is_some().then(|| format!("{path}#members")),
            next: page.next.map(at),
        }));
    }
}

/// By what people know somebody: an address, else a name, else the id.
fn line(moving: &Moving) -> String {
    let Moving { joins, id, address, name } = moving;
    let who = address.as_deref().or(name.as_deref()).unwrap_or(id.as_str());
    let name = name.as_deref().filter(|_| address.is_some()).unwrap_or_default();
    let line = Line { who: cut(who, LETTERS), name: cut(name, LETTERS), joins: *joins };
    line.render().unwrap_or_default()
}
