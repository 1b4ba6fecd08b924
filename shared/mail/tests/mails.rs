//! Whole mails, as people get them.
#![expect(clippy::unwrap_used, reason = "tests")]

mod samples;

use directory::{
    CredentialKind, Kind,
    facts::{
        ChangeLine, CredentialState, DailyFacts, Did, ExpiryEvent, ExpiryFacts, ExpirySource, Listed, Newer,
        NotRenewed, RollUpFacts,
    },
};
use jiff::civil::date;
use mail::{Rendered, daily, expiry, roll_up};
use samples::{TODAY, all_tenants, busy, ending, expires, held, holding, hostile, quiet, refused, secret_expired};

macro_rules! whole {
    ($name:literal, $mail:expr) => {{
        let Rendered { subject, text, html } = $mail;
        insta::assert_snapshot!($name, format!("Subject: {subject}\n\n{text}\n{html}"));
    }};
}

#[test]
fn r6_3_a_quiet_day() {
    whole!("quiet", daily(&quiet()));
}

#[test]
fn r6_3_a_busy_day() {
    whole!("busy", daily(&busy()));
}

#[test]
fn r6_3_a_day_that_held_removals() {
    whole!("held", daily(&held()));
}

#[test]
fn r6_3_a_day_with_a_refused_credential() {
    whole!("refused", daily(&refused()));
}

#[test]
fn r6_6_a_day_of_hostile_names() {
    whole!("hostile", daily(&hostile()));
}

#[test]
fn r6_3_a_thousand_changes() {
    let mail = daily(&thousand());
    assert!(mail.text.contains("… and 950 more."));
    assert!(mail.html.contains("… and 950 more."));
    assert_eq!(mail.text.matches("@contoso.com)").count(), 50);
    assert!(mail.html.len() < 102 * 1024, "Gmail cuts a mail at 102 kB; this has {} bytes", mail.html.len());
    whole!("thousand", mail);
}

#[test]
fn r6_3_removals_come_first() {
    let text = daily(&busy()).text;
    let at = |words: &str| text.find(words).unwrap();
    assert!(at("Deleted: Carl") < at("Disabled: Dora") && at("Disabled: Dora") < at("Added: Ann"));
    assert!(at("Added group: Project Aurora") < at("Updated: Bea"));
}

#[test]
fn r6_4_expiry_warnings() {
    whole!("expiring", expiry(&ending()));

    let mut facts = ending();
    facts.event = ExpiryEvent::Expired;
    facts.expiry = Some(expires(-3, ExpirySource::Assumed));
    facts.kind = CredentialKind::Certificate;
    facts.application_name = None;
    facts.failed_runs = 72;
    whole!("expired", expiry(&facts));

    let mut facts = ending();
    facts.event = ExpiryEvent::Refused(Box::new(secret_expired()));
    (facts.name, facts.key_id) = (None, None);
    facts.failed_runs = 1;
    whole!("refused_credential", expiry(&facts));

    let mut facts = ending();
    facts.event = ExpiryEvent::Resolved;
    facts.expiry = Some(expires(730, ExpirySource::Stated));
    whole!("resolved", expiry(&facts));

    let mut facts = ending();
    facts.newer = Some(newer());
    whole!("made_already", expiry(&facts));
}

#[test]
#[rustfmt::skip]
fn r6_4_what_a_warning_knows_and_does_not_know() {
    const GRANT: &str = "Grant the application the permission Application.Read.All";
    const LISTED: &str = "the application lists no client secret that begins like this one";
    const MADE: &str = "the application has another one that ends later";
    //   what is known                        the facts                                                        says             does not say
    says("read from Entra",                   |_| (),                                                          &[],             &[GRANT, LISTED, MADE]);
    says("stated",                            |f| f.expiry = Some(expires(14, ExpirySource::Stated)),          &[GRANT],        &[LISTED, MADE]);
    says("assumed",                           |f| f.expiry = Some(expires(14, ExpirySource::Assumed)),         &[GRANT],        &[LISTED, MADE]);
    says("the certificate's own",             certificate,                                                     &["as the certificate says"], &[GRANT, LISTED, MADE]);
    says("read, and not listed",              unlisted,                                                        &[LISTED],       &[GRANT, MADE]);
    says("another was made",                  |f| f.newer = Some(newer()),                                     &[MADE, "Begins with: k3W", "Ends: 3 March 2028", "Name: by hand"], &[GRANT]);
    says("another certificate was uploaded",  |f| { certificate(f); f.newer = Some(newer()) },                 &[MADE, "saving its PEM"], &[GRANT]);
    says("another, and it is over",           |f| { f.newer = Some(newer()); f.event = ExpiryEvent::Resolved }, &[],            &[MADE]);
}

