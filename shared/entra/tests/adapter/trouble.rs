//! What passes is tried again; what does not is said at once; the state of delta is told apart.

use std::time::Duration;

use directory::{Code, Kind};
use engine::ports::{Graph, Next};
use graph_standin::{About, Fault, Rule};
use serde_json::json;

use crate::support::{BUDGET, Stage, contoso, failure, told};

fn status(code: u16) -> Fault {
    Fault::Status { code, body: None }
}

fn refused(code: u16, word: &str) -> Fault {
    Fault::Status { code, body: Some(json!({"error": {"code": word, "message": "Sensitive"}})) }
}

#[tokio::test]
async fn what_passes_is_tried_again_until_it_is_enough() {
    check(status(500), "microsoft_unavailable").await;
    check(status(502), "microsoft_unavailable").await;
    check(status(503), "microsoft_unavailable").await;
    check(status(504), "microsoft_unavailable").await;
    check(status(408), "microsoft_unavailable").await;
    check(status(409), "microsoft_unavailable").await;
    check(status(404), "microsoft_unavailable").await;
    check(Fault::Throttle { retry_after: None }, "throttled").await;
    check(Fault::Throttle { retry_after: Some("0.002".to_owned()) }, "throttled").await;
    check(Fault::Throttle { retry_after: Some("soon".to_owned()) }, "throttled").await;
    check(Fault::Cut, "bad_answer").await;
    check(Fault::NotJson, "bad_answer").await;
    check(Fault::Garble, "bad_answer").await;
    check(Fault::Status { code: 200, body: Some(json!({"value": []})) }, "bad_answer").await;
    check(Fault::Status { code: 400, body: Some(json!({"value": [{"id": "a"}]})) }, "bad_answer").await;
    check(Fault::Status { code: 302, body: Some("moved".into()) }, "bad_answer").await;
}

/// Once: the page comes. Always: five attempts, then this code.
async fn check(fault: Fault, expected: &str) {
    let rule = Rule::new(fault.clone()).on(About::Users);
    let (once, who) = (Stage::with(rule.clone()), contoso());
    assert_eq!(told(once.page(&who, Kind::User, None).await), "16 objects", "{fault:?}");
    assert_eq!(once.requests(&who), (1, 2), "{fault:?}");
    let (always, who) = (Stage::with(rule.times(99)), contoso());
    assert_eq!(told(always.page(&who, Kind::User, None).await), expected, "{fault:?}");
    assert_eq!(always.requests(&who), (1, 5), "{fault:?}");
}

#[tokio::test]
async fn a_pause_that_outlasts_the_budget_comes_back_at_once() {
    let rule = Rule::new(Fault::Throttle { retry_after: Some("120".to_owned()) }).on(About::Users);
    let (stage, who) = (Stage::with(rule), contoso());
    let failure = failure(stage.page(&who, Kind::User, None).await, Code::Throttled);
    assert_eq!(failure.retry_after, Some(Duration::from_secs(120)));
    assert_eq!(stage.requests(&who), (1, 1));
}

#[tokio::test]
async fn an_answer_that_outlasts_the_budget_is_given_up() {
    let stage = Stage::with(Rule::new(Fault::Stall { milliseconds: 60_000 }).on(About::Users));
    let who = contoso();
    let outcome = stage.client.page(&who, Kind::User, None, Duration::from_millis(300)).await;
    failure(outcome, Code::MicrosoftUnavailable);
    let outcome = stage.client.page(&who, Kind::User, None, Duration::ZERO).await;
    failure(outcome, Code::MicrosoftUnavailable);
}

#[tokio::test]
async fn a_bad_token_is_replaced_once() {
    let rule = Rule::new(Fault::ExpireToken).on(About::Users);
    let (once, who) = (Stage::with(rule.clone()), contoso());
    assert_eq!(told(once.page(&who, Kind::User, None).await), "16 objects");
    assert_eq!(once.requests(&who), (2, 2));
    let (always, who) = (Stage::with(rule.times(99)), contoso());
    assert_eq!(told(always.page(&who, Kind::User, None).await), "bad_answer");
    assert_eq!(always.requests(&who), (2, 2));
}

