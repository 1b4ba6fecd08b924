//! The one door to every page behind the sign-in: the session, the person's role and the proof that a form is ours.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequestParts, Request, State},
    http::{Method, StatusCode, header::SET_COOKIE, request::Parts},
    middleware::Next,
    response::Response,
};
use engine::ports::Fault;
use url::form_urlencoded;

use crate::{
    Console,
    arrival::Arrival,
    destination::Destination,
    form::Fields,
    page::{self, Words},
    session::{self, Opened, Person},
};

/// No form of a tenant's pages is larger: a few thousand domains, or a page of checkboxes.
const LARGEST_FORM: usize = 256 * 1024;

/// Let somebody who is signed in through, and a form that is ours. The page learns who it is from here alone.
pub(crate) async fn admit(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    request: Request,
    next: Next,
) -> Response {
    page::answer(&arrival, enter(&console, &arrival, request, next).await)
}

async fn enter(console: &Console, arrival: &Arrival, request: Request, next: Next) -> Result<Response, Fault> {
    let changes = request.method() != Method::GET && request.method() != Method::HEAD;
    let (person, signed, cookie) = match session::open(console, arrival, request.method(), request.headers()).await? {
        Opened::Person(person, signed, cookie) => (person, signed, cookie),
        nobody => {
            // Whoever typed something must learn that it was not taken; whoever only looks is asked who they are.
            let mut response = if changes {
                tracing::info!("refused a form of somebody who is not signed in");
                page::message(arrival, StatusCode::UNAUTHORIZED, SIGNED_OUT, None)
            } else {
                let to = request.uri().path_and_query().and_then(|to| Destination::parse(to.as_str()));
                page::redirect(StatusCode::SEE_OTHER, &asks_first(arrival, to.as_ref()))?
            };
            if let Opened::Over(forget) = nobody {
                response.headers_mut().append(SET_COOKIE, forget);
            }
            return Ok(response);
        }
    };
    let (mut parts, body) = request.into_parts();
    if changes {
        let Some(fields) = read(body).await else {
            tracing::warn!(reason = "too_large", "refused a form");
            return Ok(page::message(arrival, StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE, None));
        };
        if !signed.is_named_by(fields.text("token")) {
            tracing::warn!(reason = "token", user = person.user.as_str(), "refused a form that is not ours");
            return Ok(page::message(arrival, StatusCode::FORBIDDEN, NOT_OURS, None));
        }
        parts.extensions.insert(fields);
    }
    parts.extensions.insert(*person);
    let mut response = next.run(Request::from_parts(parts, Body::empty())).await;
    if changes && page::has_stopped(&response) {
        response = page::message(arrival, response.status(), NOT_KNOWN, None);
    }
    if let Some(cookie) = cookie.filter(|_| !response.headers().contains_key(SET_COOKIE)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The first page, which knows where the person wanted to go.
fn asks_first(arrival: &Arrival, to: Option<&Destination>) -> String {
    let Some(to) = to else { return format!("{}/", arrival.base) };
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", to.as_str()).finish();
    format!("{}/?{query}", arrival.base)
}

async fn read(body: Body) -> Option<Fields> {
    Some(Fields::parse(&to_bytes(body, LARGEST_FORM).await.ok()?))
}

/// Somebody who manages the tenant that they belong to.
#[derive(Debug, Clone)]
pub(crate) struct Manager(pub(crate) Person);

impl FromRequestParts<Arc<Console>> for Manager {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Response> {
        let arrival = Arrival::from_request_parts(parts, console).await.unwrap_or_else(|never| match never {});
        match parts.extensions.get::<Person>() {
            Some(person) if person.manages => Ok(Self(person.clone())),
            person => {
                let user = person.map(|person| person.user.as_str());
                tracing::warn!(reason = "role", user, "refused: the page is for administrators");
                Err(page::message(&arrival, StatusCode::FORBIDDEN, NO_ADMINISTRATOR, None))
            }
        }
    }
}

const SIGNED_OUT: Words = Words {
    title: "You are not signed in any longer",
    text: "Nothing was changed: your session has ended before this arrived.",
    help: "Sign in again, and repeat what you did last.",
};
pub(crate) const NOT_OURS: Words = Words {
    title: "Nothing was changed",
    text: "The request did not come from a page of your session.",
    help: "Go to the first page, and start from there. If you followed a link from somebody else, do not use it.",
};
const NOT_KNOWN: Words = Words {
    title: "It is not known whether this was done",
    text: "We have come across a problem after what you asked for was passed on. It may have been done, or not.",
    help: "Look whether it was done before you ask for it again. If it happens again, contact support quoting the code below.",
};
const TOO_LARGE: Words = Words {
    title: "This is too much at once",
    text: "Nothing was changed: the form holds more than can be taken at once.",
    help: "Go back, and send less at a time.",
};
const NO_ADMINISTRATOR: Words = Words {
    title: "This page is for administrators",
    text: "Your account may sign in, but it does not manage your organisation here.",
    help: "Ask an administrator of your organisation, or the operator of this service.",
};
