//! What a report asks a person to do.

use std::collections::BTreeSet;

use directory::{
    Code, CredentialKind, Failure,
    facts::{CredentialState, DailyFacts, FailedRun, HeldChanges, NotRenewed},
};

use crate::{
    expiry::renewal_helps,
    page::{Block, Mood, Step, link, safe_link},
    verdict, words,
};

/// What a person must do; never empty unless all is well.
pub(super) fn to_do(facts: &DailyFacts, mood: Mood) -> Vec<Block> {
    let mut steps: Vec<Step> = facts.held.as_ref().and_then(|held| decide(facts, held)).into_iter().collect();
    steps.extend(renew(facts));
    steps.extend(not_renewed(facts));
    steps.extend(mend(facts));
    if verdict::nothing_ran(facts) && facts.credential.state != CredentialState::Configure {
        let expected = words::many(facts.runs.expected, "run");
        steps.push(Step {
            what: format!("Ask support why nothing ran: {expected} expected, none started."),
            how: "Until runs take place again, changes in Entra do not arrive here.".to_owned(),
            link: None,
        });
    }
    if facts.errors.total != 0 {
        let (objects, them) = match facts.errors.total {
            1 => ("the object that failed".to_owned(), "It is"),
            many => (format!("the {} objects that failed", words::figure(many)), "They are"),
        };
        steps.push(Step {
            what: format!("Look at {objects}, under “Unresolved errors”."),
            how: format!("{them} tried again without you; most errors end once the object is put right in Entra."),
            link: None,
        });
    }
    let mut blocks = match (steps.is_empty(), mood) {
        (false, _) => vec![Block::Steps(steps)],
        (true, Mood::Ok) => return vec![Block::Words("Nothing.".to_owned())],
        (true, _) => vec![Block::Words(
            "Nothing for now: what failed is tried again by itself, or has succeeded since.".to_owned(),
        )],
    };
    blocks.extend(link("Open the console", facts.console.as_deref()));
    blocks
}

/// Held changes: release them, or put things right (rules 4.8 and 4.14).
fn decide(facts: &DailyFacts, held: &HeldChanges) -> Option<Step> {
    let parts = [
        (held.users, "user to disable or delete", "users to disable or delete"),
        (held.groups, "group to delete", "groups to delete"),
        (held.emptied, "group to empty", "groups to empty"),
        (held.undone, "change that was undone here", "changes that were undone here"),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(number, ..)| *number != 0)
        .map(|(number, one, several)| format!("{} {}", words::figure(number), if number == 1 { one } else { several }))
        .collect();
    let removals = verdict::removals(held);
    let (it, it_is) = if removals + held.undone == 1 { ("it", "it is") } else { ("them", "they are") };
    let why = match (removals, held.undone) {
        (0, _) => "Entra still asks for what was undone here, so it was not done again.",
        (_, 0) => "The deletion brake does not let this through by itself.",
        _ => {
            "The deletion brake does not let the removals through by itself, and Entra still asks for what was undone here."
        }
    };
    (!parts.is_empty()).then(|| Step {
        what: format!("Decide on what is held: {}.", words::list(&parts)),
        how: format!(
            "{why} If {it_is} right, have run {} released. If not, put {it} right in Entra, and the next run lets go of {it}. \
             Waiting {}.",
            held.run,
            words::age(held.since, facts.date)
        ),
        link: safe_link("Review it in the console", facts.console.as_ref().map(|url| format!("{url}/runs/{}", held.run)).as_deref()),
    })
}

