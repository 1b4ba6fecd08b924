//! How a tenant's connection and credential do, and when it synchronises, in words.

use directory::{
    Code, CredentialKind, Failure,
    facts::{CredentialState, ExpiryDay},
};
use engine::glance::Glance;
use jiff::Timestamp;
use mail::words;

use crate::{mark::Mark, moment::Moment};

/// What both the overview and the settings say of it.
#[derive(Debug)]
pub(crate) struct Health {
    /// The last manual check succeeded with the present credential (rule 1.6).
    pub(crate) green: bool,
    /// When a check last succeeded.
    pub(crate) verified: Option<Moment>,
    /// Why the last one did not.
    pub(crate) error: Option<Failure>,
    /// When a run last succeeded.
    pub(crate) last: Option<Moment>,
    pub(crate) next: Next,
    /// A run that is under way.
    pub(crate) running: Option<Running>,
    pub(crate) credential: Credential,
}

/// When the next run is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Never,
    Now,
    At(Moment),
}

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) run: String,
    pub(crate) since: Moment,
}

/// The credential without itself (rule 7.1).
#[derive(Debug)]
pub(crate) struct Credential {
    /// As Microsoft's portal calls it.
    pub(crate) kind: &'static str,
    pub(crate) mark: Mark,
    /// The last day, how far it is, and from where that is known (rule 6.5).
    pub(crate) expiry: Option<String>,
    /// How the saved secret begins.
    pub(crate) hint: Option<String>,
    /// What to do about it.
    pub(crate) mend: Option<&'static str>,
    /// The field in which that is done.
    pub(crate) field: &'static str,
}

impl Health {
    pub(crate) fn of(glance: &Glance, now: Timestamp) -> Self {
        let Glance { tenant, sync, under_way, .. } = glance;
        let moment = |at: Timestamp| Moment::new(at, &tenant.settings.report.time_zone);
        Self {
            green: tenant.status.green,
            verified: tenant.status.verified_at.map(moment),
            error: tenant.status.error.clone().map(for_people),
            last: sync.last_success.map(moment),
            next: match glance.next_sync {
                None => Next::Never,
                Some(due) if due <= now => Next::Now,
                Some(due) => Next::At(moment(due)),
            },
            running: under_way.as_ref().map(|run| Running { run: run.run.to_string(), since: moment(run.started_at) }),
            credential: Credential::of(glance),
        }
    }

    pub(crate) fn connection(&self) -> Mark {
        if self.green { Mark::good("Connected") } else { Mark::quiet("Not verified") }
    }
}

impl Credential {
    pub(crate) fn of(Glance { tenant, credential, expiry, hint, .. }: &Glance) -> Self {
        let kind = tenant.settings.credential.kind;
        let (mark, mend) = match credential {
            CredentialState::Configure => (Mark::held("Not configured"), Some("Configure")),
            CredentialState::Working => (Mark::good("Working"), None),
            CredentialState::Expiring => (Mark::held("Expiring"), Some("Renew")),
            CredentialState::Expired => (Mark::bad("Expired"), Some("Fix")),
            CredentialState::Refused => (Mark::bad("Refused by Microsoft"), Some("Fix")),
        };
        Self {
            kind: words::credential_in_full(kind),
            mark,
            expiry: expiry.map(|ExpiryDay { on, days_left, source }| {
                format!("{}, {} ({})", words::day(on), words::in_days(days_left), words::source(source))
            }),
            hint: hint.clone(),
            mend,
            field: if kind == CredentialKind::Federated { "directory_id" } else { "ad_key" },
        }
    }
}

/// What went wrong with something that a person has asked for, which nobody but the person asks for again.
pub(crate) fn for_whoever_asked(failure: Failure) -> Failure {
    let help = failure.help.replace("nothing at first: it is tried again by itself", "try again in a few minutes");
    for_people(Failure { help, ..failure })
}

/// What operators are told by the names of actions and settings is done with forms here.
pub(crate) fn for_people(failure: Failure) -> Failure {
    let help = failure.help.replace(" with put_secret", " here");
    let help = words::stopped(
        &help.replace("make a new preview, and apply that one", "search again, and apply what that finds"),
    );
    // The page leads to that run; its id is no word of a sentence.
    if failure.code == Code::Busy && failure.message.contains(" of this tenant ") {
        let message = "Another run is at work, and only one can be at a time.".to_owned();
        return Failure { message, help, ..failure };
    }
    let message = words::stopped(&failure.message);
    let missing = failure.message.split_once(" is not configured: ").map(|(_, missing)| missing);
    let Some(missing) = missing.filter(|_| failure.code == Code::InvalidInput) else {
        return Failure { message, help, ..failure };
    };
    let message = format!("The connection is not complete: {missing}.");
    let help = "Fill in the connection and save the secret. The connection is then checked by itself.".to_owned();
    Failure { message, help, ..failure }
}
