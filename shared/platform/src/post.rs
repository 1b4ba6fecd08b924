//! Mail through SES, at its pace: a letter becomes MIME with a plain and an HTML part.

use std::{num::NonZeroU32, time::Duration};

use aws_sdk_ses::{
    Client,
    config::{Config, retry::RetryConfig},
    error::ProvideErrorMetadata,
    primitives::Blob,
    types::{MessageTag, RawMessage},
};
use directory::TenantId;
use engine::ports::{Fault, Letter, Mailer};
use lettre::message::{
    Mailbox, Message, MultiPart,
    header::{HeaderName, HeaderValue},
};

use crate::{
    fault::{RETRIES, fault, pause, turned_away},
    pace::Pace,
};

/// The first pause after SES turned a mail away: it counts mails by the second.
const STEP: Duration = Duration::from_millis(250);

/// SES.
#[derive(Debug)]
pub struct Post {
    client: Client,
    from: Mailbox,
    configuration_set: String,
    pace: Pace,
}

/// A sender that is not one.
#[derive(Debug, thiserror::Error)]
#[error("the sender is neither an address nor `Name <address>`")]
pub struct BadSender;

impl Post {
    /// Mail from this sender, whose address or domain is verified in SES, over a configuration set that tells what came
    /// back, as one of so many environments that mail at the same time.
    ///
    /// # Errors
    /// [`BadSender`] for what is not an address, with or without a name before it.
    pub fn new(
        client: Client,
        from: &str,
        configuration_set: impl Into<String>,
        senders: NonZeroU32,
    ) -> Result<Self, BadSender> {
        let (from, pace) = (from.parse().map_err(|_| BadSender)?, Pace::of_one_of(senders));
        Ok(Self { client, from, configuration_set: configuration_set.into(), pace })
    }
}

impl Mailer for Post {
    /// SES knows no token, so a try whose answer was lost is not repeated: it could be a second copy. It comes back as a
    /// passing fault; only what SES turned away is tried again here.
    async fn send(&self, letter: &Letter) -> Result<String, Fault> {
        let message = RawMessage::builder().data(Blob::new(mime(&self.from, letter)?)).build();
        let unbuilt = |err| Fault::permanent("cannot build a mail").because(err);
        let message = message.map_err(unbuilt)?;
        let call = self.client.send_raw_email().source(self.from.email.to_string()).raw_message(message);
        // The envelope is ours: no header of the letter can add to it.
        let call = call.destinations(letter.to.as_str());
        // What comes back names the tenant by its tag.
        let tag = |tenant: &TenantId| MessageTag::builder().name("tenant").value(tenant.as_str()).build();
        let tags = letter.tenant.as_ref().map(tag).transpose().map_err(unbuilt)?;
        let call = call.configuration_set_name(&self.configuration_set).set_tags(tags.map(|tag| vec![tag]));
        self.pace.turn(&self.client).await?;
        let mut attempt = 0;
        loop {
            let once = Config::builder().retry_config(RetryConfig::disabled());
            let err = match call.clone().customize().config_override(once).send().await {
                Ok(output) => return Ok(output.message_id),
                Err(err) => err,
            };
            let away = err.code().is_some_and(turned_away);
            if attempt == RETRIES || !away {
                // Where SES itself broke, or nobody knows who answered, the mail may be on its way.
                let refused = err.code().is_some() && err.raw_response().is_some_and(|raw| raw.status().as_u16() < 500);
                let fault = fault("cannot send a mail", &err);
                return Err(if away || refused { fault.nothing_done() } else { fault });
            }
            attempt += 1;
            pause(self.client.config().sleep_impl(), STEP, attempt).await;
        }
    }
}

