//! The pages behind the sign-in.

mod audit;
mod door;
mod exemptions;
mod operator;
mod plan;
mod reports;
mod review;
mod runs;
