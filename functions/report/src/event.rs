//! What the function is invoked with, by a person, the scheduler or a message: parsed once, refused by name of the field.

use directory::{Failure, TenantId};
use engine::report::{Request, Returned};
use jiff::civil::Date;
use platform::event::{self, some_tenant};
use serde::Deserialize;
use serde_json::Value;

use crate::returned;

/// What is to be done, and the time at which it takes place.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What is to be done.
    pub(crate) what: What,
    /// The test clock's time.
    pub(crate) now: Option<String>,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum What {
    /// A report.
    Report(Request),
    /// A mail came back.
    Returned(Returned),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    #[serde(default, deserialize_with = "some_tenant")]
    tenant: Option<TenantId>,
    date: Option<Day>,
    #[serde(default)]
    preview: bool,
    by: Option<String>,
    now: Option<String>,
}

/// A day as `2026-11-21`, and nothing else that could be taken for one.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Day(Date);

impl TryFrom<String> for Day {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let date = text.parse().ok().filter(|date: &Date| date.to_string() == text);
        date.map(Self).ok_or("expected a day such as 2026-11-21")
    }
}

/// Read an event.
pub(crate) fn read(payload: Value) -> Result<Asked, Failure> {
    let Event { tenant, date, preview, by, now } = event::read(payload)?;
    if by.as_ref().is_some_and(|by| by.len() > 200 || by.chars().any(char::is_control)) {
        return Err(Failure::invalid("by: expected at most 200 characters without control characters"));
    }
    let request = Request { tenant, date: date.map(|Day(date)| date), preview, by };
    Ok(Asked { what: What::Report(request), now })
}

/// Read a message of the queue: an event, or what SES tells of a mail. Nothing where that is none of our business.
pub(crate) fn read_message(message: Value) -> Result<Option<Asked>, Failure> {
    if !returned::is_an_event(&message) {
        return read(message).map(Some);
    }
    let (mail, now) = returned::read(message)?;
    Ok(mail.map(|mail| Asked { what: What::Returned(mail), now }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    #[rustfmt::skip]
    fn s9_events() {
        check("a tenant's day",    json!({"tenant": "contoso", "date": "2026-11-21"}), "contoso 2026-11-21");
        check("a look at it",      json!({"tenant": "contoso", "date": "2026-11-21", "preview": true}), "contoso 2026-11-21 preview");
        check("the roll-up",       json!({"date": "2026-11-21", "by": "ann"}), "- 2026-11-21");
        check("the scheduler's",   json!({}),                                  "- -");
        check("no such day",       json!({"date": "2026-13-45"}),              "date: expected a day such as 2026-11-21");
        check("a time",            json!({"date": "2026-11-21T10:00:00"}),     "date: expected a day such as 2026-11-21");
        check("yesterday",         json!({"date": "yesterday"}),               "date: expected a day such as 2026-11-21");
        check("a number",          json!({"date": 20_261_121}),                "date: expected a string");
        check("no tenant's name",  json!({"tenant": "Contoso Ltd"}),           "tenant: expected a tenant id: 1 to 40 of a-z, 0-9 and -");
        check("an unknown key",    json!({"tenant": "contoso", "send": true}), "unknown field `send`, expected one of `tenant`, `date`, `preview`, `by`, `now`");
        check("not an object",     json!(["contoso"]),                         "the event is not a JSON object");
        check("a strange asker",   json!({"by": "a\nb"}),                      "by: expected at most 200 characters without control characters");
    }

    #[track_caller]
    fn check(name: &str, event: Value, expected: &str) {
        let dash = || "-".to_owned();
        let outcome = match read(event) {
            Ok(Asked { what: What::Returned(_), .. }) => "a mail that came back".to_owned(),
            Ok(Asked { what: What::Report(Request { tenant, date, preview, .. }), .. }) => {
                let words = [tenant.map_or_else(dash, |t| t.to_string()), date.map_or_else(dash, |d| d.to_string())];
                words.join(" ") + if preview { " preview" } else { "" }
            }
            Err(failure) => failure.message,
        };
        assert!(outcome.ends_with(expected) && outcome.contains(expected), "{name}: {outcome}");
    }
}
