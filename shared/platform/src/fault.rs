//! What AWS says when it refuses, in our own words: nothing secret, no address, and whether it passes.

use std::{error::Error, time::Duration};

use aws_sdk_dynamodb::{
    config::{SharedAsyncSleep, http::HttpResponse},
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use engine::ports::{Fault, Key};

/// How often a call that AWS turned away without doing anything is tried again.
pub(crate) const RETRIES: u32 = 5;

/// Turn an error of any AWS call into a fault. `what` names what was tried.
pub(crate) fn fault<E>(what: impl Into<String>, err: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let Some(code) = err.code() else {
        let unsent = matches!(err, SdkError::ConstructionFailure(_));
        let fault = if unsent { Fault::permanent(what) } else { Fault::passing(what) };
        return fault.because(chain(err));
    };
    let status = err.raw_response().map_or(0, |response| response.status().as_u16());
    let passes = turned_away(code) || matches!(code, "TransactionInProgressException") || status >= 500;
    let message = without_addresses(err.message().unwrap_or_default());
    let cause = format!("{code}: {message} (request {})", err.request_id().unwrap_or("unknown"));
    if passes { Fault::passing(what).because(cause) } else { Fault::permanent(what).because(cause) }
}

/// AWS had no room for the call and did nothing of it.
pub(crate) fn turned_away(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceededException"
            | "ProvisionedThroughputExceeded"
            | "RequestLimitExceeded"
            | "ThrottlingException"
            | "ThrottlingError"
            | "Throttling"
            | "TooManyRequestsException"
            | "TransactionConflictException"
            | "TransactionConflict"
            | "RequestThrottled"
    )
}

/// Wait before try number `attempt` + 1: anything between nothing and `step` doubled that often, so that callers who
/// met once do not meet again ("full jitter"). Sleeps as the client itself does.
pub(crate) async fn pause(sleep: Option<SharedAsyncSleep>, step: Duration, attempt: u32) {
    let longest = step.saturating_mul(1 << attempt.min(10));
    if let Some(sleep) = sleep {
        sleep_for(&sleep, longest.mul_f64(fastrand::f64())).await;
    }
}

async fn sleep_for(sleep: &SharedAsyncSleep, time: Duration) {
    use aws_sdk_dynamodb::config::AsyncSleep;
    sleep.sleep(time).await;
}

/// An error and its causes, for a log. Not `Debug`, which holds the whole response.
pub fn chain(err: &dyn Error) -> String {
    let mut text = err.to_string();
    let mut cause = err.source();
    while let Some(err) = cause {
        text = format!("{text}: {err}");
        cause = err.source();
    }
    text
}

/// A key for a log: some sort keys are mail addresses.
pub(crate) fn shown(key: &Key) -> String {
    without_addresses(&key.to_string())
}

/// AWS names mail addresses in some messages; logs do not.
pub(crate) fn without_addresses(message: &str) -> String {
    let word = |word| if str::contains(word, '@') { "(address)" } else { word };
    message.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}
