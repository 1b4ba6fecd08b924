//! Search Now: a plan is made and stored for review, and nothing is changed (rule 4.4).

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use engine::ports::Fault;
use serde_json::{Map, Value, json};

use super::{begun::Wish, history, names::SWITCHES};
use crate::{
    Console,
    arrival::Arrival,
    ask::{Asked, is_of, refusal, run_of},
    form::Fields,
    manage::Manager,
    page,
    session::Person,
    shell::{Place, Shell},
};

/// `POST /runs/search`: `as` for the run's id, `full`, `on` for each setting that is switched on, `was` for each that is so in what is saved.
pub(super) async fn search(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Manager(person): Manager,
    form: Fields,
) -> Response {
    page::answer(&arrival, searched(&console, &arrival, &person, &form).await)
}

async fn searched(console: &Console, arrival: &Arrival, person: &Person, form: &Fields) -> Result<Response, Fault> {
    let id = run_of(form, (console.clock)());
    let mut event = json!({"action": "preview", "as": id, "full": form.has("full")});
    let own = own(form);
    if !own.is_empty() {
        event["settings"] = Value::Object(own);
    }
    let asked = match console.run(person, event).await? {
        Asked::Said(Err(failure)) if !is_of(&failure, &id) => Err(failure),
        Asked::Said(_) => Ok(String::new()),
        Asked::UnderWay => Ok(Wish { new: Some((console.clock)().as_second()), ..Wish::default() }.query()),
    };
    let failure = match asked {
        Ok(query) => return page::redirect(StatusCode::SEE_OTHER, &format!("{}/runs/{id}{query}", arrival.base)),
        Err(failure) => failure,
    };
    let query = Fields::default();
    let status = refusal(&failure);
    let shell = Shell::new(arrival, person, Place::Runs, &query).refused(failure);
    history::shown(console, arrival, status, shell, None, Some(form)).await
}

/// The settings of this search only: what a person has switched, and nothing that stands as the page showed it.
pub(super) fn own(form: &Fields) -> Map<String, Value> {
    let sent = |field: &str, name: &str| form.all(field).any(|found| found == name);
    let switched = SWITCHES.iter().map(|(name, _)| (*name, sent("on", name), sent("was", name)));
    switched.filter(|(_, on, was)| on != was).map(|(name, on, _)| (name.to_owned(), json!(on))).collect()
}
