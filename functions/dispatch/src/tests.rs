//! A caller's mistake is an answer; a fault of the world is the function's.

use engine::ports::{Due, Fault, Item, Key, Listing, Message, NotCommitted, QueueName, Range, Write};
use lambda_runtime::Context;

use super::*;

/// Tables that do not answer.
struct Down;

impl Store for Down {
    async fn get(&self, _: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        Err(Fault::passing("cannot read"))
    }
    async fn list(&self, _: &Range) -> Result<Listing, Fault> {
        Err(Fault::passing("cannot read"))
    }
    async fn commit(&self, _: Vec<Write>) -> Result<(), NotCommitted> {
        Err(Fault::passing("cannot write").into())
    }
    async fn due(&self, _: &str, _: i64, _: usize) -> Result<Vec<Due>, Fault> {
        Err(Fault::passing("cannot read who is due").because("the tables do not answer"))
    }
}

impl Queue for Down {
    async fn send(&self, _: QueueName, _: Vec<Message>) -> Result<(), Fault> {
        Err(Fault::passing("cannot send"))
    }
}

async fn invoke(event: Value, test_clock: &str) -> Result<Value, lambda_runtime::Error> {
    let variables = [("STAGE", "test"), ("TEST_CLOCK", test_clock)];
    let environment = Environment::from_lookup(|name| {
        variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    });
    handle(&Down, &Down, &environment, LambdaEvent::new(event, Context::default())).await
}

#[tokio::test]
async fn s9_bad_input_is_an_answer_and_a_fault_of_the_world_is_seen() {
    for (event, said) in [
        (json!({"now": 5}), "now: expected a string"),
        (json!({"now": "soon"}), "\"now\" is"),
        (json!("now"), "the event is not a JSON object"),
    ] {
        for test_clock in ["on", "off"] {
            let answer = invoke(event.clone(), test_clock).await.unwrap();
            assert_eq!(answer["error"]["code"], "invalid_input", "{answer}");
            assert!(answer["error"]["message"].as_str().unwrap().starts_with(said), "{answer}");
        }
    }
    let fault = invoke(json!({}), "off").await.unwrap_err();
    assert_eq!(fault.to_string(), "cannot read who is due: the tables do not answer");
}
