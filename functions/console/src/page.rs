//! The pages, from templates that escape every value.

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE, header::LOCATION},
    response::{IntoResponse, Response},
};
use directory::{Code, Failure};
use engine::{operator, ports::Fault};
use platform::chain;
use url::Url;

use crate::{
    arrival::{Arrival, LeadsAway},
    assets,
    destination::Destination,
    shell::Shell,
};

/// What every page needs to name.
struct Frame<'a> {
    base: &'a str,
    style: &'static str,
}

impl<'a> Frame<'a> {
    fn of(arrival: &'a Arrival) -> Self {
        Self { base: &arrival.base, style: assets::style_path() }
    }
}

/// Asks for an address.
#[derive(Template)]
#[template(path = "address.html")]
struct Ask<'a> {
    frame: Frame<'a>,
    address: &'a str,
    wrong: bool,
    to: Option<&'a str>,
}

/// Two ways to sign in (rule 8.3).
#[derive(Template)]
#[template(path = "choice.html")]
struct Choice<'a> {
    frame: Frame<'a>,
    address: &'a str,
    microsoft: &'a str,
    service: Option<&'a str>,
}

/// Says what happened, and what to do.
#[derive(Template)]
#[template(path = "message.html")]
struct Message<'a> {
    frame: Frame<'a>,
    title: &'a str,
    text: &'a str,
    help: &'a str,
    back: &'a str,
    request: &'a str,
    service: Option<&'a str>,
}

/// Says why a page behind the sign-in cannot be shown.
#[derive(Template)]
#[template(path = "refused.html")]
struct Refused<'a> {
    shell: Shell<'a>,
}

/// What a page says when something did not go as planned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    /// What happened, as a heading.
    pub(crate) title: &'static str,
    /// The same in a sentence.
    pub(crate) text: &'static str,
    /// What to do.
    pub(crate) help: &'static str,
}

/// A field for the address; `wrong` where what was typed is none.
pub(crate) fn ask(arrival: &Arrival, address: &str, wrong: bool, to: Option<&Destination>) -> Response {
    let status = if wrong { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let mut response =
        render(arrival, status, &Ask { frame: Frame::of(arrival), address, wrong, to: to.map(Destination::as_str) });
    response.extensions_mut().insert(LeadsAway);
    response
}

/// Both ways to sign in.
pub(crate) fn choice(arrival: &Arrival, address: &str, microsoft: &str, service: Option<&Url>) -> Response {
    let service = service.map(Url::as_str);
    render(arrival, StatusCode::OK, &Choice { frame: Frame::of(arrival), address, microsoft, service })
}

/// What happened, with the request's name for support.
pub(crate) fn message(arrival: &Arrival, status: StatusCode, words: Words, service: Option<&Url>) -> Response {
    let Words { title, text, help } = words;
    let page = Message {
        frame: Frame::of(arrival),
        title,
        text,
        help,
        back: if matches!(status, StatusCode::OK | StatusCode::NOT_FOUND) {
            "Go to the first page"
        } else {
            "Start again"
        },
        request: &arrival.request,
        service: service.map(Url::as_str),
    };
    render(arrival, status, &page)
}

/// The answer to a request, or the page that says that we failed.
pub(crate) fn answer(arrival: &Arrival, outcome: Result<Response, Fault>) -> Response {
    outcome.unwrap_or_else(|fault| {
        tracing::error!("stopped: {}", chain(&fault));
        let words = Words {
            title: "Something went wrong",
            text: "We have come across a problem, and cannot continue.",
            help: "Please try again in a few minutes. If it happens again, contact support quoting the code below.",
        };
        let mut response = message(arrival, StatusCode::SERVICE_UNAVAILABLE, words, None);
        response.extensions_mut().insert(Stopped);
        response
    })
}

/// Marks the page that says that we failed.
#[derive(Debug, Clone, Copy)]
struct Stopped;

/// Whether an answer is the page that says that we failed.
pub(crate) fn has_stopped(response: &Response) -> bool {
    response.extensions().get::<Stopped>().is_some()
}

/// Leads on to another address.
pub(crate) fn redirect(status: StatusCode, to: &str) -> Result<Response, Fault> {
    let to = HeaderValue::try_from(to).map_err(|err| Fault::permanent("cannot redirect").because(err))?;
    Ok((status, [(LOCATION, to)]).into_response())
}

/// A page behind the sign-in that cannot be shown, and why.
pub(crate) fn refused(arrival: &Arrival, shell: Shell<'_>, failure: Box<Failure>) -> Response {
    let status = if failure.code == Code::NotFound { StatusCode::NOT_FOUND } else { StatusCode::UNPROCESSABLE_ENTITY };
    render(arrival, status, &Refused { shell: shell.refused(failure) })
}

/// The answer where the engine gave nothing to show.
///
/// # Errors
/// The world failed.
pub(crate) fn not_shown(arrival: &Arrival, shell: Shell<'_>, refused: operator::Refused) -> Result<Response, Fault> {
    match refused {
        operator::Refused::Failure(failure) => Ok(self::refused(arrival, shell, failure)),
        operator::Refused::Fault(fault) => Err(fault),
    }
}

/// A page from its template.
pub(crate) fn render(arrival: &Arrival, status: StatusCode, page: &impl Template) -> Response {
    written(arrival, status, page.render())
}

/// A page as its template has written it.
pub(crate) fn written(arrival: &Arrival, status: StatusCode, page: askama::Result<String>) -> Response {
    match page {
        Ok(html) => {
            (status, [(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))], html).into_response()
        }
        Err(err) => {
            tracing::error!(request = arrival.request, "a page cannot be written: {err}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