#[track_caller]
fn says(name: &str, change: fn(&mut ExpiryFacts), expected: &[&str], never: &[&str]) {
    let mut facts = ending();
    change(&mut facts);
    // Lines are folded.
    let text = expiry(&facts).text.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in expected {
        assert!(text.contains(words), "{name}: {words}: {text}");
    }
    for words in never {
        assert!(!text.contains(words), "{name}: {words}: {text}");
    }
}

fn newer() -> Newer {
    Newer {
        name: Some("by hand".to_owned()),
        key_id: "5d6e7f80-9192-43a4-b5c6-d7e8f9010213".to_owned(),
        hint: Some("k3W".to_owned()),
        on: date(2028, 3, 3),
    }
}

fn certificate(facts: &mut ExpiryFacts) {
    facts.kind = CredentialKind::Certificate;
    facts.expiry = Some(expires(14, ExpirySource::Certificate));
}

fn unlisted(facts: &mut ExpiryFacts) {
    facts.expiry = Some(expires(14, ExpirySource::Stated));
    facts.unlisted = true;
}

#[test]
fn r7_3_a_secret_that_was_not_renewed_by_itself_is_somebodys_task() {
    let mut facts = quiet();
    not_renewed(&mut facts);
    whole!("not_renewed", daily(&facts));
}

fn not_renewed(facts: &mut DailyFacts) {
    let failure = directory::Failure::new(
        directory::Code::PermissionMissing,
        "the application's registration cannot be read, so that its secret cannot be renewed",
        "grant the application permission Application.ReadWrite.OwnedBy with admin consent",
    );
    facts.credential.not_renewed = Some(NotRenewed { at: TODAY.at(4, 12, 0, 0), failure });
}

#[test]
fn r6_4_a_new_credential_is_not_the_cure_for_everything() {
    let gone = directory::Failure::new(
        directory::Code::ApplicationNotFound,
        "the application is not in this directory",
        "compare application id and directory id with the portal",
    );
    let mut warning = ending();
    warning.event = ExpiryEvent::Refused(Box::new(gone.clone()));
    let mut facts = refused();
    facts.runs.failures[0].failure = gone;
    for text in [expiry(&warning).text, daily(&facts).text] {
        assert!(text.contains("Compare application id and directory id with the portal."), "{text}");
        assert!(!text.contains("client secret;") && !text.contains("new client secret"), "{text}");
    }
}

#[test]
fn r6_3_what_is_over_is_nobodys_task() {
    let mut facts = busy();
    facts.errors = Listed::default();
    facts.credential.state = CredentialState::Working;
    facts.connection.last_successful_sync = Some(TODAY.at(23, 59, 0, 0));
    let text = daily(&facts).text;
    assert!(text.contains("ATTENTION: 1 error\n"), "{text}");
    assert!(text.contains("WHAT YOU MUST DO\n\nNothing for now"), "{text}");
}

#[test]
fn r6_8_the_roll_up() {
    whole!("roll_up", roll_up(&all_tenants()));
    whole!("roll_up_quiet", roll_up(&RollUpFacts { date: TODAY, tenants: 1, scheduled: 1, ..RollUpFacts::default() }));
}

fn thousand() -> DailyFacts {
    let line = |number| ChangeLine {
        did: Did::Added,
        kind: Kind::User,
        name: format!("Person {number:04}"),
        address: Some(format!("person.{number:04}@contoso.com")),
        why: "new in Entra".to_owned(),
    };
    let mut facts = quiet();
    facts.changes = Listed { shown: (1..=60).map(line).collect(), total: 1000 };
    facts.outcomes.users.added = 1000;
    facts.outcomes.users.after += 1000;
    facts
}

