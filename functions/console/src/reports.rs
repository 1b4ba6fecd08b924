//! The daily reports, as they were mailed to the technical contact (rule 6.1).

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    },
    response::{IntoResponse as _, Response},
    routing::get,
};
use directory::{Failure, TimeZone};
use engine::{
    ports::Fault,
    records::KEPT_DAYS,
    report::{self, MailedCopy},
};
use jiff::{Timestamp, ToSpan as _, civil::Date};
use platform::Function;
use serde::Deserialize;
use serde_json::json;

use crate::{
    Console,
    arrival::Arrival,
    form::Fields,
    manage::Manager,
    moment::Moment,
    page,
    runs::standing::Standing,
    session::Person,
    shell::{Place, Shell},
};

/// Of a mail nothing runs, nothing is sent, and nothing is loaded.
const MAIL_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox",
);

/// The pages of reports.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/reports", get(list))
        .route("/reports/{date}", get(show))
        .route("/reports/{date}/mail", get(mail))
}

/// A day that has a report.
struct Day {
    date: Date,
    /// It is not over yet.
    today: bool,
    mailed: Option<Mailed>,
}

/// A report that was mailed.
enum Mailed {
    At(Moment),
    /// It is not known whether it arrived.
    Perhaps,
}

impl Mailed {
    fn of(sent_at: Option<Timestamp>, zone: &TimeZone) -> Self {
        sent_at.map_or(Self::Perhaps, |at| Self::At(Moment::new(at, zone)))
    }
}

#[derive(Template)]
#[template(path = "reports.html")]
struct Reports<'a> {
    shell: Shell<'a>,
    days: Vec<Day>,
    hour: i8,
    zone: String,
    contact: Option<String>,
    never: bool,
}

/// A mail as `report` would write it.
#[derive(Deserialize)]
struct Mail {
    to: Option<String>,
    subject: String,
    text: String,
    html: String,
    /// The warning that is due beside it.
    warning: Option<Box<Mail>>,
}

impl From<MailedCopy> for Mail {
    fn from(MailedCopy { to, subject, text, html }: MailedCopy) -> Self {
        Self { to: Some(to), subject, text, html, warning: None }
    }
}

/// The report of a day.
struct Told {
    mail: Mail,
    mailed: Option<Mailed>,
    /// Nothing keeps what was mailed: it is made now.
    made_now: bool,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Report<'a> {
    shell: Shell<'a>,
    date: Date,
    told: Told,
}

/// `GET /reports`
async fn list(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Manager(person): Manager,
    query: Fields,
) -> Response {
    let shell = Shell::new(&arrival, &person, Place::Reports, &query);
    page::answer(&arrival, listed(&console, &arrival, shell).await)
}

async fn listed(console: &Console, arrival: &Arrival, shell: Shell<'_>) -> Result<Response, Fault> {
    let tenant = &shell.person.tenant;
    let standing = Standing::of(console, tenant).await?;
    let Some(meta) = &standing.meta else { return Ok(nothing(arrival, shell)) };
    let settings = &meta.settings;
    let (today, first) = reach(console, &settings.report.time_zone, meta.created_at);
    let dates: Vec<Date> =
        (0..KEPT_DAYS).filter_map(|ago| today.checked_sub(ago.days()).ok()).filter(|day| *day >= first).collect();
    let most = usize::try_from(KEPT_DAYS).unwrap_or(usize::MAX);
    let mailed = report::mailed(&console.store, tenant, most, (console.clock)()).await?;
    let day = |date| {
        let mailed = mailed.iter().find(|mailed| mailed.date == date);
        let mailed = mailed.map(|mailed| Mailed::of(mailed.sent_at, &settings.report.time_zone));
        Day { date, today: date == today, mailed }
    };
    let page = Reports {
        days: dates.into_iter().map(day).collect(),
        hour: settings.report.hour.0,
        zone: settings.report.time_zone.name().to_owned(),
        contact: settings.tech_contact.as_ref().map(ToString::to_string),
        never: settings.sync_frequency.0 == 0,
        shell,
    };
    Ok(page::render(arrival, StatusCode::OK, &page))
}

