//! The Azure AD Summary report (rules 6.1 to 6.3).

use std::collections::BTreeSet;

use directory::{
    Code, CredentialKind, Failure, Kind, SkipReason,
    facts::{ChangeLine, CredentialState, DailyFacts, Did, FailedRun, HeldChanges, Light, MOST_CHANGES, Tally},
};

use crate::{
    Rendered, escape,
    page::{self, Block, Item, Mood, Page, Row, Section, Step, Table, link, safe_link},
    verdict::{self, Verdict, verdict},
    words,
};

/// The report of one tenant's day.
pub fn daily(facts: &DailyFacts) -> Rendered {
    let Verdict { mood, words: verdict } = verdict(facts);
    let tenant = words::tenant(&facts.tenant);
    let mut sections = vec![Section::new("What you must do", to_do(facts, mood))];
    sections.extend(warnings(facts));
    sections.extend([
        Section::new("Runs", runs(facts)),
        Section::new("Users and groups", outcomes(facts)),
        Section::new("Changes", changes(facts)),
        Section::new("Not imported", not_imported(facts)),
        Section::new("Unresolved errors", errors(facts)),
        Section::new("Connection", connection(facts)),
        Section::new("Credential", credential(facts)),
        Section::new("Administrators without a mobile number", without_mobile(facts)),
        Section::new("Settings changed", settings_changed(facts)),
    ]);
    let page = Page {
        subject: format!("[Azure AD Summary] {tenant} – {} – {verdict}", mood.word()),
        kind: "Azure AD Summary report",
        title: words::tenant_in_full(&facts.tenant),
        date: format!("{} ({})", facts.date.strftime("%A, %-d %B %Y"), facts.time_zone),
        mood,
        headline: words::sentence(&verdict),
        meaning: meaning(facts, mood),
        sections,
        footer: vec![
            "This report is mailed to the technical contact every day, on quiet days too. It cannot be switched off, \
             unless the synchronisation frequency is set to 0 (never)."
                .to_owned(),
        ],
    };
    page.render()
}

/// What the verdict means, in a sentence or two.
fn meaning(facts: &DailyFacts, mood: Mood) -> String {
    let [added, updated, removed] = verdict::totals(facts);
    let changed = added + updated + removed != 0;
    let done = format!(
        "{} added, {} updated, {} removed",
        words::figure(added),
        words::figure(updated),
        words::figure(removed)
    );
    match mood {
        Mood::Ok if facts.runs.started == 0 => "No run was due, and nothing waits for you.".to_owned(),
        Mood::Ok if changed => "All is well: every run succeeded, and nothing waits for you.".to_owned(),
        Mood::Ok => "All is well: every run succeeded, and there was nothing to change.".to_owned(),
        Mood::Held if changed => format!("The rest was applied: {done}."),
        Mood::Held => "Nothing else had to change.".to_owned(),
        Mood::Attention if changed => format!("What could be done was done: {done}."),
        Mood::Attention => "Nothing was changed.".to_owned(),
    }
}

fn to_do(facts: &DailyFacts, mood: Mood) -> Vec<Block> {
    let mut steps: Vec<Step> = facts.held.as_ref().and_then(|held| decide(facts, held)).into_iter().collect();
    steps.extend(renew(facts));
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
        (true, Mood::Ok) => vec![Block::Words("Nothing.".to_owned())],
        (true, _) => vec![Block::Words("Nothing for now: what failed is tried again by itself.".to_owned())],
    };
    if mood != Mood::Ok {
        blocks.extend(link("Open the console", facts.console.as_deref()));
    }
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
    let one = held.users + held.groups + held.emptied + held.undone == 1;
    let why = match (verdict::removals(held), held.undone) {
        (0, _) => "Entra still asks for what was undone here, so it was not done again.",
        (_, 0) => "These are more removals than the deletion brake lets through by itself.",
        _ => {
            "These are more removals than the deletion brake lets through by itself, and changes that were undone here."
        }
    };
    (!parts.is_empty()).then(|| Step {
        what: format!("Decide on what is held: {}.", words::list(&parts)),
        how: format!(
            "{why} If {} right, release run {}. If not, put it right in Entra, and the next run lets go of it. Waiting {}.",
            if one { "it is" } else { "they are" },
            held.run,
            words::age(held.since, facts.date)
        ),
        link: None,
    })
}

