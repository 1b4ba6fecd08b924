//! The first page of an administrator: how things stand, who is here, and what waits for a person.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use directory::{Failure, RunId, facts::CredentialState};
use engine::{
    glance::{self, Glance},
    ports::Fault,
    records::{HeldBack, Run, RunState},
};
use jiff::Timestamp;
use mail::words;

use crate::{
    Console,
    arrival::Arrival,
    ask::new_run,
    health::{Credential, Health, Next, for_people},
    mark::Mark,
    moment::Moment,
    page,
    shell::Shell,
};

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    shell: Shell<'a>,
    name: String,
    health: Health,
    waiting: Vec<Waiting>,
    figures: Vec<Figure>,
    /// The id of the run that the form asks for.
    new: RunId,
}

/// Something that waits for a person.
#[derive(Debug, Default)]
struct Waiting {
    /// What it is about, in a word.
    mark: Mark,
    what: String,
    help: Option<String>,
    link: Option<Link>,
    consent: Option<String>,
    codes: Option<String>,
}

#[derive(Debug)]
struct Link {
    path: String,
    name: &'static str,
}

struct Figure {
    what: &'static str,
    number: String,
    path: Option<&'static str>,
}

/// The overview of the tenant that the person manages.
///
/// # Errors
/// The store's.
pub(crate) async fn show(console: &Console, arrival: &Arrival, shell: Shell<'_>) -> Result<Response, Fault> {
    let now = (console.clock)();
    let glance = match glance::at(&console.store, &shell.person.tenant, now).await {
        Ok(glance) => glance,
        Err(refused) => return page::not_shown(arrival, shell, refused),
    };
    let overview = Overview {
        name: name(&glance),
        health: Health::of(&glance, now),
        waiting: waiting(&glance, now),
        figures: figures(&glance),
        new: new_run(now),
        shell,
    };
    Ok(page::render(arrival, StatusCode::OK, &overview))
}

/// What people call the tenant, else its domain.
fn name(Glance { tenant, .. }: &Glance) -> String {
    let settings = &tenant.settings;
    let name = Some(settings.name.trim()).filter(|name| !name.is_empty()).map(str::to_owned);
    let domain = || settings.primary_domain.as_ref().map(ToString::to_string);
    name.or_else(domain).unwrap_or_else(|| "Your organisation".to_owned())
}

fn figures(Glance { tenant, counts, .. }: &Glance) -> Vec<Figure> {
    let figure = |number: i64| words::figure(u64::try_from(number).unwrap_or_default());
    let people = |number: i64, path| (figure(number), Some(path));
    let billable = match tenant.settings.seats {
        Some(seats) => format!("{} of {} seats", figure(counts.billable), words::figure(u64::from(seats))),
        None => format!("{} (no limit is set)", figure(counts.billable)),
    };
    let rows = [
        ("Users", people(counts.users - counts.functional - counts.deleted_users, "/people?type=user")),
        ("Groups", (figure(counts.groups - counts.deleted_groups), None)),
        (
            "Functional accounts",
            people(counts.functional - counts.deleted_functional, "/people?type=functional_account"),
        ),
        ("Billable users", (billable, None)),
        ("Marked as deleted", (figure(counts.deleted_users + counts.deleted_functional + counts.deleted_groups), None)),
    ];
    rows.into_iter().map(|(what, (number, path))| Figure { what, number, path }).collect()
}

/// The most urgent comes first.
fn waiting(glance: &Glance, now: Timestamp) -> Vec<Waiting> {
    let Glance { tenant, sync, counts, newest, .. } = glance;
    let zone = &tenant.settings.report.time_zone;
    let mut waiting: Vec<Waiting> = glance.holding.iter().filter_map(held).collect();
    waiting.extend(sync.last_error.as_ref().map(|failure| failed(failure, newest.as_ref())));
    waiting.extend(credential(glance));
    if let Some(not_renewed) = &glance.not_renewed {
        let at = Moment::new(not_renewed.at, zone).words;
        let what = format!("The secret was not renewed by itself, last tried {at}.");
        waiting.push(Waiting { mark: Mark::bad("Not renewed"), what, ..said(&not_renewed.error) });
    }
    if let Some(run) = newest.as_ref().filter(|run| is_waiting_plan(glance, run, now)) {
        waiting.push(Waiting {
            mark: Mark::held("Plan"),
            what: format!("A plan of {} waits for your review.", Moment::new(run.started_at, zone).words),
            link: Some(Link { path: format!("/runs/{}", run.run), name: "Review the plan" }),
            ..Waiting::default()
        });
    }
    waiting.extend(contact(glance));
    let seats = tenant.settings.seats.map(i64::from);
    if seats.is_some_and(|seats| seats < counts.billable) {
        let what = "There are more billable users than seats.".to_owned();
        let link = Some(Link { path: "/settings#seats".to_owned(), name: "See the settings" });
        waiting.push(Waiting { mark: Mark::held("Seats"), what, link, ..Waiting::default() });
    }
    let without = u64::try_from(counts.administrators_without_mobile).unwrap_or_default();
    if without != 0 {
        let s = if without == 1 { "has" } else { "have" };
        waiting.push(Waiting {
            mark: Mark::held("Mobile"),
            what: format!(
                "{} {s} no mobile number, which two-factor sign-in needs.",
                words::many(without, "administrator")
            ),
            link: Some(Link { path: "/people?type=organization_admin".to_owned(), name: "See who" }),
            ..Waiting::default()
        });
    }
    // These two are said above, as they stand now.
    let told = ["no_tech_contact", "seats_exceeded"];
    let warnings = newest.iter().flat_map(|run| &run.warnings).filter(|warning| !told.contains(&warning.code.as_str()));
    waiting.extend(warnings.map(|warning| Waiting {
        mark: Mark::held("Warning"),
        what: words::stopped(&warning.message),
        ..Waiting::default()
    }));
    waiting
}

