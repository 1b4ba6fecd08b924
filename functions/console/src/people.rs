//! People: why somebody is, or is not, here (rule 4.13); what they are; and lists of them.

mod change;
mod view;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use directory::{Address, Failure, Guid, Kind, ObjectId, TenantId, UserType};
use engine::{
    explain,
    operator::Refused,
    people::{self, Found, Sought, Wanted},
    ports::Fault,
};
use platform::Tables;
use serde_json::Value;

use self::view::{Explained, Listed, Object, People};
use crate::{
    Console,
    arrival::Arrival,
    form::Fields,
    manage::Manager,
    page,
    shell::{Place, Shell},
};

/// So many people are on a page.
const ROWS: usize = 20;
/// With so many users' principal names it is compared what is no address here: more would take longer than a page may.
const COMPARED: usize = 2_000;
/// Nobody's name or address is longer.
const LONGEST: usize = 320;

/// The pages of people.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/people", get(show))
        .route("/people/convert", post(change::convert))
        .route("/people/exempt", post(change::exempt))
        .route("/people/unexempt", post(change::unexempt))
        .route("/people/digests", post(change::digests))
}

/// What a query asks for.
enum Question<'a> {
    /// Nothing yet.
    Nothing,
    /// The way of one through the rules: by an address, a principal name or an id.
    One(&'a str),
    /// Everybody of a type, with a text in a name or an address.
    Several(Lists, Option<&'a str>),
}

/// The lists that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lists {
    Users(Option<UserType>),
    Groups,
}

/// `GET /people[?q=…][&type=…][&from=…]`
async fn show(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Manager(person): Manager,
    query: Fields,
) -> Response {
    let shell = Shell::new(&arrival, &person, Place::People, &query);
    page::answer(&arrival, shown(&console, &arrival, StatusCode::OK, shell, &query).await)
}

/// The page that a query, or a form that was sent from it, asks for.
async fn shown(
    console: &Console,
    arrival: &Arrival,
    status: StatusCode,
    shell: Shell<'_>,
    query: &Fields,
) -> Result<Response, Fault> {
    let tenant = &shell.person.tenant;
    let now = (console.clock)();
    let typed = query.text("q").unwrap_or_default();
    let question = match asked(query) {
        Ok(question) => question,
        Err(failure) => {
            let shell = shell.refused(Box::new(failure));
            let page = People { tabs: view::tabs(None), shell, typed: "", explained: None, listed: None };
            return Ok(page::render(arrival, StatusCode::UNPROCESSABLE_ENTITY, &page));
        }
    };
    let (explained, listed, tab) = match question {
        Question::Nothing => (None, None, None),
        Question::One(text) => {
            let answer = match explain::explain_within(&console.store, tenant, text, now, COMPARED).await? {
                Ok(answer) => answer,
                Err(failure) => return Ok(page::refused(arrival, shell, Box::new(failure))),
            };
            let object = match object(&console.store, tenant, text).await {
                Ok(found) => found.map(|found| Object::new(&found, shell.person)),
                Err(refused) => return page::not_shown(arrival, shell, refused),
            };
            (Some(Explained::new(text, &answer, object)?), None, None)
        }
        Question::Several(lists, text) => {
            let sought = Sought {
                kind: if lists == Lists::Groups { Kind::Group } else { Kind::User },
                user_type: if let Lists::Users(user_type) = lists { user_type } else { None },
                text: text.map(str::to_owned),
            };
            match people::browse(&console.store, tenant, &sought, query.text("from"), ROWS).await {
                Ok(page) => (None, Some(Listed::new(lists, text, page)), Some(lists)),
                Err(refused) => return page::not_shown(arrival, shell, refused),
            }
        }
    };
    let page = People { tabs: view::tabs(tab), shell, typed, explained, listed };
    Ok(page::render(arrival, status, &page))
}

/// What is asked for.
fn asked(query: &Fields) -> Result<Question<'_>, Failure> {
    let text = query.text("q");
    if text.is_some_and(|text| text.len() > LONGEST) {
        return Err(Failure::invalid("No name, address or ID is as long as this."));
    }
    let lists = match query.text("type") {
        None => None,
        Some("group") => Some(Lists::Groups),
        Some("user") => Some(Lists::Users(None)),
        Some(name) => {
            let known = serde_json::from_value(Value::from(name)).ok();
            let unknown = || Failure::invalid("There is no such list of people.");
            Some(Lists::Users(Some(known.ok_or_else(unknown)?)))
        }
    };
    Ok(match (text, lists) {
        (Some(text), None) if text.contains('@') || Guid::is_shape_of(text) => Question::One(text),
        (text, Some(lists)) => Question::Several(lists, text),
        (Some(text), None) => Question::Several(Lists::Users(None), Some(text)),
        (None, None) => Question::Nothing,
    })
}

/// The user or group that is meant, as it is here.
async fn object(store: &Tables, tenant: &TenantId, text: &str) -> Result<Option<Found>, Refused> {
    match (Address::parse(text), ObjectId::try_from(text)) {
        (Ok(address), _) => people::look_up(store, tenant, &Wanted::Address(address)).await,
        (Err(_), Ok(id)) => people::look_up(store, tenant, &Wanted::Id(id)).await,
        (Err(_), Err(_)) => Ok(None),
    }
}
