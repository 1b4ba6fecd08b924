//! What functions are invoked with: read strictly, refused by the name of the field and never by its value, since people
//! paste secrets into the wrong one.

use directory::{Failure, RunId, TenantId};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::Value;

/// Read the fields of an event.
///
/// # Errors
/// `invalid_input` that names the field and says what is expected there.
pub fn read<T: DeserializeOwned>(event: Value) -> Result<T, Failure> {
    if !event.is_object() {
        return Err(Failure::invalid("the event is not a JSON object"));
    }
    serde_path_to_error::deserialize(event).map_err(|err| {
        let text = err.inner().to_string();
        let path = err.path().to_string();
        let named = text.starts_with("unknown field") || text.starts_with("missing field");
        Failure::invalid(if path == "." || named { expected(&text) } else { format!("{path}: {}", expected(&text)) })
    })
}

/// The part of what serde says that does not repeat the value.
fn expected(text: &str) -> String {
    let whole = ["unknown field", "missing field", "expected "].iter().any(|start| text.starts_with(start));
    let from = if whole { Some(0) } else { text.rfind(", expected").map(|at| at + ", ".len()) };
    from.map_or("wrong value", |from| &text[from..]).to_owned()
}

/// Whether a queue brings this: its records are messages.
pub fn is_of_a_queue(event: &Value) -> bool {
    let is_message = |record: &Value| record["messageId"].is_string() && record["body"].is_string();
    event["Records"].as_array().is_some_and(|records| records.iter().all(is_message))
}

/// For `deserialize_with`: a tenant's id.
///
/// # Errors
/// Says what is expected.
pub fn tenant<'de, D: Deserializer<'de>>(from: D) -> Result<TenantId, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| D::Error::custom("expected a tenant id: 1 to 40 of a-z, 0-9 and -"))
}

/// For `deserialize_with`: a tenant's id, or none.
///
/// # Errors
/// Says what is expected.
pub fn some_tenant<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TenantId>, D::Error> {
    given(from, tenant)
}

/// For `deserialize_with`: a run's id.
///
/// # Errors
/// Says what is expected.
pub fn run<'de, D: Deserializer<'de>>(from: D) -> Result<RunId, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| D::Error::custom("expected a run id: the 26 characters that a run's answer names"))
}

/// For `deserialize_with`: a run's id, or none.
///
/// # Errors
/// Says what is expected.
pub fn some_run<'de, D: Deserializer<'de>>(from: D) -> Result<Option<RunId>, D::Error> {
    given(from, run)
}

fn given<'de, D: Deserializer<'de>, T>(
    from: D,
    read: impl FnOnce(Value) -> Result<T, serde_json::Error>,
) -> Result<Option<T>, D::Error> {
    match Value::deserialize(from)? {
        Value::Null => Ok(None),
        value => read(value).map(Some).map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "what is read is not looked at")]
    struct Event {
        #[serde(deserialize_with = "tenant")]
        tenant: TenantId,
        #[serde(default, deserialize_with = "some_run")]
        run: Option<RunId>,
        #[serde(default)]
        full: bool,
        action: Option<Action>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Action {
        Sync,
    }

    #[test]
    #[rustfmt::skip]
    fn s9_refusals_name_the_field_and_never_the_value() {
        check("not an object",      json!("secret"),                                       "the event is not a JSON object");
        check("no tenant",          json!({}),                                             "missing field `tenant`");
        check("an unknown key",     json!({"tenant": "a", "to": 1}),                       "unknown field `to`, expected one of `tenant`, `run`, `full`, `action`");
        check("a bad tenant",       json!({"tenant": "Secret"}),                           "tenant: expected a tenant id: 1 to 40 of a-z, 0-9 and -");
        check("a tenant of bits",   json!({"tenant": 5}),                                  "tenant: expected a string");
        check("a bad run",          json!({"tenant": "a", "run": "secret"}),               "run: expected a run id: the 26 characters that a run's answer names");
        check("a run of bits",      json!({"tenant": "a", "run": 5}),                      "run: expected a string");
        check("a wrong type",       json!({"tenant": "a", "full": "secret"}),              "full: expected a boolean");
        check("a hostile value",    json!({"tenant": "a", "full": "I expected a secret"}), "full: expected a boolean");
        check("no such action",     json!({"tenant": "a", "action": "secret"}),            "action: expected `sync`");
    }

    #[track_caller]
    fn check(name: &str, event: Value, expected: &str) {
        assert_eq!(read::<Event>(event).unwrap_err().message, expected, "{name}");
    }

    #[test]
    fn what_is_not_there_is_none() {
        assert!(read::<Event>(json!({"tenant": "a", "run": null})).is_ok());
        assert!(is_of_a_queue(&json!({"Records": [{"messageId": "1", "body": "{}"}]})));
        assert!(!is_of_a_queue(&json!({"Records": [5]})) && !is_of_a_queue(&json!({"Records": "all"})));
        assert!(!is_of_a_queue(&json!({})) && !is_of_a_queue(&json!("Records")));
    }
}
