//! The scripts for people on call, driven as a script would: questions are answered on stdin.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::company::{Company, SECRET};

/// Run a script of `infra` for the stack of the tests.
fn script(name: &str, arguments: &[&str], input: &str) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(root.join("infra").join(name));
    let piped = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn shown(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[tokio::test]
async fn s7_2_fix_shows_what_is_wrong_and_saves_what_works() {
    let company = Company::connected(3, 1, 2901).await;
    let ended = json!([{"value": SECRET, "ends": "2026-01-01T00:00:00Z"}]);
    company.change(json!([{"op": "set_application", "secrets": ended}])).await;
    company.admin(json!({"action": "test_connection"})).await;

    let refused = script("fix", &[&company.tenant], "Wr0ng~on~purpose\n\n");
    let text = shown(&refused);
    assert!(!refused.status.success(), "{text}");
    for expected in ["the client secret has expired", "renew at", "/appId/", "does not know", "Nothing was changed."] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("Wr0ng"), "what was typed is not shown: {text}");

    let new = "N3w~secret~of~this~story";
    let secrets = json!([{"value": new, "ends": "2030-01-01T00:00:00Z"}]);
    company.change(json!([{"op": "set_application", "secrets": secrets}])).await;
    let fixed = script("fix", &[&company.tenant, "2029-12-24"], &format!("{new}\n"));
    let text = shown(&fixed);
    assert!(fixed.status.success() && text.contains("SUCCESS") && !text.contains(new), "{text}");
    let tenant = company.admin(json!({"action": "get_tenant"})).await;
    assert_eq!(tenant["connection"]["error"], Value::Null, "{tenant}");
    let run = company.sync(json!({"action": "sync"})).await;
    assert_eq!(run["state"], "applied", "{run}");
}

#[tokio::test]
async fn what_is_not_answered_or_not_there_changes_nothing() {
    let company = Company::connected(3, 1, 2902).await;
    let silent = script("fix", &[&company.tenant], "");
    assert!(!silent.status.success() && shown(&silent).contains("nothing was changed"), "{}", shown(&silent));
    let wrong_day = script("fix", &[&company.tenant, "tomorrow"], "a~secret\n");
    assert!(!wrong_day.status.success() && shown(&wrong_day).contains("nothing was changed"));
    for nobody in ["nobody-here", "no such tenant"] {
        assert!(!script("fix", &[nobody], "a~secret\n").status.success(), "{nobody}");
    }
    assert!(!script("move-secrets", &["paper"], "").status.success());
    let run = company.sync(json!({"action": "sync"})).await;
    assert_eq!(run["state"], "applied", "{run}");
}
