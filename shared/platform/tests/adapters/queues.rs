//! Messages: ten in a call, those turned away once more.

use std::time::Duration;

use engine::ports::{Message, Queue, QueueName};
use platform::Queues;
use serde_json::json;

use crate::script::{Script, ok};

fn queues(script: &Script) -> Queues {
    Queues::new(
        aws_sdk_sqs::Client::new(&script.config()),
        "https://sqs.invalid/1/sync",
        "https://sqs.invalid/1/report",
    )
}

fn messages(n: usize) -> Vec<Message> {
    let message =
        |i| Message { group: "contoso".into(), body: format!("{{\"slice\":{i}}}"), delay: Duration::from_millis(1500) };
    (0..n).map(message).collect()
}

#[tokio::test]
async fn messages_go_by_tens_with_group_and_delay() {
    let script = Script::new([ok(r#"{"Successful": [], "Failed": []}"#)]);
    queues(&script).send(QueueName::Report, messages(25)).await.unwrap();
    let asked = script.asked();
    let sizes: Vec<_> = asked.iter().map(|(_, body)| body["Entries"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(asked[0].1["QueueUrl"], json!("https://sqs.invalid/1/report"));
    let first = json!({"Id": "0", "MessageBody": "{\"slice\":0}", "DelaySeconds": 2, "MessageGroupId": "contoso"});
    assert_eq!(asked[0].1["Entries"][0], first);
    let script = Script::new([]);
    queues(&script).send(QueueName::Sync, vec![]).await.unwrap();
    assert!(script.asked().is_empty());
}

#[tokio::test]
async fn what_was_turned_away_is_sent_once_more() {
    let failed = r#"{"Successful": [], "Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": false}]}"#;
    let script = Script::new([ok(failed), ok(r#"{"Successful": [], "Failed": []}"#)]);
    queues(&script).send(QueueName::Sync, messages(3)).await.unwrap();
    assert_eq!(script.asked()[1].1["Entries"].as_array().unwrap().len(), 1);
    let script = Script::new([ok(failed)]);
    let fault = queues(&script).send(QueueName::Sync, messages(3)).await.unwrap_err();
    assert!(fault.passes);
    assert_eq!(fault.what, "1 messages were not sent");
}
