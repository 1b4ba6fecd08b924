//! The facts of one tenant's day.

use directory::{
    TenantId,
    expiry::days_left,
    facts::{
        ConnectionFacts, CredentialFacts, CredentialState, DailyFacts, ExpiryDay, HeldChanges, Light, Listed,
        MOST_CHANGES, Named, NotRenewed, Seats, Tally, Warning,
    },
};
use jiff::Timestamp;

use super::{
    Stored,
    day::Day,
    people,
    runs::{self, Runs},
    settings, standing,
    sums::{Moved, Sums},
};
use crate::{
    connection, credential, keys,
    ports::{Clock, Fault, Store},
    records::{self, Counts, Run, Schedule, Status, Tenant, read},
};

/// Gather them. What waits for a person, the credential and the connection are as they are now, since that is what the
/// reader has to deal with; runs, changes and totals are those of the day.
///
/// # Errors
/// The store's.
pub(super) async fn gather(
    store: &impl Store,
    clock: &impl Clock,
    tenant: &TenantId,
    stored: &Stored,
    day: &Day,
) -> Result<DailyFacts, Fault> {
    let Stored { meta, sync, counts } = stored;
    let now = clock.now();
    let runs = Runs::around(store, tenant, sync, day).await?;
    let audit = settings::audit(store, tenant, day).await?;
    let mut sums = Sums::default();
    for run in &runs.during {
        sums.add(store, clock, tenant, run, day.start).await?;
    }
    let mut later = Sums::default();
    for run in &runs.after {
        later.add(store, clock, tenant, run, day.end).await?;
    }
    let verdicts = standing::verdicts(store, clock, tenant, day).await?;
    let changes = Listed { shown: sums.lines(store, tenant).await?, total: sums.total };
    let by_hand = |on: &dyn Fn(Timestamp) -> bool| {
        let totals = audit.iter().filter(|entry| on(entry.at)).filter_map(|entry| entry.totals);
        Moved::by(&totals.fold(Counts::default(), |mut sum, totals| {
            sum.add(totals, 1);
            sum
        }))
    };
    let totals =
        Totals::new(counts, [&sums.moved, &by_hand(&|at| day.has(at))], [&later.moved, &by_hand(&|at| day.end <= at)]);
    let mut outcomes = sums.outcomes;
    totals.fill(&mut outcomes, counts, &verdicts);
    let mut warnings = warnings(&runs);
    if sums.cut || later.cut || verdicts.cut {
        let message = "the tenant is so large that not all of its changes could be read for this report: some of its numbers are \
                       rough, and some lists are not complete";
        warnings.push(Warning { code: "report_cut".to_owned(), message: message.to_owned() });
    }
    warnings.sort();
    Ok(DailyFacts {
        tenant: named(tenant, meta),
        date: day.date,
        time_zone: day.zone_name.clone(),
        runs: runs.facts(settings::expected(tenant, meta, &audit, day, now), day, MOST_CHANGES),
        outcomes,
        changes,
        not_imported: verdicts.not_imported,
        errors: verdicts.errors,
        held: held(store, tenant, sync, day).await?,
        connection: connection_facts(meta, sync, day),
        credential: credential_facts(meta, sync, day, now),
        without_mobile: people::without_mobile(store, clock, tenant, counts).await?,
        settings_changed: settings::changed(&audit, day),
        warnings,
        seats: Seats {
            before: number(totals.before.billable),
            after: number(totals.after.billable),
            seats: meta.settings.seats.map(u64::from),
        },
        console: None,
    })
}

/// What people call a tenant.
pub(super) fn named(tenant: &TenantId, meta: &Tenant) -> Named {
    let Tenant { settings, .. } = meta;
    Named {
        id: tenant.clone(),
        name: settings.name.clone(),
        domain: settings.primary_domain.as_ref().map(ToString::to_string),
    }
}

/// How many there are of each kind, those who are marked as deleted left out.
struct Totals {
    before: Moved,
    after: Moved,
}

