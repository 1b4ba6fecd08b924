//! Wires function `sync`.
#![recursion_limit = "256"]

use lambda_runtime::{Error, run, service_fn};
use platform::{Aws, Environment};
use sync::Parts;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::log::start();
    let environment = Environment::read();
    let aws = Aws::load().await;
    let parts = &Parts {
        graph: entra::Client::new(
            environment.graph_endpoint(),
            environment.login_endpoint(),
            aws.identity(&environment)?,
            entra::Audiences::parse(environment.identity_audiences())?,
        )?,
        store: aws.tables(&environment)?,
        secrets: aws.secrets(&environment)?,
        queue: aws.queues(&environment)?,
        environment,
    };
    run(service_fn(move |event| sync::handle(parts, event))).await
}
