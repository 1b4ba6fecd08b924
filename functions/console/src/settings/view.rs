//! The page of the settings: every field with what it holds, and with what is wrong about it.

use std::collections::BTreeMap;

use askama::Template;
use directory::{Code, CredentialKind, Failure, Guid, TenantId};
use engine::{
    audit,
    glance::Glance,
    operator::Refused,
    ports::{Fault, Store},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    fields::{self, Field, Set, Shape},
    sent::shown,
};
use crate::{
    health::{Health, Next},
    moment::Moment,
    shell::Shell,
};

/// So far back in the audit it is looked for who changed a setting.
const LOOKED_BACK: usize = 50;

/// What did not go as a person wanted.
#[derive(Debug, Default)]
pub(crate) struct Wrong {
    /// What they typed.
    pub(crate) typed: BTreeMap<&'static str, String>,
    /// A field that was refused, and why.
    pub(crate) blamed: Option<(&'static str, String)>,
    /// Fields that somebody else changed meanwhile.
    pub(crate) superseded: Vec<&'static str>,
    /// The day that was typed beside a secret.
    pub(crate) ends: Option<String>,
}

#[derive(Template)]
#[template(path = "settings.html")]
pub(crate) struct Import<'a> {
    shell: Shell<'a>,
    health: Health,
    /// Fields to look at, by their ids.
    errors: Vec<(&'static str, &'static str)>,
    connection: Form,
    rest: Form,
    secret: Secret,
    setup: Setup,
}

/// The fields of one form.
struct Form {
    /// A mark of each field as it is shown.
    was: String,
    sets: Vec<Shown>,
}

struct Shown {
    legend: &'static str,
    /// The heads of a table of switches.
    columns: &'static [&'static str],
    inputs: Vec<Input>,
}

/// A field as it is shown.
struct Input {
    id: &'static str,
    label: &'static str,
    hint: &'static str,
    shape: Shape,
    text: String,
    error: Option<String>,
}

/// The field for a secret, which is never shown.
struct Secret {
    kind: CredentialKind,
    error: Option<String>,
    ends: String,
    ends_error: Option<String>,
}

/// What somebody who sets up the application at Microsoft needs.
struct Setup {
    directory: Option<String>,
    application: Option<String>,
    consent: Option<String>,
}

impl Input {
    /// What describes the field.
    fn described(&self) -> Option<String> {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.id));
        let error = self.error.as_ref().map(|_| format!("{}-error", self.id));
        let parts: Vec<String> = error.into_iter().chain(hint).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }

    fn options(&self) -> &'static [(&'static str, &'static str)] {
        match self.shape {
            Shape::Choice(options) | Shape::Numbers(options) => options,
            _ => &[],
        }
    }

    fn is_flag(&self) -> bool {
        self.shape == Shape::Flag
    }

    fn is_lines(&self) -> bool {
        self.shape == Shape::Domains
    }

    fn is_number(&self) -> bool {
        matches!(self.shape, Shape::Number | Shape::OptionalNumber)
    }
}

impl Shown {
    /// The rows of a table of switches.
    fn rows(&self) -> impl Iterator<Item = &[Input]> {
        self.inputs.chunks(self.columns.len().max(1))
    }
}

impl<'a> Import<'a> {
    pub(crate) fn new(
        shell: Shell<'a>,
        glance: &Glance,
        wrong: &Wrong,
        by: &BTreeMap<&'static str, String>,
        now: Timestamp,
    ) -> Self {
        let settings = &glance.tenant.settings;
        let present = json!(settings);
        let blamed = |id: &str| wrong.blamed.as_ref().filter(|(field, _)| *field == id).map(|(_, why)| why.clone());
        let input = |field: &'static Field| Input {
            id: field.path,
            label: field.label,
            hint: field.hint,
            shape: field.shape,
            text: wrong.typed.get(field.path).cloned().unwrap_or_else(|| field.text(&present)),
            error: blamed(field.path).or_else(|| by.get(field.path).cloned()),
        };
        let form = |sets: &'static [Set]| Form {
            was: shown(sets, &present),
            sets: sets
                .iter()
                .map(|set| Shown {
                    legend: set.legend,
                    columns: set.columns.unwrap_or_default(),
                    inputs: set.fields.iter().map(input).collect(),
                })
                .collect(),
        };
        let named = wrong.blamed.iter().map(|(id, _)| *id).chain(wrong.superseded.iter().copied());
        let application = settings.application_id.as_ref().map(|id| id.as_str().to_owned());
        let consent = settings.authority().zip(application.as_ref());
        Self {
            health: Health::of(glance, now),
            errors: named.map(|id| (id, label(id))).collect(),
            connection: form(fields::CONNECTION),
            rest: form(fields::REST),
            secret: Secret {
                kind: settings.credential.kind,
                // Where none is kept, there is none that would still be in use.
                error: blamed("ad_key").map(|why| {
                    let kept = glance.hint.is_some() || glance.expiry.is_some();
                    if kept { format!("{why} Meanwhile the one before is still in use.") } else { why }
                }),
                ends: wrong.ends.clone().unwrap_or_default(),
                ends_error: blamed("expires_on"),
            },
            setup: Setup {
                directory: settings.directory_id.as_ref().map(Guid::as_str).map(str::to_owned),
                consent: consent.and_then(|(authority, id)| entra::consent_link(settings.cloud, authority, id)),
                application,
            },
            shell,
        }
    }
}