fn mime(from: &Mailbox, letter: &Letter) -> Result<Vec<u8>, Fault> {
    let Letter { tenant: _, to, subject, text, html } = letter;
    let to =
        to.as_str().parse().map_err(|_| Fault::permanent("the recipient's address cannot be written in a mail"))?;
    let header = |name, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
    let message = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(one_line(subject))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "All"))
        .multipart(MultiPart::alternative_plain_html(text.clone(), html.clone()));
    // The builder's error is dropped: it may quote a header.
    Ok(message.map_err(|_| Fault::permanent("cannot build a mail"))?.formatted())
}

/// Without line breaks and other control characters, which a header does not hold.
fn one_line(subject: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    subject.split(breaks).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header block with folded lines joined, and the rest.
    fn written(subject: &str, text: &str, html: &str) -> (String, String) {
        let letter = Letter {
            tenant: None,
            to: directory::Address::parse("o'neil+x@Bücher.example").unwrap(),
            subject: subject.into(),
            text: text.into(),
            html: html.into(),
        };
        let from = "Entra Sync <sync@mail.example>".parse().unwrap();
        let bytes = mime(&from, &letter).unwrap();
        assert!(bytes.is_ascii(), "SES takes seven bits");
        let mail = String::from_utf8(bytes).unwrap();
        assert!(mail.lines().all(|line| line.len() <= 998));
        let (headers, body) = mail.split_once("\r\n\r\n").unwrap();
        (headers.replace("\r\n ", " "), body.to_owned())
    }

    #[track_caller]
    fn names(headers: &str) -> Vec<&str> {
        headers.split("\r\n").map(|line| line.split_once(':').unwrap().0).collect()
    }

    const NAMES: [&str; 8] =
        ["From", "To", "Subject", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version", "Date", "Content-Type"];

    #[test]
    fn r6_6_a_mail_has_a_text_and_an_html_part() {
        let (headers, body) = written("[Azure AD Summary] contoso.com – OK – 3 added", "plain", "<p>Zoë</p>");
        let mut found = names(&headers);
        found.sort_unstable();
        let mut expected = NAMES;
        expected.sort_unstable();
        assert_eq!(found, expected);
        assert!(headers.contains("From: \"Entra Sync\" <sync@mail.example>"), "{headers}");
        assert!(headers.contains("To: o'neil+x@xn--bcher-kva.example"), "{headers}");
        assert!(headers.contains("Auto-Submitted: auto-generated\r\n"), "{headers}");
        assert!(headers.contains("X-Auto-Response-Suppress: All\r\n"), "{headers}");
        assert!(headers.contains("Content-Type: multipart/alternative"), "{headers}");
        let (text, html) = (body.find("text/plain; charset=utf-8"), body.find("text/html; charset=utf-8"));
        assert!(text.unwrap() < html.unwrap(), "the better part is the last: {body}");
        assert!(body.contains("<p>Zo=C3=AB</p>"), "{body}");
    }

    #[test]
    fn r6_6_a_hostile_subject_stays_one_header() {
        for hostile in [
            "hello\r\nBcc: victim@example.com",
            "hello\nBcc: victim@example.com\n\n<script>",
            "hello\u{0}\u{b}\u{2028}Bcc: victim@example.com",
            "=?utf-8?q?=0D=0ABcc:_victim@example.com?=",
            &format!("{}\r\nBcc: victim@example.com", "😀".repeat(2000)),
        ] {
            let (headers, body) = written(hostile, hostile, hostile);
            let mut found = names(&headers);
            found.sort_unstable();
            let mut expected = NAMES;
            expected.sort_unstable();
            assert_eq!(found, expected, "{headers}");
            assert!(body.starts_with("--"), "{body}");
        }
        assert_eq!(one_line("a\r\nb\tc"), "a b c");
    }

    #[test]
    fn a_sender_may_have_a_name() {
        let sender = |text: &str| text.parse::<Mailbox>().map(|from| from.email.to_string()).ok();
        assert_eq!(sender("sync@mail.example").as_deref(), Some("sync@mail.example"));
        assert_eq!(sender("Entra Sync <sync@mail.example>").as_deref(), Some("sync@mail.example"));
        assert_eq!(sender("nobody"), None);
    }
}
