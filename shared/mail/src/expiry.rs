//! The warning that a credential ends, has ended or is refused, and the word that all is well again (rule 6.4).

use directory::{
    Code, CredentialKind, Failure,
    facts::{ExpiryEvent, ExpiryFacts, ExpirySource, Newer},
};

use crate::{
    Rendered, escape,
    page::{Block, Mood, Page, Section, Step, link},
    words,
};

/// The warning of one credential.
pub fn expiry(facts: &ExpiryFacts) -> Rendered {
    let resolved = facts.event == ExpiryEvent::Resolved;
    let verdict = verdict(facts);
    let mut sections = Vec::new();
    if !resolved {
        sections.push(Section::new("What you must do", steps(facts)));
        sections.push(Section::new("What stops, and what does not", effects(facts)));
    }
    sections.push(Section::new("The credential", credential(facts)));
    let footer = if resolved {
        "This ends the warnings about the credential that was replaced."
    } else {
        "Warnings come 60, 30, 14, 7, 3 and 1 days before the day and on it, then daily for a week, then weekly. Replacing \
         the credential ends them."
    };
    let page = Page {
        subject: format!("[Azure AD Credential] {} – {verdict}", words::tenant(&facts.tenant)),
        kind: "Azure AD credential",
        title: words::tenant_in_full(&facts.tenant),
        date: facts.date.strftime("%A, %-d %B %Y").to_string(),
        mood: if resolved { Mood::Ok } else { Mood::Attention },
        headline: words::sentence(&verdict),
        meaning: meaning(facts),
        sections,
        footer: vec![footer.to_owned()],
    };
    page.render()
}

/// The few words of the subject.
fn verdict(facts: &ExpiryFacts) -> String {
    let name = words::credential(facts.kind);
    let days_left = facts.expiry.map(|expiry| expiry.days_left);
    match (&facts.event, days_left) {
        (ExpiryEvent::Expiring, Some(days)) | (ExpiryEvent::Expired, Some(days @ ..0)) => {
            format!("{name} {}", words::expires(days))
        }
        (ExpiryEvent::Expiring, None) => format!("{name} expires soon"),
        (ExpiryEvent::Expired, _) => format!("{name} expired"),
        (ExpiryEvent::Refused(_), _) => format!("{name} refused"),
        (ExpiryEvent::Resolved, _) => format!("resolved: {name} renewed"),
    }
}

/// What it means, in a sentence or two.
fn meaning(facts: &ExpiryFacts) -> String {
    let on = facts.expiry.map(|expiry| words::day(expiry.on));
    match (&facts.event, on) {
        (ExpiryEvent::Expiring, _) if facts.renews_itself => {
            "It is to be renewed by itself before that day. Should these warnings go on, renew it by hand.".to_owned()
        }
        (ExpiryEvent::Expiring, Some(on)) => format!("Renew it before {on}, and nothing is interrupted."),
        (ExpiryEvent::Expiring, None) => "Renew it, and nothing is interrupted.".to_owned(),
        (ExpiryEvent::Expired, Some(on)) => format!("It ended on {on}. {}", failed_runs(facts)),
        (ExpiryEvent::Expired, None) => failed_runs(facts),
        (ExpiryEvent::Refused(failure), _) => format!("{} {}", words::stopped(&failure.message), failed_runs(facts)),
        (ExpiryEvent::Resolved, Some(on)) => format!("The new one works, and ends on {on}. There is nothing to do."),
        (ExpiryEvent::Resolved, None) => "The new one works. There is nothing to do.".to_owned(),
    }
}

fn failed_runs(facts: &ExpiryFacts) -> String {
    match facts.failed_runs {
        0 => "No run has failed because of it yet.".to_owned(),
        1 => "1 run has failed since.".to_owned(),
        runs => format!("{} have failed since.", words::many(runs, "run")),
    }
}

/// Whether a new credential ends the refusal; it does not where the application or the directory is what is wrong.
pub(crate) fn renewal_helps(refusal: &Failure) -> bool {
    matches!(
        refusal.code,
        Code::CredentialSecretExpired
            | Code::CredentialSecretInvalid
            | Code::CredentialCertificateInvalid
            | Code::CredentialFederationMismatch
    )
}

/// What to do, step by step.
fn steps(facts: &ExpiryFacts) -> Vec<Block> {
    let steps = match &facts.event {
        ExpiryEvent::Refused(failure) if !renewal_helps(failure) => {
            vec![words::stopped(&failure.help), "Then check the connection again.".to_owned()]
        }
        _ => renewal(facts),
    };
    let made = facts.newer.as_ref().filter(|_| replaces(&facts.event)).map(|newer| made_already(facts, newer));
    let steps = steps.into_iter().map(|what| Step { what, how: String::new(), link: None }).collect();
    let links = [
        link("Open the application in Microsoft's portal", facts.portal.as_deref()),
        link("Save it in the console", facts.console.as_ref().map(|url| format!("{url}/settings#ad_key")).as_deref()),
    ];
    let blocks = made.into_iter().flatten().chain([Block::Steps(steps)]);
    blocks.chain(links.into_iter().flatten()).chain(tell_the_day(facts)).collect()
}

