//! The first page: who is signed in, or a field for an address; and the way out.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::Response,
};
use engine::{
    ports::Fault,
    sign_in::{self, Session},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use uuid::Uuid;

use crate::{
    Console,
    arrival::Arrival,
    cookies::{Cookies, Name},
    page::{self, Words},
    transaction::same,
};

/// What the browser of somebody who is signed in keeps, sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Signed {
    session: Session,
    /// Known to our own pages only: a form that names it was ours.
    token: String,
}

impl Signed {
    /// A session that begins now.
    pub(crate) fn new(session: Session) -> Self {
        Self { session, token: Uuid::new_v4().simple().to_string() }
    }

    fn seen(self, now: Timestamp) -> Self {
        Self { session: self.session.seen_at(now), ..self }
    }
}

/// `GET /`
pub(crate) async fn home(State(console): State<Arc<Console>>, arrival: Arrival, headers: HeaderMap) -> Response {
    page::answer(&arrival, show(&console, &arrival, &headers).await)
}

async fn show(console: &Console, arrival: &Arrival, headers: &HeaderMap) -> Result<Response, Fault> {
    if !Name::Session.is_in(arrival, headers) {
        return Ok(page::ask(arrival, "", false));
    }
    let cookies = Cookies::with(&console.session_key, arrival).await?;
    let Some(signed) = cookies.open::<Signed>(headers, Name::Session) else {
        return Ok(page::ask(arrival, "", false));
    };
    tracing::Span::current().record("tenant", signed.session.tenant.as_str());
    let now = (console.clock)();
    match sign_in::resume(&console.store, &signed.session, now).await? {
        Ok(user) => {
            let address = user.addresses.primary.as_ref().map_or("an account without an address", |one| one.as_str());
            let mut response = page::signed_in(arrival, address, &signed.token);
            let cookie = cookies.seal(Name::Session, &signed.seen(now), None)?;
            response.headers_mut().append(SET_COOKIE, cookie);
            Ok(response)
        }
        Err(ended) => {
            let user = signed.session.user.as_str();
            tracing::info!(user, reason = ended.name(), "a session is over");
            let mut response = page::ask(arrival, "", false);
            response.headers_mut().append(SET_COOKIE, Name::Session.forget(arrival)?);
            Ok(response)
        }
    }
}

/// `POST /signout`, from the button of our own page.
pub(crate) async fn sign_out(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    page::answer(&arrival, leave(&console, &arrival, &headers, &body).await)
}

async fn leave(console: &Console, arrival: &Arrival, headers: &HeaderMap, body: &[u8]) -> Result<Response, Fault> {
    let mut response = page::redirect(StatusCode::SEE_OTHER, &format!("{}/", arrival.base))?;
    if !Name::Session.is_in(arrival, headers) {
        return Ok(response);
    }
    let cookies = Cookies::with(&console.session_key, arrival).await?;
    let Some(signed) = cookies.open::<Signed>(headers, Name::Session) else { return Ok(response) };
    let token = form_urlencoded::parse(body).find(|(name, _)| name == "token").map(|(_, value)| value);
    if !token.is_some_and(|token| same(&token, &signed.token)) {
        tracing::warn!(reason = "token", "refused to sign somebody out: the form is not ours");
        return Ok(page::message(arrival, StatusCode::FORBIDDEN, NOT_OURS, None));
    }
    response.headers_mut().append(SET_COOKIE, Name::Session.forget(arrival)?);
    tracing::info!(tenant = signed.session.tenant.as_str(), user = signed.session.user.as_str(), "signed out");
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
