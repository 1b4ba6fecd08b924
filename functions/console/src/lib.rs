//! Function `console`: pages for people, over an HTTP API: sign-in with Microsoft (section 8), and what the administrators
//! of a tenant manage.
//!
//! The function keeps nothing: what it must know again is with the browser, sealed, and is looked up anew each time.
#![recursion_limit = "256"]

mod arrival;
mod ask;
mod assets;
mod audit;
mod callback;
mod cookies;
mod destination;
mod event;
mod exemptions;
mod fit;
mod form;
mod health;
mod home;
mod manage;
mod mark;
mod moment;
mod operator;
mod overview;
mod page;
mod people;
mod reports;
mod runs;
mod session;
mod settings;
mod shell;
mod start;
mod transaction;
mod variables;

use std::{fmt, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn_with_state,
    routing::{get, post},
};
use engine::ports::Fault;
use entra::openid::{Application, SignIn};
use jiff::Timestamp;
use platform::{NamedSecret, Tables};
use secrecy::SecretString;

pub use ask::{Answer, Others};
pub use event::answer;
pub use variables::{BadSetting, Settings};

/// No form of the sign-in is larger.
const LARGEST_BODY: usize = 4 * 1024;

/// The parts of the world that outlive a request.
pub struct Console {
    /// The tables.
    pub store: Tables,
    /// The functions that change things.
    pub others: Others,
    /// Microsoft.
    pub microsoft: SignIn,
    /// What cookies are sealed with.
    pub session_key: Secret,
    /// The client secret of the application that signs people in; a public client has none.
    pub client_secret: Option<Secret>,
    /// The function's variables.
    pub settings: Settings,
    /// What time it is.
    pub clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Console({:?})", self.settings)
    }
}

/// Where a secret comes from.
#[derive(Debug)]
pub enum Secret {
    /// Secrets Manager.
    Named(NamedSecret),
    /// It is at hand.
    Known(SecretString),
}

impl Secret {
    /// Its value.
    ///
    /// # Errors
    /// Secrets Manager's.
    pub async fn read(&self) -> Result<SecretString, Fault> {
        match self {
            Self::Named(secret) => secret.read().await,
            Self::Known(secret) => Ok(secret.clone()),
        }
    }
}

impl Console {
    /// The client secret, where there is one.
    async fn client_secret(&self) -> Result<Option<SecretString>, Fault> {
        match &self.client_secret {
            Some(secret) => secret.read().await.map(Some),
            None => Ok(None),
        }
    }
}

/// Where Microsoft sends people back to.
fn redirect(base: &str) -> String {
    format!("{base}/signin/callback")
}

/// The application that signs people in, as it stands at this address.
fn application<'a>(client_id: &'a str, secret: Option<&'a SecretString>, redirect: &'a str) -> Application<'a> {
    Application { client_id, secret, redirect }
}

/// Every page, and the headers and the log that all of them share.
pub fn router(console: Console) -> Router {
    let console = Arc::new(console);
    // One door to everything that somebody has to be signed in for.
    let door = from_fn_with_state(Arc::clone(&console), manage::admit);
    let behind = Router::new()
        .merge(settings::routes())
        .merge(runs::routes())
        .merge(people::routes())
        .merge(exemptions::routes())
        .merge(reports::routes())
        .merge(audit::routes())
        .merge(operator::routes())
        .route_layer(door);
    Router::new()
        .route("/", get(home::home))
        .route("/signin", get(start::start))
        .route("/signin/microsoft", get(start::microsoft))
        .route("/signin/callback", get(callback::callback))
        .route("/signout", post(home::sign_out))
        .route(assets::style_path(), get(assets::style))
        .route(assets::script_path(), get(assets::script))
        .merge(behind)
        .fallback(home::nothing_here)
        .method_not_allowed_fallback(home::not_so)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(Arc::clone(&console), arrival::arrive))
        .with_state(console)
}
