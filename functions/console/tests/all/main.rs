//! The console, page by page: the router in this process, tables in a real DynamoDB implementation, people brought by a
//! real synchronisation, the functions that change things in a thread beside it, and the stand-in for Microsoft over HTTP.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod browser;
mod forms;
mod pages;
mod signin;
mod world;