/// What the brake holds, or what a person has undone and Entra still asks for.
fn held(run: &Run) -> Option<Waiting> {
    let HeldBack { users, groups, members, undone, limits: _ } = run.held.as_ref()?;
    let parts = [
        (*users, "user to disable or delete", "users to disable or delete"),
        (*groups, "group to delete", "groups to delete"),
        (*members, "group to empty", "groups to empty"),
        (*undone, "change that was undone", "changes that were undone"),
    ];
    let parts = parts.into_iter().filter(|(number, ..)| *number != 0);
    let parts: Vec<_> = parts
        .map(|(number, one, many)| format!("{} {}", words::figure(number), if number == 1 { one } else { many }))
        .collect();
    (!parts.is_empty()).then(|| Waiting {
        mark: Mark::held("Held"),
        what: format!("Changes wait for your word: {}.", words::list(&parts)),
        link: Some(Link { path: format!("/runs/{}", run.run), name: "Look at the held changes" }),
        ..Waiting::default()
    })
}

fn failed(failure: &Failure, newest: Option<&Run>) -> Waiting {
    let run = newest.filter(|run| run.state == RunState::Failed);
    let link = run.map(|run| Link { path: format!("/runs/{}", run.run), name: "Look at the run" });
    let what = format!("The last run failed. {}", words::stopped(&failure.message));
    Waiting { mark: Mark::bad("Failed"), what, link, ..said(failure) }
}

/// What a failure says besides its sentence.
fn said(failure: &Failure) -> Waiting {
    let failure = for_people(failure.clone());
    let microsoft = failure.microsoft.unwrap_or_default();
    let codes = [
        microsoft.code,
        microsoft.correlation_id.map(|id| format!("correlation id {id}")),
        microsoft.request_id.map(|id| format!("request id {id}")),
    ];
    let codes: Vec<String> = codes.into_iter().flatten().collect();
    Waiting {
        help: Some(words::stopped(&failure.help)),
        consent: failure.consent_link,
        codes: (!codes.is_empty()).then(|| format!("From Microsoft, for a support case: {}", codes.join(", "))),
        ..Waiting::default()
    }
}

fn credential(glance: &Glance) -> Option<Waiting> {
    let name = words::credential_in_full(glance.tenant.settings.credential.kind);
    let (mark, what) = match glance.credential {
        CredentialState::Working => return None,
        CredentialState::Configure => (Mark::held("Configure"), "The connection to your directory is not set up yet."),
        CredentialState::Expiring => {
            (Mark::held("Expiring"), "It ends soon; without it no change of Entra arrives here.")
        }
        CredentialState::Expired => (Mark::bad("Expired"), "Mail keeps flowing, but no change of Entra arrives here."),
        CredentialState::Refused => {
            (Mark::bad("Refused"), "Microsoft refuses it, and no change of Entra arrives here.")
        }
    };
    let what = match (glance.credential, glance.expiry) {
        (CredentialState::Configure, _) => what.to_owned(),
        (CredentialState::Expiring | CredentialState::Expired, Some(ends)) => {
            format!("The {name} ({}): {what}", words::in_days(ends.days_left))
        }
        _ => format!("The {name}: {what}"),
    };
    let credential = Credential::of(glance);
    let link = credential.mend.map(|name| Link { path: format!("/settings#{}", credential.field), name });
    Some(Waiting { mark, what, link, ..Waiting::default() })
}

fn contact(Glance { tenant, .. }: &Glance) -> Option<Waiting> {
    let what = match (&tenant.settings.tech_contact, tenant.unreachable()) {
        (None, _) => "Nobody gets the reports and warnings. Without a tech contact, syncing stops after 7 days.",
        (Some(_), Some(_)) => {
            "Mails to the tech contact come back. Without one that works, syncing stops after 7 days."
        }
        (Some(_), None) => return None,
    };
    let link = Some(Link { path: "/settings#tech_contact".to_owned(), name: "Set the tech contact" });
    Some(Waiting { mark: Mark::held("Tech contact"), what: what.to_owned(), link, ..Waiting::default() })
}

/// Whether a run is a preview that may still be applied.
fn is_waiting_plan(glance: &Glance, run: &Run, now: Timestamp) -> bool {
    let newest = glance.sync.newest.as_ref() == Some(&run.run);
    newest && run.state == RunState::Planned && !run.is_too_old(now)
}
