//! The pages behind the sign-in.

mod door;
mod exemptions;
mod overview;
mod people;
mod plan;
mod reports;
mod review;
mod runs;
mod settings;
