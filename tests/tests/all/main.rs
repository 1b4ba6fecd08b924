//! The engine in the world in memory: stories by rule, a run killed at every port call, and convergence.
#![expect(clippy::unwrap_used, clippy::panic, reason = "this is test code")]

mod architecture;
mod browse;
mod console;
mod contact;
mod convergence;
mod dispatch;
mod endurance;
mod expiry;
mod mailboxes;
mod named;
mod operator;
mod report;
mod review;
mod rotation;
mod rules;
mod simulation;
mod stories;
mod undo;
mod years;
