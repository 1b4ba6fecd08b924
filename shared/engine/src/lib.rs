//! When and in which order: pull, plan, apply, dispatch and report over ports in our own words.
//!
//! Reaches no AWS, no HTTP and no clock: the world comes in through [`ports`].
#![expect(async_fn_in_trait, reason = "the ports are used by generic code in one thread; nothing needs Send")]

pub mod apply;
pub mod audit;
pub mod browse;
pub mod by_hand;
pub mod chunk;
pub mod connection;
mod contents;
mod credential;
pub mod dispatch;
pub mod domains;
pub mod edits;
mod elsewhere;
pub mod exemptions;
pub mod explain;
pub mod forget;
pub mod glance;
pub mod history;
pub mod keys;
pub mod lease;
pub mod links;
pub mod load;
pub mod members;
pub mod no_contact;
pub mod operator;
pub mod outcomes;
pub mod overview;
mod packed;
pub mod people;
pub mod place;
pub mod plan;
pub mod ports;
pub mod pull;
pub mod purge;
mod reach;
pub mod records;
mod registration;
mod renewal;
pub mod report;
pub mod review;
pub mod rotate;
pub mod run;
pub mod run_id;
pub mod schedule;
pub mod sign_in;
mod signs_in;
pub mod standing;
pub mod tenants;
pub mod touched;
pub mod undo;
pub mod worklist;
