//! Function `sync`: runs of one tenant, asked for by the queue or by a person, through the same code.

mod event;

use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use directory::Failure;
use engine::{
    explain::explain,
    lease::Stop,
    ports::{Clock, Graph, Queue, Secrets, Store},
    run::{Request, World, refused},
};
use lambda_runtime::{Context, Error, LambdaEvent};
use platform::{Environment, chain, event::is_of_a_queue, metrics};
use serde_json::{Value, json};
use tracing::Instrument as _;

use crate::event::{Asked, What};

/// The parts of the world that outlive an invocation.
pub struct Parts<G, S, X, Q> {
    /// Microsoft.
    pub graph: G,
    /// The tables.
    pub store: S,
    /// The credentials.
    pub secrets: X,
    /// The queues.
    pub queue: Q,
    /// The function's variables.
    pub environment: Environment,
}

/// Handle messages of the queue or one direct invocation.
///
/// # Errors
/// Only what makes the function itself unusable, such as a missing variable.
pub async fn handle<G: Graph, S: Store, X: Secrets, Q: Queue>(
    parts: &Parts<G, S, X, Q>,
    event: LambdaEvent<Value>,
) -> Result<Value, Error> {
    let (payload, context) = event.into_parts();
    if !is_of_a_queue(&payload) {
        return direct(parts, payload, &context).await;
    }
    let event: SqsEvent = serde_json::from_value(payload)?;
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        if let Err(err) = queued(parts, &message, &context).await {
            tracing::error!(message_id = message.message_id, "{err:#}");
            response.add_failure(message.message_id.unwrap_or_default());
        }
    }
    Ok(serde_json::to_value(response)?)
}

/// One message: done, dropped because another run is at work, or given back alone.
async fn queued<G: Graph, S: Store, X: Secrets, Q: Queue>(
    parts: &Parts<G, S, X, Q>,
    message: &SqsMessage,
    context: &Context,
) -> Result<(), Error> {
    let asked = event::message(message.body.as_deref().unwrap_or_default())
        .map_err(|failure| format!("the message cannot be read and goes to the dead-letter queue: {failure}"))?;
    match one(parts, &asked, context).await {
        Ok(_) => Ok(()),
        Err(Failed::Refused(failure)) => Err(format!("the message cannot be carried out: {failure}").into()),
        // The next invocation goes on with this tenant already.
        Err(Failed::Stopped(Stop::LeaseLost)) => Ok(()),
        Err(Failed::Stopped(stop)) => Err(format!("will try again: {}", chain(&stop)).into()),
    }
}

async fn direct<G: Graph, S: Store, X: Secrets, Q: Queue>(
    parts: &Parts<G, S, X, Q>,
    payload: Value,
    context: &Context,
) -> Result<Value, Error> {
    let asked = match event::direct(payload) {
        Ok(asked) => asked,
        Err(failure) => return Ok(refused(&failure)),
    };
    match one(parts, &asked, context).await {
        Ok(answer) => Ok(answer),
        Err(Failed::Refused(failure)) => Ok(refused(&failure)),
        Err(Failed::Stopped(stop)) => {
            tracing::error!(code = context.request_id, "stopped: {}", chain(&stop));
            Ok(refused(&Failure::unexpected(&context.request_id)))
        }
    }
}

enum Failed {
    Refused(Failure),
    Stopped(Stop),
}

async fn one<G: Graph, S: Store, X: Secrets, Q: Queue>(
    parts: &Parts<G, S, X, Q>,
    asked: &Asked,
    context: &Context,
) -> Result<Value, Failed> {
    let environment = &parts.environment;
    let variables = (|| {
        Ok::<_, platform::BadVariable>((environment.test_clock()?, environment.lease_grace()?, environment.stage()?))
    })();
    let (test_clock, grace, stage): (bool, Duration, &str) = variables.map_err(|bad| {
        tracing::error!("{bad}");
        Failed::Refused(Failure::unexpected(&context.request_id))
    })?;
    let clock = platform::clock(asked.now.as_deref(), test_clock, context.deadline()).map_err(Failed::Refused)?;
    let request = match &asked.what {
        What::Run(request) => request,
        What::Explain { tenant, address } => {
            let explained = explain(&parts.store, tenant, address, clock.now()).await;
            return explained.map_err(|fault| Failed::Stopped(Stop::Fault(fault)))?.map_err(Failed::Refused);
        }
    };
    let world = World {
        graph: &parts.graph,
        store: &parts.store,
        secrets: &parts.secrets,
        queue: &parts.queue,
        clock: &clock,
        owner: &context.request_id,
        grace,
        fixed_clock: asked.now.is_some(),
    };
    let span = tracing::info_span!("run", tenant = %request.tenant, request = context.request_id);
    let before = clock.remaining();
    let answer = world.run(request).instrument(span).await.map_err(Failed::Stopped)?;
    let spent = before.saturating_sub(clock.remaining());
    summary(stage, request, &answer, spent);
    Ok(answer)
}

/// One line and a few numbers for each slice.
fn summary(stage: &str, request: &Request, answer: &Value, spent: Duration) {
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (state, code) = (text("/state"), text("/error/code"));
    let (run, action) = (text("/run"), request.action);
    if state == "failed" {
        tracing::error!(tenant = %request.tenant, run, ?action, error = code, "the run has failed");
    }
    tracing::info!(
        tenant = %request.tenant, run, ?action, state, error = code,
        counts = %answer.get("counts").unwrap_or(&json!({})), milliseconds = u64::try_from(spent.as_millis()).unwrap_or_default(),
        "slice done"
    );
    let one = |is: bool| f64::from(u8::from(is));
    metrics::emit(
        stage,
        &[
            ("Slices", 1.0, metrics::Unit::Count),
            ("RunsFailed", one(state == "failed"), metrics::Unit::Count),
            ("RunsHeld", one(state == "held"), metrics::Unit::Count),
            ("SliceSeconds", spent.as_secs_f64(), metrics::Unit::Seconds),
        ],
    );
}
