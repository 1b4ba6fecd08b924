//! The deployed stack as an operator sees it: functions to invoke, mail that went out, the stand-in for Microsoft.

use std::{collections::BTreeMap, fs::OpenOptions, io::Write as _, path::PathBuf, time::Duration};

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_lambda::{
    Client,
    config::{Credentials, SharedCredentialsProvider},
    primitives::Blob,
};
use serde_json::Value;

/// Anything that can go wrong on the way.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A deployed stack.
pub struct Stack {
    lambda: Client,
    tables: aws_sdk_dynamodb::Client,
    queues: aws_sdk_sqs::Client,
    secrets: aws_sdk_secretsmanager::Client,
    folder: PathBuf,
    http: reqwest::Client,
    values: BTreeMap<String, String>,
}

impl Stack {
    /// The stack that `make up` has written down in the file that `STACK_ENV` names.
    ///
    /// # Errors
    /// Where there is no such file.
    pub fn from_env() -> Result<Self, Error> {
        let path = std::env::var_os("STACK_ENV").map_or_else(|| PathBuf::from(".local/stack.env"), PathBuf::from);
        let text = std::fs::read_to_string(&path)
            .map_err(|err| format!("cannot read {}: {err}; `make up` writes it", path.display()))?;
        let values: BTreeMap<String, String> =
            text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let value = |key: &str| values.get(key).cloned().unwrap_or_default();
        let credentials =
            Credentials::new(value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"), None, None, "stack.env");
        let config = aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
            .region(aws_config::Region::new(value("AWS_REGION")))
            .endpoint_url(value("AWS_ENDPOINT_URL"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(400)).build())
            .retry_config(RetryConfig::disabled())
            .build();
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        let (lambda, tables) = (Client::new(&config), aws_sdk_dynamodb::Client::new(&config));
        let queues = aws_sdk_sqs::Client::new(&config);
        let secrets = aws_sdk_secretsmanager::Client::new(&config);
        Ok(Self {
            lambda,
            tables,
            queues,
            secrets,
            folder,
            http: reqwest::Client::builder().no_proxy().build()?,
            values,
        })
    }

    /// A value of the stack: an output, or where it is.
    ///
    /// # Errors
    /// Where the stack has no such value.
    pub fn value(&self, key: &str) -> Result<&str, Error> {
        self.values.get(key).map(String::as_str).ok_or_else(|| format!("the stack has no {key}").into())
    }

    /// Invoke a function by the name of its output without `Function`, such as `Admin`.
    ///
    /// # Errors
    /// A function error, with what the function said.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, Error> {
        let name = self.value(&format!("{function}Function"))?;
        let payload = Blob::new(serde_json::to_vec(event)?);
        let output = self
            .lambda
            .invoke()
            .function_name(name)
            .payload(payload)
            .send()
            .await
            .map_err(|err| format!("cannot invoke {name}: {}", aws_sdk_lambda::error::DisplayErrorContext(err)))?;
        let answer = output.payload.map(Blob::into_inner).unwrap_or_default();
        self.keep(&answer)?;
        if let Some(error) = output.function_error {
            return Err(format!("{name} failed ({error}): {}", String::from_utf8_lossy(&answer)).into());
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Keep an answer beside the logs, for whoever looks through everything that was said.
    fn keep(&self, answer: &[u8]) -> Result<(), Error> {
        let mut file = OpenOptions::new().create(true).append(true).open(self.folder.join("answers.log"))?;
        Ok(file.write_all(&[answer, b"\n"].concat())?)
    }

    /// Every answer that a function gave so far.
    ///
    /// # Errors
    /// Where nothing was asked yet.
    pub fn answers(&self) -> Result<String, Error> {
        Ok(std::fs::read_to_string(self.folder.join("answers.log"))?)
    }

    /// Put a message into a queue, by the name of its output.
    ///
    /// # Errors
    /// Where the queue does not take it.
    pub async fn put(&self, queue: &str, message: &Value) -> Result<(), Error> {
        let call = self.queues.send_message().queue_url(self.value(queue)?).message_body(message.to_string());
        call.send().await.map_err(aws_sdk_sqs::error::DisplayErrorContext).map_err(|err| err.to_string())?;
        Ok(())
    }

    /// Ask the stand-in for Microsoft for something by its control addresses.
    ///
    /// # Errors
    /// Where it refuses.
    pub async fn control(&self, path: &str, body: &Value) -> Result<Value, Error> {
        let url = format!("{}/_control/{path}", self.value("GRAPH_ENDPOINT")?);
        let answer = self.http.post(url).json(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            return Err(format!("the stand-in refuses {path}: {text}").into());
        }
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// What the stand-in counted and logged since it was last asked to forget.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn graph_requests(&self) -> Result<Value, Error> {
        let url = format!("{}/_control/requests", self.value("GRAPH_ENDPOINT")?);
        Ok(self.http.get(url).send().await?.json().await?)
    }

    /// Make the stand-in forget the requests so far.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn forget_graph_requests(&self) -> Result<(), Error> {
        let url = format!("{}/_control/requests", self.value("GRAPH_ENDPOINT")?);
        self.http.delete(url).send().await?.error_for_status()?;
        Ok(())
    }

    /// The mails that local SES has taken, oldest first.
    ///
    /// # Errors
    /// Where local AWS does not answer.
    pub async fn mails(&self) -> Result<Vec<Value>, Error> {
        let url = format!("{}/_ministack/ses/messages", self.value("AWS_ENDPOINT_URL")?);
        let answer: Value = self.http.get(url).send().await?.json().await?;
        let by_account = answer["messages"].as_object().into_iter().flatten();
        Ok(by_account.flat_map(|(_, mails)| mails.as_array().cloned().unwrap_or_default()).collect())
    }

    /// Take back the faults of one directory; other stories keep theirs.
    ///
    /// # Errors
    /// Where the stand-in does not answer.
    pub async fn clear_faults(&self, directory: &str) -> Result<(), Error> {
        let url = format!("{}/_control/faults", self.value("GRAPH_ENDPOINT")?);
        self.http.delete(url).query(&[("tenant", directory)]).send().await?.error_for_status()?;
        Ok(())
    }

    /// Everything in a table, by the name of its output.
    ///
    /// # Errors
    /// Where the table cannot be read.
    pub async fn scan(&self, table: &str) -> Result<Value, Error> {
        let mut items = Vec::new();
        let mut pages = self.tables.scan().table_name(self.value(table)?).into_paginator().items().send();
        while let Some(item) = pages.next().await {
            items.push(Value::String(format!(
                "{:?}",
                item.map_err(aws_sdk_dynamodb::error::DisplayErrorContext).map_err(|err| err.to_string())?
            )));
        }
        Ok(Value::Array(items))
    }

    /// A directory of the stand-in as it is now, by its name.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn described(&self, directory: &str) -> Result<Value, Error> {
        let url = format!("{}/_control", self.value("GRAPH_ENDPOINT")?);
        let all: Value = self.http.get(url).send().await?.json().await?;
        let found = all["directories"].as_array().into_iter().flatten().find(|one| one["name"] == directory);
        found.cloned().ok_or_else(|| format!("the stand-in has no directory {directory}").into())
    }

