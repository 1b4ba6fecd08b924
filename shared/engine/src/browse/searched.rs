//! How far a search through a plan has come.

use directory::TenantId;
use serde::Deserialize;

use super::Place;
use crate::{
    contents,
    operator::{self, Refused},
    ports::Store,
    records::Run,
};

/// Of a cursor: where the list goes on.
#[derive(Default, Deserialize)]
struct Begun {
    place: Option<Place>,
}

/// How many of the changes of a plan were looked through before a cursor, and how many there are; nothing where that is
/// not known.
///
/// # Errors
/// `invalid_input` for a cursor that is none.
pub async fn looked_through(
    store: &impl Store,
    tenant: &TenantId,
    run: &Run,
    next: &str,
) -> Result<Option<(u64, u64)>, Refused> {
    let Begun { place } = operator::place(Some(next))?;
    let Some(Place::Plan(part, looked)) = place else { return Ok(None) };
    let contents = contents::load(store, tenant, &run.run).await?;
    let sum = |until: u32| -> Option<u64> {
        (0..until.min(run.chunks)).map(|number| contents.get(&number).map(|part| part.changes(None, None))).sum()
    };
    Ok(sum(part).zip(sum(run.chunks)).map(|(before, all)| (all.min(before + looked as u64), all)))
}
