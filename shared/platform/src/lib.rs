//! AWS: where the ports of `engine` are served. Only this crate knows DynamoDB, Secrets Manager, SQS and SES.

mod commit;
mod expression;
mod fault;
mod queues;
mod secrets;
mod table;

pub use queues::Queues;
pub use secrets::SecretStore;
pub use table::Tables;
