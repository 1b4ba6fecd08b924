//! What an operator is told when something goes wrong (rule 1.7).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A failure with a stable code, the sentence to show, and what to do next. Holds nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Stable, for programs.
    pub code: Code,
    /// The sentence to show.
    pub message: String,
    /// What to do next.
    pub help: String,
    /// What Microsoft said, where Microsoft answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub microsoft: Option<Microsoft>,
    /// Where an administrator grants consent, when that is what is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent_link: Option<String>,
    /// The run that stands in the way (`busy`, `superseded`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Since when that run stands in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<jiff::Timestamp>,
    /// How long Microsoft asks us to wait. For the program, not for people.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

/// Microsoft's own words for a support case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Microsoft {
    /// For example `AADSTS7000215` or `Authorization_RequestDenied`.
    pub code: Option<String>,
    /// The sign-in's correlation id.
    pub correlation_id: Option<String>,
    /// Graph's `request-id`, or the sign-in's trace id.
    pub request_id: Option<String>,
}

/// Every code that an error can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the interface, and say it")]
pub enum Code {
    CredentialSecretExpired,
    CredentialSecretInvalid,
    CredentialCertificateInvalid,
    CredentialFederationMismatch,
    ApplicationNotFound,
    ApplicationDisabled,
    DirectoryNotFound,
    WrongCloud,
    PermissionMissing,
    ConsentMissing,
    ConditionalAccess,
    Throttled,
    MicrosoftUnavailable,
    BadAnswer,
    Busy,
    NotFound,
    InvalidInput,
    Superseded,
    Expired,
    Unexpected,
}

impl Code {
    /// The code as operators' scripts see it.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Entra refuses the credential itself: a run changes nothing until somebody mends it (rule 7.1, *refused*).
    pub fn refuses_credential(self) -> bool {
        matches!(
            self,
            Self::CredentialSecretExpired
                | Self::CredentialSecretInvalid
                | Self::CredentialCertificateInvalid
                | Self::CredentialFederationMismatch
                | Self::ApplicationNotFound
                | Self::ApplicationDisabled
                | Self::DirectoryNotFound
                | Self::WrongCloud
        )
    }

    /// The same request may succeed later without anybody doing anything.
    pub fn passes(self) -> bool {
        matches!(self, Self::Throttled | Self::MicrosoftUnavailable | Self::BadAnswer)
    }
}

impl Failure {
    /// A failure without Microsoft's part.
    pub fn new(code: Code, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: help.into(),
            microsoft: None,
            consent_link: None,
            run: None,
            since: None,
            retry_after: None,
        }
    }

    /// The caller's own words were wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidInput, message, "correct the request and send it again; nothing was changed")
    }

    /// What was asked for is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message, "check the name; nothing was changed")
    }

    /// Anything unforeseen, quoting the run (rule 1.7).
    pub fn unexpected(run: &str) -> Self {
        let message =
            format!("We have come across a problem, and cannot continue. Please contact support quoting {run}");
        let help = "look for this code in the function's log: the line beside it holds the cause";
        Self::new(Code::Unexpected, message, help)
    }
}
