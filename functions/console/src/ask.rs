//! Everything that changes something is asked of the functions that operators use too: what is refused, checked and
//! written down is the same whoever asks, and the console itself may write nothing.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use axum::http::StatusCode;
use directory::{Code, Failure, RunId};
use engine::{ports::Fault, run_id};
use jiff::Timestamp;
use platform::{Function, Functions};
use serde_json::{Value, json};

use crate::{Console, form::Fields, session::Person};

/// How long a person waits for a run before its page shows how far it is.
const SHORTLY: Duration = Duration::from_millis(2_500);

/// The name of a form's field that holds the id of the run that it asks for.
const AS: &str = "as";
/// A page gives its form the id of the run that it asks for, and that holds for so long, in milliseconds: the engine takes
/// no id of another time.
const HOLDS: i64 = 10 * 60_000;
/// The clocks of two machines may differ by so much.
const SKEW: i64 = MINUTE;
const MINUTE: i64 = 60_000;

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
pub(crate) fn new_run(now: Timestamp) -> RunId {
    run_id::new(now, uuid::Uuid::new_v4().as_u128())
}

/// The id of the run that a form asks for: the one that its page gave it, so that pressing its button twice asks for one
/// run. Where the page has been open for too long, a new one that is the same for both clicks of a double click.
pub(crate) fn run_of(form: &Fields, now: Timestamp) -> RunId {
    let given = form.text(AS).and_then(|given| Some((given, ulid::Ulid::from_string(given).ok()?)));
    let Some((_, ulid)) = given.filter(|(given, ulid)| ulid.to_string() == *given) else { return new_run(now) };
    let made = i64::try_from(ulid.timestamp_ms()).unwrap_or(i64::MAX);
    let ms = now.as_millisecond();
    let holds = (-SKEW..=HOLDS).contains(&ms.saturating_sub(made));
    let at = if holds { made } else { ms - ms.rem_euclid(MINUTE) };
    run_id::new(Timestamp::from_millisecond(at).unwrap_or(now), ulid.random())
}

/// Whether a refusal says no more than that this very run is at work, or was.
pub(crate) fn is_of(failure: &Failure, run: &RunId) -> bool {
    matches!(failure.code, Code::Busy | Code::Superseded) && failure.run.as_deref() == Some(run.as_str())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, sent: &str, now: &str, expected: Option<&str>) {
        let now: Timestamp = now.parse().unwrap();
        let run = |sent: &str| run_of(&Fields::parse(sent.as_bytes()), now);
        match expected {
            Some(expected) => assert_eq!(run(sent).as_str(), expected, "{name}"),
            None => assert_ne!(run(sent), run(sent), "{name}"),
        }
    }

    #[test]
    #[rustfmt::skip]
    fn s9_a_form_asks_for_the_run_of_its_page() {
        // 2026-11-22T10:00:00Z
        let id = "01M81B5H80ABCDEFGHJKMNPQRS";
        let sent = format!("as={id}");
        check("at once",             &sent, "2026-11-22T10:00:00Z", Some(id));
        check("ten minutes later",   &sent, "2026-11-22T10:10:00Z", Some(id));
        check("a clock behind",      &sent, "2026-11-22T09:59:30Z", Some(id));
        check("a page of an hour",   &sent, "2026-11-22T11:00:20Z", Some("01M81EKCW0ABCDEFGHJKMNPQRS"));
        check("and its second click", &sent, "2026-11-22T11:00:59Z", Some("01M81EKCW0ABCDEFGHJKMNPQRS"));
        check("a page of tomorrow",  &sent, "2026-11-21T10:00:00Z", Some("01M7YRRT80ABCDEFGHJKMNPQRS"));
        for none in ["", "as=", "as=x", "as=01m81b5h80abcdefghjkmnpqrs", "as=../../x", "run=01M81B5H80ABCDEFGHJKMNPQRS"] {
            check(none, none, "2026-11-22T10:00:00Z", None);
        }
    }
}
