//! Where sign-in begins: an address finds its tenant, and the tenant's settings say which way it goes (rules 8.2 to 8.4).

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::{StatusCode, header::SET_COOKIE},
    response::Response,
};
use directory::{Address, Domain, Guid, Settings};
use engine::{
    ports::Fault,
    sign_in::{self, Here},
};
use entra::openid::{NotSignedIn, sign_in_together};
use platform::chain;
use url::{Url, form_urlencoded};

use crate::{
    Console, application,
    arrival::Arrival,
    callback,
    cookies::{Cookies, Name},
    destination::Destination,
    page::{self, Words},
    redirect,
    transaction::{self, Transaction},
};

/// No query of ours or of Microsoft's is longer.
const LONGEST_QUERY: usize = 8 * 1024;
/// No address is longer, in whatever form it is typed.
const LONGEST_ADDRESS: usize = 320;

/// The first value of each parameter; nothing of a query that is too long to be meant.
pub(crate) fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let query = query.filter(|query| query.len() <= LONGEST_QUERY)?;
    form_urlencoded::parse(query.as_bytes()).find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

/// `GET /signin?address=…[&standard=1]`
pub(crate) async fn start(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    RawQuery(query): RawQuery,
) -> Response {
    let standard = parameter(query.as_deref(), "standard").is_some_and(|value| value == "1");
    let to = wanted(query.as_deref());
    let address = match asked(&arrival, query.as_deref()) {
        Ok(address) => address,
        Err(page) if !standard => return page,
        Err(_) => return page::answer(&arrival, to_service(&console, &arrival, None)),
    };
    let outcome = if standard {
        tracing::info!("sent to the service's own page, as asked");
        to_service(&console, &arrival, Some(&address))
    } else {
        begin(&console, &arrival, address, to, true).await
    };
    page::answer(&arrival, outcome)
}

/// `GET /signin/microsoft?address=…`: the button on our page of two ways (rule 8.3).
pub(crate) async fn microsoft(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    RawQuery(query): RawQuery,
) -> Response {
    match asked(&arrival, query.as_deref()) {
        Ok(address) => {
            let to = wanted(query.as_deref());
            page::answer(&arrival, begin(&console, &arrival, address, to, false).await)
        }
        Err(page) => page,
    }
}

/// Where the person wanted to go.
pub(crate) fn wanted(query: Option<&str>) -> Option<Destination> {
    parameter(query, "to").and_then(|to| Destination::parse(&to))
}

/// The address that was asked for, or the page that asks for one.
fn asked(arrival: &Arrival, query: Option<&str>) -> Result<Address, Response> {
    let text = parameter(query, "address").unwrap_or_default();
    if text.trim().is_empty() && query.is_none_or(|query| query.len() <= LONGEST_QUERY) {
        return Err(page::ask(arrival, "", false, wanted(query).as_ref()));
    }
    let address = if text.len() <= LONGEST_ADDRESS { Address::parse(&text).ok() } else { None };
    address.ok_or_else(|| {
        tracing::info!("what was typed is no address");
        let typed = text.get(..text.len().min(LONGEST_ADDRESS)).unwrap_or_default();
        page::ask(arrival, typed, true, wanted(query).as_ref())
    })
}