/// The credential, unless it works (rule 7.1).
fn renew(facts: &DailyFacts) -> Option<Step> {
    let name = words::credential_in_full(facts.credential.kind);
    let when = facts.credential.expiry.map(|expiry| (words::day(expiry.on), words::in_days(expiry.days_left)));
    if let Some(other) = refusal(facts).filter(|failure| !renewal_helps(failure)) {
        return Some(step(other));
    }
    let what = match (facts.credential.state, when) {
        (CredentialState::Working, _) => return None,
        (CredentialState::Configure, _) => "Connect the directory: no credential has been saved yet.".to_owned(),
        (CredentialState::Refused, _) => format!("Replace the {name}: Entra refuses it."),
        (CredentialState::Expired, Some((on, _))) => format!("Renew the {name}: it expired on {on}."),
        (CredentialState::Expired, None) => format!("Renew the {name}: it has expired."),
        (CredentialState::Expiring, Some((on, days))) => format!("Renew the {name}: it expires on {on}, {days}."),
        (CredentialState::Expiring, None) => format!("Renew the {name}: it expires soon."),
    };
    Some(Step { what, how: how_to_renew(facts.credential.kind).to_owned(), link: None })
}

/// It should have been renewed by itself, and was not (rule 7.3).
fn not_renewed(facts: &DailyFacts) -> Option<Step> {
    let NotRenewed { at, failure } = facts.credential.not_renewed.as_ref()?;
    let why = words::stopped(&failure.message);
    let help = words::stopped(&failure.help);
    Some(Step {
        what: format!("See why the {} was not renewed by itself.", words::credential_in_full(facts.credential.kind)),
        how: format!("Last tried on {}. {why} {help} It is tried again by itself.", words::time(*at)),
        link: safe_link("Grant admin consent", failure.consent_link.as_deref()),
    })
}

/// Why the credential is refused, as far as anybody said.
fn refusal(facts: &DailyFacts) -> Option<&Failure> {
    let failures = facts.runs.failures.iter().map(|run| &run.failure).chain(&facts.connection.error);
    let refused = facts.credential.state == CredentialState::Refused;
    failures.into_iter().find(|failure| refused && failure.code.refuses_credential())
}

/// Where in Microsoft's portal a credential is made, in one sentence.
fn how_to_renew(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Secret => {
            "In the Microsoft Entra admin center, under App registrations, your application, Certificates & secrets, \
             add a client secret; then save its Value (not its Secret ID) as this tenant's new secret."
        }
        CredentialKind::Certificate => {
            "In the Microsoft Entra admin center, under App registrations, your application, Certificates & secrets, \
             upload the new certificate; then save it with its key for this tenant."
        }
        CredentialKind::Federated => {
            "In the Microsoft Entra admin center, under App registrations, your application, Certificates & secrets, \
             compare the federated credential's issuer, subject and audience with those that support names."
        }
    }
}

/// Other reasons why runs fail or the check failed, each once. What passes by itself, or is over, is nobody's task.
fn mend(facts: &DailyFacts) -> Vec<Step> {
    let lasts = |run: &&FailedRun| facts.connection.last_successful_sync.is_none_or(|success| success < run.at);
    let reported = matches!(facts.credential.state, CredentialState::Expired | CredentialState::Refused);
    let runs = facts.runs.failures.iter().filter(lasts).map(|run| &run.failure);
    let runs = runs.filter(|failure| !failure.code.passes() && failure.code != Code::Busy);
    let runs = runs.filter(|failure| !(reported && failure.code.refuses_credential()));
    let check = facts.connection.error.as_ref().filter(|_| verdict::connection_fails(facts));
    let mut seen = BTreeSet::new();
    let mut steps: Vec<_> = runs.filter(|failure| seen.insert(failure.code)).map(step).take(5).collect();
    steps.extend(check.filter(|failure| seen.insert(failure.code)).map(|failure| {
        let Step { what, how, link } = step(failure);
        Step { what, how: format!("{how} Then check the connection again."), link }
    }));
    steps
}

/// What a failure asks for.
fn step(failure: &Failure) -> Step {
    Step {
        what: words::stopped(&failure.message),
        how: words::stopped(&failure.help),
        link: safe_link("Grant admin consent", failure.consent_link.as_deref()),
    }
}
