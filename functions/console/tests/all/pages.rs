//! The pages behind the sign-in.

mod door;
mod exemptions;
mod plan;
mod reports;
mod review;
mod runs;
