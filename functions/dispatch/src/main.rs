//! Wires function `dispatch`.

use lambda_runtime::{Error, run, service_fn};
use platform::{Aws, Environment};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::log::start();
    let environment = &Environment::read();
    let aws = Aws::load().await;
    let (tables, queues) = (&aws.tables(environment)?, &aws.queues(environment)?);
    run(service_fn(move |event| dispatch::handle(tables, queues, environment, event))).await
}
