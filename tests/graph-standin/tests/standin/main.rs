//! The stand-in against the words of Microsoft: what it must answer, over real HTTP.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what helpers of tests can't do without fails the test")]

mod assertions;
mod control;
mod credentials;
mod faults;
mod identity;
mod members;
mod openid;
mod reads;
mod rounds;
mod sign_in;
mod support;