    /// Have a tenant's secret renewed; the version that is then made.
    ///
    /// # Errors
    /// Where Secrets Manager refuses.
    pub async fn rotate_secret(&self, tenant: &str) -> Result<String, Error> {
        let started = self.secrets.rotate_secret().secret_id(secret_of(tenant)).send().await;
        let started =
            started.map_err(aws_sdk_secretsmanager::error::DisplayErrorContext).map_err(|err| err.to_string())?;
        started.version_id.ok_or_else(|| "no version is being made".into())
    }

    /// The version of a tenant's secret that is in use.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn current_version(&self, tenant: &str) -> Result<String, Error> {
        let described = self.secrets.describe_secret().secret_id(secret_of(tenant)).send().await;
        let described =
            described.map_err(aws_sdk_secretsmanager::error::DisplayErrorContext).map_err(|err| err.to_string())?;
        let versions = described.version_ids_to_stages.unwrap_or_default();
        let current = versions.into_iter().find(|(_, stages)| stages.iter().any(|stage| stage == "AWSCURRENT"));
        current.map(|(version, _)| version).ok_or_else(|| "no version is in use".into())
    }

    /// What the functions have logged so far.
    ///
    /// # Errors
    /// Where there is no such log.
    pub fn log(&self) -> Result<String, Error> {
        Ok(std::fs::read_to_string(self.folder.join("ministack.log"))?)
    }
}

/// The name of a tenant's secret on a local stack.
fn secret_of(tenant: &str) -> String {
    format!("entra-sync/local/{tenant}")
}
