//! Mail: never a second copy, and at the pace of the account.

use std::{num::NonZeroU32, time::Duration};

use engine::ports::{Letter, Mailer};
use platform::Post;
use tokio::time::Instant;

use crate::script::{Answer, Script};

fn post(script: &Script) -> Post {
    Post::new(
        aws_sdk_ses::Client::new(&script.config()),
        "Entra Sync <sync@mail.example>",
        "set",
        NonZeroU32::new(5).unwrap(),
    )
    .unwrap()
}

fn letter() -> Letter {
    let to = directory::Address::parse("tech@contoso.com").unwrap();
    Letter {
        tenant: Some("contoso".parse().unwrap()),
        to,
        subject: "hello".into(),
        text: "hello".into(),
        html: "<p>hello</p>".into(),
    }
}

/// What the account may: so many mails a second, and in 24 hours, of which so many are sent.
fn quota(rate: f64, most: f64, sent: f64) -> Answer {
    let limits = format!("<Max24HourSend>{most}</Max24HourSend><MaxSendRate>{rate}</MaxSendRate>");
    let result = format!("{limits}<SentLast24Hours>{sent}</SentLast24Hours>");
    let body =
        format!("<GetSendQuotaResponse><GetSendQuotaResult>{result}</GetSendQuotaResult></GetSendQuotaResponse>");
    Answer::Http(200, body)
}

/// A script that begins with an account of some size.
fn script(answers: impl IntoIterator<Item = Answer>) -> Script {
    Script::new(std::iter::once(quota(14.0, 50_000.0, 0.0)).chain(answers))
}

/// The names of the actions asked for, in order.
fn actions(script: &Script) -> Vec<String> {
    let action = |form: &String| form.split('&').find_map(|part| part.strip_prefix("Action=")).unwrap().to_owned();
    script.forms().iter().map(action).collect()
}

fn sent() -> Answer {
    let body = "<SendRawEmailResponse><SendRawEmailResult><MessageId>m-1</MessageId></SendRawEmailResult></SendRawEmailResponse>";
    Answer::Http(200, body.into())
}

fn error(status: u16, code: &str) -> Answer {
    let message = "Email address is not verified: tech@contoso.com";
    let error = format!("<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>");
    Answer::Http(status, format!("<ErrorResponse><Error>{error}</Error><RequestId>r-1</RequestId></ErrorResponse>"))
}

#[tokio::test]
async fn the_answer_is_the_id_of_the_mail() {
    let script = script([error(400, "Throttling"), sent()]);
    assert_eq!(post(&script).send(&letter()).await.unwrap(), "m-1");
    assert_eq!(script.asked().len(), 3, "SES turned the first away");
    let form = script.forms();
    assert!(form[1].contains("Destinations.member.1=tech%40contoso.com"), "{}", form[1]);
    for part in ["ConfigurationSetName=set", "Tags.member.1.Name=tenant", "Tags.member.1.Value=contoso"] {
        assert!(form[1].contains(part), "{part}: {}", form[1]);
    }
    assert!(form[1].contains("Source=sync%40mail.example"), "{}", form[1]);
}

#[tokio::test]
async fn r6_7_a_lost_answer_never_sends_a_second_copy() {
    for answer in [Answer::Lost, error(503, "ServiceUnavailable"), error(500, "InternalFailure")] {
        let script = script([answer, sent()]);
        let fault = post(&script).send(&letter()).await.unwrap_err();
        assert!(fault.passes && !fault.nothing_done, "{fault:?}: it may have been sent");
        assert_eq!(actions(&script), ["GetSendQuota", "SendRawEmail"]);
    }
}

#[tokio::test]
async fn r6_7_what_ses_turned_away_was_not_sent() {
    for status in [400, 503] {
        let script = script([error(status, "Throttling")]);
        let fault = post(&script).send(&letter()).await.unwrap_err();
        assert!(fault.passes && fault.nothing_done, "{fault:?}");
    }
}

#[tokio::test]
async fn a_refused_mail_will_be_refused_again() {
    let script = script([error(400, "MessageRejected")]);
    let fault = post(&script).send(&letter()).await.unwrap_err();
    assert!(!fault.passes && fault.nothing_done);
    let cause = fault.source.unwrap().to_string();
    assert_eq!(cause, "MessageRejected: Email address is not verified: (address) (request unknown)");
}

#[tokio::test(start_paused = true)]
async fn mails_are_paced_to_a_share_of_the_accounts_rate() {
    for (rate, seconds) in [(1.0, 6.25), (14.0, 0.446), (-1.0, 0.0), (0.0, 0.0)] {
        let script = Script::new([quota(rate, 50_000.0, 0.0), sent()]);
        let (post, letter) = (post(&script), letter());
        let mut sent_after = Vec::new();
        let start = Instant::now();
        for _ in 0..3 {
            post.send(&letter).await.unwrap();
            sent_after.push(start.elapsed().as_secs_f64());
        }
        for (after, turns) in sent_after.iter().zip([0.0, 1.0, 2.0]) {
            assert!((after - seconds * turns).abs() < 0.01, "{rate} a second: {sent_after:?}");
        }
        assert_eq!(actions(&script).iter().filter(|action| *action == "GetSendQuota").count(), 1);
        // Whoever comes after a pause does not wait.
        tokio::time::advance(Duration::from_secs(60)).await;
        let start = Instant::now();
        post.send(&letter).await.unwrap();
        assert!(start.elapsed() < Duration::from_millis(10));
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_too_far_away_is_not_waited_for() {
    let script = Script::new([quota(0.1, 200.0, 0.0), sent()]);
    let (post, letter) = (post(&script), letter());
    post.send(&letter).await.unwrap();
    for _ in 0..2 {
        let fault = post.send(&letter).await.unwrap_err();
        assert!(fault.passes && fault.nothing_done, "{fault:?}");
        assert_eq!(fault.to_string(), "the SES account may send too few mails a second");
    }
    tokio::time::advance(Duration::from_secs(63)).await;
    post.send(&letter).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn r6_7_once_the_days_mails_are_sent_nothing_is_done_until_ses_says_otherwise() {
    let script = Script::new([quota(14.0, 200.0, 200.0), quota(14.0, 200.0, 150.0), sent()]);
    let (post, letter) = (post(&script), letter());
    for _ in 0..2 {
        let fault = post.send(&letter).await.unwrap_err();
        assert!(fault.passes && fault.nothing_done, "{fault:?}");
        assert_eq!(fault.to_string(), "the SES account has sent as many mails as it may in 24 hours");
    }
    assert_eq!(actions(&script), ["GetSendQuota"], "asked once, and believed for a while");
    tokio::time::advance(Duration::from_secs(301)).await;
    post.send(&letter).await.unwrap();
    assert_eq!(actions(&script), ["GetSendQuota", "GetSendQuota", "SendRawEmail"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_quota_mails_go_out_unpaced() {
    for trouble in [error(400, "AccessDenied"), error(400, "Throttling"), error(503, "Sick"), Answer::Lost] {
        let script = Script::new([trouble, sent()]);
        let (post, letter) = (post(&script), letter());
        let start = Instant::now();
        for _ in 0..3 {
            post.send(&letter).await.unwrap();
        }
        assert!(start.elapsed() < Duration::from_millis(10));
        assert_eq!(actions(&script), ["GetSendQuota", "SendRawEmail", "SendRawEmail", "SendRawEmail"]);
    }
}
