//! Function `report`: daily reports, warnings and the roll-up, asked for by the queue, the scheduler or a person, through
//! the same code; and what becomes of mails that come back, told by SES through the queue.

mod event;
mod returned;
#[cfg(test)]
mod tests;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use directory::Failure;
use engine::{
    ports::{Fault, Mailer, Store},
    report::{Reported, Reporter, Words, Writer},
    run::refused,
};
use lambda_runtime::{Context, Error, LambdaEvent};
use mail::Rendered;
use platform::{Environment, chain, event::is_of_a_queue, metrics};
use serde_json::Value;
use tracing::Instrument as _;

use crate::event::{Asked, What};

/// The parts of the world that outlive an invocation.
pub struct Parts<S, M> {
    /// The tables.
    pub store: S,
    /// The post.
    pub mailer: M,
    /// The function's variables.
    pub environment: Environment,
}

/// Puts facts into words.
const WRITER: Writer = Writer {
    daily: |facts| words(mail::daily(facts)),
    expiry: |facts| words(mail::expiry(facts)),
    roll_up: |facts| words(mail::roll_up(facts)),
};

fn words(Rendered { subject, text, html }: Rendered) -> Words {
    Words { subject, text, html }
}

/// Handle messages of the queue or one direct invocation.
///
/// # Errors
/// The scheduler's roll-up met a fault: Lambda tries it again, and nobody reads an answer.
pub async fn handle<S: Store, M: Mailer>(parts: &Parts<S, M>, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (payload, context) = event.into_parts();
    if !is_of_a_queue(&payload) {
        return direct(parts, payload, &context).await;
    }
    let event: SqsEvent = serde_json::from_value(payload)?;
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        if let Err(why) = queued(parts, &message, &context).await {
            tracing::warn!(message_id = message.message_id, "the message goes back: {why}");
            response.add_failure(message.message_id.unwrap_or_default());
        }
    }
    Ok(serde_json::to_value(response)?)
}

/// One message: done, asking for what cannot be, or given back alone with the reason. What fails for good goes back
/// too: the dead-letter queue is where somebody sees it.
async fn queued<S: Store, M: Mailer>(
    parts: &Parts<S, M>,
    message: &SqsMessage,
    context: &Context,
) -> Result<(), String> {
    let body = serde_json::from_str(message.body.as_deref().unwrap_or_default());
    let body = body.map_err(|_| Failure::invalid("the message is not JSON"));
    let asked = body.and_then(event::read_message).map_err(|failure| format!("it will never be read: {failure}"))?;
    let Some(asked) = asked else {
        tracing::info!("what SES tells of a mail changes nothing");
        return Ok(());
    };
    match one(parts, &asked, context).await {
        // Who is sending it may yet fail, and this message is then the only one left.
        Ok(reported) if reported.busy => Err("another invocation is sending the same mail".to_owned()),
        Ok(_) => Ok(()),
        Err(Failed::Refused(failure)) => {
            tracing::warn!("the message asks for what cannot be: {failure}");
            Ok(())
        }
        Err(Failed::Fault(fault)) => Err(chain(&fault)),
    }
}

async fn direct<S: Store, M: Mailer>(parts: &Parts<S, M>, payload: Value, context: &Context) -> Result<Value, Error> {
    let asked = match event::read(payload) {
        Ok(asked) => asked,
        Err(failure) => return Ok(refused(&failure)),
    };
    // The scheduler says nothing at all; what it asks for is tried again by Lambda, where a person is told.
    let scheduler = matches!(&asked.what, What::Report(request) if request.tenant.is_none() && request.date.is_none());
    match one(parts, &asked, context).await {
        Ok(reported) => Ok(reported.answer),
        Err(Failed::Refused(failure)) => Ok(refused(&failure)),
        Err(Failed::Fault(fault)) if scheduler => Err(chain(&fault).into()),
        Err(Failed::Fault(_)) => Ok(refused(&Failure::unexpected(&context.request_id))),
    }
}

enum Failed {
    Refused(Failure),
    Fault(Fault),
}

async fn one<S: Store, M: Mailer>(parts: &Parts<S, M>, asked: &Asked, context: &Context) -> Result<Reported, Failed> {
    let environment = &parts.environment;
    let variables = || {
        Ok::<_, platform::BadVariable>((environment.test_clock()?, environment.operator_mail()?, environment.stage()?))
    };
    let (test_clock, operator, stage) = variables().map_err(|bad| {
        tracing::error!("{bad}");
        Failed::Fault(Fault::permanent("the function is not set up").because(bad))
    })?;
    let clock = platform::clock(asked.now.as_deref(), test_clock, context.deadline()).map_err(Failed::Refused)?;
    let reporter = Reporter {
        store: &parts.store,
        mailer: &parts.mailer,
        clock: &clock,
        writer: WRITER,
        owner: &context.request_id,
        operator: &operator,
        console: environment.console_url(),
    };
    let tenant = match &asked.what {
        What::Report(request) => request.tenant.as_ref(),
        What::Returned(mail) => Some(&mail.tenant),
    };
    let tenant = tenant.map(ToString::to_string);
    let span = tracing::info_span!("report", tenant, request = context.request_id);
    let work = async {
        match &asked.what {
            What::Report(request) => reporter.report(request).await,
            What::Returned(mail) => reporter.returned(mail).await,
        }
    };
    let outcome = work.instrument(span).await;
    let (sent, failed) = match &outcome {
        Ok(reported) => (reported.sent, 0),
        Err(fault) => {
            tracing::error!(tenant, code = context.request_id, "not reported: {}", chain(fault));
            (0, 1)
        }
    };
    metrics::emit(
        stage,
        &[
            ("ReportsSent", f64::from(sent), metrics::Unit::Count),
            ("ReportsFailed", f64::from(failed), metrics::Unit::Count),
        ],
    );
    outcome.map_err(Failed::Fault)
}
