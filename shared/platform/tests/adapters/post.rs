//! Mail: never a second copy.

use engine::ports::{Letter, Mailer};
use platform::Post;

use crate::script::{Answer, Script};

fn post(script: &Script) -> Post {
    Post::new(aws_sdk_ses::Client::new(&script.config()), "Entra Sync <sync@mail.example>").unwrap()
}

fn letter() -> Letter {
    let to = directory::Address::parse("tech@contoso.com").unwrap();
    Letter { to, subject: "hello".into(), text: "hello".into(), html: "<p>hello</p>".into() }
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
    let script = Script::new([error(400, "Throttling"), sent()]);
    assert_eq!(post(&script).send(&letter()).await.unwrap(), "m-1");
    assert_eq!(script.asked().len(), 2, "SES turned the first away");
    let form = script.forms();
    assert!(form[0].contains("Destinations.member.1=tech%40contoso.com"), "{}", form[0]);
    assert!(form[0].contains("Source=sync%40mail.example"), "{}", form[0]);
}

#[tokio::test]
async fn r6_7_a_lost_answer_never_sends_a_second_copy() {
    for answer in [Answer::Lost, error(503, "ServiceUnavailable"), error(500, "InternalFailure")] {
        let script = Script::new([answer, sent()]);
        let fault = post(&script).send(&letter()).await.unwrap_err();
        assert!(fault.passes && !fault.nothing_done, "{fault:?}: it may have been sent");
        assert_eq!(script.asked().len(), 1);
    }
}

#[tokio::test]
async fn r6_7_what_ses_turned_away_was_not_sent() {
    for status in [400, 503] {
        let script = Script::new([error(status, "Throttling")]);
        let fault = post(&script).send(&letter()).await.unwrap_err();
        assert!(fault.passes && fault.nothing_done, "{fault:?}");
    }
}

#[tokio::test]
async fn a_refused_mail_will_be_refused_again() {
    let script = Script::new([error(400, "MessageRejected")]);
    let fault = post(&script).send(&letter()).await.unwrap_err();
    assert!(!fault.passes && fault.nothing_done);
    let cause = fault.source.unwrap().to_string();
    assert_eq!(cause, "MessageRejected: Email address is not verified: (address) (request unknown)");
}
