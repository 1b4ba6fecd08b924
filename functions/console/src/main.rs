//! Wires function `console`.
#![recursion_limit = "256"]

use std::time::SystemTime;

use console::{Console, Others, Secret, Settings};
use engine::ports::Clock as _;
use lambda_http::{Error, lambda_runtime, service_fn};
use platform::{Aws, Environment};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::log::start();
    let environment = Environment::read();
    let settings = Settings::read()?;
    let aws = Aws::load().await;
    let clock = platform::clock(None, false, SystemTime::UNIX_EPOCH)?;
    let console = Console {
        store: aws.tables(&environment)?,
        others: Others::Deployed(aws.functions(&environment)?),
        microsoft: entra::openid::SignIn::new(environment.login_endpoint())?,
        session_key: Secret::Named(aws.named_secret(&settings.session_key_secret)),
        client_secret: settings.client_secret.as_ref().map(|name| Secret::Named(aws.named_secret(name))),
        settings,
        clock: Box::new(move || clock.now()),
    };
    let router = console::router(console);
    lambda_runtime::run(service_fn(move |event| console::answer(router.clone(), event))).await
}
