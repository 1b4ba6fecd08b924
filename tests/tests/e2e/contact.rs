//! A report that comes back: SES tells EventBridge, and that the queue. Local SES tells nothing, so that the stories put
//! into the queue what EventBridge would.

use std::time::Duration;

use serde_json::{Value, json};

use crate::company::Company;

/// What EventBridge brings of a mail of 22 November to somebody, noted at a time of the test clock.
fn came_back(company: &Company, name: &str, kind: &str, now: &str) -> Value {
    let address = company.address(name);
    let recipient = json!({"emailAddress": address, "action": "failed", "status": "5.1.1"});
    json!({
        "version": "0", "id": "c3d4e5f6-a7b8-9012-cdef-123456789012", "detail-type": "Email Bounced",
        "source": "aws.ses", "account": "123456789012", "time": now, "region": "eu-west-1", "resources": [],
        "detail": {
            "eventType": "Bounce",
            "bounce": {
                "bounceType": kind, "bounceSubType": "General", "bouncedRecipients": [recipient],
                "timestamp": "2026-11-22T07:00:03.500Z", "feedbackId": "0100018d-1234-abcd-ef01-234567890abc-000000",
            },
            "mail": {
                "timestamp": "2026-11-22T07:00:02.012Z", "messageId": "m-1", "destination": [address],
                "tags": {"tenant": [company.tenant], "ses:configuration-set": ["set"]},
            },
        },
        "now": now,
    })
}

/// The warnings of runs at a time, once they are these or after a while: the queue takes a moment.
async fn warnings(company: &Company, now: &str, expected: usize) -> Vec<Value> {
    for _ in 0..100 {
        let run = company.sync(json!({"action": "sync", "now": now})).await;
        let warnings = run["warnings"].as_array().unwrap_or_else(|| panic!("{run}")).clone();
        if warnings.len() == expected {
            return warnings;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no run of {} had {expected} warnings", company.tenant)
}

#[tokio::test]
async fn r4_2_a_report_that_comes_back_stops_reports_and_after_a_week_the_runs() {
    let company = Company::empty_at(1042, "2026-11-21T10:00:00Z").await;
    company.change(json!([company.person("ann", &json!({}))])).await;
    company.sync(json!({"action": "sync", "now": "2026-11-21T10:05:00Z"})).await;
    let report = |date: &str| company.invoke("Report", json!({"date": date, "now": "2026-11-23T08:00:00Z"}));
    let sent = report("2026-11-21").await;
    assert_eq!(sent["sent"], true, "{sent}");

    // What passes by itself, and what went to somebody else, changes nothing.
    let at = "2026-11-22T07:01:00Z";
    for (name, kind) in [("it", "Transient"), ("desk", "Permanent"), ("it", "Permanent"), ("it", "Permanent")] {
        company.stack.put("ReportQueueUrl", &came_back(&company, name, kind, at)).await.unwrap();
    }
    let warned = warnings(&company, "2026-11-22T11:00:00Z", 1).await;
    assert_eq!(warned[0]["code"], "no_tech_contact");
    let message = warned[0]["message"].as_str().unwrap();
    assert!(message.contains(&company.domain) && !message.contains('@'), "{message}");
    let audited = company.stack.scan("ControlTable").await.unwrap();
    let mine = |item: &&Value| {
        item.as_str().is_some_and(|item| item.contains("S(\"contact_bounced\")") && item.contains(&company.domain))
    };
    assert_eq!(audited.as_array().unwrap().iter().filter(mine).count(), 1, "a doubled event is noted once");
    for _ in 0..2 {
        assert_eq!(report("2026-11-22").await, json!({"sent": false, "reason": "no_tech_contact"}));
    }
    let roll_up = json!({"date": "2026-11-22", "preview": true, "now": "2026-11-23T08:00:00Z"});
    let told = company.stack.invoke("Report", &roll_up).await.unwrap();
    let text = told["text"].as_str().unwrap();
    let (_, section) = text.split_once("REPORTS THAT COME BACK").unwrap();
    assert!(section.contains(&company.tenant), "{text}");

    for _ in 0..2 {
        company.sync(json!({"action": "sync", "now": "2026-11-30T11:00:00Z"})).await;
        assert_eq!(company.admin(json!({"action": "get_tenant"})).await["settings"]["sync_frequency"], 0);
    }
    let saved = json!({"tech_contact": company.address("it"), "sync_frequency": 1});
    let now = "2026-11-30T12:00:00Z";
    company.admin(json!({"action": "put_tenant", "settings": saved, "now": now})).await;
    assert!(warnings(&company, now, 0).await.is_empty(), "saved again, it counts again");
    let log = company.stack.log().unwrap();
    let ours = log.lines().filter(|line| line.contains(&company.tenant) && line.contains("came back"));
    assert!(ours.count() >= 2, "what changes nothing is logged");
    assert!(!log.lines().any(|line| line.contains(&company.address("desk"))), "without an address");
}
