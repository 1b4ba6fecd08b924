//! What a person does about a run: marks, applies, releases, undoes. Each is asked of the functions that do it.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Path},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use directory::{Code, Failure};
use engine::{ports::Fault, records::RunState};
use platform::Function;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{begun::Wish, marks, show, standing::Standing, view::View};
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

/// `POST /runs/{run}/review`: the lines that were shown, which of them are checked, and which button was pressed: `all` of
/// a category, `find` a text, `go` elsewhere, or `save`.
pub(super) async fn review(on: On) -> Response {
    page::answer(&on.arrival, on.reviewed().await)
}

/// `POST /runs/{run}/apply`: the same, and then everything that is checked is carried out.
pub(super) async fn apply(on: On) -> Response {
    page::answer(&on.arrival, on.applied().await)
}

/// `POST /runs/{run}/release`: `sure` says that the person has looked.
pub(super) async fn release(on: On) -> Response {
    page::answer(&on.arrival, on.released().await)
}

/// `POST /runs/{run}/undo`: `as` for the new run's id.
pub(super) async fn undo(on: On) -> Response {
    page::answer(&on.arrival, on.undone().await)
}

/// A form about a run, of somebody who manages the tenant.
pub(super) struct On {
    console: Arc<Console>,
    arrival: Arrival,
    person: Person,
    id: String,
    form: Fields,
}

/// The names of a plan's marks, before and after somebody has marked something.
#[derive(Deserialize)]
struct Marks {
    before: String,
    review: String,
}

impl FromRequestParts<Arc<Console>> for On {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Response> {
        let Path(id) = Path::from_request_parts(parts, console).await.map_err(IntoResponse::into_response)?;
        let Manager(person) = Manager::from_request_parts(parts, console).await?;
        let arrival = Arrival::from_request_parts(parts, console).await.unwrap_or_else(|never| match never {});
        let form = Fields::from_request_parts(parts, console).await.unwrap_or_else(|never| match never {});
        Ok(Self { console: Arc::clone(console), arrival, person, id, form })
    }
}

impl On {
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
                let text = View::of(&self.form).text;
                View { text, from: None, ..self.view() }.query()
            }
            None => self.view().query(),
        };
        self.lead(&to)
    }

    /// Save what the form marks, and carry out what is checked: what the person has seen and marked, and nothing that
    /// somebody else has marked meanwhile.
    async fn applied(&self) -> Result<Response, Fault> {
        let done = &[RunState::Applied, RunState::Held];
        let seen = self.form.text("seen").unwrap_or_default();
        let reviewed = match self.marked().await? {
            Ok(None) => seen.to_owned(),
            // Where others were faster the marks of before are named, which the engine refuses.
            Ok(Some(Marks { before, .. })) if before != seen => seen.to_owned(),
            Ok(Some(Marks { review, .. })) => review,
            Err(failure) => return self.pressed_twice(failure, done).await,
        };
        self.asked(json!({"action": "apply", "reviewed": reviewed}), done).await
    }

    /// Carry out what the run holds.
    async fn released(&self) -> Result<Response, Fault> {
        if !self.form.has("sure") {
            let failure = Failure::new(
                Code::InvalidInput,
                "Nothing was carried out: you have not said that you have looked through the held changes.",
                "Look through them, check the box, and release them.",
            );
            return self.refused(Box::new(failure)).await;
        }
        self.asked(json!({"action": "release"}), &[RunState::Applied]).await
    }

    /// Ask something of the run, and show it; `done` are the states of a run of which it was done.
    async fn asked(&self, mut event: Value, done: &[RunState]) -> Result<Response, Fault> {
        event["run"] = json!(self.id);
        match self.console.run(&self.person, event).await? {
            Asked::Said(Ok(_)) => self.lead(""),
            Asked::Said(Err(failure)) => self.pressed_twice(failure, done).await,
            Asked::UnderWay => self.lead(&format!("?asked={}", (self.console.clock)().as_second())),
        }
    }

    /// Ask for the plan that undoes the run, and show that one.
    async fn undone(&self) -> Result<Response, Fault> {
        let now = (self.console.clock)();
        let new = run_of(&self.form, now);
        let event = json!({"action": "undo", "run": self.id, "as": new});
        let query = match self.console.run(&self.person, event).await? {
            Asked::Said(Err(failure)) if !is_of(&failure, &new) => return self.refused(failure).await,
            Asked::Said(_) => String::new(),
            Asked::UnderWay => {
                let undoes = Some(self.known_id().to_owned());
                Wish { new: Some(now.as_second()), undoes, ..Wish::default() }.query()
            }
        };
        page::redirect(StatusCode::SEE_OTHER, &format!("{}/runs/{new}{query}", self.arrival.base))
    }

    /// What was refused because this very run is at work, or is done already, was asked for before: by a double click, or
    /// by somebody else. The person sees the run, and whatever became of it.
    async fn pressed_twice(&self, failure: Box<Failure>, done: &[RunState]) -> Result<Response, Fault> {
        if !matches!(failure.code, Code::Busy | Code::Superseded) {
            return self.refused(failure).await;
        }
        let Some(run) = show::find(&self.console, &self.person, &self.id).await? else {
            return self.refused(failure).await;
        };
        if run.state == RunState::Continuing {
            let standing = Standing::of(&self.console, &self.person.tenant).await?;
            return if standing.has_left(&run) { self.refused(failure).await } else { self.lead("") };
        }
        if done.contains(&run.state) { self.lead("?done=already") } else { self.refused(failure).await }
    }

    /// Save what the form marks; nothing where it marks nothing.
    async fn marked(&self) -> Result<Result<Option<Marks>, Box<Failure>>, Fault> {
        let Some(marks) = marks::changed(&self.form) else { return Ok(Ok(None)) };
        let event = json!({"action": "review", "run": self.id, "marks": marks});
        match self.console.ask(Function::Admin, &self.person, event).await? {
            Ok(answer) => serde_json::from_value(answer)
                .map(|marks| Ok(Some(marks)))
                .map_err(|err| Fault::permanent("the marks of a review cannot be read").because(err)),
            Err(failure) => Ok(Err(failure)),
        }
    }

    /// The page as it was, with what was refused.
    async fn refused(&self, failure: Box<Failure>) -> Result<Response, Fault> {
        let none = Fields::default();
        let status = refusal(&failure);
        let shell = Shell::new(&self.arrival, &self.person, Place::Runs, &none).refused(failure);
        show::shown(&self.console, &self.arrival, status, shell, &self.id, &self.view(), &Wish::default()).await
    }

    fn view(&self) -> View {
        View::of(&query(self.form.text("view").unwrap_or_default()))
    }

    /// To another page of the run. Whatever a form says, it is one of ours and of this run.
    fn lead(&self, to: &str) -> Result<Response, Fault> {
        page::redirect(StatusCode::SEE_OTHER, &format!("{}/runs/{}{to}", self.arrival.base, self.known_id()))
    }

    /// The id, where it can be one.
    fn known_id(&self) -> &str {
        if is_id(&self.id) { &self.id } else { "" }
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
