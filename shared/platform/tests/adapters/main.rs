//! The adapters: the tables against a real DynamoDB implementation over HTTP, the rest against answers written by hand.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod faults;
mod identity;
mod places;
mod post;
mod queues;
mod script;
mod secrets;
mod tables;
mod versions;
