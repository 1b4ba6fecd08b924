//! Sign-in with Microsoft, from the first page to the last: the router in this process, tables in a real DynamoDB
//! implementation, people brought by a real synchronisation, and the stand-in for Microsoft over HTTP.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod browser;
mod events;
mod forgeries;
mod people;
mod safety;
mod sessions;
mod thieves;
mod ways;
mod world;
