//! The verdict on a tenant's day: what the subject says (rule 6.2).

use directory::facts::{CredentialState, DailyFacts, HeldChanges};

use crate::{page::Mood, words};

/// How the day went, and the few words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) mood: Mood,
    /// What the subject says behind `OK`, `ATTENTION` or `HELD`.
    pub(crate) words: String,
}

/// The verdict. What waits for a person goes before what is wrong, and what is wrong before what was done.
///
/// Warnings and missing mobile numbers do not count: the day went well, and the body tells.
pub(crate) fn verdict(facts: &DailyFacts) -> Verdict {
    let waits = facts.held.as_ref().and_then(waits);
    let wrong = wrong(facts);
    let mood = match (&waits, wrong.is_empty()) {
        (Some(_), _) => Mood::Held,
        (None, false) => Mood::Attention,
        (None, true) => Mood::Ok,
    };
    let words: Vec<String> = waits.into_iter().chain(wrong).collect();
    Verdict { mood, words: if mood == Mood::Ok { done(facts) } else { words.join(", ") } }
}

/// `57 removals wait for you`, where anything does.
fn waits(held: &HeldChanges) -> Option<String> {
    let waiting = removals(held) + held.undone;
    let verb = if waiting == 1 { "waits" } else { "wait" };
    (waiting != 0).then(|| format!("{} {verb} for you", held_words(held)))
}

/// `57 removals and 1 undone change`.
pub(crate) fn held_words(held: &HeldChanges) -> String {
    let parts = [(removals(held), "removal"), (held.undone, "undone change")];
    let parts: Vec<_> = parts.into_iter().filter(|(n, _)| *n != 0).map(|(n, one)| words::count(n, one)).collect();
    words::list(&parts)
}

/// Every held change that takes something away.
pub(crate) fn removals(held: &HeldChanges) -> u64 {
    held.users + held.groups + held.emptied
}

/// Each thing that is wrong, in a few words.
fn wrong(facts: &DailyFacts) -> Vec<String> {
    let errors = facts.runs.failed + facts.errors.total;
    let parts = [
        (errors != 0).then(|| words::count(errors, "error")),
        nothing_ran(facts).then(|| "no run".to_owned()),
        connection_fails(facts).then(|| "connection check failed".to_owned()),
        credential(facts),
        facts.credential.not_renewed.as_ref().map(|_| "secret not renewed".to_owned()),
    ];
    parts.into_iter().flatten().collect()
}

/// Runs were expected, and none started.
pub(crate) fn nothing_ran(facts: &DailyFacts) -> bool {
    facts.runs.expected != 0 && facts.runs.started == 0
}

/// The last check failed, and not only because of a credential that is reported anyway.
pub(crate) fn connection_fails(facts: &DailyFacts) -> bool {
    let reported = matches!(facts.credential.state, CredentialState::Expired | CredentialState::Refused);
    facts.connection.error.as_ref().is_some_and(|error| !(reported && error.code.refuses_credential()))
}

/// What is wrong with the credential.
fn credential(facts: &DailyFacts) -> Option<String> {
    let name = words::credential(facts.credential.kind);
    let days_left = facts.credential.expiry.map(|expiry| expiry.days_left);
    match (facts.credential.state, days_left) {
        (CredentialState::Working, _) => None,
        (CredentialState::Configure, _) => Some("connection not configured".to_owned()),
        (CredentialState::Refused, _) => Some(format!("{name} refused")),
        (CredentialState::Expired, Some(days @ ..0)) => Some(format!("{name} {}", words::expires(days))),
        (CredentialState::Expired, _) => Some(format!("{name} expired")),
        (CredentialState::Expiring, Some(days)) => Some(format!("{name} {}", words::expires(days))),
        (CredentialState::Expiring, None) => Some(format!("{name} expires soon")),
    }
}

/// `3 added, 1 updated, 0 removed`: users, groups and functional accounts together; disabled counts as removed.
fn done(facts: &DailyFacts) -> String {
    let [added, updated, removed] = totals(facts);
    format!("{added} added, {updated} updated, {removed} removed")
}

/// Added, updated and removed objects of all kinds.
pub(crate) fn totals(facts: &DailyFacts) -> [u64; 3] {
    let tallies = [&facts.outcomes.users, &facts.outcomes.groups, &facts.outcomes.functional];
    [
        tallies.iter().map(|tally| tally.added).sum(),
        tallies.iter().map(|tally| tally.updated).sum(),
        tallies.iter().map(|tally| tally.disabled + tally.deleted).sum(),
    ]
}
