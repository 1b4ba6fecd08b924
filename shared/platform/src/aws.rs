//! The AWS configuration of a function, and the ports made from it. Each client is built where it is asked for.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};

use crate::{
    Functions, NamedSecret, Post, Queues, RoleIdentity, SealedSecrets, SecretStore, SecretsManager, Tables,
    environment::{BadVariable, Environment, wrong_sender},
    functions,
};

/// How long one try of a call may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// How long a call may take with the SDK's own tries.
const OPERATION: Duration = Duration::from_secs(20);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);

/// Region, credentials, endpoints and time limits.
#[derive(Debug, Clone)]
pub struct Aws(SdkConfig);

impl Aws {
    /// As Lambda and the AWS variables say. The SDK's defaults are those of a fixed date, not of the day of the build.
    pub async fn load() -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .build();
        Self(aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(timeouts).load().await)
    }

    /// Both tables.
    pub fn tables(&self, environment: &Environment) -> Result<Tables, BadVariable> {
        let client = aws_sdk_dynamodb::Client::new(&self.0);
        Ok(Tables::new(client, environment.control_table()?, environment.directory_table()?))
    }

    /// The tenants' credentials.
    pub fn secrets(&self, environment: &Environment) -> Result<SecretStore, BadVariable> {
        let (key, stage) = (environment.sealing_key_arn()?, environment.stage()?);
        let sealed = SealedSecrets::new(aws_sdk_kms::Client::new(&self.0), self.tables(environment)?, key, stage);
        let store = SecretStore::new(self.versions(environment)?, sealed, environment.secret_storage()?);
        Ok(store.renewed_by(environment.rotate_function_arn()))
    }

    /// The versions of secrets while they are renewed.
    pub fn versions(&self, environment: &Environment) -> Result<SecretsManager, BadVariable> {
        Ok(SecretsManager::new(aws_sdk_secretsmanager::Client::new(&self.0), environment.secret_prefix()?))
    }

    /// The identity that tenants with a federated credential trust. Asks AWS for nothing until a token is needed.
    pub fn identity(&self, environment: &Environment) -> Result<RoleIdentity, BadVariable> {
        Ok(RoleIdentity::new(&self.0, environment.identity_role_arn()?, environment.identity_endpoint()?))
    }

    /// A secret of the operator's own, by its name.
    pub fn named_secret(&self, name: impl Into<String>) -> NamedSecret {
        NamedSecret::new(aws_sdk_secretsmanager::Client::new(&self.0), name)
    }

    /// The functions that answer direct invocations. A question is put once: an answer that is late may still come about.
    pub fn functions(&self, environment: &Environment) -> Result<Functions, BadVariable> {
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(functions::PATIENCE).build();
        let config = aws_sdk_lambda::config::Builder::from(&self.0);
        let config = config.timeout_config(timeouts).retry_config(RetryConfig::disabled()).build();
        Functions::new(aws_sdk_lambda::Client::from_conf(config), environment)
    }

    /// Both queues.
    pub fn queues(&self, environment: &Environment) -> Result<Queues, BadVariable> {
        let client = aws_sdk_sqs::Client::new(&self.0);
        Ok(Queues::new(client, environment.sync_queue_url()?, environment.report_queue_url()?))
    }

    /// The post.
    pub fn post(&self, environment: &Environment) -> Result<Post, BadVariable> {
        let (from, set) = (environment.mail_from()?, environment.configuration_set()?);
        let client = aws_sdk_ses::Client::new(&self.0);
        Post::new(client, from, set, environment.report_concurrency()?).map_err(|_| wrong_sender())
    }
}