impl Totals {
    /// From what there is now, back over what came after the day, and then over the day: by runs and by hand.
    fn new(counts: &Counts, during: [&Moved; 2], later: [&Moved; 2]) -> Self {
        let back = |from: Moved, over: [&Moved; 2]| over.into_iter().fold(from, |rest, moved| rest.without(moved));
        let after = back(Moved::by(counts), later);
        Self { before: back(after, during), after }
    }

    fn fill(&self, outcomes: &mut directory::facts::Outcomes, counts: &Counts, verdicts: &standing::Verdicts) {
        let rest = |count: i64, failed: u64| number(count).saturating_sub(failed);
        let Counts { skipped_users, skipped_groups, not_enabled_users, not_enabled_groups, .. } = *counts;
        let failed = verdicts.failed;
        outcomes.users = Tally {
            before: number(self.before.users),
            after: number(self.after.users),
            skipped: rest(skipped_users, failed.users),
            not_enabled: number(not_enabled_users),
            failed: failed.users,
            ..outcomes.users
        };
        outcomes.groups = Tally {
            before: number(self.before.groups),
            after: number(self.after.groups),
            skipped: rest(skipped_groups, failed.groups),
            not_enabled: number(not_enabled_groups),
            failed: failed.groups,
            ..outcomes.groups
        };
        outcomes.functional = Tally {
            before: number(self.before.functional),
            after: number(self.after.functional),
            ..outcomes.functional
        };
    }
}

fn number(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// What the newest run of the day warns of.
fn warnings(runs: &Runs) -> Vec<Warning> {
    let warnings = runs.newest().map(|run| run.warnings.clone()).unwrap_or_default();
    warnings.into_iter().map(|records::Warning { code, message }| Warning { code, message }).collect()
}

/// What waits for a person.
///
/// # Errors
/// The store's.
pub(super) async fn held(
    store: &impl Store,
    tenant: &TenantId,
    sync: &Schedule,
    day: &Day,
) -> Result<Option<HeldChanges>, Fault> {
    let Some(id) = &sync.holding else { return Ok(None) };
    let Some(item) = store.get(&[keys::run(tenant, id)]).await?.pop().flatten() else { return Ok(None) };
    let run: Run = read("a run", item)?;
    let Some(held) = &run.held else { return Ok(None) };
    Ok(Some(HeldChanges {
        users: held.users,
        groups: held.groups,
        emptied: held.members,
        undone: held.undone,
        run: run.run.clone(),
        since: day.date_of(runs::held_since(store, tenant, &run).await?),
    }))
}

fn connection_facts(meta: &Tenant, sync: &Schedule, day: &Day) -> ConnectionFacts {
    let Status { green, verified_at, error } = &meta.status;
    ConnectionFacts {
        status: if *green { Light::Green } else { Light::Grey },
        verified_at: verified_at.map(|at| day.local(at)),
        error: error.clone(),
        last_successful_sync: sync.last_success.map(|at| day.local(at)),
    }
}

fn credential_facts(meta: &Tenant, sync: &Schedule, day: &Day, now: Timestamp) -> CredentialFacts {
    let state = connection::state(meta, sync, day.told_at(now));
    let expiry = expiry_day(meta, sync, day, now);
    // Entra says that it has ended: a later day that somebody gave or assumed is not true.
    let untrue = |expiry: &ExpiryDay| state == CredentialState::Expired && expiry.days_left >= 0;
    let failed = sync.rotation.as_ref().filter(|_| credential::renews_itself(&meta.settings));
    CredentialFacts {
        kind: meta.settings.credential.kind,
        state,
        expiry: expiry.filter(|expiry| !untrue(expiry)),
        not_renewed: failed.map(|failed| NotRenewed { at: day.local(failed.at), failure: failed.error.clone() }),
    }
}

/// When the credential ends, seen from the day on which people are told.
pub(super) fn expiry_day(meta: &Tenant, sync: &Schedule, day: &Day, now: Timestamp) -> Option<ExpiryDay> {
    let (on, source) = credential::ends(meta, sync)?;
    Some(ExpiryDay { on, days_left: days_left(day.date_of(day.told_at(now)), on), source })
}