fn label(id: &str) -> &'static str {
    match (id, fields::find(id)) {
        ("ad_key", _) => "Secret",
        ("expires_on", _) => "Expires on",
        (_, Some(field)) => field.label,
        (_, None) => "the form",
    }
}

/// Nothing was saved, since it would have gone over what somebody else saved.
pub(crate) fn superseded() -> Failure {
    Failure::new(
        Code::Superseded,
        "Nothing was saved yet: somebody else changed the same settings since you opened this page.",
        "What you typed is still in the form. Save once more to put it in the place of theirs, or open the page anew to keep theirs.",
    )
}

/// A refusal of the settings in the words of the page, and the field that it is about.
pub(crate) fn for_people(
    failure: Failure,
    typed: &BTreeMap<&'static str, String>,
) -> (Failure, Option<(&'static str, String)>) {
    if failure.help.contains("\"replace_connection\"") {
        let message =
            "People and groups here came from the directory that is connected now, and this may be another one.";
        // Nobody of the present directory could sign in again before the other one was read.
        let help = "Ask the operator of this service, who can replace the connection. Nothing was saved.";
        return (Failure { message: message.to_owned(), help: help.to_owned(), ..failure }, None);
    }
    let said = failure.message.strip_prefix("settings.").and_then(|rest| rest.split_once(": "));
    let Some((path, why)) = said else { return (failure, None) };
    let whole = path.split_once('[').map_or(path, |(list, _)| list);
    let Some(field) = fields::find(path).or_else(|| fields::find(whole)) else { return (failure, None) };
    let line = path.strip_prefix("domains[").and_then(|rest| rest.split_once(']'));
    let why = match line {
        Some((at, part)) => in_line(at, part, typed.get("domains")),
        None if field.expected.is_empty() => mail::words::stopped(why),
        None => field.expected.to_owned(),
    };
    let message = format!("Nothing was saved. {}: {why}", field.label);
    let help = "Correct it, and save again.".to_owned();
    (Failure { message, help, ..failure }, Some((field.path, why)))
}

/// What is wrong with one of the domains.
fn in_line(at: &str, part: &str, typed: Option<&String>) -> String {
    let at = at.parse::<usize>().ok();
    let line = at.zip(typed).and_then(|(at, text)| fields::lines(text).nth(at)).map_or(0, |(line, ..)| line);
    if part == ".kind" {
        return format!("Line {line}: behind the domain expected nothing, or “management”.");
    }
    format!("Line {line} is no domain such as contoso.com.")
}

/// A refusal of a secret in the words of the page.
pub(crate) fn of_the_secret(failure: Failure) -> (Failure, Option<(&'static str, String)>) {
    for field in ["ad_key", "expires_on"] {
        if let Some(why) = failure.message.strip_prefix(field).and_then(|rest| rest.strip_prefix(": ")) {
            let why = mail::words::stopped(why);
            let message = format!("The secret was not saved. {}: {why}", label(field));
            return (Failure { message, ..failure }, Some((field, why)));
        }
    }
    let why = "This secret was not saved.".to_owned();
    let message = format!(
        "The secret was not saved, and what was there before stays. {}",
        mail::words::stopped(&failure.message)
    );
    (Failure { message, ..failure }, Some(("ad_key", why)))
}

/// Who changed settings last, in a sentence for each, with what they are now.
///
/// # Errors
/// The store's.
pub(crate) async fn changed_by(
    store: &impl Store,
    tenant: &TenantId,
    glance: &Glance,
    paths: &[&'static str],
) -> Result<BTreeMap<&'static str, String>, Fault> {
    if paths.is_empty() {
        return Ok(BTreeMap::new());
    }
    let audit = match audit::list(store, tenant, None, LOOKED_BACK).await {
        Ok(page) => page.rows,
        Err(Refused::Failure(_)) => Vec::new(),
        Err(Refused::Fault(fault)) => return Err(fault),
    };
    let present = json!(glance.tenant.settings);
    let sentence = |path: &&'static str| {
        let field = fields::find(path)?;
        let entry = audit.iter().find(|entry| entry.action == "put_tenant" && entry.to.get(field.key()).is_some());
        let who = entry.map_or("Somebody else changed this meanwhile".to_owned(), |entry| {
            let at = Moment::new(entry.at, &glance.tenant.settings.report.time_zone);
            format!("{} changed this on {}", entry.by, at.words)
        });
        Some((*path, format!("{who}. {}", now(field, &present))))
    };
    Ok(paths.iter().filter_map(sentence).collect())
}

/// What a field holds now.
fn now(field: &Field, settings: &Value) -> String {
    let text = field.text(settings);
    match field.shape {
        Shape::Domains => format!("Now there are {}.", mail::words::many(text.lines().count() as u64, "domain")),
        Shape::Flag => format!("Now it is {}.", if text.is_empty() { "off" } else { "on" }),
        _ if text.is_empty() => "Now it is empty.".to_owned(),
        Shape::Choice(options) | Shape::Numbers(options) => {
            let label = options.iter().find(|(value, _)| *value == text).map_or(text.as_str(), |(_, label)| *label);
            format!("Now it is “{label}”.")
        }
        _ => format!("Now it is “{text}”."),
    }
}
