//! Where Microsoft sends people back to: the answer is held against what the browser began, and who it names is looked
//! up here (rules 8.1, 8.4 and 8.5).

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::Response,
};
use directory::Address;
use engine::{
    ports::Fault,
    sign_in::{self, Denied, Session},
};
use entra::openid::{NotSignedIn, Person, aadsts};
use platform::metrics;

use crate::{
    Console, application,
    arrival::Arrival,
    cookies::{Cookies, Name},
    destination::Destination,
    page::{self, Words},
    redirect,
    session::Signed,
    start::{parameter, service, to_service, without_microsoft},
    transaction::{Transaction, same},
};

/// `GET /signin/callback`
pub(crate) async fn callback(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    if is_consent(query.as_deref()) {
        tracing::info!("told somebody that consent was given");
        return page::message(&arrival, StatusCode::OK, CONSENTED, None);
    }
    page::answer(&arrival, come_back(&console, &arrival, &headers, query.as_deref()).await)
}

/// Microsoft sends administrators here too once they consented for their directory. Anybody can say so: it grants nothing.
fn is_consent(query: Option<&str>) -> bool {
    let given = parameter(query, "admin_consent").is_some_and(|given| given.eq_ignore_ascii_case("true"));
    given && ["code", "error"].iter().all(|name| parameter(query, name).is_none())
}