/// `GET /reports/{date}`
async fn show(
    State(console): State<Arc<Console>>,
    Path(date): Path<String>,
    arrival: Arrival,
    Manager(person): Manager,
    query: Fields,
) -> Response {
    let shell = Shell::new(&arrival, &person, Place::Reports, &query);
    page::answer(&arrival, shown(&console, &arrival, shell, &date).await)
}

async fn shown(console: &Console, arrival: &Arrival, shell: Shell<'_>, date: &str) -> Result<Response, Fault> {
    let Some(date) = day(console, shell.person, date).await? else { return Ok(nothing(arrival, shell)) };
    match read(console, shell.person, date).await? {
        Ok(told) => Ok(page::render(arrival, StatusCode::OK, &Report { shell, date, told })),
        Err(failure) => Ok(page::refused(arrival, shell, failure)),
    }
}

/// `GET /reports/{date}/mail`: the HTML part by itself; `warning` for the mail that goes out beside it.
async fn mail(
    State(console): State<Arc<Console>>,
    Path(date): Path<String>,
    arrival: Arrival,
    Manager(person): Manager,
    query: Fields,
) -> Response {
    let shell = Shell::new(&arrival, &person, Place::Reports, &query);
    page::answer(&arrival, alone(&console, &arrival, shell, &date, query.has("warning")).await)
}

async fn alone(
    console: &Console,
    arrival: &Arrival,
    shell: Shell<'_>,
    date: &str,
    warning: bool,
) -> Result<Response, Fault> {
    let Some(date) = day(console, shell.person, date).await? else { return Ok(nothing(arrival, shell)) };
    let mail = match read(console, shell.person, date).await? {
        Ok(Told { mail, .. }) => {
            if warning {
                mail.warning.map(|warning| *warning)
            } else {
                Some(mail)
            }
        }
        Err(failure) => return Ok(page::refused(arrival, shell, failure)),
    };
    let Some(mail) = mail else { return Ok(nothing(arrival, shell)) };
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")), (CONTENT_SECURITY_POLICY, MAIL_POLICY)];
    Ok((headers, mail.html).into_response())
}

/// The report of a day as it was mailed; where it was not, as it would be.
async fn read(console: &Console, person: &Person, date: Date) -> Result<Result<Told, Box<Failure>>, Fault> {
    let found = report::mailed_report(&console.store, &person.tenant, date, (console.clock)()).await?;
    let mailed = found.as_ref().map(|found| Mailed::of(found.sent_at, &person.zone));
    Ok(match found.and_then(|found| found.copy) {
        Some(copy) => Ok(Told { mail: copy.into(), mailed, made_now: false }),
        None => ask(console, person, date).await?.map(|mail| Told { mail, mailed, made_now: true }),
    })
}

/// The report of a day, which is made and not sent.
async fn ask(console: &Console, person: &Person, date: Date) -> Result<Result<Mail, Box<Failure>>, Fault> {
    let event = json!({"date": date.to_string(), "preview": true});
    match console.ask(Function::Report, person, event).await? {
        Ok(answer) => serde_json::from_value(answer)
            .map(Ok)
            .map_err(|err| Fault::permanent("a report cannot be read").because(err)),
        Err(failure) => Ok(Err(failure)),
    }
}

/// A day on which the tenant was here, written as we write it.
async fn day(console: &Console, person: &Person, date: &str) -> Result<Option<Date>, Fault> {
    let Some(date) = date.parse().ok().filter(|parsed: &Date| parsed.to_string() == date) else { return Ok(None) };
    let Some(meta) = Standing::of(console, &person.tenant).await?.meta else { return Ok(None) };
    let (today, first) = reach(console, &meta.settings.report.time_zone, meta.created_at);
    Ok((first..=today).contains(&date).then_some(date))
}

/// Today, and the first day of which a report can be made: the tenant's own first, while the runs of that day are kept.
fn reach(console: &Console, zone: &TimeZone, made: Timestamp) -> (Date, Date) {
    let day = |at: Timestamp| at.to_zoned(zone.zone()).date();
    let today = day((console.clock)());
    (today, day(made).max(today.saturating_sub(KEPT_DAYS.days())))
}

fn nothing(arrival: &Arrival, shell: Shell<'_>) -> Response {
    let mut failure = Failure::not_found("There is no report of that day.");
    failure.help = "Choose a day from the list of reports.".to_owned();
    page::refused(arrival, shell, Box::new(failure))
}
