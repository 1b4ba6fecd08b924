//! Function `dispatch`: invoked every minute, asks whoever is due to run.

use engine::{
    dispatch::dispatch,
    ports::{Queue, Store},
    run::refused,
};
use jiff::Timestamp;
use lambda_runtime::LambdaEvent;
use platform::{Environment, metrics};
use serde_json::{Value, json};

/// Dispatch once. The event is `{}`, the scheduler's, or carries `now` under the test clock.
///
/// # Errors
/// A fault of the tables or queues: the scheduler tries again, and alarms when it goes on.
pub async fn handle(
    store: &impl Store,
    queue: &impl Queue,
    environment: &Environment,
    event: LambdaEvent<Value>,
) -> Result<Value, lambda_runtime::Error> {
    let (event, context) = event.into_parts();
    let clock = match platform::clock(
        event.get("now").and_then(Value::as_str),
        environment.test_clock()?,
        context.deadline(),
    ) {
        Ok(clock) => clock,
        Err(failure) => return Ok(refused(&failure)),
    };
    let now: Timestamp = engine::ports::Clock::now(&clock);
    let dispatched = dispatch(store, queue, now, event.get("now").is_some()).await.inspect_err(|fault| {
        tracing::error!(error = %chain(fault), "dispatch failed: tenants stay due, and the next minute tries again");
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

fn chain(fault: &engine::ports::Fault) -> String {
    let cause = std::error::Error::source(fault).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{fault}{cause}")
}
