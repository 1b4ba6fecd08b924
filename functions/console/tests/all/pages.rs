//! The pages behind the sign-in.

mod door;
mod exemptions;
mod overview;
mod people;
mod settings;
