//! What an administrator changes about one person: each by a form of its own, and then the person is shown again.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use directory::{Code, Failure, Kind};
use engine::{operator::Refused, ports::Fault};
use platform::Function;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::{object, shown};
use crate::{
    Console,
    arrival::Arrival,
    form::Fields,
    manage::Manager,
    page,
    session::Person,
    shell::{Place, Shell},
};

/// Nobody has more addresses for which they are exempt.
const MOST_EXEMPT: usize = 20;

/// `POST /people/convert`: `address`, `to`, perhaps `exempt` (rule 5.4), and `confirm` where it is one's own account.
pub(crate) async fn convert(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Manager(person): Manager,
    form: Fields,
) -> Response {
    page::answer(&arrival, converted(&console, &arrival, &person, &form).await)
}

/// `POST /people/exempt`: `address`.
pub(crate) async fn exempt(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Manager(person): Manager,
    form: Fields,
) -> Response {
    let event = json!({"action": "exempt", "address": form.text("address").unwrap_or_default()});
    page::answer(&arrival, changed(&console, &arrival, &person, &form, event, "exempt").await)
}

/// `POST /people/unexempt`: `address`. It ends for all addresses of whoever has it.
pub(crate) async fn unexempt(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Manager(person): Manager,
    form: Fields,
) -> Response {
    page::answer(&arrival, unexempted(&console, &arrival, &person, &form).await)
}

/// `POST /people/digests`: `id`, and `digests` where they are to be sent.
pub(crate) async fn digests(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Manager(person): Manager,
    form: Fields,
) -> Response {
    let user = json!({"id": form.text("id").unwrap_or_default(), "digests": form.has("digests")});
    let event = json!({"action": "put_user", "user": user});
    page::answer(&arrival, changed(&console, &arrival, &person, &form, event, "digests").await)
}

async fn converted(console: &Console, arrival: &Arrival, person: &Person, form: &Fields) -> Result<Response, Fault> {
    let address = form.text("address").unwrap_or_default();
    let to = form.text("to").unwrap_or_default();
    let found = match object(&console.store, &person.tenant, address).await {
        Ok(found) => found,
        Err(Refused::Failure(failure)) => return refuse(console, arrival, person, form, failure).await,
        Err(Refused::Fault(fault)) => return Err(fault),
    };
    let own = found.is_some_and(|found| found.held.kind() == Kind::User && *found.held.id() == person.user);
    let leaves = own && to != "organization_admin";
    if leaves && !form.has("confirm") {
        let message = "This is your own account: you would not manage your organisation here any longer.";
        let help = "If you mean it, tick the box above the button. Make sure that somebody else is an administrator.";
        let failure = Failure::new(Code::InvalidInput, message, help);
        return refuse(console, arrival, person, form, Box::new(failure)).await;
    }
    let exempt = form.has("exempt");
    let event = json!({"action": "convert", "address": address, "to": to, "exempt": exempt});
    match console.ask(Function::Admin, person, event).await? {
        Ok(_) if leaves => page::redirect(StatusCode::SEE_OTHER, &format!("{}/", arrival.base)),
        Ok(_) => back(arrival, form, if exempt { "converted-exempt" } else { "converted" }),
        Err(failure) => refuse(console, arrival, person, form, failure).await,
    }
}

async fn unexempted(console: &Console, arrival: &Arrival, person: &Person, form: &Fields) -> Result<Response, Fault> {
    let mut addresses = vec![form.text("address").unwrap_or_default().to_owned()];
    let mut ended = 0;
    while let Some(address) = addresses.pop().filter(|_| ended < MOST_EXEMPT) {
        let event = json!({"action": "unexempt", "address": address});
        match console.ask(Function::Admin, person, event).await? {
            Ok(answer) => {
                let others = answer["exempt_by"].as_array().into_iter().flatten().filter_map(Value::as_str);
                addresses = others.map(str::to_owned).collect();
                ended += 1;
            }
            Err(failure) => return refuse(console, arrival, person, form, failure).await,
        }
    }
    back(arrival, form, "unexempt")
}

async fn changed(
    console: &Console,
    arrival: &Arrival,
    person: &Person,
    form: &Fields,
    event: Value,
    done: &str,
) -> Result<Response, Fault> {
    match console.ask(Function::Admin, person, event).await? {
        Ok(_) => back(arrival, form, done),
        Err(failure) => refuse(console, arrival, person, form, failure).await,
    }
}

/// To the page that the form was on, with a word of what was done.
fn back(arrival: &Arrival, form: &Fields, done: &str) -> Result<Response, Fault> {
    let query = Serializer::new(String::new())
        .append_pair("q", form.text("q").unwrap_or_default())
        .append_pair("done", done)
        .finish();
    page::redirect(StatusCode::SEE_OTHER, &format!("{}/people?{query}", arrival.base))
}

/// The page that the form was on, with what was refused.
async fn refuse(
    console: &Console,
    arrival: &Arrival,
    person: &Person,
    form: &Fields,
    failure: Box<Failure>,
) -> Result<Response, Fault> {
    let nothing = Fields::default();
    let shell = Shell::new(arrival, person, Place::People, &nothing).refused(failure);
    shown(console, arrival, StatusCode::UNPROCESSABLE_ENTITY, shell, form).await
}