/// The credential, unless it works (rule 7.1).
fn renew(facts: &DailyFacts) -> Option<Step> {
    let name = words::credential_in_full(facts.credential.kind);
    let when = facts.credential.expiry.map(|expiry| (words::day(expiry.on), words::in_days(expiry.days_left)));
    let what = match (facts.credential.state, when) {
        (CredentialState::Working, _) => return None,
        (CredentialState::Configure, _) => "Connect the directory: no credential has been saved yet.".to_owned(),
        (CredentialState::Refused, _) => format!("Replace the {name}: Entra refuses it."),
        (CredentialState::Expired, Some((on, _))) => format!("Renew the {name}: it expired on {on}."),
        (CredentialState::Expired, None) => format!("Renew the {name}: it has expired."),
        (CredentialState::Expiring, Some((on, days))) => format!("Renew the {name}: it expires on {on}, {days}."),
        (CredentialState::Expiring, None) => format!("Renew the {name}: it expires soon."),
    };
    let refusal = refusal(facts).map(|failure| format!("{} ", words::stopped(&failure.help))).unwrap_or_default();
    Some(Step { what, how: format!("{refusal}{}", how_to_renew(facts.credential.kind)), link: None })
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
             add a client secret; then save its Value (not its Secret ID) here."
        }
        CredentialKind::Certificate => {
            "In the Microsoft Entra admin center, under App registrations, your application, Certificates & secrets, \
             upload the new certificate; then save it with its key here."
        }
        CredentialKind::Federated => {
            "In the Microsoft Entra admin center, under App registrations, your application, Certificates & secrets, \
             compare the federated credential's issuer, subject and audience with those that support names."
        }
    }
}

/// Other reasons why runs or the check failed, each once. What passes by itself is nobody's task.
fn mend(facts: &DailyFacts) -> Vec<Step> {
    let check = facts.connection.error.iter().filter(|_| verdict::connection_fails(facts));
    let failures = facts.runs.failures.iter().map(|run| &run.failure).chain(check);
    let reported = facts.credential.state != CredentialState::Working;
    let mut seen = BTreeSet::new();
    failures
        .filter(|failure| !failure.code.passes() && failure.code != Code::Busy)
        .filter(|failure| !(reported && failure.code.refuses_credential()))
        .filter(|failure| seen.insert((failure.code, &failure.message)))
        .map(|failure| Step {
            what: words::stopped(&failure.message),
            how: words::stopped(&failure.help),
            link: safe_link("Grant admin consent", failure.consent_link.as_deref()),
        })
        .take(5)
        .collect()
}

fn warnings(facts: &DailyFacts) -> Option<Section> {
    let item = |warning: &directory::facts::Warning| Item {
        name: words::stopped(&warning.message),
        aside: warning.code.clone(),
        ..Item::default()
    };
    let items: Vec<_> = facts.warnings.iter().map(item).collect();
    (!items.is_empty()).then(|| Section::new("Warnings", [Block::Items(items)]))
}

fn runs(facts: &DailyFacts) -> Vec<Block> {
    let runs = &facts.runs;
    let shown = &runs.failures[..runs.failures.len().min(5)];
    let mut blocks = vec![page::runs(runs)];
    if !shown.is_empty() {
        blocks.push(Block::Items(shown.iter().map(failed_run).collect()));
    }
    blocks.extend(
        words::more(runs.failed, shown.len())
            .filter(|_| !shown.is_empty())
            .map(|more| Block::Note(format!("… {more} failed."))),
    );
    blocks
}

fn failed_run(failed: &FailedRun) -> Item {
    Item {
        tag: failed.at.strftime("%H:%M").to_string(),
        name: words::stopped(&failed.failure.message),
        aside: format!("run {}", failed.run),
        detail: words::quote(&failed.failure),
    }
}