/// The way of an address: to Microsoft, to our page of two ways where that is `offered`, or to the service's own page.
async fn begin(
    console: &Console,
    arrival: &Arrival,
    address: Address,
    to: Option<Destination>,
    offered: bool,
) -> Result<Response, Fault> {
    let Some(client_id) = console.settings.client_id.as_deref() else {
        tracing::info!("sent to the service's own page: sign-in with Microsoft is off");
        return to_service(console, arrival, Some(&address));
    };
    let Some(Here { tenant, record, .. }) = sign_in::tenant_of(&console.store, &address).await? else {
        tracing::info!("sent to the service's own page: the domain is nobody's");
        return to_service(console, arrival, Some(&address));
    };
    tracing::Span::current().record("tenant", tenant.as_str());
    if !sign_in_together(record.settings.cloud, console.settings.cloud) {
        tracing::info!("sent to the service's own page: the tenant is in another cloud");
        return to_service(console, arrival, Some(&address));
    }
    if offered && record.settings.disable_login {
        return Ok(choice(console, arrival, &address, to.as_ref()));
    }
    let Some(authority) = authority(&record.settings) else {
        tracing::info!("sent to the service's own page: the tenant has no directory");
        return to_service(console, arrival, Some(&address));
    };
    match console.microsoft.provider(record.settings.cloud, authority).await {
        Ok(provider) => {
            let redirect = redirect(&arrival.base);
            let application = application(client_id, None, &redirect);
            match console.microsoft.begin(&provider, &application, address.as_str()) {
                Ok((url, begun)) => {
                    let (connection, since) = (record.connection, (console.clock)());
                    let transaction = Transaction { tenant, connection, address, provider, begun, to, since };
                    keep(console, arrival, &url, &transaction).await
                }
                Err(err) => without_microsoft(console, arrival, &address, &err),
            }
        }
        Err(err) => without_microsoft(console, arrival, &address, &err),
    }
}

/// Off to Microsoft, and the browser keeps what it began.
async fn keep(console: &Console, arrival: &Arrival, url: &Url, transaction: &Transaction) -> Result<Response, Fault> {
    let cookies = match Cookies::with(&console.session_key, arrival).await {
        Ok(cookies) => cookies,
        Err(fault) => {
            callback::count_failure(console);
            tracing::error!("sent to the service's own page: nothing can be sealed: {}", chain(&fault));
            return to_service(console, arrival, Some(&transaction.address));
        }
    };
    let cookie = cookies.seal(Name::Transaction, transaction, Some(transaction::PATIENCE))?;
    let mut response = page::redirect(StatusCode::FOUND, url.as_str())?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    tracing::info!("sent to Microsoft");
    Ok(response)
}

/// Microsoft cannot be used: the service's own page takes over (rule 8.2).
pub(crate) fn without_microsoft(
    console: &Console,
    arrival: &Arrival,
    address: &Address,
    err: &NotSignedIn,
) -> Result<Response, Fault> {
    if matches!(err, NotSignedIn::Unreachable(_)) {
        callback::count_failure(console);
    }
    tracing::warn!("sent to the service's own page: {err}");
    to_service(console, arrival, Some(address))
}

/// The directory, by its GUID or else by its domain (rule 1.2).
fn authority(settings: &Settings) -> Option<&str> {
    let domain = || settings.primary_domain.as_ref().map(Domain::as_str);
    settings.directory_id.as_ref().map(Guid::as_str).or_else(domain)
}

fn choice(console: &Console, arrival: &Arrival, address: &Address, to: Option<&Destination>) -> Response {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("address", address.as_str());
    if let Some(to) = to {
        query.append_pair("to", to.as_str());
    }
    let query = query.finish();
    let microsoft = format!("{}/signin/microsoft?{query}", arrival.base);
    tracing::info!("shown both ways");
    page::choice(arrival, address.as_str(), &microsoft, service(console, Some(address)).as_ref())
}

/// The service's own page, with the address filled in.
pub(crate) fn service(console: &Console, address: Option<&Address>) -> Option<Url> {
    let mut url = console.settings.service_url.clone()?;
    if let Some(address) = address {
        url.query_pairs_mut().append_pair("address", address.as_str());
    }
    Some(url)
}

/// To the service's own page; where none is configured, a page that says so. Always the same, whoever it is for.
pub(crate) fn to_service(console: &Console, arrival: &Arrival, address: Option<&Address>) -> Result<Response, Fault> {
    match service(console, address) {
        Some(url) => page::redirect(StatusCode::FOUND, url.as_str()),
        None => Ok(page::message(arrival, StatusCode::OK, ELSEWHERE, None)),
    }
}

const ELSEWHERE: Words = Words {
    title: "Sign in on the service’s own page",
    text: "Here people sign in with Microsoft; this time it goes on at the service itself.",
    help: "Use the sign-in page that you were given for the service, or ask your administrator for it.",
};
