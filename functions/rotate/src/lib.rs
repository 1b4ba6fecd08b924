//! Function `rotate`: invoked by Secrets Manager, renews a tenant's client secret step by step.

use lambda_runtime::LambdaEvent;
use platform::Environment;
use serde_json::Value;

/// One step of a rotation.
///
/// # Errors
/// The step was not done: Secrets Manager tries it again.
pub async fn handle(_: &Environment, _: LambdaEvent<Value>) -> Result<Value, lambda_runtime::Error> {
    Err("secrets are not renewed yet".into())
}