fn outcomes(facts: &DailyFacts) -> Vec<Block> {
    type Column = fn(&Tally) -> u64;
    let rows: [(&str, Column, bool); 9] = [
        ("Before", |t| t.before, true),
        ("Added", |t| t.added, false),
        ("Updated", |t| t.updated, false),
        ("Disabled", |t| t.disabled, false),
        ("Deleted", |t| t.deleted, false),
        ("Not enabled", |t| t.not_enabled, false),
        ("Skipped", |t| t.skipped, false),
        ("Failed", |t| t.failed, false),
        ("After", |t| t.after, true),
    ];
    let kinds = [&facts.outcomes.users, &facts.outcomes.groups, &facts.outcomes.functional];
    let rows =
        rows.map(|(label, column, total)| Row { label, cells: kinds.map(|tally| words::figure(column(tally))), total });
    let seats = facts.seats;
    let billed = format!(
        "Billable users: {} before, {} after{}.",
        words::figure(seats.before),
        words::figure(seats.after),
        match seats.seats {
            None => String::new(),
            Some(limit) if limit < seats.after =>
                format!("; that is {} more than the {} seats", words::figure(seats.after - limit), words::figure(limit)),
            Some(limit) => format!(", of {}", words::many(limit, "seat")),
        }
    );
    vec![
        Block::Table(Table { columns: ["Users", "Groups", "Functional accounts"], rows: rows.into() }),
        Block::Words(billed),
        Block::Note(
            "Dynamic distribution lists do not appear in Microsoft Graph, so they are not synchronised or counted."
                .to_owned(),
        ),
    ]
}

fn changes(facts: &DailyFacts) -> Vec<Block> {
    let mut shown: Vec<_> = facts.changes.shown.iter().collect();
    shown.sort_by_key(|change| change.did);
    shown.truncate(MOST_CHANGES);
    if shown.is_empty() {
        return vec![Block::Note("None.".to_owned())];
    }
    let mut blocks = vec![Block::Items(shown.iter().map(|change| changed(change)).collect())];
    blocks.extend(words::more(facts.changes.total, shown.len()).map(|more| Block::Words(format!("… {more}."))));
    blocks
}

fn changed(change: &ChangeLine) -> Item {
    let did = match change.did {
        Did::Deleted => "Deleted",
        Did::Disabled => "Disabled",
        Did::Added => "Added",
        Did::Updated => "Updated",
    };
    let address = change.address.as_deref().map(|address| escape::line(address, 120)).unwrap_or_default();
    let (name, aside) = match escape::line(&change.name, 100) {
        name if name.is_empty() => (address, String::new()),
        name => (name, address),
    };
    let kind = if change.kind == Kind::Group { " group" } else { "" };
    Item { tag: format!("{did}{kind}"), name, aside, detail: words::stopped(&change.why) }
}

fn not_imported(facts: &DailyFacts) -> Vec<Block> {
    let item = |group: &directory::facts::NotImported| {
        let mut examples: Vec<_> = group.examples.iter().take(5).map(|name| escape::line(name, 80)).collect();
        let more = words::more(group.count, examples.len()).filter(|_| !examples.is_empty());
        let more = more.map(|more| format!(" {more}")).unwrap_or_default();
        examples.retain(|name| !name.is_empty());
        Item {
            tag: words::figure(group.count),
            name: reason(group.reason).to_owned(),
            detail: format!("{}{more}", examples.join(", ")),
            ..Item::default()
        }
    };
    let items: Vec<_> = facts.not_imported.iter().filter(|group| group.count != 0).map(item).collect();
    if items.is_empty() { vec![Block::Note("Nobody was left out.".to_owned())] } else { vec![Block::Items(items)] }
}

fn reason(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::NoSmtpAddress => "without an SMTP address in Entra",
        SkipReason::DomainNotRegistered => "on a domain that is not registered here",
        SkipReason::SignInBlocked => "with sign-in blocked in Entra",
        SkipReason::Guest => "guests, who are not synchronised",
        SkipReason::Exempt => "exempt",
        SkipReason::KindNotSelected => "of a kind that is no longer synchronised",
        SkipReason::InvalidAddress => "with an address that mail cannot carry",
        SkipReason::WaitingForRetry => "failed before, and waiting to be tried again",
    }
}

fn errors(facts: &DailyFacts) -> Vec<Block> {
    if facts.errors.total == 0 {
        return vec![Block::Note("None.".to_owned())];
    }
    let item = |error: &directory::facts::OpenError| {
        let retry = error.retry_at.map(|at| format!(" Tried again on {}.", words::time(at))).unwrap_or_default();
        Item {
            tag: words::sentence(&words::age(error.since, facts.date)),
            name: escape::line(&error.object, 120),
            aside: error.kind.name().to_owned(),
            detail: format!("{}{retry}", words::stopped(&error.message)),
        }
    };
    let mut blocks = vec![Block::Items(facts.errors.shown.iter().map(item).collect())];
    blocks.extend(words::more_of(&facts.errors).map(|more| Block::Words(format!("… {more}."))));
    blocks
}