#[test]
#[rustfmt::skip]
fn r6_2_the_subject_carries_the_verdict() {
    //      what happened                        the day                                    the subject
    subject("the rulebook's quiet example",      |f| did(f, 3, 1, 0),                       "OK – 3 added, 1 updated, 0 removed");
    subject("nothing",                           |_| (),                                    "OK – 0 added, 0 updated, 0 removed");
    subject("groups and functional accounts",    everywhere,                                "OK – 6 added, 3 updated, 9 removed");
    subject("nothing was due",                   |f| (f.runs.expected, f.runs.started) = (0, 0), "OK – 0 added, 0 updated, 0 removed");
    subject("errors and a secret that ends",     |f| { errors(f, 1, 1); secret(f, CredentialState::Expiring, 12) }, "ATTENTION – 2 errors, secret expires in 12 days");
    subject("one failed run",                    |f| errors(f, 1, 0),                       "ATTENTION – 1 error");
    subject("one failed object",                 |f| errors(f, 0, 1),                       "ATTENTION – 1 error");
    subject("more than are shown",               |f| errors(f, 0, 1204),                    "ATTENTION – 1204 errors");
    subject("errors go before what was done",    |f| { errors(f, 1, 0); did(f, 3, 1, 0) },  "ATTENTION – 1 error");
    subject("nothing ran",                       |f| f.runs.started = 0,                    "ATTENTION – no run");
    subject("fewer runs than expected",          |f| f.runs.started = 23,                   "OK – 0 added, 0 updated, 0 removed");
    subject("the check failed",                  |f| f.connection.error = Some(other()),    "ATTENTION – connection check failed");
    subject("the check failed on the credential", refused_at_check,                         "ATTENTION – secret refused");
    subject("never checked",                     |f| f.connection.status = directory::facts::Light::Grey, "OK – 0 added, 0 updated, 0 removed");
    subject("never configured",                  |f| f.credential.state = CredentialState::Configure, "ATTENTION – connection not configured");
    subject("ends tomorrow",                     |f| secret(f, CredentialState::Expiring, 1), "ATTENTION – secret expires in 1 day");
    subject("ends today",                        |f| secret(f, CredentialState::Expiring, 0), "ATTENTION – secret expires today");
    subject("ended yesterday",                   |f| secret(f, CredentialState::Expired, -1), "ATTENTION – secret expired 1 day ago");
    subject("ended, nobody knows when",          |f| { secret(f, CredentialState::Expired, 0); f.credential.expiry = None }, "ATTENTION – secret expired");
    subject("ended, whatever the day says",      |f| secret(f, CredentialState::Expired, 40), "ATTENTION – secret expired");
    subject("a certificate",                     |f| { secret(f, CredentialState::Expiring, 7); f.credential.kind = CredentialKind::Certificate }, "ATTENTION – certificate expires in 7 days");
    subject("a federated credential",            |f| { secret(f, CredentialState::Refused, 0); f.credential.kind = CredentialKind::Federated }, "ATTENTION – federated credential refused");
    subject("a refused secret",                  |f| { errors(f, 24, 0); secret(f, CredentialState::Refused, 9) }, "ATTENTION – 24 errors, secret refused");
    subject("a secret that was not renewed",     not_renewed,                               "ATTENTION – secret not renewed");
    subject("held",                              |f| f.held = Some(holding(51, 6)),         "HELD – 57 removals wait for you");
    subject("held, and errors",                  |f| { f.held = Some(holding(51, 6)); errors(f, 2, 0) }, "HELD – 57 removals wait for you, 2 errors");
    subject("one held",                          |f| f.held = Some(holding(1, 0)),          "HELD – 1 removal waits for you");
    subject("one held, one error",               |f| { f.held = Some(holding(0, 1)); errors(f, 0, 1) }, "HELD – 1 removal waits for you, 1 error");
    subject("a group to empty",                  |f| { f.held = Some(holding(0, 0)); waiting(f).emptied = 1 }, "HELD – 1 removal waits for you");
    subject("an undone change",                  |f| { f.held = Some(holding(0, 0)); waiting(f).undone = 1 }, "HELD – 1 undone change waits for you");
    subject("removals and undone changes",       |f| { f.held = Some(holding(6, 0)); waiting(f).undone = 2 }, "HELD – 6 removals and 2 undone changes wait for you");
    subject("nothing is left of what was held",  |f| f.held = Some(holding(0, 0)),          "OK – 0 added, 0 updated, 0 removed");
}

#[track_caller]
fn subject(name: &str, change: fn(&mut DailyFacts), expected: &str) {
    let mut facts = quiet();
    change(&mut facts);
    let mail = daily(&facts);
    assert_eq!(mail.subject, format!("[Azure AD Summary] contoso.com – {expected}"), "{name}");
    let to_do = mail.text.contains("WHAT YOU MUST DO\n\nNothing.\n");
    assert_eq!(to_do, expected.starts_with("OK"), "{name}: there is something to do if and only if it is not OK");
}

