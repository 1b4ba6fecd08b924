//! The other functions of a stack, as the console asks them: one question, one answer, never asked twice by itself.

use std::time::Duration;

use aws_sdk_lambda::{Client, primitives::Blob};
use engine::ports::Fault;
use serde_json::Value;

use crate::{Environment, environment::BadVariable, fault::fault};

/// How long an answer may take: the HTTP API in front of the console waits 30 seconds for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(25);

/// A function that answers direct invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Tenants, secrets, exemptions, users.
    Admin,
    /// Runs.
    Sync,
    /// Mails.
    Report,
}

/// The functions by their names.
#[derive(Debug, Clone)]
pub struct Functions {
    client: Client,
    admin: String,
    sync: String,
    report: String,
}

impl Functions {
    /// The functions that the variables name.
    pub(crate) fn new(client: Client, environment: &Environment) -> Result<Self, BadVariable> {
        let (admin, sync) = (environment.admin_function()?.to_owned(), environment.sync_function()?.to_owned());
        Ok(Self { client, admin, sync, report: environment.report_function()?.to_owned() })
    }

    /// What a function answers to an event. Whoever stops waiting does not stop the function.
    ///
    /// # Errors
    /// The function was not reached, or failed itself; what it refuses is an answer.
    pub async fn ask(&self, function: Function, event: &Value) -> Result<Value, Fault> {
        let name = match function {
            Function::Admin => &self.admin,
            Function::Sync => &self.sync,
            Function::Report => &self.report,
        };
        let call = self.client.invoke().function_name(name).payload(Blob::new(event.to_string()));
        let output = call.send().await.map_err(|err| fault(format!("cannot invoke the function {name}"), &err))?;
        if let Some(kind) = output.function_error {
            return Err(Fault::passing(format!("the function {name} failed: {kind}")));
        }
        let answer = output.payload.unwrap_or_else(|| Blob::new(""));
        serde_json::from_slice(answer.as_ref())
            .map_err(|err| Fault::permanent(format!("the function {name} answered no JSON")).because(err))
    }
}