#[tokio::test]
async fn our_own_mistakes_are_not_repeated() {
    for fault in [refused(400, "Request_UnsupportedQuery"), status(501), refused(404, "Request_ResourceNotFound")] {
        let (stage, who) = (Stage::with(Rule::new(fault.clone()).on(About::Users)), contoso());
        let failure = failure(stage.page(&who, Kind::User, None).await, Code::Unexpected);
        let start = "We have come across a problem, and cannot continue. Please contact support quoting ";
        assert!(failure.message.starts_with(start) && !failure.message.contains("Sensitive"), "{failure}");
        assert_eq!(stage.requests(&who), (1, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn r4_11_the_delta_state_is_gone() {
    for (status, code) in [
        (410, "syncStateNotFound"),
        (400, "syncStateNotFound"),
        (410, "resyncRequired"),
        (410, "SyncStateNotFound"),
        (404, "SYNCSTATENOTFOUND"),
    ] {
        let (stage, who) = (Stage::new(), contoso());
        let (_, link) = stage.round(&who, Kind::User, None).await;
        stage.standin.fault(Rule::new(Fault::ExpireDelta { status, code: code.to_owned() }));
        assert_eq!(told(stage.page(&who, Kind::User, Some(&link)).await), "state gone", "{status} {code}");
        assert_eq!(stage.requests(&who), (1, 2), "{status} {code}: not tried again");
        assert_eq!(told(stage.page(&who, Kind::User, None).await), "16 objects", "a full round goes on");
    }
}

#[tokio::test]
async fn a_dead_link_inside_a_round() {
    for (fault, requests) in [
        (refused(400, "Directory_ExpiredPageToken"), 2),
        (refused(400, "Request_BadRequest"), 2),
        (refused(404, "UnknownError"), 6),
    ] {
        let (stage, who) = (Stage::new(), contoso());
        stage.standin.settings(|settings| settings.page_size = 3);
        let Next::Page(link) = stage.page(&who, Kind::User, None).await.unwrap().next else { panic!("one page") };
        stage.standin.fault(Rule::new(fault.clone()).path("skiptoken").times(99));
        assert_eq!(told(stage.page(&who, Kind::User, Some(&link)).await), "link dead", "{fault:?}");
        assert_eq!(stage.requests(&who), (1, requests), "{fault:?}");
    }
}

#[tokio::test]
async fn a_delta_link_that_graph_does_not_understand_is_a_lost_state() {
    let (stage, who) = (Stage::new(), contoso());
    let (_, link) = stage.round(&who, Kind::User, None).await;
    let broken = link.replace("deltatoken=", "deltatoken=x");
    assert_eq!(told(stage.page(&who, Kind::User, Some(&broken)).await), "state gone");
}

#[tokio::test]
async fn a_first_page_has_no_state_to_lose() {
    for fault in [refused(410, "syncStateNotFound"), refused(400, "Directory_ExpiredPageToken")] {
        let (stage, who) = (Stage::with(Rule::new(fault).on(About::Users).times(99)), contoso());
        assert_eq!(told(stage.page(&who, Kind::User, None).await), "microsoft_unavailable");
    }
}

#[tokio::test]
async fn trying_out_and_counting_retry_too() {
    let (stage, who) = (Stage::with(Rule::new(status(503)).on(About::Groups)), contoso());
    stage.client.try_out(&who, BUDGET).await.unwrap();
    assert_eq!(stage.requests(&who), (1, 3));
    let stage = Stage::with(Rule::new(Fault::NotJson).on(About::Users));
    assert_eq!(stage.client.count(&contoso(), Kind::User, BUDGET).await.unwrap(), 16);
}