async fn come_back(
    console: &Console,
    arrival: &Arrival,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<Response, Fault> {
    let cookies = Cookies::with(&console.session_key, arrival).await?;
    let now = (console.clock)();
    let Some(transaction) = cookies.open::<Transaction>(headers, Name::Transaction) else {
        tracing::warn!(reason = "no_transaction", "refused: this browser began no sign-in");
        return Ok(page::message(arrival, StatusCode::BAD_REQUEST, NOT_BEGUN, None));
    };
    tracing::Span::current().record("tenant", transaction.tenant.as_str());
    let state = parameter(query, "state").unwrap_or_default();
    if !same(&state, &transaction.begun.state) {
        // The sign-in that this browser did begin may still come back.
        tracing::warn!(reason = "state", "refused: the answer belongs to another sign-in");
        return Ok(page::message(arrival, StatusCode::BAD_REQUEST, NOT_BEGUN, None));
    }
    // From here on it is used, whatever comes of it.
    let outcome = if transaction.has_run_out(now) {
        tracing::warn!(reason = "too_late", "refused: the sign-in took too long");
        let service = service(console, Some(&transaction.address));
        Ok(page::message(arrival, StatusCode::BAD_REQUEST, TOO_LATE, service.as_ref()))
    } else {
        match parameter(query, "code") {
            Some(code) => finish(console, arrival, &cookies, &transaction, code).await,
            None => turned_back(console, arrival, &transaction, query),
        }
    };
    let mut response = page::answer(arrival, outcome);
    response.headers_mut().append(SET_COOKIE, Name::Transaction.forget(arrival)?);
    Ok(response)
}

/// Microsoft sent a code: whose is it, and may they sign in?
async fn finish(
    console: &Console,
    arrival: &Arrival,
    cookies: &Cookies<'_>,
    transaction: &Transaction,
    code: String,
) -> Result<Response, Fault> {
    let now = (console.clock)();
    let client_id = console.settings.client_id.as_deref().unwrap_or_default();
    let secret = console.client_secret().await?;
    let redirect = redirect(&arrival.base);
    let application = application(client_id, secret.as_ref(), &redirect);
    let Transaction { tenant, connection, address, provider, begun, to, since: _ } = transaction;
    let person = match console.microsoft.finish(provider, &application, begun, code, now).await {
        Ok(person) => person,
        Err(err) => return not_signed_in(console, arrival, address, &err),
    };
    let Some(here) = sign_in::find(&console.store, tenant).await? else {
        return Ok(denied(console, arrival, address, Denied::Unknown, &person));
    };
    // Another directory may have taken the place of this one while the person was there.
    let named = here.record.settings.directory_id.as_ref().map(|id| id.as_str().to_owned());
    if here.record.connection != *connection || named.is_some_and(|id| id != person.directory.to_string()) {
        return Ok(denied(console, arrival, address, Denied::Unknown, &person));
    }
    let user = sign_in::user_of(&console.store, tenant, &person.object).await?;
    let user = match sign_in::admit(user) {
        Ok(user) => user,
        Err(why) => return Ok(denied(console, arrival, address, why, &person)),
    };
    let session = Session::new(&here, &user, person.object, now);
    let to = to.as_ref().map_or("/", Destination::as_str);
    let mut response = page::redirect(StatusCode::FOUND, &format!("{}{to}", arrival.base))?;
    response.headers_mut().append(SET_COOKIE, cookies.seal(Name::Session, &Signed::new(session), None)?);
    tracing::info!(user = user.id.as_str(), "signed in");
    Ok(response)
}

/// Microsoft sent no code: the person turned back, or Microsoft has a reason of its own (RFC 6749 section 4.1.2.1).
fn turned_back(
    console: &Console,
    arrival: &Arrival,
    transaction: &Transaction,
    query: Option<&str>,
) -> Result<Response, Fault> {
    let error = parameter(query, "error").unwrap_or_default();
    let number = aadsts(&parameter(query, "error_description").unwrap_or_default());
    match error.as_str() {
        // Not counted as a failure: the browser says so, and anybody's browser can.
        "server_error" | "temporarily_unavailable" => {
            tracing::warn!(microsoft = number, "sent to the service's own page: Microsoft sent the person back");
            to_service(console, arrival, Some(&transaction.address))
        }
        "access_denied" => {
            tracing::info!(reason = "access_denied", microsoft = number, "the person turned back");
            let service = service(console, Some(&transaction.address));
            Ok(page::message(arrival, StatusCode::FORBIDDEN, TURNED_BACK, service.as_ref()))
        }
        _ => {
            tracing::warn!(reason = "microsoft", microsoft = number, "Microsoft refused to sign somebody in");
            let service = service(console, Some(&transaction.address));
            Ok(page::message(arrival, StatusCode::FORBIDDEN, REFUSED_BY_MICROSOFT, service.as_ref()))
        }
    }
}

fn not_signed_in(
    console: &Console,
    arrival: &Arrival,
    address: &Address,
    err: &NotSignedIn,
) -> Result<Response, Fault> {
    let (reason, number, status, words) = match err {
        NotSignedIn::Unreachable(_) | NotSignedIn::Unfit(_) => {
            return without_microsoft(console, arrival, address, err);
        }
        NotSignedIn::Application(_, number) => {
            count_failure(console);
            tracing::error!("nobody can sign in with Microsoft: {err}");
            ("application", *number, StatusCode::BAD_GATEWAY, OUT_OF_ORDER)
        }
        NotSignedIn::Code(number @ Some(EXPIRED | REDEEMED | NOT_OURS)) => {
            ("code", *number, StatusCode::BAD_REQUEST, TOO_LATE)
        }
        NotSignedIn::Code(number) => ("code", *number, StatusCode::FORBIDDEN, REFUSED_BY_MICROSOFT),
        NotSignedIn::Personal => ("personal", None, StatusCode::FORBIDDEN, PERSONAL),
        NotSignedIn::Token(_) => ("token", None, StatusCode::FORBIDDEN, NOT_BELIEVED),
    };
    tracing::warn!(reason, microsoft = number, "refused: {err}");
    Ok(page::message(arrival, status, words, service(console, Some(address)).as_ref()))
}

/// The code is too old.
const EXPIRED: u64 = 70_008;
/// The code was used before.
const REDEEMED: u64 = 54_005;
/// The code belongs to another sign-in: PKCE does not fit.
const NOT_OURS: u64 = 501_481;

/// Microsoft has said who it is, so that the page may say how that account stands here (rule 8.5). Whoever is not known
/// may have another way in.
fn denied(console: &Console, arrival: &Arrival, address: &Address, why: Denied, person: &Person) -> Response {
    let Person { directory: _, object, guest } = person;
    tracing::warn!(reason = why.name(), object = object.as_str(), guest, "refused: the account may not sign in");
    let (words, service) = match why {
        Denied::Unknown if *guest => (GUEST, service(console, Some(address))),
        Denied::Unknown => (UNKNOWN, service(console, Some(address))),
        Denied::Disabled => (DISABLED, None),
        Denied::Silent => (SILENT, None),
        Denied::Functional => (FUNCTIONAL, None),
    };
    page::message(arrival, StatusCode::FORBIDDEN, words, service.as_ref())
}

/// Counts what the operator should hear of.
pub(crate) fn count_failure(console: &Console) {
    metrics::emit(&console.settings.stage, &[("SignInsFailed", 1.0, metrics::Unit::Count)]);
}

const CONSENTED: Words = Words {
    title: "Consent was given",
    text: "Your organisation has allowed this service to sign its people in.",
    help: "They can sign in from now on, where the service is set up for them.",
};
const NOT_BEGUN: Words = Words {
    title: "This sign-in was not started here",
    text: "The answer from Microsoft does not belong to a sign-in that this browser has started, or it was used already.",
    help: "Please start again. If you opened a link from somebody else, do not use it.",
};
const TOO_LATE: Words = Words {
    title: "This sign-in has expired",
    text: "It took too long, or it was used already.",
    help: "Please start again.",
};
const TURNED_BACK: Words = Words {
    title: "You are not signed in",
    text: "The sign-in at Microsoft was cancelled.",
    help: "You can start again whenever you like.",
};
const REFUSED_BY_MICROSOFT: Words = Words {
    title: "Microsoft did not sign you in",
    text: "Your organisation’s directory refused the sign-in.",
    help: "Please ask your administrator; the code below leads support to the reason.",
};
const NOT_BELIEVED: Words = Words {
    title: "You could not be signed in",
    text: "The answer from Microsoft does not prove who you are.",
    help: "Please start again. If it happens again, contact support quoting the code below.",
};
const OUT_OF_ORDER: Words = Words {
    title: "Signing in with Microsoft is out of order",
    text: "Microsoft does not accept this service at the moment.",
    help: "The operator has been told. Please use the service’s own sign-in page meanwhile.",
};
const GUEST: Words = Words {
    title: "Your guest account is not known here",
    text: "Microsoft has signed you in as a guest of this organisation, and there is no user for that account.",
    help: "Sign in with the address of your own organisation, or ask the administrator of this one.",
};
const PERSONAL: Words = Words {
    title: "Personal accounts cannot sign in here",
    text: "You chose a personal Microsoft account.",
    help: "Start again, and choose the account of your organisation.",
};
const UNKNOWN: Words = Words {
    title: "Your account is not known here",
    text: "Microsoft has signed you in, but there is no user for this account.",
    help: "If you chose the wrong account, start again with another one. A new account is known after the next \
           synchronisation; your administrator can tell you more.",
};
const DISABLED: Words = Words {
    title: "Your account is switched off",
    text: "Your user exists, but it is not active any longer.",
    help: "Please ask your administrator to activate it.",
};
const SILENT: Words = Words {
    title: "Your account has no sign-in",
    text: "Your mail is taken care of, but your user has no access to these pages.",
    help: "Please ask your administrator if you need it.",
};
const FUNCTIONAL: Words = Words {
    title: "This is a functional account",
    text: "Functional accounts, such as shared mailboxes, receive mail; nobody signs in with them.",
    help: "Start again with your own account.",
};
