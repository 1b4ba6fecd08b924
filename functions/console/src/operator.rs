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

/// Whether somebody operates the service: a member of the group that the operator has named, in the tenant that the
/// domain of its address belongs to. Another tenant may have a group of any name, and it counts for nothing.
///
/// # Errors
/// The store's.
pub(crate) async fn operates(console: &Console, person: &Person) -> Result<bool, Fault> {
    let Some(group) = &console.settings.operator_group else { return Ok(false) };
    let here = sign_in::tenant_of(&console.store, group).await?;
    if here.is_none_or(|here| here.tenant != person.tenant) {
        return Ok(false);
    }
    sign_in::is_member(&console.store, &person.tenant, &person.user, group).await
}

impl FromRequestParts<Arc<Console>> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Response> {
        let arrival = Arrival::from_request_parts(parts, console).await.unwrap_or_else(|never| match never {});
        let person = parts.extensions.get::<Person>().cloned();
        let is = match &person {
            Some(person) => operates(console, person).await,
            None => Ok(false),
        };
        match (is, person) {
            (Ok(true), Some(person)) => Ok(Self(person)),
            (Ok(_), person) => {
                let user = person.as_ref().map(|person| person.user.as_str());
                tracing::warn!(reason = "operator", user, "refused: the page is for the operator");
                Err(page::message(&arrival, StatusCode::FORBIDDEN, NO_OPERATOR, None))
            }
            (Err(fault), _) => Err(page::answer(&arrival, Err(fault))),
        }
    }
}

const NO_OPERATOR: Words = Words {
    title: "This page is for the operator",
    text: "Your account may sign in, but it does not operate this service.",
    help: "Whoever operates this service can add you to its group.",
};
