//! Wires function `report`.
#![recursion_limit = "256"]

use lambda_runtime::{Error, run, service_fn};
use platform::{Aws, Environment};
use report::Parts;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::log::start();
    let environment = Environment::read();
    let aws = Aws::load().await;
    let parts = &Parts { store: aws.tables(&environment)?, mailer: aws.post(&environment)?, environment };
    run(service_fn(move |event| report::handle(parts, event))).await
}
