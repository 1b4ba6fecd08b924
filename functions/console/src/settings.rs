//! Import & Sync: everything that a tenant can set, its secret, and the check of the connection.

pub(crate) mod fields;
mod operators;
mod sent;
mod view;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use directory::{Code, Failure};
use engine::{
    glance::{self, Glance},
    ports::Fault,
};
use platform::Function;
use serde_json::{Value, json};

use self::{
    sent::{Asked, Sent},
    view::{Import, Wrong},
};
use crate::{
    Console,
    arrival::Arrival,
    form::Fields,
    manage::Manager,
    page,
    session::Person,
    shell::{Place, Shell},
};

/// The pages of the settings.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/settings", get(show).post(save))
        .route("/settings/secret", post(secret))
        .route("/settings/test", post(test))
}

/// `GET /settings`
async fn show(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Manager(person): Manager,
    query: Fields,
) -> Response {
    let shell = Shell::new(&arrival, &person, Place::Settings, &query);
    page::answer(&arrival, shown(&console, &arrival, shell, StatusCode::OK, Wrong::default()).await)
}

/// `POST /settings`: the fields of one of the forms, and what they showed.
async fn save(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Manager(person): Manager,
    form: Fields,
) -> Response {
    page::answer(&arrival, saved(&console, &arrival, &person, &form).await)
}

/// `POST /settings/secret`: `ad_key`, perhaps `expires_on`.
async fn secret(
    State(console): State<Arc<Console>>,
    arrival: Arrival,
    Manager(person): Manager,
    form: Fields,
) -> Response {
    page::answer(&arrival, secret_saved(&console, &arrival, &person, &form).await)
}

/// `POST /settings/test`
async fn test(State(console): State<Arc<Console>>, arrival: Arrival, Manager(person): Manager) -> Response {
    page::answer(&arrival, tested(&console, &arrival, &person).await)
}

async fn saved(console: &Console, arrival: &Arrival, person: &Person, form: &Fields) -> Result<Response, Fault> {
    let refuse = |wrong: Wrong, failure: Failure| {
        let shell = Shell::new(arrival, person, Place::Settings, &Fields::default()).refused(Box::new(failure));
        shown(console, arrival, shell, StatusCode::UNPROCESSABLE_ENTITY, wrong)
    };
    let Some(sent) = Sent::read(form) else {
        return refuse(Wrong::default(), Failure::invalid("The form is not complete, and nothing was saved.")).await;
    };
    let glance = match look(console, arrival, person).await? {
        Ok(glance) => glance,
        Err(page) => return Ok(page),
    };
    let present = json!(glance.tenant.settings);
    let Asked { patch, mut expected, superseded } = sent.asks(&present);
    if patch.is_empty() {
        return done(arrival, "unchanged");
    }
    if let Some((failure, blamed)) = operators::reserved(&patch, &glance.tenant.settings) {
        return refuse(Wrong { typed: sent.typed(), blamed: Some(blamed), ..Wrong::default() }, failure).await;
    }
    let connects = patch.keys().any(|key| fields::is_of_the_connection(key));
    if connects {
        // Of which kind the credential is has just decided that it may be saved.
        expected.insert("credential".to_owned(), present["credential"].clone());
    }
    if !superseded.is_empty() {
        return refuse(Wrong { typed: sent.typed(), superseded, ..Wrong::default() }, view::superseded()).await;
    }
    let event = json!({"action": "put_tenant", "settings": patch, "expected": expected});
    match console.ask(Function::Admin, person, event).await? {
        Ok(answer) => done(arrival, if connects { light(&answer, "connected", "saved-unconnected") } else { "saved" }),
        Err(failure) if failure.code == Code::Superseded => {
            // Somebody was quicker by a moment: who, is seen from the settings as they are now.
            let glance = match look(console, arrival, person).await? {
                Ok(glance) => glance,
                Err(page) => return Ok(page),
            };
            let superseded = sent.asks(&json!(glance.tenant.settings)).superseded;
            refuse(Wrong { typed: sent.typed(), superseded, ..Wrong::default() }, view::superseded()).await
        }
        Err(failure) => {
            let (failure, blamed) = view::for_people(*failure, &sent.typed());
            refuse(Wrong { typed: sent.typed(), blamed, ..Wrong::default() }, failure).await
        }
    }
}

async fn secret_saved(console: &Console, arrival: &Arrival, person: &Person, form: &Fields) -> Result<Response, Fault> {
    let ends = form.text("expires_on");
    let ad_key = form.text("ad_key").unwrap_or_default();
    let event = json!({"action": "put_secret", "ad_key": ad_key, "expires_on": ends});
    match console.ask(Function::Admin, person, event).await? {
        Ok(answer) => done(arrival, light(&answer, "secret", "secret-kept")),
        Err(failure) => {
            let (failure, blamed) = view::of_the_secret(*failure);
            let wrong = Wrong { blamed, ends: ends.map(str::to_owned), ..Wrong::default() };
            let shell = Shell::new(arrival, person, Place::Settings, &Fields::default()).refused(Box::new(failure));
            shown(console, arrival, shell, StatusCode::UNPROCESSABLE_ENTITY, wrong).await
        }
    }
}

async fn tested(console: &Console, arrival: &Arrival, person: &Person) -> Result<Response, Fault> {
    match console.ask(Function::Admin, person, json!({"action": "test_connection"})).await? {
        Ok(answer) => done(arrival, light(&answer, "connected", "unconnected")),
        Err(failure) => {
            let shell = Shell::new(arrival, person, Place::Settings, &Fields::default()).refused(failure);
            shown(console, arrival, shell, StatusCode::UNPROCESSABLE_ENTITY, Wrong::default()).await
        }
    }
}

/// Which of two sentences an answer of `admin` stands for.
fn light(answer: &Value, green: &'static str, grey: &'static str) -> &'static str {
    if answer["connection"]["status"] == "green" { green } else { grey }
}

fn done(arrival: &Arrival, what: &str) -> Result<Response, Fault> {
    page::redirect(StatusCode::SEE_OTHER, &format!("{}/settings?done={what}", arrival.base))
}

/// The tenant, or the page that says why there is none.
async fn look(console: &Console, arrival: &Arrival, person: &Person) -> Result<Result<Glance, Response>, Fault> {
    match glance::at(&console.store, &person.tenant, (console.clock)()).await {
        Ok(glance) => Ok(Ok(glance)),
        Err(refused) => {
            let shell = Shell::new(arrival, person, Place::Settings, &Fields::default());
            page::not_shown(arrival, shell, refused).map(Err)
        }
    }
}

async fn shown(
    console: &Console,
    arrival: &Arrival,
    shell: Shell<'_>,
    status: StatusCode,
    wrong: Wrong,
) -> Result<Response, Fault> {
    let glance = match look(console, arrival, shell.person).await? {
        Ok(glance) => glance,
        Err(page) => return Ok(page),
    };
    let by = view::changed_by(&console.store, &shell.person.tenant, &glance, &wrong.superseded).await?;
    Ok(page::render(arrival, status, &Import::new(shell, &glance, &wrong, &by, (console.clock)())))
}
