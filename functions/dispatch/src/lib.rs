//! Function `dispatch`: invoked every minute, asks whoever is due to run.

#[cfg(test)]
mod tests;

use engine::{
    dispatch::dispatch,
    ports::{Clock as _, Queue, Store},
    run::refused,
};
use lambda_runtime::LambdaEvent;
use platform::{Environment, chain, event::read, metrics};
use serde::Deserialize;
use serde_json::{Value, json};

/// What the function is invoked with; whatever else a scheduler writes into it is not looked at.
#[derive(Deserialize)]
struct Event {
    now: Option<String>,
}

/// Dispatch once. The event is `{}`, the scheduler's, or carries `now` under the test clock. The caller's mistakes are
/// answers.
///
/// # Errors
/// A fault of the tables or queues, also where a person asks: a scheduled dispatch that fails has to be seen, and the
/// next minute tries again.
pub async fn handle(
    store: &impl Store,
    queue: &impl Queue,
    environment: &Environment,
    event: LambdaEvent<Value>,
) -> Result<Value, lambda_runtime::Error> {
    let (event, context) = event.into_parts();
    let test_clock = environment.test_clock()?;
    let asked = read::<Event>(event).and_then(|Event { now }| {
        let clock = platform::clock(now.as_deref(), test_clock, context.deadline())?;
        Ok((clock.now(), now.is_some()))
    });
    let (now, fixed_clock) = match asked {
        Ok(asked) => asked,
        Err(failure) => return Ok(refused(&failure)),
    };
    let dispatched = dispatch(store, queue, now, fixed_clock).await.map_err(|fault| {
        let why = chain(&fault);
        tracing::error!(error = why, "dispatch failed: tenants stay due, and the next minute tries again");
        why
    })?;
    let overdue = dispatched.oldest_overdue_seconds;
    #[expect(clippy::cast_precision_loss, reason = "seconds and counts are small")]
    metrics::emit(
        environment.stage()?,
        &[
            ("DispatchCompleted", 1.0, metrics::Unit::Count),
            ("RunsDispatched", dispatched.runs as f64, metrics::Unit::Count),
            ("ReportsDispatched", dispatched.reports as f64, metrics::Unit::Count),
            ("OldestOverdueSeconds", overdue as f64, metrics::Unit::Seconds),
        ],
    );
    tracing::info!(runs = dispatched.runs, reports = dispatched.reports, overdue, "dispatched");
    Ok(json!(dispatched))
}
