//! The first page: an overview for administrators, who is signed in for others, or a field for an address; and the way out.

use std::sync::Arc;

use askama::Template;
use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, Method, StatusCode, header::SET_COOKIE},
    response::Response,
};
use engine::ports::Fault;

use crate::{
    Console,
    arrival::Arrival,
    cookies::{Cookies, Name},
    destination::Destination,
    form::Fields,
    overview,
    page::{self, Words},
    session::{self, Opened, Signed},
    shell::{Place, Shell},
};

/// `GET /[?to=…]`
pub(crate) async fn home(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    method: Method,
    headers: HeaderMap,
    query: Fields,
) -> Response {
    page::answer(&arrival, show(&console, &arrival, (&method, &headers), &query).await)
}

async fn show(
    console: &Console,
    arrival: &Arrival,
    (method, headers): (&Method, &HeaderMap),
    query: &Fields,
) -> Result<Response, Fault> {
    let to = query.text("to").and_then(Destination::parse);
    match session::open(console, arrival, method, headers).await? {
        Opened::None => Ok(page::ask(arrival, "", false, to.as_ref())),
        Opened::Over(forget) => {
            let mut response = page::ask(arrival, "", false, to.as_ref());
            response.headers_mut().append(SET_COOKIE, forget);
            Ok(response)
        }
        Opened::Person(person, _, cookie) => {
            let shell = Shell::new(arrival, &person, Place::Overview, query);
            let mut response = if person.manages {
                overview::show(console, arrival, shell).await?
            } else {
                page::render(arrival, StatusCode::OK, &SignedIn { shell })
            };
            if let Some(cookie) = cookie {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
            Ok(response)
        }
    }
}

/// Says who is signed in.
#[derive(Template)]
#[template(path = "signed_in.html")]
struct SignedIn<'a> {
    shell: Shell<'a>,
}

/// `POST /signout`, from the button of our own page.
pub(crate) async fn sign_out(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    // Ours holds the proof alone: a larger one proves nothing.
    let Ok(body) = body else { return page::message(&arrival, StatusCode::PAYLOAD_TOO_LARGE, NOT_OURS, None) };
    page::answer(&arrival, leave(&console, &arrival, &headers, &body).await)
}

async fn leave(console: &Console, arrival: &Arrival, headers: &HeaderMap, body: &[u8]) -> Result<Response, Fault> {
    let mut response = page::redirect(StatusCode::SEE_OTHER, &format!("{}/", arrival.base))?;
    if !Name::Session.is_in(arrival, headers) {
        return Ok(response);
    }
    let cookies = Cookies::with(&console.session_key, arrival).await?;
    let Some(signed) = cookies.open::<Signed>(headers, Name::Session) else { return Ok(response) };
    if !signed.is_named_by(Fields::parse(body).text("token")) {
        tracing::warn!(reason = "token", "refused to sign somebody out: the form is not ours");
        return Ok(page::message(arrival, StatusCode::FORBIDDEN, NOT_OURS, None));
    }
    response.headers_mut().append(SET_COOKIE, Name::Session.forget(arrival)?);
    let (tenant, user) = signed.whose();
    tracing::info!(tenant = tenant.as_str(), user = user.as_str(), "signed out");
    Ok(response)
}

/// Any other path.
pub(crate) async fn nothing_here(arrival: Arrival) -> Response {
    page::message(&arrival, StatusCode::NOT_FOUND, NOTHING, None)
}

/// A path that is asked for in another way.
pub(crate) async fn not_so(arrival: Arrival) -> Response {
    page::message(&arrival, StatusCode::METHOD_NOT_ALLOWED, NOTHING, None)
}

const NOTHING: Words = Words {
    title: "There is no such page",
    text: "The address may be misspelt, or the page is gone.",
    help: "Go to the first page, and start from there.",
};
const NOT_OURS: Words = Words {
    title: "You are still signed in",
    text: "The request to sign out did not come from the page of your session.",
    help: "Go to the first page, and sign out from there.",
};
