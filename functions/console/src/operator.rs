//! All tenants at a glance, for the people of the operator: whoever is in one group of the operator's own tenant.

mod csv;
mod list;
mod table;

use std::sync::Arc;

use axum::{
    Router,
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    response::Response,
    routing::get,
};
use directory::{ObjectId, TenantId};
use engine::{ports::Fault, sign_in};

use crate::{
    Console,
    arrival::Arrival,
    page::{self, Words},
    session::Person,
};

/// The pages of the operator.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/operator", get(list::show)).route("/operator.csv", get(csv::export))
}

/// Somebody who operates the service. What they manage does not matter.
#[derive(Debug, Clone)]
pub(crate) struct Operator(pub(crate) Person);

/// Whether a user operates the service: a member of the one group that the operator has named, in the one tenant.
///
/// # Errors
/// The store's.
pub(crate) async fn operates(console: &Console, of: &TenantId, user: &ObjectId) -> Result<bool, Fault> {
    match &console.settings.operator_group {
        Some((tenant, group)) if tenant == of => sign_in::is_member(&console.store, tenant, user, group).await,
        _ => Ok(false),
    }
}

impl FromRequestParts<Arc<Console>> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Response> {
        let arrival = Arrival::from_request_parts(parts, console).await.unwrap_or_else(|never| match never {});
        let person = parts.extensions.get::<Person>().cloned();
        match person {
            Some(person) if person.operates => Ok(Self(person)),
            person => {
                let user = person.as_ref().map(|person| person.user.as_str());
                tracing::warn!(reason = "operator", user, "refused: the page is for the operator");
                Err(page::message(&arrival, StatusCode::FORBIDDEN, NO_OPERATOR, None))
            }
        }
    }
}

const NO_OPERATOR: Words = Words {
    title: "This page is for the operator",
    text: "Your account may sign in, but it does not operate this service.",
    help: "Whoever operates this service can add you to its group.",
};
