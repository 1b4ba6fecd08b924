//! AWS: where the ports of `engine` are served. Only this crate knows DynamoDB, Secrets Manager, SQS and SES.

mod aws;
mod clock;
mod commit;
mod environment;
pub mod event;
mod expression;
mod fault;
pub mod log;
pub mod metrics;
mod named_secret;
mod post;
mod queues;
mod secrets;
mod table;

pub use aws::Aws;
pub use clock::{InvocationClock, clock};
pub use environment::{BadVariable, Environment};
pub use fault::chain;
pub use named_secret::NamedSecret;
pub use post::{BadSender, Post};
pub use queues::Queues;
pub use secrets::SecretStore;
pub use table::Tables;
