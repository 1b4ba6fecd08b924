//! The Azure AD Summary report (rules 6.1 to 6.3).

mod to_do;

use std::collections::BTreeSet;

use directory::{
    CredentialKind, Kind, SkipReason,
    facts::{ChangeLine, CredentialState, DailyFacts, Did, FailedRun, Light, Tally},
};

use crate::{
    Rendered, escape,
    page::{self, Block, Item, Mood, Page, Row, Section, Table},
    verdict::{self, Verdict, verdict},
    words,
};

/// The report of one tenant's day.
pub fn daily(facts: &DailyFacts) -> Rendered {
    let Verdict { mood, words: verdict } = verdict(facts);
    let tenant = words::tenant(&facts.tenant);
    let mut sections = vec![Section::new("What you must do", to_do::to_do(facts, mood))];
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
        headline: headline(mood, &verdict),
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

/// The verdict in words.
fn headline(mood: Mood, verdict: &str) -> String {
    if mood == Mood::Ok { "All is well".to_owned() } else { words::sentence(verdict) }
}

/// What the verdict means, in a sentence or two.
fn meaning(facts: &DailyFacts, mood: Mood) -> String {
    let totals = verdict::totals(facts);
    let changed = totals.iter().any(|number| *number != 0);
    let [added, updated, removed] = totals.map(words::figure);
    let done = format!("{added} added, {updated} updated, {removed} removed");
    let ran = match (facts.runs.started, facts.runs.succeeded) {
        (0, _) => "No run was due",
        (started, succeeded) if started == succeeded => "Every run succeeded",
        _ => "No run failed",
    };
    let flawless = facts.runs.started != 0 && facts.runs.failed == 0 && facts.errors.total == 0;
    match (mood, changed) {
        (Mood::Ok, true) => format!("{ran}, and nothing waits for you: {done}."),
        (Mood::Ok, false) => format!("{ran}, and there was nothing to change."),
        (Mood::Held, true) => format!("The rest was applied: {done}."),
        (Mood::Held, false) => "Nothing else was changed.".to_owned(),
        (Mood::Attention, true) if flawless => format!("{ran}: {done}."),
        (Mood::Attention, false) if flawless => format!("{ran}, and there was nothing to change."),
        (Mood::Attention, true) => format!("What could be done was done: {done}."),
        (Mood::Attention, false) => "Nothing was changed.".to_owned(),
    }
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

/// What ran, and the newest failed run of each kind of failure.
fn runs(facts: &DailyFacts) -> Vec<Block> {
    let runs = &facts.runs;
    let mut seen = BTreeSet::new();
    let kinds = runs.failures.iter().filter(|run| seen.insert(run.failure.code));
    let shown: Vec<_> = kinds.take(5).map(failed_run).collect();
    let more = words::more(runs.failed, shown.len()).filter(|_| !shown.is_empty());
    let mut blocks = vec![page::runs(runs)];
    if !shown.is_empty() {
        blocks.push(Block::Items(shown));
    }
    blocks.extend(more.map(|more| Block::Note(format!("… {more} failed."))));
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
    let mut changes = facts.changes.clone();
    changes.shown.sort_by_key(|change| change.did);
    match (changes.shown.is_empty(), changes.total) {
        (true, 0) => vec![Block::Note("None.".to_owned())],
        (true, total) => vec![Block::Note(format!("{}, too many to be listed here.", words::many(total, "change")))],
        (false, _) => page::listed(&changes, changed),
    }
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
            name: format!("{} {}", words::figure(group.count), reason(group.reason)),
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
    page::listed(&facts.errors, item)
}

fn connection(facts: &DailyFacts) -> Vec<Block> {
    let connection = &facts.connection;
    let status = match (connection.status, &connection.error) {
        (Light::Green, _) => "Green, the last check succeeded".to_owned(),
        (Light::Grey, None) => "Grey, not checked with the present credential".to_owned(),
        (Light::Grey, Some(error)) => format!("Grey, the last check failed. {}", words::stopped(&error.message)),
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
        blocks.extend(page::listed(administrators, item));
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
    page::listed(&facts.settings_changed, item)
}
