//! The adapter against a Graph and a sign-in over real HTTP, on loopback.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set its stage has failed")]

mod certificates;
mod federated;
mod logged;
mod mailboxes;
mod pages;
mod permissions;
mod registration;
mod sign_in;
mod support;
mod transport;
mod trouble;
