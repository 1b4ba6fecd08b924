//! Where a tenant's secret is kept (rule 1.3), as operators choose it.

use directory::Failure;
use serde_json::{Value, json};

use crate::{
    credential,
    operator::{self, Asked, Refused, committed},
    ports::{Moved, Place, Secrets, Store},
};

/// Keep a tenant's secret in another place from now on. Asking again changes nothing.
///
/// # Errors
/// There is no such tenant; its secret is renewed by itself, which only Secrets Manager does.
pub async fn move_secret(
    (store, secrets): (&impl Store, &impl Secrets),
    asked: &Asked,
    place: Place,
) -> Result<Value, Refused> {
    let (tenant, _) = operator::tenant(store, &asked.tenant).await?;
    if place == Place::Kms && credential::renews_itself(&tenant.settings) {
        let message = "to: a secret that is renewed by itself stays in Secrets Manager; turn rotate_secret off first";
        return Err(Failure::invalid(message).into());
    }
    let moved = secrets.move_secret(&asked.tenant, place).await?;
    if moved == Moved::Moved {
        let entry = asked.audit(0, "move_secret", "secret", Value::Null, json!({"place": place}));
        if !committed(store, vec![asked.tenant_is_there(), entry]).await? {
            return Err(operator::raced());
        }
    }
    Ok(
        json!({"tenant": asked.tenant, "moved": moved == Moved::Moved, "place": (moved != Moved::NoSecret).then_some(place)}),
    )
}
