//! A secret of the operator's own in Secrets Manager: its whole text is the value.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_sdk_secretsmanager::Client;
use engine::ports::Fault;
use secrecy::{ExposeSecret as _, SecretString};

use crate::fault::fault;

/// How long a value is believed without asking again.
const TTL: Duration = Duration::from_secs(300);

/// One secret, kept for a few minutes once it was read.
pub struct NamedSecret {
    client: Client,
    name: String,
    kept: Mutex<Option<(Instant, SecretString)>>,
}

impl fmt::Debug for NamedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamedSecret({})", self.name)
    }
}

impl NamedSecret {
    /// The secret of this name or ARN.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into(), kept: Mutex::default() }
    }

    /// Its value, without the white space around it.
    ///
    /// # Errors
    /// There is no such secret, it is empty, or Secrets Manager failed.
    pub async fn read(&self) -> Result<SecretString, Fault> {
        if let Some((since, value)) = &*self.kept.lock().unwrap_or_else(PoisonError::into_inner)
            && since.elapsed() < TTL
        {
            return Ok(value.clone());
        }
        let name = &self.name;
        let output = self.client.get_secret_value().secret_id(name).send().await;
        let output = output.map_err(|err| fault(format!("cannot read secret {name}"), &err))?;
        let text = SecretString::from(output.secret_string.unwrap_or_default());
        let value = SecretString::from(text.expose_secret().trim());
        if value.expose_secret().is_empty() {
            return Err(Fault::permanent(format!("secret {name} holds no text")));
        }
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), value.clone()));
        Ok(value)
    }
}
