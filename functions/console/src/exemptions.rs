//! Exemptions: addresses whose owners no run touches (rule 5.3).

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use directory::Address;
use engine::{exemptions, ports::Fault, records::Exemption};
use platform::Function;
use serde_json::json;

use crate::{
    Console,
    arrival::Arrival,
    fit::cut,
    form::Fields,
    manage::Manager,
    moment::Moment,
    page,
    session::Person,
    shell::{Place, Shell},
};

/// The pages of exemptions.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/exemptions", get(show))
        .route("/exemptions/add", post(add))
        .route("/exemptions/remove", post(remove))
}

/// So many exemptions make a page.
const EXEMPTIONS: usize = 20;

/// An exempt address, and since when and by whom.
struct Line {
    address: Address,
    at: Moment,
    by: String,
}

#[derive(Template)]
#[template(path = "exemptions.html")]
struct Exemptions<'a> {
    shell: Shell<'a>,
    lines: Vec<Line>,
    first: bool,
    next: Option<String>,
    /// What was typed, where it was refused.
    typed: &'a str,
}

/// `GET /exemptions[?from=…]`
async fn show(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Manager(person): Manager,
    query: Fields,
) -> Response {
    let shell = Shell::new(&arrival, &person, Place::Exemptions, &query);
    page::answer(&arrival, shown(&console, &arrival, StatusCode::OK, shell, &query, "").await)
}

/// `POST /exemptions/add`: `address`.
async fn add(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Manager(person): Manager,
    form: Fields,
) -> Response {
    page::answer(&arrival, change(&console, &arrival, &person, &form, "exempt").await)
}

/// `POST /exemptions/remove`: `address`.
async fn remove(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Manager(person): Manager,
    form: Fields,
) -> Response {
    page::answer(&arrival, change(&console, &arrival, &person, &form, "unexempt").await)
}

async fn change(
    console: &Console,
    arrival: &Arrival,
    person: &Person,
    form: &Fields,
    action: &'static str,
) -> Result<Response, Fault> {
    let address = form.text("address").unwrap_or_default();
    let event = json!({"action": action, "address": address});
    match console.ask(Function::Admin, person, event).await? {
        Ok(_) => page::redirect(StatusCode::SEE_OTHER, &format!("{}/exemptions?done={action}", arrival.base)),
        Err(failure) => {
            let query = Fields::default();
            let shell = Shell::new(arrival, person, Place::Exemptions, &query).refused(failure);
            shown(console, arrival, StatusCode::UNPROCESSABLE_ENTITY, shell, &query, address).await
        }
    }
}

async fn shown(
    console: &Console,
    arrival: &Arrival,
    status: StatusCode,
    shell: Shell<'_>,
    query: &Fields,
    typed: &str,
) -> Result<Response, Fault> {
    let from = query.text("from");
    match exemptions::browse(&console.store, &shell.person.tenant, from, EXEMPTIONS).await {
        Ok(page) => {
            let line = |Exemption { address, at, by }| Line {
                address,
                at: Moment::in_table(at, &shell.person.zone),
                by: cut(&by, 80),
            };
            let lines = page.rows.into_iter().map(line).collect();
            let page = Exemptions { shell, lines, first: from.is_some(), next: page.next, typed };
            Ok(page::render(arrival, status, &page))
        }
        Err(refused) => page::not_shown(arrival, shell, refused),
    }
}
