//! The operator's day over all tenants (rule 6.8).

use directory::facts::{Expiring, Listed, Named, NeverRan, RollUpFacts, Trouble, Unreached, Waiting};

use crate::{
    Rendered, escape,
    page::{self, Block, Item, Mood, Page, Section},
    verdict, words,
};

/// From so many days on, an expiry asks for attention by itself.
const NEAR: i32 = 14;

/// The roll-up of one day.
pub fn roll_up(facts: &RollUpFacts) -> Rendered {
    let (mood, verdict) = judge(facts);
    let page = Page {
        subject: format!("[Azure AD Roll-up] {} – {} – {verdict}", facts.date, mood.word()),
        kind: "Azure AD roll-up",
        title: "All tenants".to_owned(),
        date: format!("{} (UTC)", facts.date.strftime("%A, %-d %B %Y")),
        mood,
        headline: words::sentence(&verdict),
        meaning: format!(
            "{}, {} of them synchronised by schedule.",
            words::many(facts.tenants, "tenant"),
            words::figure(facts.scheduled)
        ),
        sections: vec![
            Section::new("Runs", [page::runs(&facts.runs)]),
            section("Failed", &facts.failed, failed),
            section("Held", &facts.held, held),
            section("Never ran", &facts.never_ran, never_ran),
            section("Credentials by the day they end", &facts.expiring, expiring),
            section("Reports that come back", &facts.unreached, unreached),
            section("Switched off for want of a technical contact", &facts.switched_off, switched_off),
        ],
        footer: vec!["This roll-up goes to the operator every day.".to_owned()],
    };
    page.render()
}

/// The verdict. Credentials that end some day are listed always, and ask for attention when the day is near.
fn judge(facts: &RollUpFacts) -> (Mood, String) {
    let RollUpFacts { failed, held, never_ran, unreached, switched_off, .. } = facts;
    let urgent = [failed.total, held.total, never_ran.total, unreached.total, switched_off.total];
    let near = facts.expiring.shown.iter().any(|expiring| expiring.expiry.days_left <= NEAR);
    let mood = if near || urgent.iter().any(|total| *total != 0) { Mood::Attention } else { Mood::Ok };
    let parts = [
        (facts.failed.total, "failed"),
        (facts.held.total, "held"),
        (facts.never_ran.total, "never ran"),
        (facts.expiring.total, "expiring"),
        (facts.unreached.total, "unreachable"),
        (facts.switched_off.total, "switched off"),
    ];
    let parts: Vec<_> = parts.iter().filter(|(n, _)| *n != 0).map(|(n, what)| format!("{n} {what}")).collect();
    (mood, if parts.is_empty() { words::count(facts.tenants, "tenant") } else { parts.join(", ") })
}

fn section<T>(title: &'static str, list: &Listed<T>, item: fn(&T) -> Item) -> Section {
    if list.total == 0 {
        return Section::new(title, [Block::Note("None.".to_owned())]);
    }
    Section::new(title, page::listed(list, item))
}

/// A tenant's own line, with its id: what the operator's commands ask for.
fn line(tenant: &Named, tag: String, detail: String) -> Item {
    let domain = tenant.domain.as_deref().map(|domain| format!(", {}", escape::line(domain, 80)));
    let aside = format!("{}{}", tenant.id, domain.unwrap_or_default());
    let name = escape::line(&tenant.name, 80);
    Item { tag, name: if name.is_empty() { words::tenant(tenant) } else { name }, aside, detail }
}

fn failed(trouble: &Trouble) -> Item {
    let parts = [(trouble.failed_runs, "failed run"), (trouble.errors, "unresolved error")];
    let parts: Vec<_> = parts.into_iter().filter(|(n, _)| *n != 0).map(|(n, one)| words::many(n, one)).collect();
    let why = trouble
        .failure
        .as_ref()
        .map(|failure| format!(" {} ({})", words::stopped(&failure.message), words::quote(failure)));
    line(&trouble.tenant, String::new(), format!("{}{}", words::stopped(&words::list(&parts)), why.unwrap_or_default()))
}

fn held(waiting: &Waiting) -> Item {
    let held = &waiting.held;
    let detail = format!("{}, since {}; run {}.", verdict::held_words(held), words::day(held.since), held.run);
    line(&waiting.tenant, String::new(), detail)
}

fn never_ran(never: &NeverRan) -> Item {
    let last = never
        .last_successful_sync
        .map_or("It never succeeded.".to_owned(), |at| format!("Last succeeded on {}.", words::time(at)));
    line(&never.tenant, String::new(), format!("{} expected. {last}", words::many(never.expected, "run")))
}

fn expiring(expiring: &Expiring) -> Item {
    let what = words::sentence(words::credential_in_full(expiring.kind));
    let detail =
        format!("{what}, {} ({}).", words::in_days(expiring.expiry.days_left), words::source(expiring.expiry.source));
    line(&expiring.tenant, words::day(expiring.expiry.on), detail)
}

fn unreached(unreached: &Unreached) -> Item {
    let detail = format!(
        "Mails to its technical contact have come back since {}: none is sent until a technical contact is saved, and after 7 days its frequency becomes 0.",
        words::day(unreached.since.date())
    );
    line(&unreached.tenant, String::new(), detail)
}

fn switched_off(tenant: &Named) -> Item {
    line(
        tenant,
        String::new(),
        "Its frequency is 0 now; give it a technical contact that can be reached, then a frequency.".to_owned(),
    )
}
