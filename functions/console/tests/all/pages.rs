//! The pages behind the sign-in.

mod attacks;
mod audit;
mod door;
mod exemptions;
mod operator;
mod overview;
mod people;
mod plan;
mod reports;
mod review;
mod runs;
mod settings;
mod twice;
