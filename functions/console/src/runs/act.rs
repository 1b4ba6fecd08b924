//! What a person does about a run: marks, applies, releases, undoes. Each is asked of the functions that do it.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use directory::Failure;
use engine::ports::Fault;
use platform::Function;
use serde_json::{Value, json};

use super::{marks, show, view::View};
use crate::{
    Console,
    arrival::Arrival,
    ask::{Asked, new_run},
    form::Fields,
    manage::Manager,
    page,
    session::Person,
    shell::{Place, Shell},
};

/// `POST /runs/{run}/review`: the lines that were shown, which of them are checked, and which button was pressed: `all` of
/// a category, `find` a text, `go` elsewhere, or `save`.
pub(super) async fn review(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    arrival: Arrival,
    Manager(person): Manager,
    form: Fields,
) -> Response {
    let on = On { console: &console, arrival: &arrival, person: &person, id: &id, form: &form };
    page::answer(&arrival, on.reviewed().await)
}

/// `POST /runs/{run}/apply`: the same, and then everything that is checked is carried out.
pub(super) async fn apply(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    arrival: Arrival,
    Manager(person): Manager,
    form: Fields,
) -> Response {
    let on = On { console: &console, arrival: &arrival, person: &person, id: &id, form: &form };
    page::answer(&arrival, on.applied().await)
}

/// `POST /runs/{run}/release`
pub(super) async fn release(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    arrival: Arrival,
    Manager(person): Manager,
    form: Fields,
) -> Response {
    let on = On { console: &console, arrival: &arrival, person: &person, id: &id, form: &form };
    page::answer(&arrival, on.asked(json!({"action": "release"})).await)
}

/// `POST /runs/{run}/undo`
pub(super) async fn undo(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    arrival: Arrival,
    Manager(person): Manager,
    form: Fields,
) -> Response {
    let on = On { console: &console, arrival: &arrival, person: &person, id: &id, form: &form };
    page::answer(&arrival, on.undone().await)
}

/// A form about a run.
struct On<'a> {
    console: &'a Console,
    arrival: &'a Arrival,
    person: &'a Person,
    id: &'a str,
    form: &'a Fields,
}

impl On<'_> {
    /// Save what the form marks, and go where its button leads.
    async fn reviewed(&self) -> Result<Response, Fault> {
        if let Err(failure) = self.marked().await? {
            return self.refused(failure).await;
        }
        let go = self.form.text("go").map(query);
        let to = match &go {
            Some(go) => match go.text("change").filter(|id| is_id(id)) {
                Some(id) => format!("/changes/{id}{}", View::of(go).query()),
                None => View::of(go).query(),
            },
            None if self.form.has("find") => {
                let text = View::of(self.form).text;
                View { text, from: None, ..self.view() }.query()
            }
            None => self.view().query(),
        };
        self.lead(&to)
    }

    /// Save what the form marks, and carry out what is checked.
    async fn applied(&self) -> Result<Response, Fault> {
        if let Err(failure) = self.marked().await? {
            return self.refused(failure).await;
        }
        self.asked(json!({"action": "apply", "reviewed": true})).await
    }

    /// Ask something of the run, and show it.
    async fn asked(&self, mut event: Value) -> Result<Response, Fault> {
        event["run"] = json!(self.id);
        match self.console.run(self.person, event).await? {
            Asked::Said(Ok(_)) => self.lead(""),
            Asked::Said(Err(failure)) => self.refused(failure).await,
            Asked::UnderWay => self.lead(&format!("?asked={}", (self.console.clock)().as_second())),
        }
    }

    /// Ask for the plan that undoes the run, and show that one.
    async fn undone(&self) -> Result<Response, Fault> {
        let new = new_run((self.console.clock)())?;
        let event = json!({"action": "undo", "run": self.id, "as": new});
        if let Asked::Said(Err(failure)) = self.console.run(self.person, event).await? {
            return self.refused(failure).await;
        }
        page::redirect(StatusCode::SEE_OTHER, &format!("{}/runs/{new}", self.arrival.base))
    }

    async fn marked(&self) -> Result<Result<(), Box<Failure>>, Fault> {
        let Some(marks) = marks::changed(self.form) else { return Ok(Ok(())) };
        let event = json!({"action": "review", "run": self.id, "marks": marks});
        Ok(self.console.ask(Function::Admin, self.person, event).await?.map(drop))
    }

    /// The page as it was, with what was refused.
    async fn refused(&self, failure: Box<Failure>) -> Result<Response, Fault> {
        let none = Fields::default();
        let shell = Shell::new(self.arrival, self.person, Place::Runs, &none).refused(failure);
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        show::shown(self.console, self.arrival, status, shell, self.id, &self.view(), None).await
    }

    fn view(&self) -> View {
        View::of(&query(self.form.text("view").unwrap_or_default()))
    }

    /// To another page of the run. Whatever a form says, it is one of ours and of this run.
    fn lead(&self, to: &str) -> Result<Response, Fault> {
        let id = if is_id(self.id) { self.id } else { "" };
        page::redirect(StatusCode::SEE_OTHER, &format!("{}/runs/{id}{to}", self.arrival.base))
    }
}

/// A query as a button carries it.
fn query(text: &str) -> Fields {
    Fields::parse(text.trim_start_matches('?').as_bytes())
}

/// Whether something can be an id of ours: such a text cannot lead elsewhere.
pub(super) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
