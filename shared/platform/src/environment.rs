//! The variables that the template sets. Each function needs some; what is missing is an error where it is needed.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use directory::Address;
use engine::ports::Place;
use url::{Host, Url};

/// The variables of this process.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<&'static str, String>);

/// A variable that is missing or not what it should be. Does not repeat its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the variable {name} is {problem}: it should be {expected}")]
pub struct BadVariable {
    name: &'static str,
    problem: &'static str,
    expected: &'static str,
}

const NAMES: [&str; 24] = [
    "STAGE",
    "CONTROL_TABLE",
    "DIRECTORY_TABLE",
    "SYNC_QUEUE_URL",
    "REPORT_QUEUE_URL",
    "SECRET_PREFIX",
    "GRAPH_ENDPOINT",
    "LOGIN_ENDPOINT",
    "TEST_CLOCK",
    "LEASE_GRACE_SECONDS",
    "MAIL_FROM",
    "CONFIGURATION_SET",
    "REPORT_CONCURRENCY",
    "OPERATOR_MAIL",
    "IDENTITY_ROLE_ARN",
    "IDENTITY_ENDPOINT",
    "IDENTITY_AUDIENCES",
    "SECRET_STORAGE",
    "SEALING_KEY_ARN",
    "ROTATE_FUNCTION_ARN",
    "ADMIN_FUNCTION",
    "SYNC_FUNCTION",
    "REPORT_FUNCTION",
    "CONSOLE_URL",
];

impl Environment {
    /// What this process was started with.
    pub fn read() -> Self {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// What `lookup` knows. Spaces around a value do not count, and an empty value is none.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let value = |name| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        Self(NAMES.into_iter().filter_map(|name| Some((name, value(name)?))).collect())
    }

    /// The stage, for names and metrics.
    pub fn stage(&self) -> Result<&str, BadVariable> {
        self.needed("STAGE", "the name of the stage, for example prod")
    }

    /// The table of tenants, schedules and runs.
    pub fn control_table(&self) -> Result<&str, BadVariable> {
        self.needed("CONTROL_TABLE", "the name of the control table")
    }

    /// The table of users and groups.
    pub fn directory_table(&self) -> Result<&str, BadVariable> {
        self.needed("DIRECTORY_TABLE", "the name of the directory table")
    }

    /// The queue of runs.
    pub fn sync_queue_url(&self) -> Result<&str, BadVariable> {
        self.needed("SYNC_QUEUE_URL", "the URL of the queue of runs")
    }

    /// The queue of reports.
    pub fn report_queue_url(&self) -> Result<&str, BadVariable> {
        self.needed("REPORT_QUEUE_URL", "the URL of the queue of reports")
    }

    /// What the names of the tenants' secrets start with.
    pub fn secret_prefix(&self) -> Result<&str, BadVariable> {
        let expected = "what the names of secrets start with, for example entra-sync/prod/";
        self.needed("SECRET_PREFIX", expected)
    }

    /// Another Graph than Microsoft's; `entra` checks it.
    pub fn graph_endpoint(&self) -> Option<&str> {
        self.optional("GRAPH_ENDPOINT")
    }

    /// Another sign-in than Microsoft's; `entra` checks it.
    pub fn login_endpoint(&self) -> Option<&str> {
        self.optional("LOGIN_ENDPOINT")
    }

    /// Whether events may say what time it is. Off unless it is `on`.
    pub fn test_clock(&self) -> Result<bool, BadVariable> {
        match self.optional("TEST_CLOCK") {
            Some("on") => Ok(true),
            None | Some("off") => Ok(false),
            Some(_) => Err(wrong("TEST_CLOCK", "on or off")),
        }
    }

    /// How long a lease outlives the deadline of its invocation.
    pub fn lease_grace(&self) -> Result<Duration, BadVariable> {
        let Some(text) = self.optional("LEASE_GRACE_SECONDS") else { return Ok(Duration::from_secs(30)) };
        let seconds = text.parse().ok().filter(|seconds| (0..=86_400).contains(seconds));
        let expected = "a whole number of seconds, 0 to 86400";
        seconds.map(Duration::from_secs).ok_or(wrong("LEASE_GRACE_SECONDS", expected))
    }

