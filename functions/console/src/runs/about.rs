//! What every page of a run says of it.

use engine::records::Run;
use serde_json::Value;

use super::names::{self, Mark, SWITCHES};
use crate::plain::{cut, minute, minute_or_dash};

/// A run, in a few facts.
pub(super) struct About {
    pub(super) mark: Mark,
    pub(super) action: &'static str,
    pub(super) by: String,
    pub(super) started: String,
    pub(super) finished: String,
    /// The run that it undoes.
    pub(super) undoes: Option<String>,
    /// Settings of this run only.
    pub(super) own: Option<String>,
}

impl About {
    pub(super) fn of(run: &Run, interrupted: bool) -> Self {
        Self {
            mark: names::state(run.state, interrupted),
            action: names::action(run.action, run.undoes.is_some()),
            by: if run.trigger == "schedule" && run.by == "schedule" {
                "the schedule".to_owned()
            } else {
                cut(&run.by, 120)
            },
            started: minute(run.started_at),
            finished: minute_or_dash(run.finished_at),
            undoes: run.undoes.as_ref().map(ToString::to_string),
            own: run.settings.as_ref().map(own),
        }
    }
}

/// Settings of a run, in words.
fn own(settings: &Value) -> String {
    let settings = settings.as_object().into_iter().flatten();
    let words = settings.map(|(name, value)| {
        let name = SWITCHES.iter().find(|(known, _)| known == name).map_or(name.as_str(), |(_, words)| words);
        match value {
            Value::Bool(on) => format!("{name}: {}", if *on { "on" } else { "off" }),
            other => format!("{name}: {other}"),
        }
    });
    cut(&words.collect::<Vec<_>>().join(", "), 400)
}
