//! What every page of a run says of it.

use directory::TimeZone;
use engine::records::{Action, Run};
use serde_json::Value;

use super::names::{self, SWITCHES};
use crate::{fit::cut, mark::Mark, moment::Moment};

/// A run, in a few facts.
pub(super) struct About {
    pub(super) mark: Mark,
    pub(super) action: &'static str,
    pub(super) by: String,
    pub(super) started: Moment,
    pub(super) finished: Option<Moment>,
    /// The run that it undoes.
    pub(super) undoes: Option<String>,
    /// Settings of this run only.
    pub(super) own: Option<String>,
}

impl About {
    pub(super) fn of(run: &Run, interrupted: bool, zone: &TimeZone) -> Self {
        Self {
            mark: names::state(run.state, interrupted),
            action: names::action(run.action, run.undoes.is_some()),
            by: by(run),
            started: Moment::new(run.started_at, zone),
            finished: run.finished_at.map(|at| Moment::new(at, zone)),
            undoes: run.undoes.as_ref().map(ToString::to_string),
            own: run.settings.as_ref().map(own),
        }
    }
}

/// Who asked for a run.
pub(super) fn by(run: &Run) -> String {
    // What the schedule's run held is released by a person.
    if run.trigger == "schedule" && run.action == Action::Sync { "the schedule".to_owned() } else { cut(&run.by, 80) }
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