    /// Whom mails come from.
    pub fn mail_from(&self) -> Result<&str, BadVariable> {
        self.needed("MAIL_FROM", SENDER)
    }

    /// The configuration set of SES that tells which mails came back.
    pub fn configuration_set(&self) -> Result<&str, BadVariable> {
        self.needed("CONFIGURATION_SET", "the name of the configuration set of SES")
    }

    /// How many environments mail at the same time.
    pub fn report_concurrency(&self) -> Result<NonZeroU32, BadVariable> {
        let expected = "how many reports are made at the same time, 1 or more";
        self.needed("REPORT_CONCURRENCY", expected)?.parse().map_err(|_| wrong("REPORT_CONCURRENCY", expected))
    }

    /// Who gets the roll-up.
    pub fn operator_mail(&self) -> Result<Address, BadVariable> {
        let expected = "the mail address that gets the daily roll-up";
        let text = self.needed("OPERATOR_MAIL", expected)?;
        Address::parse(text).map_err(|_| wrong("OPERATOR_MAIL", expected))
    }

    /// The console's address, where people can sign in to it.
    pub fn console_url(&self) -> Option<&str> {
        self.optional("CONSOLE_URL")
    }

    /// The role whose identity tenants trust.
    pub fn identity_role_arn(&self) -> Result<&str, BadVariable> {
        self.needed("IDENTITY_ROLE_ARN", "the ARN of the role whose identity tenants trust")
    }

    /// Where identity tokens are minted instead of AWS STS: for local use.
    pub fn identity_endpoint(&self) -> Result<Option<&str>, BadVariable> {
        match self.optional("IDENTITY_ENDPOINT") {
            Some(text) if !is_endpoint(text) => Err(wrong("IDENTITY_ENDPOINT", "https://…, or http:// on loopback")),
            endpoint => Ok(endpoint),
        }
    }

    /// The audience of identity tokens in each cloud; `entra` reads it.
    pub fn identity_audiences(&self) -> Option<&str> {
        self.optional("IDENTITY_AUDIENCES")
    }

    /// Where the secrets of new tenants go.
    pub fn secret_storage(&self) -> Result<Place, BadVariable> {
        match self.optional("SECRET_STORAGE") {
            None | Some("secrets-manager") => Ok(Place::SecretsManager),
            Some("kms") => Ok(Place::Kms),
            Some(_) => Err(wrong("SECRET_STORAGE", "secrets-manager or kms")),
        }
    }

    /// The key that secrets in the control table are sealed with.
    pub fn sealing_key_arn(&self) -> Result<&str, BadVariable> {
        self.needed("SEALING_KEY_ARN", "the ARN of the key that secrets are sealed with")
    }

    /// The function that renews secrets, where this function may switch that on.
    pub fn rotate_function_arn(&self) -> Option<&str> {
        self.optional("ROTATE_FUNCTION_ARN")
    }

    /// The function `admin`.
    pub fn admin_function(&self) -> Result<&str, BadVariable> {
        self.needed("ADMIN_FUNCTION", "the name of the function admin")
    }

    /// The function `sync`.
    pub fn sync_function(&self) -> Result<&str, BadVariable> {
        self.needed("SYNC_FUNCTION", "the name of the function sync")
    }

    /// The function `report`.
    pub fn report_function(&self) -> Result<&str, BadVariable> {
        self.needed("REPORT_FUNCTION", "the name of the function report")
    }

    fn optional(&self, name: &'static str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn needed(&self, name: &'static str, expected: &'static str) -> Result<&str, BadVariable> {
        self.optional(name).ok_or(BadVariable { name, problem: "missing", expected })
    }
}

const SENDER: &str = "the address that mails come from, with or without a name: Name <address>";

/// The sender is not one.
pub(crate) fn wrong_sender() -> BadVariable {
    wrong("MAIL_FROM", SENDER)
}

