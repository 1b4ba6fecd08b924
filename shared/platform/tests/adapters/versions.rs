//! A secret that is renewed: its versions, and switching the renewal on and off.

use engine::ports::{Rotated, Secrets, Version, Versions};
use platform::SecretsManager;
use serde_json::{Value, json};

use crate::{
    script::{Answer, Script, error, ok},
    secrets,
};

const NAME: &str = "entra-sync/prod/contoso";
const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:entra-sync/prod/contoso-AbC123";
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:entra-sync-prod-rotate";

fn versions(script: &Script) -> SecretsManager {
    SecretsManager::new(aws_sdk_secretsmanager::Client::new(&script.config()), "entra-sync/prod/")
}

/// As DescribeSecret answers.
fn described(enabled: bool, labels: Value) -> Answer {
    let secret = json!({"ARN": ARN, "Name": NAME, "RotationEnabled": enabled, "RotationLambdaARN": FUNCTION,
        "VersionIdsToStages": labels});
    ok(&secret.to_string())
}

fn rotated() -> Rotated {
    Rotated {
        tenant: "contoso".parse().unwrap(),
        name: NAME.into(),
        mark: format!("{NAME}-AbC123"),
        enabled: true,
        current: Some("v1".into()),
        previous: Some("v0".into()),
        pending: Some("v2".into()),
    }
}

fn content() -> Version {
    let ends = "2027-05-21T10:00:00Z".parse().ok();
    Version { ad_key: "s3cret".into(), key_id: Some("k2".into()), ends, retires: vec!["k1".into()] }
}

