//! What the tests are made of: a world in memory that can stop a run at every port call, an oracle, generators, and the
//! deployed stack as an operator sees it.
#![expect(clippy::expect_used, clippy::panic, reason = "this is test code: what cannot be is the test's failure")]

pub mod application;
pub mod entra;
pub mod integrity;
pub mod ops;
pub mod oracle;
pub mod ports;
pub mod rotation;
mod rounds;
pub mod stack;
pub mod tables;
pub mod turnstile;
pub mod vault;
pub mod view;
pub mod world;
