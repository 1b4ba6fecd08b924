//! Everything that changes something is asked of the functions that operators use too: what is refused, checked and
//! written down is the same whoever asks, and the console itself may write nothing.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use axum::http::StatusCode;
use directory::{Code, Failure, RunId};
use engine::ports::Fault;
use jiff::Timestamp;
use platform::{Function, Functions};
use serde_json::{Value, json};

use crate::{Console, session::Person};

/// How long a person waits for a run before its page shows how far it is.
const SHORTLY: Duration = Duration::from_millis(2_500);

/// An answer under way.
pub type Answer = Pin<Box<dyn Future<Output = Result<Value, Fault>> + Send>>;

/// Who answers.
pub enum Others {
    /// The functions of the stack.
    Deployed(Functions),
    /// The same code in this process.
    Here(Box<dyn Fn(Function, Value) -> Answer + Send + Sync>),
}

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deployed(_) => "Deployed",
            Self::Here(_) => "Here",
        })
    }
}

/// What a function said.
pub(crate) type Said = Result<Value, Box<Failure>>;

/// What became of a run that was asked for.
pub(crate) enum Asked {
    /// It was carried out, or refused, while the person waited.
    Said(Said),
    /// It goes on by itself.
    UnderWay,
}

impl Console {
    /// Ask a function for something of the person's own tenant, in the person's name.
    ///
    /// # Errors
    /// The function was not reached, or failed.
    pub(crate) async fn ask(&self, function: Function, person: &Person, event: Value) -> Result<Said, Fault> {
        said(self.answer(function, named(person, event)).await?)
    }

    /// Ask for a run, and wait for it a little.
    ///
    /// # Errors
    /// The function was not reached, or failed.
    pub(crate) async fn run(&self, person: &Person, event: Value) -> Result<Asked, Fault> {
        match tokio::time::timeout(SHORTLY, self.answer(Function::Sync, named(person, event))).await {
            Ok(answer) => said(answer?).map(Asked::Said),
            Err(_) => Ok(Asked::UnderWay),
        }
    }

    async fn answer(&self, function: Function, event: Value) -> Result<Value, Fault> {
        match &self.others {
            Others::Deployed(functions) => functions.ask(function, &event).await,
            Others::Here(answer) => answer(function, event).await,
        }
    }
}

/// The tenant of an event, and who asks, are the session's, whatever the event says.
fn named(person: &Person, mut event: Value) -> Value {
    event["tenant"] = json!(person.tenant);
    event["by"] = json!(person.by());
    event
}

fn said(mut answer: Value) -> Result<Said, Fault> {
    match answer.get_mut("error").map(Value::take) {
        None => Ok(Ok(answer)),
        // A run that failed is no refusal: it has a record, and the error is part of it.
        Some(error) if error.is_null() || answer.get("run").is_some() => {
            answer["error"] = error;
            Ok(Ok(answer))
        }
        Some(error) => serde_json::from_value(error)
            .map(|failure| Err(Box::new(failure)))
            .map_err(|err| Fault::permanent("a function refused in a way that cannot be read").because(err)),
    }
}

/// The id of a run that is about to be asked for: asking for it twice makes one run.
pub(crate) fn new_run(now: Timestamp) -> Result<RunId, Fault> {
    let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or_default();
    let random = uuid::Uuid::new_v4().as_u128();
    let name = ulid::Ulid::from_parts(milliseconds, random).to_string();
    RunId::try_from(name).map_err(|err| Fault::permanent("cannot name a run").because(err))
}

/// The status of a page that says what was refused: whether it is about what a person asked for, or about the world.
pub(crate) fn refusal(failure: &Failure) -> StatusCode {
    match failure.code {
        Code::InvalidInput | Code::NotFound | Code::Superseded | Code::Expired | Code::Busy => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        _ => StatusCode::BAD_GATEWAY,
    }
}
