//! Function `admin`: what operators do with tenants, people, groups and runs.
#![recursion_limit = "256"]

mod event;

use directory::{Failure, Kind};
use engine::{
    by_hand, connection, edits, exemptions, history,
    operator::{Asked, Refused},
    people, place,
    ports::{Clock as _, Graph, Secrets, Store},
    purge, review,
    run::refused,
    sign_in,
    tenants::{self, Patch},
};
use lambda_runtime::{Context, Error, LambdaEvent};
use platform::{Environment, chain};
use serde_json::Value;
use tracing::Instrument as _;

use crate::event::{Action, Event};

/// The parts of the world that outlive an invocation.
pub struct Parts<'a, G, S, X> {
    /// Microsoft.
    pub graph: &'a G,
    /// The tables.
    pub store: &'a S,
    /// The credentials.
    pub secrets: &'a X,
    /// The function's variables.
    pub environment: &'a Environment,
}

/// Carry out what one event asks for. The caller's mistakes and the world's faults are answers, never function errors.
///
/// # Errors
/// None; the signature is the runtime's.
pub async fn handle<G: Graph, S: Store, X: Secrets>(
    parts: &Parts<'_, G, S, X>,
    event: LambdaEvent<Value>,
) -> Result<Value, Error> {
    let (payload, context) = event.into_parts();
    let event = match event::parse(payload) {
        Ok(event) => event,
        Err(failure) => return Ok(refused(&failure)),
    };
    let tenant = event.action.tenant().map(ToString::to_string);
    let span = tracing::info_span!("admin", action = event.name, tenant, request = context.request_id);
    Ok(answer(parts, event, &context).instrument(span).await)
}

async fn answer<G: Graph, S: Store, X: Secrets>(parts: &Parts<'_, G, S, X>, event: Event, context: &Context) -> Value {
    match carry_out(parts, event, context).await {
        Ok(answer) => {
            tracing::info!("done");
            answer
        }
        Err(Refused::Failure(failure)) => {
            tracing::info!(error = failure.code.name(), "refused");
            refused(&failure)
        }
        Err(Refused::Fault(fault)) => {
            tracing::error!(code = context.request_id, "stopped: {}", chain(&fault));
            refused(&Failure::unexpected(&context.request_id))
        }
    }
}

async fn carry_out<G: Graph, S: Store, X: Secrets>(
    parts: &Parts<'_, G, S, X>,
    event: Event,
    context: &Context,
) -> Result<Value, Refused> {
    let Parts { graph, store, secrets, environment } = *parts;
    let test_clock = environment.test_clock().map_err(|bad| {
        tracing::error!("{bad}");
        Failure::unexpected(&context.request_id)
    })?;
    let clock = platform::clock(event.now.as_deref(), test_clock, context.deadline())?;
    let now = clock.now();
    let by = |tenant| Asked { tenant, by: event.by.clone(), now, nonce: context.request_id.clone() };
    match event.action {
        Action::PutTenant { tenant, settings, expected, replace_connection } => {
            let patch = Patch { settings, expected, replace_connection };
            tenants::put_settings((graph, store, secrets), &by(tenant), &patch).await
        }
        Action::GetTenant { tenant } => tenants::get(store, &tenant, now).await,
        Action::ListTenants { cursor } => tenants::list(store, cursor.as_deref(), now).await,
        Action::DeleteTenant { tenant } => purge::delete_tenant((store, secrets, &clock), &by(tenant)).await,
        Action::PutSecret { tenant, ad_key, expires_on } => {
            connection::put_secret((graph, store, secrets), &by(tenant), &ad_key, expires_on).await
        }
        Action::TestConnection { tenant } => connection::test((graph, store, secrets), &by(tenant)).await,
        Action::MoveSecret { tenant, to } => place::move_secret((store, secrets), &by(tenant), to).await,
        Action::EndSessions { tenant } => sign_in::end_all(store, &by(tenant)).await,
        Action::Exempt { tenant, address } => exemptions::exempt(store, &by(tenant), &address).await,
        Action::Unexempt { tenant, address } => exemptions::unexempt(store, &by(tenant), &address).await,
        Action::ListExemptions { tenant, cursor } => exemptions::list(store, &tenant, cursor.as_deref()).await,
        Action::Convert { tenant, address, to, exempt } => {
            edits::convert(store, &by(tenant), &address, to, exempt).await
        }
        Action::PutUser { tenant, user } => by_hand::put_user(store, &by(tenant), &user).await,
        Action::DeleteUser { tenant, address } => edits::delete_user(store, &by(tenant), &address).await,
        Action::ListUsers { tenant, cursor } => people::list(store, &tenant, Kind::User, cursor.as_deref()).await,
        Action::ListGroups { tenant, cursor } => people::list(store, &tenant, Kind::Group, cursor.as_deref()).await,
        Action::Get { tenant, kind, wanted, cursor } => {
            people::get(store, &tenant, kind, &wanted, cursor.as_deref()).await
        }
        Action::ListRuns { tenant, cursor } => history::list_runs(store, &tenant, cursor.as_deref()).await,
        Action::GetRun { tenant, run, cursor } => history::get_run(store, &tenant, &run, cursor.as_deref()).await,
        Action::Review { tenant, run, marks } => review::mark(store, &by(tenant), &run, &marks).await,
    }
}
