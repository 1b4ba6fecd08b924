//! Where Microsoft sends people back to: the answer is held against what the browser began, and who it names is looked
//! up here (rules 8.1, 8.4 and 8.5).

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::Response,
};
use engine::{
    ports::Fault,
    sign_in::{self, Denied, Session},
};
use entra::openid::{NotSignedIn, Person};
use platform::metrics;

use crate::{
    Console, application,
    arrival::Arrival,
    cookies::{self, Cookies},
    home::Signed,
    page::{self, Words},
    redirect,
    start::{parameter, service, without_microsoft},
    transaction::{Transaction, same},
};

/// `GET /signin/callback`
pub(crate) async fn callback(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    page::answer(&arrival, come_back(&console, &arrival, &headers, query.as_deref()).await)
}

async fn come_back(
    console: &Console,
    arrival: &Arrival,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<Response, Fault> {
    let cookies = Cookies::with(&console.session_key).await?;
    let now = (console.clock)();
    let Some(transaction) = cookies.open::<Transaction>(headers, cookies::TRANSACTION) else {
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
    let mut response = if transaction.has_run_out(now) {
        tracing::warn!(reason = "too_late", "refused: the sign-in took too long");
        page::message(arrival, StatusCode::BAD_REQUEST, TOO_LATE, None)
    } else {
        match parameter(query, "code") {
            Some(code) => finish(console, arrival, &cookies, &transaction, code).await?,
            None => turned_back(console, arrival, &transaction, query)?,
        }
    };
    response.headers_mut().append(SET_COOKIE, cookies::forget(cookies::TRANSACTION)?);
    Ok(response)
}

/// Microsoft sent a code: whose is it, and may they sign in?
async fn finish(
    console: &Console,
    arrival: &Arrival,
    cookies: &Cookies,
    transaction: &Transaction,
    code: String,
) -> Result<Response, Fault> {
    let now = (console.clock)();
    let client_id = console.settings.client_id.as_deref().unwrap_or_default();
    let secret = console.client_secret().await?;
    let redirect = redirect(&arrival.base);
    let application = application(client_id, secret.as_ref(), &redirect);
    let Transaction { tenant, connection, address, provider, begun, since: _ } = transaction;
    let person = match console.microsoft.finish(provider, &application, begun, code, now).await {
        Ok(person) => person,
        Err(err @ NotSignedIn::Unreachable(_)) => return without_microsoft(console, arrival, address, &err),
        Err(err) => return Ok(not_signed_in(console, arrival, transaction, &err)),
    };
    let Some(here) = sign_in::find(&console.store, tenant).await? else {
        return Ok(denied(arrival, Denied::Unknown, &person));
    };
    // Another directory may have taken the place of this one while the person was there.
    let named = here.record.settings.directory_id.as_ref().map(|id| id.as_str().to_owned());
    if here.record.connection != *connection || named.is_some_and(|id| id != person.directory.to_string()) {
        return Ok(denied(arrival, Denied::Unknown, &person));
    }
    let user = sign_in::user_of(&console.store, tenant, &person.object).await?;
    let user = match sign_in::admit(user) {
        Ok(user) => user,
        Err(why) => return Ok(denied(arrival, why, &person)),
    };
    let session = Session::new(&here, &user, person.object, now);
    let mut response = page::redirect(StatusCode::FOUND, &format!("{}/", arrival.base))?;
    response.headers_mut().append(SET_COOKIE, cookies.seal(cookies::SESSION, &Signed::new(session), None)?);
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
        "server_error" | "temporarily_unavailable" => {
            let err = NotSignedIn::Unreachable("it sent the person back".to_owned());
            without_microsoft(console, arrival, &transaction.address, &err)
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

/// Microsoft's own number of an error, for the log: the rest of what it says can name people.
fn aadsts(description: &str) -> Option<u64> {
    let digits = description.strip_prefix("AADSTS")?;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn not_signed_in(console: &Console, arrival: &Arrival, transaction: &Transaction, err: &NotSignedIn) -> Response {
    let (reason, status, words) = match err {
        NotSignedIn::Code => ("code", StatusCode::BAD_REQUEST, TOO_LATE),
        NotSignedIn::Guest => ("guest", StatusCode::FORBIDDEN, GUEST),
        NotSignedIn::Personal => ("personal", StatusCode::FORBIDDEN, PERSONAL),
        NotSignedIn::Token(_) => ("token", StatusCode::FORBIDDEN, NOT_BELIEVED),
        NotSignedIn::Application(_) | NotSignedIn::Unfit(_) | NotSignedIn::Unreachable(_) => {
            count_failure(console);
            tracing::error!(reason = "application", "nobody can sign in with Microsoft: {err}");
            let service = service(console, Some(&transaction.address));
            return page::message(arrival, StatusCode::BAD_GATEWAY, OUT_OF_ORDER, service.as_ref());
        }
    };
    tracing::warn!(reason, "refused: {err}");
    page::message(arrival, status, words, None)
}

/// Microsoft has said who it is, so that the page may say how that account stands here (rule 8.5).
fn denied(arrival: &Arrival, why: Denied, person: &Person) -> Response {
    tracing::warn!(reason = why.name(), object = person.object.as_str(), "refused: the account may not sign in");
    let words = match why {
        Denied::Unknown => UNKNOWN,
        Denied::Disabled => DISABLED,
        Denied::Silent => SILENT,
        Denied::Functional => FUNCTIONAL,
    };
    page::message(arrival, StatusCode::FORBIDDEN, words, None)
}

/// Counts what the operator should hear of.
pub(crate) fn count_failure(console: &Console) {
    metrics::emit(&console.settings.stage, &[("SignInsFailed", 1.0, metrics::Unit::Count)]);
}

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
    title: "Guests cannot sign in here",
    text: "You are a guest of this organisation’s directory, and your account belongs to another one.",
    help: "Sign in with the address of your own organisation.",
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

#[test]
fn only_the_number_of_an_error_is_read() {
    assert_eq!(aadsts("AADSTS50105: The signed in user 'ann@contoso.com' is not assigned to a role"), Some(50_105));
    for other in ["", "AADSTS", "AADSTS: ann", "ann@contoso.com", "AADSTS99999999999999999999999"] {
        assert_eq!(aadsts(other), None, "{other}");
    }
}
