//! A run under an id that whoever asks for it has chosen: asking for it twice is asking once.

use directory::{Failure, RunId};
use jiff::{SignedDuration, Timestamp};

use super::{Request, World};
use crate::{
    keys,
    lease::Stop,
    ports::{Clock, Graph, Queue, Secrets, Store},
    records::{Action, Run, RunState, Schedule, read},
};

/// An id names a time that is no further away than this: lists of runs are ordered by it.
const AWAY: SignedDuration = SignedDuration::from_mins(15);

/// What is answered instead of carrying a request out.
pub(super) enum Instead {
    /// Why not.
    Refused(Box<Failure>),
    /// The run, which was carried out before.
    Stored(Box<Run>),
}

impl From<Failure> for Instead {
    fn from(failure: Failure) -> Self {
        Self::Refused(Box::new(failure))
    }
}

impl<G: Graph, S: Store, X: Secrets, Q: Queue, C: Clock> World<'_, G, S, X, Q, C> {
    /// What is answered where the run that is asked for is there already, or cannot have its id. Nothing where it is to be
    /// begun, or to go on.
    pub(super) async fn named(&self, request: &Request, sync: &Schedule) -> Result<Option<Instead>, Stop> {
        let Some(name) = &request.name else { return Ok(None) };
        let item = self.store.get(&[keys::run(&request.tenant, name)]).await?.pop().flatten();
        let Some(run) = item.map(|item| read::<Run>("a run", item)).transpose()? else {
            return Ok(unfit(name, self.clock.now()).map(Instead::from));
        };
        if origin(&run) != request.action || (request.action == Action::Undo && run.undoes != request.run) {
            let message = format!("as: run {name} is there already, and was asked for something else");
            return Ok(Some(Instead::from(Failure::invalid(message))));
        }
        let goes_on =
            run.state == RunState::Continuing && run.action == request.action && sync.run.as_ref() == Some(name);
        Ok((!goes_on).then(|| Instead::Stored(Box::new(run))))
    }
}

/// What a run was first asked for, whatever was done with its plan since.
fn origin(run: &Run) -> Action {
    match run.action {
        _ if run.undoes.is_some() => Action::Undo,
        Action::Sync | Action::Release => Action::Sync,
        Action::Preview | Action::Apply | Action::Undo => Action::Preview,
    }
}

/// Why a new run cannot have an id.
fn unfit(name: &RunId, now: Timestamp) -> Option<Failure> {
    let ulid = ulid::Ulid::from_string(name.as_str()).ok().filter(|ulid| ulid.to_string() == name.as_str());
    let Some(ulid) = ulid else {
        return Some(Failure::invalid("as: expected a ULID, such as a run's answer names"));
    };
    let at = i64::try_from(ulid.timestamp_ms()).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    let near = at.is_some_and(|at| at.duration_since(now).abs() <= AWAY);
    (!near).then(|| Failure::invalid("as: expected an id whose time is no further than 15 minutes from now"))
}
