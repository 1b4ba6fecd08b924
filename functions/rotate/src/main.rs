//! Wires function `rotate`.

use lambda_runtime::{Error, run, service_fn};
use platform::Environment;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::log::start();
    let environment = &Environment::read();
    run(service_fn(move |event| rotate::handle(environment, event))).await
}
