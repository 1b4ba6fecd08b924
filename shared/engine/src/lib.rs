//! When and in which order: pull, plan, apply, dispatch and report over ports in our own words.
//!
//! Reaches no AWS, no HTTP and no clock: the world comes in through [`ports`].
#![expect(async_fn_in_trait, reason = "the ports are used by generic code in one thread; nothing needs Send")]

mod apply;
mod chunk;
pub mod dispatch;
pub mod keys;
pub mod lease;
mod links;
mod load;
mod members;
mod plan;
pub mod ports;
mod pull;
pub mod schedule;
pub mod records;
pub mod run;