fn connection(facts: &DailyFacts) -> Vec<Block> {
    let connection = &facts.connection;
    let status = match (connection.status, &connection.error) {
        (Light::Green, _) => "Green: the last check succeeded".to_owned(),
        (Light::Grey, None) => "Grey: not checked with the present credential".to_owned(),
        (Light::Grey, Some(error)) => format!("Grey: the last check failed. {}", words::stopped(&error.message)),
    };
    let time = |at: Option<_>| at.map_or("never".to_owned(), words::time);
    let mut pairs = vec![
        ("Status", status),
        ("Last verified", time(connection.verified_at)),
        ("Last successful run", time(connection.last_successful_sync)),
    ];
    pairs.extend(connection.error.as_ref().map(|error| ("For support", words::quote(error))));
    let mut blocks = vec![Block::Pairs(pairs)];
    if connection.status == Light::Grey && connection.error.is_none() {
        let note = "Grey does not mean that runs fail; a check from the console turns it green.";
        blocks.push(Block::Note(note.to_owned()));
    }
    blocks
}

fn credential(facts: &DailyFacts) -> Vec<Block> {
    let state = match facts.credential.state {
        CredentialState::Configure => "never configured",
        CredentialState::Working => "working",
        CredentialState::Expiring => "working, expires soon",
        CredentialState::Expired => "expired",
        CredentialState::Refused => "refused by Entra",
    };
    let expiry = match (facts.credential.expiry, facts.credential.kind) {
        (Some(expiry), _) => words::expiry(&expiry),
        (None, CredentialKind::Federated) => "never: there is no secret that could expire".to_owned(),
        (None, _) => "not known".to_owned(),
    };
    let kind = words::sentence(words::credential_in_full(facts.credential.kind));
    vec![Block::Pairs(vec![("Kind", kind), ("State", words::sentence(state)), ("Expires", words::sentence(&expiry))])]
}

fn without_mobile(facts: &DailyFacts) -> Vec<Block> {
    let administrators = &facts.without_mobile.administrators;
    let mut blocks = Vec::new();
    if administrators.total == 0 {
        blocks.push(Block::Note("None.".to_owned()));
    } else {
        let why = "Two-factor sign-in needs it. Add it in Entra, and it arrives with the next run.";
        blocks.push(Block::Words(why.to_owned()));
        let item = |person: &directory::facts::Person| match escape::line(&person.name, 100) {
            name if name.is_empty() => Item { name: escape::line(&person.address, 120), ..Item::default() },
            name => Item { name, aside: escape::line(&person.address, 120), ..Item::default() },
        };
        blocks.push(Block::Items(administrators.shown.iter().map(item).collect()));
        blocks.extend(words::more_of(administrators).map(|more| Block::Words(format!("… {more}."))));
    }
    if facts.without_mobile.others != 0 {
        let verb = if facts.without_mobile.others == 1 { "lacks" } else { "lack" };
        let others = words::many(facts.without_mobile.others, "other user");
        blocks.push(Block::Note(format!("{others} who may sign in {verb} one too.")));
    }
    blocks
}

fn settings_changed(facts: &DailyFacts) -> Vec<Block> {
    if facts.settings_changed.total == 0 {
        return vec![Block::Note("None.".to_owned())];
    }
    let item = |change: &directory::facts::SettingChanged| {
        let value = |text: &Option<String>| text.as_deref().map(|text| escape::line(text, 120));
        let detail = match (value(&change.from), value(&change.to)) {
            (Some(from), Some(to)) => format!("From {from} to {to}."),
            (None, Some(to)) => format!("To {to}."),
            (Some(from), None) => format!("Was {from}."),
            (None, None) => String::new(),
        };
        Item {
            tag: change.at.strftime("%H:%M").to_string(),
            name: escape::line(&change.setting, 80),
            aside: format!("by {}", escape::line(&change.by, 80)),
            detail,
        }
    };
    let mut blocks = vec![Block::Items(facts.settings_changed.shown.iter().map(item).collect())];
    blocks.extend(words::more_of(&facts.settings_changed).map(|more| Block::Words(format!("… {more}."))));
    blocks
}
