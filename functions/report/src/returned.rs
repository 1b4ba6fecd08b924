//! What SES tells of mails that came back: its events as EventBridge brings them, of which most is none of our business.
//!
//! Their shape is that of "Monitoring SES events using Amazon EventBridge" and "Contents of event data that Amazon SES
//! publishes", both in the developer guide of SES.

use directory::{Address, Failure, TenantId};
use engine::report::Returned;
use platform::event;
use serde::Deserialize;
use serde_json::Value;

/// An event of EventBridge; what it says beside this is not looked at.
#[derive(Deserialize)]
struct Event {
    source: String,
    detail: Detail,
    now: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    event_type: String,
    mail: Mail,
    bounce: Option<Bounce>,
}

#[derive(Deserialize)]
struct Mail {
    timestamp: String,
    #[serde(default)]
    tags: Tags,
}

/// Each tag of a mail has a list of values.
#[derive(Default, Deserialize)]
struct Tags {
    #[serde(default)]
    tenant: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    bounce_type: String,
    bounced_recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email_address: String,
}

/// Whether a message is an event of EventBridge, and not a request for a report.
pub(crate) fn is_an_event(message: &Value) -> bool {
    message.get("detail-type").is_some()
}

/// Read an event and its time on the test clock. Nothing where it says of no tenant that its contact cannot be reached:
/// what passes by itself, what somebody takes for junk although it arrives, the operator's mails.
///
/// # Errors
/// It has another shape; the message names the field and not what is in it.
pub(crate) fn read(message: Value) -> Result<(Option<Returned>, Option<String>), Failure> {
    let Event { source, detail, now } = event::read(message)?;
    if source != "aws.ses" {
        return Err(Failure::invalid("source: expected aws.ses"));
    }
    let Detail { event_type, mail, bounce } = detail;
    if event_type != "Bounce" {
        return Ok((None, now));
    }
    let bounce = bounce.ok_or_else(|| Failure::invalid("detail: missing field `bounce`"))?;
    if bounce.bounce_type != "Permanent" {
        return Ok((None, now));
    }
    let Some(tenant) = mail.tags.tenant.first() else { return Ok((None, now)) };
    let tenant: TenantId =
        tenant.parse().map_err(|_| Failure::invalid("detail.mail.tags.tenant: expected a tenant id"))?;
    let time = |_| Failure::invalid("detail.mail.timestamp: expected a time as in RFC 3339");
    let sent_at = mail.timestamp.parse().map_err(time)?;
    let address = |recipient: Recipient| Address::parse(&recipient.email_address).ok();
    let recipients = bounce.bounced_recipients.into_iter().filter_map(address).collect();
    Ok((Some(Returned { tenant, recipients, sent_at }), now))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bounced() -> Value {
        json!({
            "version": "0", "id": "c3d4e5f6-a7b8-9012-cdef-123456789012", "detail-type": "Email Bounced",
            "source": "aws.ses", "account": "123456789012", "time": "2026-11-22T07:00:04Z", "region": "eu-west-1",
            "resources": ["arn:aws:ses:eu-west-1:123456789012:configuration-set/set"],
            "detail": {
                "eventType": "Bounce",
                "bounce": {
                    "feedbackId": "01000157c44f053b-000000", "bounceType": "Permanent", "bounceSubType": "General",
                    "bouncedRecipients": [{
                        "emailAddress": "it@contoso.com", "action": "failed", "status": "5.1.1",
                        "diagnosticCode": "smtp; 550 5.1.1 user unknown",
                    }],
                    "timestamp": "2026-11-22T07:00:03.500Z", "reportingMTA": "dsn; mta.example.com",
                },
                "mail": {
                    "timestamp": "2026-11-22T07:00:02.012Z", "source": "sync@mail.example",
                    "sendingAccountId": "123456789012", "messageId": "m-1", "destination": ["it@contoso.com"],
                    "headersTruncated": false, "headers": [{"name": "Subject", "value": "[Azure AD Summary]"}],
                    "commonHeaders": {"to": ["it@contoso.com"]},
                    "tags": {"ses:configuration-set": ["set"], "tenant": ["contoso"]},
                },
            },
        })
    }

    fn complained() -> Value {
        let mut event = bounced();
        event["detail-type"] = json!("Email Complaint Received");
        event["detail"]["eventType"] = json!("Complaint");
        event["detail"].as_object_mut().unwrap().remove("bounce");
        event["detail"]["complaint"] = json!({
            "complainedRecipients": [{"emailAddress": "it@contoso.com"}], "complaintFeedbackType": "abuse",
            "timestamp": "2026-11-22T07:05:00.000Z", "userAgent": "Any", "complaintSubType": null,
        });
        event
    }

    fn with(mut event: Value, pointer: &str, value: Value) -> Value {
        *event.pointer_mut(pointer).unwrap() = value;
        event
    }

    fn without(mut event: Value, pointer: &str, key: &str) -> Value {
        event.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(key).unwrap();
        event
    }

    #[test]
    #[rustfmt::skip]
    fn r4_2_what_comes_back_for_good() {
        let types = "/detail/bounce/bounceType";
        let recipients = "/detail/bounce/bouncedRecipients";
        let many: Value = (0..10_000).map(|n| json!({"emailAddress": format!("u{n}@contoso.com")})).collect();
        check("a bounce",             bounced(),    "contoso it@contoso.com");
        check("somebody's junk",      complained(), "nothing");
        check("of a suppressed one",  with(bounced(), "/detail/bounce/bounceSubType", json!("OnAccountSuppressionList")), "contoso it@contoso.com");
        check("one that may pass",    with(bounced(), types, json!("Transient")),    "nothing");
        check("nobody knows",         with(bounced(), types, json!("Undetermined")), "nothing");
        check("a delivery",           with(bounced(), "/detail/eventType", json!("Delivery")), "nothing");
        check("the operator's mail",  without(bounced(), "/detail/mail/tags", "tenant"), "nothing");
        check("a mail without tags",  without(bounced(), "/detail/mail", "tags"),    "nothing");
        check("no recipients",        with(bounced(), recipients, json!([])),        "contoso ");
        check("no address",           with(bounced(), recipients, json!([{"emailAddress": "it"}, {"emailAddress": "a@contoso.com"}])), "contoso a@contoso.com");
        check("ten thousand",         with(bounced(), recipients, many),             "contoso u0@contoso.com u1@contoso.com u2@contoso.com");
        check("another source",       with(bounced(), "/source", json!("me@contoso.com")), "source: expected aws.ses");
        check("no detail",            json!({"detail-type": "Email Bounced", "source": "aws.ses"}), "missing field `detail`");
        check("no bounce",            without(bounced(), "/detail", "bounce"),       "detail: missing field `bounce`");
        check("no mail",              without(bounced(), "/detail", "mail"),         "missing field `mail`");
        check("no such tenant id",    with(bounced(), "/detail/mail/tags/tenant", json!(["it@contoso.com"])), "detail.mail.tags.tenant: expected a tenant id");
        check("a bare tag",           with(bounced(), "/detail/mail/tags/tenant", json!("it@contoso.com")), "detail.mail.tags.tenant: expected a sequence");
        check("a bare recipient",     with(bounced(), recipients, json!(["it@contoso.com"])), "detail.bounce.bouncedRecipients[0]: expected struct Recipient");
        check("no list",              with(bounced(), recipients, json!("it@contoso.com")), "detail.bounce.bouncedRecipients: expected a sequence");
        check("no time",              with(bounced(), "/detail/mail/timestamp", json!("it@contoso.com")), "detail.mail.timestamp: expected a time as in RFC 3339");
    }

    #[track_caller]
    fn check(name: &str, event: Value, expected: &str) {
        assert!(is_an_event(&event), "{name}");
        let outcome = match read(event) {
            Ok((None, _)) => "nothing".to_owned(),
            Ok((Some(Returned { tenant, recipients, sent_at: _ }), _)) => {
                let recipients: Vec<_> = recipients.iter().take(3).map(Address::as_str).collect();
                format!("{tenant} {}", recipients.join(" "))
            }
            Err(failure) => failure.message,
        };
        assert_eq!(outcome, expected, "{name}");
    }
}
