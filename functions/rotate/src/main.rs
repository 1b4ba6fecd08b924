//! Wires function `rotate`.
#![recursion_limit = "256"]

use lambda_runtime::{Error, run, service_fn};
use platform::{Aws, Environment};
use rotate::Parts;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::log::start();
    let environment = Environment::read();
    let aws = Aws::load().await;
    let parts = &Parts {
        graph: &entra::Client::new(
            environment.graph_endpoint(),
            environment.login_endpoint(),
            // Only client secrets are renewed: nobody signs in with an identity here.
            entra::NoIdentity,
            entra::Audiences::default(),
        )?,
        store: &aws.tables(&environment)?,
        versions: &aws.versions(&environment)?,
        pause: tokio::time::sleep,
        environment: &environment,
    };
    run(service_fn(move |event| rotate::handle(parts, event))).await
}
