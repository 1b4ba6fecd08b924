//! AWS: where the ports of `engine` are served. Only this crate knows DynamoDB, KMS, Lambda, Secrets Manager, SES, SQS and STS.

mod aws;
mod body;
mod clock;
mod commit;
mod environment;
pub mod event;
mod expression;
mod fault;
mod functions;
mod identity;
pub mod log;
mod manager;
pub mod metrics;
mod named_secret;
mod pace;
mod post;
mod queues;
mod sealed;
mod secrets;
mod table;
mod versions;

pub use aws::Aws;
pub use clock::{InvocationClock, clock};
pub use environment::{BadVariable, Environment};
pub use fault::chain;
pub use functions::{Function, Functions};
pub use identity::RoleIdentity;
pub use manager::SecretsManager;
pub use named_secret::NamedSecret;
pub use post::{BadSender, Post};
pub use queues::Queues;
pub use sealed::SealedSecrets;
pub use secrets::SecretStore;
pub use table::Tables;
