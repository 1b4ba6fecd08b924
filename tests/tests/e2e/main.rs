//! Whole stories on the deployed stack, with IAM enforced: what an operator invokes, what Microsoft is asked, what is
//! kept, what is mailed. `make test` deploys the stack before; each story has a tenant and a directory of its own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is test code")]

mod accounts;
mod addresses;
mod assertions;
mod company;
mod contact;
mod credentials;
mod domains;
mod groups;
mod hostile;
mod removals;
mod renewal;
mod reviews;
mod scripts;
mod secrecy;
mod sign_in;
mod stories;
