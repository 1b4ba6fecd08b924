//! Wires function `rotate`.
#![recursion_limit = "256"]

use engine::ports::{Fault, Rotated, Version, Versions};
use lambda_runtime::{Error, run, service_fn};
use platform::{Aws, Environment};
use rotate::Parts;

/// No versions of secrets are within reach.
struct Unreachable;

fn unreachable<T>() -> Result<T, Fault> {
    Err(Fault::permanent("the versions of secrets are not within reach of this build"))
}

impl Versions for Unreachable {
    async fn rotated(&self, _: &str) -> Result<Option<Rotated>, Fault> {
        unreachable()
    }

    async fn version(&self, _: &Rotated, _: &str) -> Result<Option<Version>, Fault> {
        unreachable()
    }

    async fn put_pending(&self, _: &Rotated, _: &str, _: &Version) -> Result<(), Fault> {
        unreachable()
    }

    async fn make_current(&self, _: &Rotated, _: &str) -> Result<(), Fault> {
        unreachable()
    }
}

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
        versions: &Unreachable,
        pause: tokio::time::sleep,
        environment: &environment,
    };
    run(service_fn(move |event| rotate::handle(parts, event))).await
}
