//! The way of one object through the rules, in their order, for people (rule 4.13).

use serde::{Deserialize, Serialize};

use crate::{
    BlockedSignIn, Candidate, Category, Entra, EntraUser, Held, Mailbox, ManagedBy, Removal, Rules, Verdict,
    scope::{lacks_mailbox_kind, selection},
};

/// A question that a rule asks, and its answer for this object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The number of the rule.
    pub rule: String,
    /// What it asks.
    pub question: String,
    /// `yes`, `no`, or what it is.
    pub answer: String,
    /// What that means.
    pub detail: String,
}

fn step(rule: &str, question: &str, answer: impl Into<String>, detail: impl Into<String>) -> Step {
    Step { rule: rule.to_owned(), question: question.to_owned(), answer: answer.into(), detail: detail.into() }
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// The steps for an object that Entra or the directory knows, up to who owns its addresses here.
pub fn steps(rules: &Rules<'_>, candidate: &Candidate, others: &[Candidate]) -> Vec<Step> {
    let mut steps = vec![found(candidate)];
    if let Some((_, entra, None)) = &candidate.entra {
        steps.extend(addresses(rules, entra));
        steps.push(kind(rules, entra));
        if let Entra::User(user) = entra {
            let blocked = user.account_enabled == Some(false);
            let means = match rules.settings.blocked_sign_in {
                _ if !blocked => "sign-in is allowed in Entra",
                BlockedSignIn::Disable => "sign-in is blocked in Entra: the user is made inactive, or not added",
                BlockedSignIn::FunctionalAccount => "sign-in is blocked in Entra: it becomes a functional account",
                BlockedSignIn::Ignore => "sign-in is blocked in Entra, and the settings ignore that",
            };
            steps.push(step("2.7", "may it sign in?", yes(!blocked), means));
            steps.extend(mailbox_kind(rules, user));
            let guest = user.user_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("guest"));
            let means = match (guest, rules.settings.sync_guests) {
                (false, _) => "it is a member of the directory",
                (true, true) => "it is a guest, and guests are synchronised",
                (true, false) => "it is a guest, and guests are not synchronised",
            };
            steps.push(step("2.8", "is it a guest?", yes(guest), means));
        }
    }
    let exempt = candidate.addresses().into_iter().find(|address| rules.exempt.contains(address));
    let means = exempt.as_ref().map_or("none of its addresses is exempt".to_owned(), |address| {
        format!("{address} is exempt: no run adds, updates, disables or deletes it")
    });
    steps.push(step("5.3", "is it exempt?", yes(exempt.is_some()), means));
    steps.push(owner(candidate, others));
    steps
}

fn found(candidate: &Candidate) -> Step {
    let question = "is it found in Entra?";
    match &candidate.entra {
        None => step("2.13", question, "no", "Entra has no such object, or another connection had it"),
        Some((id, entra, None)) => step("2.13", question, "yes", format!("{} {id}", entra.kind().name())),
        Some((id, entra, Some(how))) => {
            let how = if *how == Removal::Soft { "deleted, and may be restored" } else { "deleted for good" };
            step("2.13", question, "no", format!("{} {id} is {how}", entra.kind().name()))
        }
    }
}

fn addresses(rules: &Rules<'_>, entra: &Entra) -> Vec<Step> {
    let (proxies, mail) = match entra {
        Entra::User(user) => (&user.proxy_addresses, &user.mail),
        Entra::Group(group) => (&group.proxy_addresses, &group.mail),
    };
    let question = "has it an SMTP address?";
    let Some(mailbox) = Mailbox::read(proxies.as_deref().unwrap_or_default(), mail.as_deref()) else {
        return vec![step("2.3", question, "no", "no entry of proxyAddresses starts with SMTP: or smtp:")];
    };
    match mailbox.primary {
        Err(err) => vec![step("2.3", question, "no", format!("its primary address is not valid: {err}"))],
        Ok(primary) => {
            let domain = primary.domain();
            let registered = rules.settings.is_registered(&domain);
            let means = if registered { "is registered here" } else { "is not registered here" };
            vec![
                step("2.3", question, "yes", format!("{primary} and {} others", mailbox.aliases.len())),
                step("2.4", "is its domain registered?", yes(registered), format!("{domain} {means}")),
            ]
        }
    }
}

fn kind(rules: &Rules<'_>, entra: &Entra) -> Step {
    let (selected, what) = selection(entra, rules.settings);
    let means = if selected { format!("{what} are synchronised") } else { format!("{what} are not synchronised") };
    step("2.1", "is its kind selected?", yes(selected), means)
}

fn mailbox_kind(rules: &Rules<'_>, user: &EntraUser) -> Option<Step> {
    let question = "whose is its mailbox?";
    let known = match user.mailbox_kind {
        Some(kind) if kind.is_functional() => step("5.2", question, kind.name(), "it becomes a functional account"),
        Some(kind) => step("5.2", question, kind.name(), "its kind of mailbox changes nothing"),
        None if lacks_mailbox_kind(user, rules.settings) => {
            step("5.2", question, "not known yet", "a coming run asks Entra for the kind of its mailbox")
        }
        None => return None,
    };
    rules.settings.read_mailbox_kind.then_some(known)
}

fn owner(candidate: &Candidate, others: &[Candidate]) -> Step {
    let question = "who has its address here?";
    let describe = |held: &Held| {
        let by = if held.managed_by() == ManagedBy::Sync { "synchronised" } else { "made by hand" };
        let state = match (held.deleted_at(), held.is_active()) {
            (Some(_), _) => "marked as deleted",
            (None, true) => "active",
            (None, false) => "inactive",
        };
        format!("{} {}, {by}, {state}", held.kind().name(), held.id())
    };
    if let Some(held) = &candidate.held {
        return step("3.6", question, "itself", describe(held));
    }
    let claims = candidate.addresses();
    let holder = others
        .iter()
        .filter_map(|other| other.held.as_ref())
        .find(|held| held.addresses().all().any(|a| claims.contains(a)));
    match holder {
        Some(held) => step("3.6", question, "another", describe(held)),
        None => step("3.6", question, "nobody", "it is not in the directory"),
    }
}

/// What the next run would do with an object, as a sentence.
pub fn next(candidate: &Candidate, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Settled if candidate.held.is_none() => {
            "nothing: it is gone from Entra, and is not in the directory".to_owned()
        }
        Verdict::Settled => "nothing: it is as it should be".to_owned(),
        Verdict::Skipped(skipped) => format!("nothing: {}", skipped.why),
        Verdict::NotEnabled(planned) => format!("nothing: {}", planned.change.why),
        Verdict::Dormant(until) => format!("nothing until {until:.0}, and then remove it for good"),
        Verdict::Postponed => "nothing until Entra was read in full".to_owned(),
        Verdict::Failed(planned) => format!("fail: {}", planned.change.error.as_deref().unwrap_or(&planned.change.why)),
        Verdict::Change(planned) => {
            let verb = match planned.change.category {
                Category::Adding => "add it",
                Category::Updating => "update it",
                Category::Disabling => "disable it",
                Category::Deleting if planned.purge => "remove it for good",
                Category::Deleting => "mark it as deleted",
                Category::NotEnabled => "nothing",
            };
            format!("{verb}: {}", planned.change.why)
        }
    }
}
