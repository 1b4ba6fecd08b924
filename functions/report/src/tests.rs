//! The handler's three fates for a message, and its two kinds of answer.

use engine::ports::{Due, Item, Key, Letter, Listing, NotCommitted, Range, Write};
use serde_json::json;

use super::*;

/// Tables that hold nobody, and of which the tenant `down` cannot be read for a while and `broken` never.
struct Nobody;

impl Store for Nobody {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        match keys.first().map(|key| key.pk.as_str()) {
            Some("T#down") => Err(Fault::passing("the tables do not answer")),
            Some("T#broken") => Err(Fault::permanent("the item is damaged")),
            _ => Ok(vec![None; keys.len()]),
        }
    }
    async fn list(&self, _: &Range) -> Result<Listing, Fault> {
        Ok(Listing::default())
    }
    async fn commit(&self, _: Vec<Write>) -> Result<(), NotCommitted> {
        Ok(())
    }
    async fn due(&self, _: &str, _: i64, _: usize) -> Result<Vec<Due>, Fault> {
        Ok(Vec::new())
    }
}

/// A post that turns every mail away.
struct Full;

impl Mailer for Full {
    async fn send(&self, _: &Letter) -> Result<String, Fault> {
        Err(Fault::passing("too many mails").nothing_done())
    }
}

async fn invoke(event: Value) -> Result<Value, Error> {
    let variables = [("STAGE", "test"), ("TEST_CLOCK", "on"), ("OPERATOR_MAIL", "operator@example.com")];
    let environment = Environment::from_lookup(|name| {
        variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    });
    let parts = Parts { store: Nobody, mailer: Full, environment };
    let mut context = Context::default();
    context.request_id = "request-1".to_owned();
    context.deadline = 4_000_000_000_000;
    handle(&parts, LambdaEvent::new(event, context)).await
}

#[tokio::test]
async fn a_message_that_was_not_carried_out_goes_back_and_alone() {
    let record = |id: &str, body: Value| json!({"messageId": id, "body": body.to_string()});
    let mut unread = record("unread", json!(null));
    unread["body"] = json!("not JSON");
    let event = json!({"Records": [
        record("unknown", json!({"tenant": "nobody", "date": "2026-11-21", "now": "2026-11-22T07:00:00Z"})),
        record("down", json!({"tenant": "down", "date": "2026-11-21"})),
        record("broken", json!({"tenant": "broken", "date": "2026-11-21"})),
        unread,
        record("post full", json!({"date": "2026-11-21"})),
    ]});
    let failures = invoke(event).await.unwrap();
    let ids: Vec<_> =
        failures["batchItemFailures"].as_array().unwrap().iter().map(|one| one["itemIdentifier"].clone()).collect();
    assert_eq!(ids, ["down", "broken", "unread", "post full"]);
}

#[tokio::test]
async fn r4_2_what_ses_tells_is_acknowledged_unless_it_cannot_be_read_or_noted() {
    let told = |id: &str, tenant: Value, kind: &str| {
        let mail = json!({"timestamp": "2026-11-22T07:00:02.012Z", "tags": {"tenant": tenant}});
        let bounce = json!({"bounceType": kind, "bouncedRecipients": [{"emailAddress": "it@contoso.com"}]});
        let detail = json!({"eventType": "Bounce", "mail": mail, "bounce": bounce});
        let body = json!({"source": "aws.ses", "detail-type": "Email Bounced", "detail": detail});
        json!({"messageId": id, "body": body.to_string()})
    };
    let event = json!({"Records": [
        told("unknown", json!(["nobody"]), "Permanent"),
        told("passes", json!(["down"]), "Transient"),
        told("the operator's", json!([]), "Permanent"),
        told("unread", json!(5), "Permanent"),
        told("down", json!(["down"]), "Permanent"),
        json!({"messageId": "bare", "body": json!({"detail-type": null}).to_string()}),
    ]});
    let failures = invoke(event).await.unwrap();
    let ids: Vec<_> =
        failures["batchItemFailures"].as_array().unwrap().iter().map(|one| one["itemIdentifier"].clone()).collect();
    assert_eq!(ids, ["unread", "down", "bare"]);
    let by_hand = invoke(json!({"source": "aws.ses", "detail-type": "Email Bounced", "detail": {}})).await.unwrap();
    assert_eq!(by_hand["error"]["code"], "invalid_input", "events come through the queue: {by_hand}");
}

#[tokio::test]
async fn s9_a_person_is_told_what_is_wrong_and_never_by_a_function_error() {
    for (event, code, said) in [
        (json!({"tenant": "nobody"}), "not_found", "there is no tenant nobody"),
        (json!({"tenant": "nobody", "date": "soon"}), "invalid_input", "date: expected a day such as 2026-11-21"),
        (json!({"now": "soon"}), "invalid_input", "\"now\" is not a time"),
        (json!({"Records": "all"}), "invalid_input", "unknown field `Records`"),
        (json!({"Records": [5]}), "invalid_input", "unknown field `Records`"),
        (json!({"tenant": "down"}), "unexpected", "quoting request-1"),
        (json!({"tenant": "broken"}), "unexpected", "quoting request-1"),
        (json!({"date": "2026-11-21"}), "unexpected", "quoting request-1"),
    ] {
        let answer = invoke(event).await.unwrap();
        assert_eq!(answer["error"]["code"], code, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(said), "{answer}");
    }
}

#[tokio::test]
async fn r6_8_the_schedulers_roll_up_is_tried_again() {
    assert_eq!(invoke(json!({})).await.unwrap_err().to_string(), "too many mails");
    let preview = invoke(json!({"preview": true, "now": "2026-11-22T07:00:00Z"})).await.unwrap();
    assert_eq!(preview["subject"], "[Azure AD Roll-up] 2026-11-21 – OK – 0 tenants");
}
