//! Reading an application's registration for what it says of our credential (rule 6.5). Nothing fails for what it does
//! not say.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    credential,
    ports::{Connection, Graph},
    records::{CredentialFacts, Seen},
};

/// Read it, and keep what was told `before` of the same credential where nothing is told now. `None` where the token does
/// not allow it, so that nobody was asked: that costs nothing, and is tried again as soon as anybody likes.
pub(crate) async fn look(
    graph: &impl Graph,
    who: &Connection,
    facts: &CredentialFacts,
    before: Option<&Seen>,
    now: Timestamp,
    budget: Duration,
) -> Option<Seen> {
    let requests = who.meter.read().graph;
    let told = match graph.registration(who, budget).await {
        Ok(Some(registration)) => Some(credential::tell(&registration, who.kind, facts, now)),
        Ok(None) if who.meter.read().graph == requests => return None,
        Ok(None) => None,
        Err(failure) => {
            tracing::warn!(tenant = %who.tenant, code = failure.code.name(), "the registration could not be read");
            None
        }
    };
    let kept = || before.filter(|seen| seen.of == facts.saved_at).and_then(|seen| seen.told.clone());
    Some(Seen { at: now, of: facts.saved_at, told: told.or_else(kept) })
}
