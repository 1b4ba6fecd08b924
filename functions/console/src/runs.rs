//! Runs: the history, a search for what would change, its review, what became of it, and the way back.

mod about;
mod act;
mod begun;
mod change;
mod changes;
mod history;
mod left;
mod listing;
mod marks;
mod members;
pub(crate) mod names;
mod row;
mod search;
mod show;
pub(crate) mod standing;
mod summary;
mod view;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

use crate::Console;

/// The pages of runs.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/runs", get(history::show))
        .route("/runs/search", post(search::search))
        .route("/runs/{run}", get(show::show))
        .route("/runs/{run}/review", post(act::review))
        .route("/runs/{run}/apply", post(act::apply))
        .route("/runs/{run}/release", post(act::release))
        .route("/runs/{run}/undo", post(act::undo))
        .route("/runs/{run}/changes/{change}", get(change::show))
}
