//! What can be said of something that was asked of a run and has not begun. A refusal that comes while nobody waits for it
//! any longer is lost; what stands in the tables tells most of them.

use directory::{Code, Failure, RunId};
use engine::records::{Run, RunState};
use jiff::Timestamp;

use super::{
    act::is_id,
    standing::{Plan, Standing},
};
use crate::form::Fields;

/// After so many seconds another run that is at work has refused it.
const REFUSED: i64 = 10;
/// After so many seconds it does not begin any longer.
const OVER: i64 = 60;
/// An address that says that something was asked for is worth no word after so many seconds.
const OLD: i64 = 3_600;

/// What the address of a run says of what was asked for.
#[derive(Debug, Default)]
pub(super) struct Wish {
    /// When something was asked of the run, in epoch seconds.
    pub(super) asked: Option<i64>,
    /// When the run itself was asked for.
    pub(super) new: Option<i64>,
    /// The run that the new one is to undo.
    pub(super) undoes: Option<String>,
}

impl Wish {
    /// As a query says it.
    pub(super) fn of(query: &Fields) -> Self {
        let seconds = |name| query.text(name).and_then(|seconds| seconds.parse().ok());
        let undoes = query.text("undo").filter(|id| is_id(id)).map(str::to_owned);
        Self { asked: seconds("asked"), new: seconds("new"), undoes }
    }

    /// The query of a run that was just asked for.
    pub(super) fn query(&self) -> String {
        let new = self.new.map_or_else(String::new, |new| format!("?new={new}"));
        let undoes = self.undoes.as_ref().map_or_else(String::new, |undoes| format!("&undo={undoes}"));
        if new.is_empty() { new } else { new + &undoes }
    }

    /// How long ago a run was asked for that is not there: the address says when, or else its id.
    pub(super) fn waited_for(&self, id: &RunId, now: Timestamp) -> i64 {
        let made = || {
            let ulid = ulid::Ulid::from_string(id.as_str()).ok()?;
            i64::try_from(ulid.timestamp_ms() / 1_000).ok()
        };
        let since = |at: i64| now.as_second().saturating_sub(at);
        // An id alone says no more than that the run may be about to start.
        self.new.map(since).or_else(|| made().map(since).filter(|waited| *waited < OVER)).unwrap_or(i64::MAX)
    }
}

/// How it stands.
#[derive(Debug)]
pub(super) enum Begins {
    /// It may begin at any moment.
    Soon,
    /// It takes longer than it should.
    Late,
    /// It has not begun, and does not: why, as far as is known.
    Not(Box<Failure>),
}

/// How something stands that was asked for `waited` seconds ago: of a stored `run`, or of one that is not there yet.
/// Nothing where that is not worth a word.
pub(super) fn begins(waited: i64, standing: &Standing, run: Option<&Run>, id: &str, now: Timestamp) -> Option<Begins> {
    if !(-5..OLD).contains(&waited) {
        return None;
    }
    Some(match why_not(waited, standing, run, id, now) {
        Some(failure) => Begins::Not(Box::new(failure)),
        None if waited < REFUSED => Begins::Soon,
        None if waited < OVER => Begins::Late,
        None => Begins::Not(Box::new(Failure::new(
            Code::Busy,
            "This has not begun, and nothing was changed by it.",
            "Ask for it again. If it does not begin either, contact support.",
        ))),
    })
}

/// Why it cannot begin, where the tables tell.
fn why_not(waited: i64, standing: &Standing, run: Option<&Run>, id: &str, now: Timestamp) -> Option<Failure> {
    let again = "Search again, and apply what that finds. Nothing was changed.";
    match run.filter(|run| run.state == RunState::Planned).map(|run| standing.plan(run, now)) {
        Some(Plan::Superseded(_)) => {
            let message = "This was not carried out: a newer run came after the plan.";
            return Some(Failure::new(Code::Superseded, message, again));
        }
        Some(Plan::Expired) => {
            return Some(Failure::new(Code::Expired, "This was not carried out: the plan is too old.", again));
        }
        Some(Plan::Open) | None => (),
    }
    let other = standing.at_work(now).filter(|other| waited >= REFUSED && other.as_str() != id)?;
    let since = standing.since();
    let message = format!("This has not begun: another run is at work{since}, and only one can be at a time.");
    let mut failure = Failure::new(Code::Busy, message, "Wait until that run is done, and ask for this again.");
    failure.run = Some(other.to_string());
    Some(failure)
}

#[cfg(test)]
mod tests {
    use engine::records::Schedule;
    use serde_json::json;

    use super::*;

    const ID: &str = "01M81B5H80ABCDEFGHJKMNPQRS";
    const NOW: &str = "2026-11-22T10:00:00Z";

    #[test]
    #[rustfmt::skip]
    fn r4_3_what_is_known_of_what_has_not_begun() {
        let now = NOW.parse::<Timestamp>().unwrap().as_millisecond();
        let other = json!({"run": "01M81B5H80ZZZZZZZZZZZZZZZZ", "owner": "x", "lease_until": now + 1, "since": NOW});
        let own = json!({"run": ID, "owner": "x", "lease_until": now + 1, "since": NOW});
        let queued = json!({"run": "01M81B5H80ZZZZZZZZZZZZZZZZ", "due_at": now / 1000 + 9});
        let left = json!({"run": "01M81B5H80ZZZZZZZZZZZZZZZZ", "owner": "x", "lease_until": now - 1});
        check("just asked for",       3,     json!({}),      "soon");
        check("one is slower",        -2,    json!({}),      "soon");
        check("no word of it",        10,    json!({}),      "late");
        check("no word at all",       60,    json!({}),      "This has not begun, and nothing was changed by it");
        check("long ago",             3_600, json!({}),      "nothing");
        check("of tomorrow",          -60,   json!({}),      "nothing");
        check("another, perhaps",     9,     other.clone(),  "soon");
        check("another",              10,    other,          "This has not begun: another run is at work since 22 November 2026");
        check("another goes on",      10,    queued,         "This has not begun: another run is at work, and");
        check("this one",             10,    own,            "late");
        check("nobody any longer",    10,    left,           "late");
    }

    #[track_caller]
    fn check(name: &str, waited: i64, sync: serde_json::Value, expected: &str) {
        let sync: Schedule = serde_json::from_value(sync).unwrap();
        let said = match begins(waited, &Standing { sync, meta: None }, None, ID, NOW.parse().unwrap()) {
            Some(Begins::Soon) => "soon".to_owned(),
            Some(Begins::Late) => "late".to_owned(),
            Some(Begins::Not(failure)) => failure.message,
            None => "nothing".to_owned(),
        };
        assert!(said.starts_with(expected), "{name}: {said}");
    }
}
