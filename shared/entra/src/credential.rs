//! How the application proves who it is (rule 1.3): a secret, or an assertion that is made anew for each attempt.

use std::time::Duration;

use directory::{Code, CredentialKind, Failure};
use engine::ports::{Connection, Identity};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    assertion,
    certificate::{BadCertificate, Certificate},
    federation::{self, Federation},
    sentences::connect,
};

/// The proof of one attempt.
pub(crate) enum Proof<'a> {
    /// A client secret.
    Secret(&'a str),
    /// What our certificate signed.
    Signed(SecretString),
    /// An identity token of the cloud account.
    Issued(SecretString),
}

/// The proof for the sign-in at `url`, within `time`.
pub(crate) async fn proof<'a, I: Identity>(
    who: &'a Connection,
    url: &Url,
    federation: &Federation<I>,
    time: Duration,
) -> Result<Proof<'a>, Failure> {
    match who.kind {
        CredentialKind::Secret => match who.secret.expose_secret().trim() {
            "" => Err(empty()),
            secret => Ok(Proof::Secret(secret)),
        },
        CredentialKind::Certificate => Certificate::read(&who.secret)
            .and_then(|certificate| assertion::sign(&certificate, &who.application_id, url))
            .map(Proof::Signed)
            .map_err(BadCertificate::refused),
        CredentialKind::Federated => federation.token(who, time).await.map(Proof::Issued),
    }
}

impl Proof<'_> {
    /// The fields of the token request that are the proof.
    pub(crate) fn fields(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Secret(secret) => vec![("client_secret", secret)],
            Self::Signed(assertion) | Self::Issued(assertion) => vec![
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", assertion.expose_secret()),
            ],
        }
    }

    /// Say of a refusal what this proof tells about it.
    pub(crate) fn explain(&self, failure: &mut Failure) {
        match self {
            Self::Issued(token) => federation::explain(failure, token),
            Self::Secret(_) | Self::Signed(_) => (),
        }
    }
}

fn empty() -> Failure {
    Failure::new(
        Code::CredentialSecretInvalid,
        connect("the client secret is empty"),
        "save the secret's Value with put_secret",
    )
}
