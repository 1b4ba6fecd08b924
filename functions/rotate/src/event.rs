//! What Secrets Manager invokes the function with. AWS adds keys as it likes: what is unknown is ignored.

use engine::rotate::{Request, Step};
use serde::Deserialize;
use serde_json::Value;

/// What is asked for, and when it takes place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// What.
    pub(crate) request: Request,
    /// The test clock's time.
    pub(crate) now: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Fields {
    step: StepName,
    secret_id: String,
    client_request_token: String,
    #[serde(default, rename = "now")]
    now: Option<String>,
}

/// AWS's documentation writes the steps in one way, and its own functions in the other.
#[derive(Deserialize)]
enum StepName {
    #[serde(rename = "createSecret", alias = "create_secret")]
    Create,
    #[serde(rename = "setSecret", alias = "set_secret")]
    Set,
    #[serde(rename = "testSecret", alias = "test_secret")]
    Test,
    #[serde(rename = "finishSecret", alias = "finish_secret")]
    Finish,
}

/// Read an event.
///
/// # Errors
/// Says what is expected, and not what was there.
pub(crate) fn parse(payload: Value) -> Result<Event, &'static str> {
    let fields: Fields = serde_json::from_value(payload).map_err(|_| {
        "expected an event of Secrets Manager: Step (createSecret, setSecret, testSecret or finishSecret), SecretId and \
         ClientRequestToken"
    })?;
    let Fields { step, secret_id, client_request_token: token, now } = fields;
    let step = match step {
        StepName::Create => Step::Create,
        StepName::Set => Step::Set,
        StepName::Test => Step::Test,
        StepName::Finish => Step::Finish,
    };
    Ok(Event { request: Request { step, secret_id, token }, now })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn r7_3_both_spellings_of_the_steps_are_understood() {
        for (names, step) in [
            (["createSecret", "create_secret"], Step::Create),
            (["setSecret", "set_secret"], Step::Set),
            (["testSecret", "test_secret"], Step::Test),
            (["finishSecret", "finish_secret"], Step::Finish),
        ] {
            for name in names {
                let event = json!({
                    "Step": name, "SecretId": "arn:x", "ClientRequestToken": "token", "RotationToken": "r", "New": {"key": 1},
                });
                let request = Request { step, secret_id: "arn:x".to_owned(), token: "token".to_owned() };
                assert_eq!(parse(event), Ok(Event { request, now: None }));
            }
        }
    }

    #[test]
    fn what_is_no_event_of_secrets_manager_is_refused_without_a_word_of_it() {
        for event in [json!({}), json!("s3cret"), json!({"Step": "s3cret", "SecretId": "x", "ClientRequestToken": "y"})]
        {
            assert!(!parse(event).unwrap_err().contains("s3cret"));
        }
    }
}
