//! The variables that only this function has.

use directory::{Cloud, ObjectId, TenantId};
use serde_json::Value;
use url::{Host, Url};

/// What the template says.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The stage, for metrics.
    pub stage: String,
    /// Where the console is, without a slash at its end.
    pub console_url: String,
    /// The application that signs people in; without one nobody is sent to Microsoft.
    pub client_id: Option<String>,
    /// The cloud that knows that application.
    pub cloud: Cloud,
    /// The name of the secret with its client secret; a public client has none.
    pub client_secret: Option<String>,
    /// The service's own sign-in page.
    pub service_url: Option<Url>,
    /// The name of the secret that cookies are sealed with.
    pub session_key_secret: String,
    /// The tenant and, by its object id in Entra, the group whose members see all tenants; without one nobody does. An
    /// address would not do: it may be free one day, and somebody else's the next.
    pub operator_group: Option<(TenantId, ObjectId)>,
}

/// A variable that is missing or not what it should be. Does not repeat its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the variable {name} should be {expected}")]
pub struct BadSetting {
    name: &'static str,
    expected: &'static str,
}

impl Settings {
    /// What this process was started with.
    ///
    /// # Errors
    /// A variable that is missing or wrong.
    pub fn read() -> Result<Self, BadSetting> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// What `lookup` knows. Spaces around a value do not count, and an empty value is none.
    ///
    /// # Errors
    /// A variable that is missing or wrong.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, BadSetting> {
        let optional = |name| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let needed = |name, expected| optional(name).ok_or(BadSetting { name, expected });
        let address = "a URL such as https://console.example.com";
        let console_url = needed("CONSOLE_URL", address)?;
        if url(&console_url).is_none() || console_url.ends_with('/') {
            return Err(BadSetting { name: "CONSOLE_URL", expected: address });
        }
        let wrong = BadSetting { name: "SERVICE_SIGN_IN_URL", expected: "empty, or an https URL" };
        let service_url = match optional("SERVICE_SIGN_IN_URL") {
            Some(text) => Some(url(&text).ok_or(wrong)?),
            None => None,
        };
        let wrong = BadSetting { name: "SIGN_IN_CLOUD", expected: "empty, or global, us_gov, us_gov_dod or china" };
        let cloud = match optional("SIGN_IN_CLOUD") {
            Some(text) => serde_json::from_value(Value::String(text)).map_err(|_| wrong)?,
            None => Cloud::default(),
        };
        let wrong = BadSetting { name: "OPERATOR_GROUP", expected: "empty, or TENANT/OBJECT-ID of a group" };
        let operator_group = match optional("OPERATOR_GROUP") {
            Some(text) => Some(group(&text).ok_or(wrong)?),
            None => None,
        };
        Ok(Self {
            stage: needed("STAGE", "the name of the stage, for example prod")?,
            console_url,
            client_id: optional("SIGN_IN_CLIENT_ID"),
            cloud,
            client_secret: optional("SIGN_IN_SECRET"),
            service_url,
            session_key_secret: needed("SESSION_KEY_SECRET", "the name of the secret that cookies are sealed with")?,
            operator_group,
        })
    }
}

/// A tenant and the object id of a group of its directory.
fn group(text: &str) -> Option<(TenantId, ObjectId)> {
    let (tenant, group) = text.split_once('/')?;
    Some((tenant.parse().ok()?, ObjectId::try_from(group).ok()?))
}

/// `https`, or plain `http` on loopback, without a user and a fragment.
fn url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (plain && (url.scheme() == "https" || (url.scheme() == "http" && loopback))).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<Settings, BadSetting> {
        Settings::from_lookup(|asked| {
            let known = match asked {
                _ if asked == name => value,
                "STAGE" => "test",
                "CONSOLE_URL" => "https://console.example.com",
                "SESSION_KEY_SECRET" => "key",
                _ => return None,
            };
            Some(known.to_owned())
        })
    }

    #[test]
    #[rustfmt::skip]
    fn wrong_variables_are_named_without_their_value() {
        check("CONSOLE_URL", "");
        check("CONSOLE_URL", "http://console.example.com");
        check("CONSOLE_URL", "https://console.example.com/");
        check("SERVICE_SIGN_IN_URL", "http://service.example.com");
        check("SERVICE_SIGN_IN_URL", "javascript:alert(1)");
        check("SERVICE_SIGN_IN_URL", "https://ann@service.example.com");
        check("SIGN_IN_CLOUD", "mars");
        check("SESSION_KEY_SECRET", " ");
        check("OPERATOR_GROUP", "operators");
        check("OPERATOR_GROUP", "operators@example.com");
        assert!(with("SERVICE_SIGN_IN_URL", "http://127.0.0.1:8080/sign-in?from=console").is_ok());
    }

    #[track_caller]
    fn check(name: &str, value: &str) {
        let message = with(name, value).unwrap_err().to_string();
        assert!(message.contains(name) && (value.trim().is_empty() || !message.contains(value)), "{message}");
    }
}
