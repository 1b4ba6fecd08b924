//! Function `rotate`: invoked by Secrets Manager, renews a tenant's client secret step by step.

mod event;

use std::time::Duration;

use engine::{
    operator::Refused,
    ports::{Graph, Store, Versions},
    rotate::{Request, Rotator},
};
use lambda_runtime::{Context, Error, LambdaEvent};
use platform::{Environment, chain};
use serde_json::{Value, json};
use tracing::Instrument as _;

use crate::event::Event;

/// The parts of the world that outlive an invocation.
#[derive(Debug)]
pub struct Parts<'a, G, S, V, P> {
    /// Microsoft.
    pub graph: &'a G,
    /// The tables.
    pub store: &'a S,
    /// The versions of secrets.
    pub versions: &'a V,
    /// Lets time pass.
    pub pause: P,
    /// The function's variables.
    pub environment: &'a Environment,
}

/// One step of a rotation.
///
/// # Errors
/// The step was not done, and why: Secrets Manager only hears of it from a function that fails, and tries again.
pub async fn handle<G: Graph, S: Store, V: Versions, P: AsyncFn(Duration)>(
    parts: &Parts<'_, G, S, V, P>,
    event: LambdaEvent<Value>,
) -> Result<Value, Error> {
    let (payload, context) = event.into_parts();
    let Event { request, now } = event::parse(payload)?;
    let span = tracing::info_span!("rotate", step = ?request.step, request = context.request_id);
    step(parts, &request, now.as_deref(), &context).instrument(span).await?;
    Ok(json!({"done": true}))
}

async fn step<G: Graph, S: Store, V: Versions, P: AsyncFn(Duration)>(
    parts: &Parts<'_, G, S, V, P>,
    request: &Request,
    now: Option<&str>,
    context: &Context,
) -> Result<(), Error> {
    let clock = platform::clock(now, parts.environment.test_clock()?, context.deadline())?;
    let rotator = Rotator {
        graph: parts.graph,
        store: parts.store,
        versions: parts.versions,
        clock: &clock,
        pause: &parts.pause,
        nonce: &context.request_id,
    };
    match rotator.rotate(request).await {
        Ok(()) => {
            tracing::info!("done");
            Ok(())
        }
        Err(Refused::Failure(failure)) => {
            tracing::warn!(code = failure.code.name(), "not done: {failure}");
            Err(format!("{failure} ({}): {}", failure.code.name(), failure.help).into())
        }
        Err(Refused::Fault(fault)) => {
            tracing::error!("stopped: {}", chain(&fault));
            Err(chain(&fault).into())
        }
    }
}
