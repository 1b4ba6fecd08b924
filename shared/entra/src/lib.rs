//! Microsoft Entra ID, read through Microsoft Graph: implements [`engine::ports::Graph`].
//!
//! What is known of Microsoft is here and nowhere else: hosts, sign-in, pages, errors, and how long to wait.

mod ask;
mod assertion;
mod audiences;
mod batch;
mod certificate;
mod client;
mod clouds;
mod credential;
mod endpoint;
mod federation;
mod graph_errors;
mod http;
mod mailboxes;
pub mod openid;
mod page;
mod patience;
mod registration;
mod retry_after;
mod sentences;
mod sign_in;
mod sign_in_errors;
mod token;
mod trouble;

#[cfg(test)]
mod samples;

pub use audiences::{Audiences, BadAudiences};
pub use client::{Client, NotBuilt};
pub use clouds::consent_link;
pub use endpoint::BadEndpoint;
pub use federation::NoIdentity;
