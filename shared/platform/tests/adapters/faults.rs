//! What no emulator does: throttling, conflicts, lost answers.

use engine::ports::{Change, Condition, Fault, Item, Key, NotCommitted, Store, Table, Write};
use platform::Tables;
use serde_json::json;

use crate::script::{Answer, Script, error, ok};

const CONFLICT: &str = r#"{"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict", "Message": "ongoing"}]}"#;
const REFUSED: &str = r#"{"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    "CancellationReasons": [{"Code": "ConditionalCheckFailed"}, {"Code": "TransactionConflict"}]}"#;
const THROTTLED: &str = r#"{"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    "CancellationReasons": [{"Code": "ThrottlingError"}, {"Code": "ProvisionedThroughputExceeded"}]}"#;
const INVALID: &str = r#"{"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    "CancellationReasons": [{"Code": "ValidationError", "Message": "item too large"}, {"Code": "TransactionConflict"}]}"#;

fn tables(script: &Script) -> Tables {
    Tables::new(aws_sdk_dynamodb::Client::new(&script.config()), "control", "directory")
}

fn cancelled(body: &str) -> Answer {
    Answer::Http(400, body.to_owned())
}

fn key(sk: &str) -> Key {
    Key { table: Table::Directory, pk: "A#contoso#0".into(), sk: sk.into() }
}

fn claim() -> Write {
    Write { key: key("ann@contoso.com"), change: Change::Put(Item::new()), only_if: vec![Condition::NoItem] }
}

fn count() -> Write {
    let change = Change::Set { set: Item::new(), add: vec![("n", 1)] };
    Write { key: key("count"), change, only_if: vec![] }
}

async fn commit(script: &Script, writes: Vec<Write>) -> Result<(), NotCommitted> {
    tables(script).commit(writes).await
}

#[track_caller]
fn faulted<T: std::fmt::Debug>(outcome: Result<T, impl Into<NotCommitted>>) -> Fault {
    match outcome.map_err(Into::into) {
        Err(NotCommitted::Fault(fault)) => fault,
        other => panic!("not a fault: {other:?}"),
    }
}

#[tokio::test]
async fn a_conflict_is_tried_again_as_the_same_transaction() {
    let script = Script::new([cancelled(CONFLICT), cancelled(THROTTLED), ok("{}")]);
    commit(&script, vec![claim(), count()]).await.unwrap();
    assert_eq!(script.operations(), ["TransactWriteItems"; 3]);
    let tokens: Vec<_> = script.asked().into_iter().map(|(_, body)| body["ClientRequestToken"].clone()).collect();
    assert!(tokens.iter().all(|token| token == &tokens[0] && token.is_string()), "{tokens:?}");
    assert_eq!(script.pauses(), 2);
}

#[tokio::test]
async fn a_conflict_that_lasts_is_a_passing_fault() {
    let script = Script::new([cancelled(CONFLICT)]);
    let fault = faulted(commit(&script, vec![claim(), count()]).await);
    assert!(fault.passes);
    assert_eq!(script.asked().len(), 6, "once, and five times more");
    let words = format!("{fault}: {}", fault.source.as_ref().unwrap());
    let expected = "cannot commit 2 writes, the first to A#contoso#0 / (address): \
                    A#contoso#0 / count (TransactionConflict: ongoing)";
    assert_eq!(words, expected);
}

#[tokio::test]
async fn a_refusal_is_final_also_beside_a_conflict() {
    let script = Script::new([cancelled(REFUSED)]);
    let outcome = commit(&script, vec![claim(), count()]).await;
    assert!(matches!(outcome, Err(NotCommitted::Refused(positions)) if positions == [0]));
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test]
async fn what_will_fail_again_is_not_tried_again() {
    let script = Script::new([cancelled(INVALID)]);
    assert!(!faulted(commit(&script, vec![claim(), count()]).await).passes);
    assert_eq!(script.asked().len(), 1);
    let script = Script::new([error("AccessDeniedException")]);
    assert!(!faulted(tables(&script).get(&[key("a")]).await).passes);
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test]
async fn a_lost_answer_of_a_transaction_is_asked_for_again() {
    let script = Script::new([Answer::Lost, ok("{}")]);
    commit(&script, vec![claim(), count()]).await.unwrap();
    assert_eq!(script.asked()[0], script.asked()[1], "the same, token and all");
}

#[tokio::test]
async fn a_lost_answer_of_a_single_conditional_write_is_not_mistaken_for_a_refusal() {
    for write in [claim(), count()] {
        for answer in [Answer::Lost, Answer::Http(500, "{}".into())] {
            let script = Script::new([answer, error("ConditionalCheckFailedException")]);
            assert!(faulted(commit(&script, vec![write.clone()]).await).passes);
            assert_eq!(script.asked().len(), 1);
        }
    }
    let plain = Write { only_if: vec![], ..claim() };
    let script = Script::new([Answer::Lost, ok("{}")]);
    commit(&script, vec![plain]).await.unwrap();
}

#[tokio::test]
async fn a_single_write_that_was_turned_away_is_tried_again() {
    let script = Script::new([error("ThrottlingException"), error("TransactionConflictException"), ok("{}")]);
    commit(&script, vec![claim()]).await.unwrap();
    assert_eq!(script.operations(), ["PutItem"; 3]);
    let script = Script::new([error("TransactionConflictException")]);
    let fault = faulted(commit(&script, vec![claim()]).await);
    assert!(fault.passes);
    assert_eq!(script.asked().len(), 6);
    let words = format!("{fault}: {}", fault.source.as_ref().unwrap());
    assert!(!words.contains("ann@contoso.com"), "{words}");
}

#[tokio::test]
async fn keys_that_were_left_out_are_asked_for_again() {
    let first = r#"{"Responses": {"directory": [{"pk": {"S": "A#contoso#0"}, "sk": {"S": "a"}, "n": {"N": "1"}}]},
        "UnprocessedKeys": {"directory": {"ConsistentRead": true,
            "Keys": [{"pk": {"S": "A#contoso#0"}, "sk": {"S": "b"}}]}}}"#;
    let nothing = r#"{"Responses": {}, "UnprocessedKeys": {"directory": {"ConsistentRead": true,
            "Keys": [{"pk": {"S": "A#contoso#0"}, "sk": {"S": "b"}}]}}}"#;
    let last = r#"{"Responses": {"directory": [{"pk": {"S": "A#contoso#0"}, "sk": {"S": "b"}, "n": {"N": "2"}}]}}"#;
    let script = Script::new([ok(first), ok(nothing), ok(last)]);
    let items = tables(&script).get(&[key("b"), key("a"), key("b")]).await.unwrap();
    let numbers: Vec<_> = items.into_iter().map(|item| item.unwrap()["n"].clone()).collect();
    assert_eq!(numbers, [json!(2), json!(1), json!(2)]);
    let asked = script.asked();
    assert_eq!(asked[0].1["RequestItems"]["directory"]["Keys"].as_array().unwrap().len(), 2);
    assert_eq!(asked[1].1["RequestItems"]["directory"]["Keys"].as_array().unwrap().len(), 1);
    assert!(asked.iter().all(|(_, body)| body["RequestItems"]["directory"]["ConsistentRead"] == json!(true)));
    assert_eq!(script.pauses(), 2);
    let script = Script::new([ok(nothing)]);
    assert!(faulted(tables(&script).get(&[key("a"), key("b")]).await).passes);
    assert_eq!(script.asked().len(), 7, "the first brought one nearer, then once and five times more");
}