/// A base URL: `https`, or plain `http` on loopback.
fn is_endpoint(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    bare && (url.scheme() == "https" || url.scheme() == "http" && loopback)
}

fn wrong(name: &'static str, expected: &'static str) -> BadVariable {
    BadVariable { name, problem: "wrong", expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Environment {
        Environment::from_lookup(|asked| (asked == name).then(|| value.to_owned()))
    }

    #[test]
    fn a_missing_variable_is_named_where_it_is_needed() {
        let missing = Environment::default().control_table().unwrap_err().to_string();
        assert_eq!(missing, "the variable CONTROL_TABLE is missing: it should be the name of the control table");
        assert!(with("CONTROL_TABLE", " ").control_table().is_err(), "empty is missing");
        assert_eq!(with("CONTROL_TABLE", " control ").control_table().unwrap(), "control");
    }

    #[test]
    fn the_console_finds_the_other_functions_and_mails_find_the_console() {
        assert_eq!(with("ADMIN_FUNCTION", "admin").admin_function().unwrap(), "admin");
        assert_eq!(with("SYNC_FUNCTION", "sync").sync_function().unwrap(), "sync");
        assert_eq!(with("REPORT_FUNCTION", "report").report_function().unwrap(), "report");
        assert_eq!(with("CONSOLE_URL", "https://console.example").console_url(), Some("https://console.example"));
        assert_eq!(with("CONSOLE_URL", "").console_url(), None, "nobody can sign in to it");
    }

    #[test]
    fn defaults_are_those_of_the_template() {
        let nothing = Environment::default();
        assert_eq!(nothing.lease_grace().unwrap(), Duration::from_secs(30));
        assert!(!nothing.test_clock().unwrap());
        assert_eq!(nothing.graph_endpoint(), None);
        assert_eq!(nothing.identity_endpoint().unwrap(), None);
        assert_eq!(nothing.secret_storage().unwrap(), Place::SecretsManager);
        assert_eq!(with("GRAPH_ENDPOINT", "").graph_endpoint(), None);
    }

    #[test]
    fn a_wrong_value_says_what_is_expected_and_not_what_it_is() {
        let wrong = with("LEASE_GRACE_SECONDS", "5m").lease_grace().unwrap_err().to_string();
        let expected = "the variable LEASE_GRACE_SECONDS is wrong: it should be a whole number of seconds, 0 to 86400";
        assert_eq!(wrong, expected);
        assert!(with("LEASE_GRACE_SECONDS", "-1").lease_grace().is_err());
        assert_eq!(with("LEASE_GRACE_SECONDS", "0").lease_grace().unwrap(), Duration::ZERO, "as the template allows");
        assert_eq!(with("REPORT_CONCURRENCY", "5").report_concurrency().unwrap().get(), 5);
        assert!(with("REPORT_CONCURRENCY", "0").report_concurrency().is_err(), "nobody would mail");
        assert!(with("TEST_CLOCK", "yes").test_clock().is_err());
        assert!(with("TEST_CLOCK", "on").test_clock().unwrap());
        assert!(with("SECRET_STORAGE", "s3").secret_storage().is_err());
        assert_eq!(with("SECRET_STORAGE", "kms").secret_storage().unwrap(), Place::Kms);
        assert!(!with("OPERATOR_MAIL", "ann@").operator_mail().unwrap_err().to_string().contains("ann"));
    }

    #[test]
    fn s9_identity_is_asked_for_over_https_or_on_this_machine() {
        for fine in ["https://sts.example", "http://127.0.0.1:4567/identity", "http://localhost", "http://[::1]:1/"] {
            assert_eq!(with("IDENTITY_ENDPOINT", fine).identity_endpoint().unwrap(), Some(fine));
        }
        for wrong in
            ["http://sts.example", "sts.example", "https://", "http://127.0.0.1@evil.example/", "ftp://localhost"]
        {
            assert!(with("IDENTITY_ENDPOINT", wrong).identity_endpoint().is_err(), "{wrong}");
        }
        assert!(with("IDENTITY_ENDPOINT", "http://localhost.evil.example:80").identity_endpoint().is_err());
    }
}