fn did(facts: &mut DailyFacts, added: u64, updated: u64, deleted: u64) {
    let users = &mut facts.outcomes.users;
    (users.added, users.updated, users.deleted) = (added, updated, deleted);
}

fn everywhere(facts: &mut DailyFacts) {
    let outcomes = &mut facts.outcomes;
    for (number, tally) in [&mut outcomes.users, &mut outcomes.groups, &mut outcomes.functional].into_iter().enumerate()
    {
        (tally.added, tally.updated, tally.disabled, tally.deleted) = (number as u64 + 1, 1, 1, 2);
    }
}

fn errors(facts: &mut DailyFacts, runs: u64, objects: u64) {
    facts.runs.failed = runs;
    facts.errors.total = objects;
}

fn secret(facts: &mut DailyFacts, state: CredentialState, days_left: i32) {
    facts.credential.state = state;
    facts.credential.expiry = Some(expires(days_left, ExpirySource::Entra));
}

fn refused_at_check(facts: &mut DailyFacts) {
    facts.connection.error = Some(secret_expired());
    facts.credential.state = CredentialState::Refused;
}

fn other() -> directory::Failure {
    directory::Failure::new(directory::Code::ConsentMissing, "The application has no consent", "grant admin consent")
}

fn waiting(facts: &mut DailyFacts) -> &mut directory::facts::HeldChanges {
    facts.held.as_mut().unwrap()
}

#[test]
fn r6_2_who_a_subject_names() {
    let mut facts = quiet();
    facts.tenant.domain = None;
    assert!(daily(&facts).subject.starts_with("[Azure AD Summary] Contoso Ltd – OK"));
    facts.tenant.name = " ".to_owned();
    assert!(daily(&facts).subject.starts_with("[Azure AD Summary] contoso – OK"));
    facts.tenant.name = "x".repeat(100_000);
    assert!(daily(&facts).subject.chars().count() < 200);
}

#[test]
fn r6_6_no_name_breaks_a_mail() {
    let mut warning = ending();
    warning.tenant = hostile().tenant;
    warning.event = ExpiryEvent::Refused(Box::new(hostile().connection.error.unwrap()));
    for text in [&mut warning.application_name, &mut warning.name, &mut warning.key_id, &mut warning.hint] {
        *text = Some(samples::HOSTILE.to_owned());
    }
    warning.application_id = samples::HOSTILE.to_owned();
    let said = || samples::HOSTILE.to_owned();
    warning.newer = Some(Newer { name: Some(said()), key_id: said(), hint: Some(said()), ..newer() });
    warning.portal = Some("https://portal.example/\r\n<script>".to_owned());
    let mut operator = all_tenants();
    for trouble in &mut operator.failed.shown {
        trouble.tenant = hostile().tenant;
        trouble.failure = hostile().connection.error;
    }
    for mail in [daily(&hostile()), expiry(&warning), roll_up(&operator)] {
        let Rendered { subject, text, html } = mail;
        assert!(!subject.chars().any(char::is_control), "{subject:?}");
        for part in [&subject, &text, &html] {
            let steers = |c: char| {
                (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}')
            };
            assert!(!part.contains(steers), "{part}");
            assert!(!part.lines().any(|line| line.starts_with("Bcc:")), "{part}");
        }
        assert!(!html.contains("<script") && !html.contains("javascript:") && !html.contains("onload='"), "{html}");
    }
}

#[test]
fn r6_6_nothing_is_loaded_from_elsewhere() {
    for mail in [daily(&busy()), expiry(&ending()), roll_up(&all_tenants())] {
        for loads in ["<img", "<link", "<script", "<iframe", "src=", "url(", "@import", "@font-face"] {
            assert!(!mail.html.contains(loads), "{loads}");
        }
        assert!(mail.html.starts_with("<!doctype html>\n<html lang=\"en\""));
    }
}

#[test]
fn r6_1_the_report_says_that_it_cannot_be_switched_off() {
    let Rendered { subject: _, text, html } = daily(&quiet());
    for part in [text, html] {
        assert!(part.contains("cannot be switched off, unless the synchronisation frequency is set to 0 (never)"));
        assert!(part.contains("Dynamic distribution lists do not appear in Microsoft Graph"));
    }
}