#[tokio::test]
async fn s7_3_a_secret_is_known_by_its_name_and_its_arn() {
    let labels = json!({"v0": ["AWSPREVIOUS"], "v1": ["AWSCURRENT"], "v2": ["AWSPENDING"]});
    for id in [NAME, ARN] {
        let script = Script::new([described(true, labels.clone())]);
        assert_eq!(versions(&script).rotated(id).await.unwrap(), Some(rotated()));
        assert_eq!(script.asked(), [("DescribeSecret".to_owned(), json!({"SecretId": id}))]);
    }
    let script = Script::new([described(true, json!({"v1": ["AWSCURRENT", "AWSPENDING"]}))]);
    let done = versions(&script).rotated(NAME).await.unwrap().unwrap();
    assert_eq!((done.current, done.pending, done.previous), (Some("v1".into()), Some("v1".into()), None));
    let enabled = async |answer| versions(&Script::new([answer])).rotated(NAME).await.unwrap().unwrap().enabled;
    assert!(!enabled(described(false, json!({}))).await, "it was switched off");
    assert!(enabled(ok(r#"{"Name": "entra-sync/prod/contoso"}"#)).await, "it may be being switched on");
}

#[tokio::test]
async fn what_is_not_ours_is_not_even_looked_at() {
    let script = Script::new([error("AccessDeniedException")]);
    let others = [
        "entra-sync/test/contoso",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:other/entra-sync/prod/contoso-AbC123",
        "arn:aws:kms:eu-west-1:123456789012:key/entra-sync/prod/",
        "",
    ];
    for other in others {
        assert_eq!(versions(&script).rotated(other).await.unwrap(), None, "{other}");
    }
    assert!(script.asked().is_empty());
    for answer in [
        error("ResourceNotFoundException"),
        ok(r#"{"Name": "entra-sync/prod/contoso", "DeletedDate": 1795000000}"#),
        ok(r#"{"Name": "entra-sync/prod/Not A Tenant"}"#),
    ] {
        assert_eq!(versions(&Script::new([answer])).rotated(NAME).await.unwrap(), None);
    }
}

#[tokio::test]
async fn s7_3_a_version_holds_what_was_put_or_nothing_yet() {
    let script = Script::new([ok("{}")]);
    versions(&script).put_pending(&rotated(), "v2", &content()).await.unwrap();
    let body = r#"{"ad_key":"s3cret","ends":"2027-05-21T10:00:00Z","key_id":"k2","retires":["k1"]}"#;
    let expected =
        json!({"SecretId": NAME, "ClientRequestToken": "v2", "SecretString": body, "VersionStages": ["AWSPENDING"]});
    assert_eq!(script.asked(), [("PutSecretValue".to_owned(), expected)]);

    let script = Script::new([ok(&json!({"SecretString": body}).to_string())]);
    let read = versions(&script).version(&rotated(), "v2").await.unwrap().unwrap();
    assert_eq!((read.key_id, read.ends, read.retires), (content().key_id, content().ends, content().retires));
    let expected = json!({"SecretId": NAME, "VersionId": "v2"});
    assert_eq!(script.asked(), [("GetSecretValue".to_owned(), expected)]);

    let saved = ok(r#"{"SecretString": "{\"ad_key\": \"s3cret\"}"}"#);
    assert_eq!(versions(&Script::new([saved])).version(&rotated(), "v1").await.unwrap().unwrap().key_id, None);
    let empty = Script::new([error("ResourceNotFoundException")]);
    assert!(versions(&empty).version(&rotated(), "v2").await.unwrap().is_none());
    let wrong = Script::new([ok(r#"{"SecretString": "s3cret"}"#)]);
    let fault = versions(&wrong).version(&rotated(), "v2").await.unwrap_err();
    assert!(!fault.passes && !format!("{fault:?}").contains("s3cret"), "{fault:?}");
}

#[tokio::test]
async fn a_version_that_somebody_else_made_is_met_again_by_the_next_try() {
    let script = Script::new([error("ResourceExistsException")]);
    let fault = versions(&script).put_pending(&rotated(), "v2", &content()).await.unwrap_err();
    assert!(fault.passes && fault.nothing_done);
}

#[tokio::test]
async fn s7_3_a_version_becomes_the_current_one_once() {
    let script = Script::new([ok("{}")]);
    versions(&script).make_current(&rotated(), "v2").await.unwrap();
    let expected = json!({"SecretId": NAME, "VersionStage": "AWSCURRENT", "MoveToVersionId": "v2",
        "RemoveFromVersionId": "v1"});
    assert_eq!(script.asked(), [("UpdateSecretVersionStage".to_owned(), expected)]);

    versions(&script).make_current(&rotated(), "v1").await.unwrap();
    assert_eq!(script.asked().len(), 1, "it is current already");

    let refused = || error("InvalidParameterException");
    let moved = Script::new([refused(), described(true, json!({"v1": ["AWSPREVIOUS"], "v2": ["AWSCURRENT"]}))]);
    versions(&moved).make_current(&rotated(), "v2").await.unwrap();
    let other = Script::new([refused(), described(true, json!({"v3": ["AWSCURRENT"]}))]);
    assert!(!versions(&other).make_current(&rotated(), "v2").await.unwrap_err().passes);
}

/// Start or stop the renewal, and name the calls that it took.
async fn started(answers: impl IntoIterator<Item = Answer>) -> (Option<bool>, Vec<(String, Value)>) {
    let script = Script::new(answers);
    let store = secrets::store(&script).renewed_by(Some(FUNCTION));
    (store.start_rotation(&secrets::contoso()).await.ok(), script.asked())
}

async fn stopped(answers: impl IntoIterator<Item = Answer>) -> (bool, String) {
    let script = Script::new(answers);
    let outcome = secrets::store(&script).stop_rotation(&secrets::contoso()).await;
    (outcome.is_ok(), script.operations().join(" "))
}

#[tokio::test]
async fn s7_3_a_renewal_is_scheduled_and_does_not_begin_at_once() {
    let here = || described(false, json!({"v1": ["AWSCURRENT"]}));
    let (outcome, asked) = started([ok("{}"), here(), here(), ok("{}")]).await;
    assert_eq!(outcome, Some(true));
    let operations: Vec<_> = asked.iter().map(|(operation, _)| operation.as_str()).collect();
    assert_eq!(operations, ["GetItem", "DescribeSecret", "DescribeSecret", "RotateSecret"]);
    let mut rotate = asked[3].1.clone();
    assert!(rotate["ClientRequestToken"].take().is_string());
    let expected = json!({"SecretId": NAME, "ClientRequestToken": null, "RotationLambdaARN": FUNCTION,
        "RotationRules": {"AutomaticallyAfterDays": 14}, "RotateImmediately": false});
    assert_eq!(rotate, expected);

    let on = || described(true, json!({"v1": ["AWSCURRENT"]}));
    let (outcome, asked) = started([ok("{}"), on(), on()]).await;
    assert_eq!((outcome, asked.len()), (Some(true), 3), "it is on already");
    let (outcome, _) = started([ok("{}"), error("ResourceNotFoundException")]).await;
    assert_eq!(outcome, Some(false), "there is no secret");
}

#[tokio::test]
async fn s7_3_a_pending_version_that_was_left_behind_does_not_block_the_next_renewal() {
    let left = || described(false, json!({"v1": ["AWSCURRENT"], "v2": ["AWSPENDING"]}));
    let (outcome, asked) = started([ok("{}"), left(), left(), ok("{}"), ok("{}")]).await;
    assert_eq!(outcome, Some(true));
    let expected = json!({"SecretId": NAME, "VersionStage": "AWSPENDING", "RemoveFromVersionId": "v2"});
    assert_eq!(asked[3], ("UpdateSecretVersionStage".to_owned(), expected));
    assert_eq!(asked[4].0, "RotateSecret");
}

#[tokio::test]
async fn s7_3_a_renewal_begins_now_unless_one_is_under_way() {
    let renewed = async |changed: f64, labels: Value| {
        let described = json!({"ARN": ARN, "Name": NAME, "RotationEnabled": true, "LastChangedDate": changed,
            "VersionIdsToStages": labels});
        let script = Script::new([ok(&described.to_string()), ok("{}")]);
        secrets::store(&script).renew_now(&secrets::contoso()).await.unwrap();
        script.asked()
    };
    let operations =
        |asked: &[(String, Value)]| asked.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(" ");
    let (long_ago, just_now) = (1.0e9, 4.0e9);
    let pending = || json!({"v1": ["AWSCURRENT"], "v2": ["AWSPENDING"]});
    for changed in [long_ago, just_now] {
        let asked = renewed(changed, json!({"v1": ["AWSCURRENT", "AWSPENDING"]})).await;
        assert_eq!(operations(&asked), "DescribeSecret RotateSecret");
        let mut rotate = asked[1].1.clone();
        assert!(rotate["ClientRequestToken"].take().is_string());
        assert_eq!(rotate, json!({"SecretId": NAME, "ClientRequestToken": null}), "its schedule stays");
    }
    assert_eq!(operations(&renewed(just_now, pending()).await), "DescribeSecret");
    let asked = renewed(long_ago, pending()).await;
    assert_eq!(operations(&asked), "DescribeSecret UpdateSecretVersionStage RotateSecret");
    assert_eq!(asked[1].1, json!({"SecretId": NAME, "VersionStage": "AWSPENDING", "RemoveFromVersionId": "v2"}));
}

#[tokio::test]
async fn s7_3_stopping_is_fine_whatever_there_is() {
    let stop = async |answers: &[Answer]| stopped(answers.iter().cloned()).await;
    let (on, off) = (|labels| described(true, labels), |labels| described(false, labels));
    let current = || json!({"v1": ["AWSCURRENT", "AWSPENDING"]});
    let pending = || json!({"v1": ["AWSCURRENT"], "v2": ["AWSPENDING"]});
    assert_eq!(stop(&[off(current())]).await, (true, "DescribeSecret".into()));
    assert_eq!(stop(&[error("ResourceNotFoundException")]).await, (true, "DescribeSecret".into()));
    assert_eq!(stop(&[on(current()), ok("{}")]).await, (true, "DescribeSecret CancelRotateSecret".into()));
    let taken = (true, "DescribeSecret CancelRotateSecret UpdateSecretVersionStage".into());
    assert_eq!(stop(&[on(pending()), ok("{}"), ok("{}")]).await, taken);
    assert_eq!(stop(&[on(pending()), ok("{}"), error("InvalidParameterException")]).await, taken);
    assert!(!stop(&[on(pending()), error("AccessDeniedException")]).await.0);
}

#[tokio::test]
async fn who_may_not_switch_it_on_says_so() {
    let script = Script::new([ok("{}")]);
    let fault = secrets::store(&script).start_rotation(&secrets::contoso()).await.unwrap_err();
    assert!(!fault.passes && fault.to_string().contains("ROTATE_FUNCTION_ARN") && script.asked().is_empty(), "{fault}");
}