/// Whether a new credential is what ends this.
fn replaces(event: &ExpiryEvent) -> bool {
    match event {
        ExpiryEvent::Refused(failure) => renewal_helps(failure),
        ExpiryEvent::Expiring | ExpiryEvent::Expired => true,
        ExpiryEvent::Resolved => false,
    }
}

/// Somebody may have made the new one, and forgotten to save it here.
fn made_already(facts: &ExpiryFacts, newer: &Newer) -> [Block; 2] {
    let name = words::credential_in_full(facts.kind);
    let of_two =
        format!("Perhaps the new {name} has been made already: the application has another one that ends later.");
    let saving = match facts.kind {
        CredentialKind::Secret => {
            "If its Value was noted when it was made, saving that here ends these warnings. If it was not, nobody can look \
             it up: make a new one as below, and delete the unused one."
        }
        CredentialKind::Certificate | CredentialKind::Federated => {
            "If it was made for this, saving its PEM here, with its key, ends these warnings. If not, go on as below."
        }
    };
    let mut pairs =
        vec![("Name", newer.name.as_deref().map_or_else(|| "none".to_owned(), |name| escape::line(name, 100)))];
    pairs.extend(newer.hint.as_deref().map(|hint| ("Begins with", escape::line(hint, 20))));
    pairs.extend([("Key id", escape::line(&newer.key_id, 64)), ("Ends", words::day(newer.on))]);
    [Block::Words(format!("{of_two} {saving}")), Block::Pairs(pairs)]
}

/// Where the day is only stated or assumed: how Entra comes to tell the true one (rule 6.5).
fn tell_the_day(facts: &ExpiryFacts) -> Option<Block> {
    let source = facts.expiry?.source;
    if !matches!(source, ExpirySource::Stated | ExpirySource::Assumed) {
        return None;
    }
    let note = if facts.unlisted {
        "The day could not be read from Entra: the application lists no client secret that begins like this one."
    } else {
        "The day was not read from Entra. Grant the application the permission Application.Read.All (application \
         permission, with admin consent), and these mails name the true day."
    };
    Some(Block::Note(note.to_owned()))
}

/// How to renew the credential.
fn renewal(facts: &ExpiryFacts) -> Vec<String> {
    let application = facts.application_name.as_deref().map(|name| format!("“{}”", escape::line(name, 100)));
    let application = application.unwrap_or_else(|| escape::line(&facts.application_id, 64));
    let open = format!("In Microsoft's portal, open App registrations, then the application {application}.");
    let rest: &[&str] = match facts.kind {
        CredentialKind::Secret => &[
            "Under Certificates & secrets, Client secrets, add a new client secret. Note the day on which it ends.",
            "Copy its Value (not its Secret ID) at once: the portal shows it only now.",
            "Save the value as this tenant's new secret, with the day. It is tried before it replaces the old one.",
            "Once the mail that says “resolved” is here, delete the old secret in the portal.",
        ],
        CredentialKind::Certificate => &[
            "Under Certificates & secrets, Certificates, upload a new certificate, without its key.",
            "Save the PEM of key and certificate for this tenant. It is tried before it replaces the old one.",
            "Once the mail that says “resolved” is here, delete the old certificate in the portal.",
        ],
        CredentialKind::Federated => &[
            "Under Certificates & secrets, Federated credentials, compare issuer, subject and audience with those that \
             support names.",
            "Then check the connection again.",
        ],
    };
    [open].into_iter().chain(rest.iter().map(|&step| step.to_owned())).collect()
}

fn effects(facts: &ExpiryFacts) -> Vec<Block> {
    let (when, stop) = match facts.event {
        ExpiryEvent::Expiring => ("From that day", "will stop"),
        _ => ("Until it is renewed", "has stopped"),
    };
    vec![
        Block::Words(format!(
            "Synchronisation {stop}. {when}, users and aliases that are added or removed in Entra no longer arrive here, \
             nor do new names and group members."
        )),
        Block::Words(
            "Mail keeps flowing for existing users, who sign in as before. Nothing is disabled or deleted.".to_owned(),
        ),
    ]
}

fn credential(facts: &ExpiryFacts) -> Vec<Block> {
    let application = match facts.application_name.as_deref().map(|name| escape::line(name, 100)) {
        Some(name) => format!("{name} ({})", escape::line(&facts.application_id, 64)),
        None => escape::line(&facts.application_id, 64),
    };
    let in_portal = || "not known here; the portal shows it".to_owned();
    let said = |text: &Option<String>| text.as_deref().map_or_else(in_portal, |text| escape::line(text, 100));
    let mut pairs = vec![
        ("Application", application),
        ("Kind", words::sentence(words::credential_in_full(facts.kind))),
        ("Name", said(&facts.name)),
        ("Key id", said(&facts.key_id)),
    ];
    if facts.kind == CredentialKind::Secret {
        pairs.push(("Begins with", said(&facts.hint)));
    }
    if facts.kind != CredentialKind::Federated {
        pairs.push(("Ends", facts.expiry.map_or_else(in_portal, |expiry| words::expiry(&expiry))));
    }
    if let ExpiryEvent::Refused(failure) = &facts.event {
        pairs.push(("For support", words::quote(failure)));
    }
    vec![Block::Pairs(pairs)]
}
