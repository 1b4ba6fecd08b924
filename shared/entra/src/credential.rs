//! How the application proves who it is (rule 1.3). Certificates and federated tokens have their place here.

use directory::{Code, CredentialKind, Failure};
use engine::ports::Connection;
use secrecy::ExposeSecret;

/// Why there is nothing to prove it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoProof {
    /// The credential is empty.
    Empty,
    /// The kind, which this version does not know.
    NotYet(&'static str),
}

/// The fields of the token request that are the proof.
pub(crate) fn proof(who: &Connection) -> Result<Vec<(&'static str, &str)>, NoProof> {
    match who.kind {
        CredentialKind::Secret => match who.secret.expose_secret().trim() {
            "" => Err(NoProof::Empty),
            secret => Ok(vec![("client_secret", secret)]),
        },
        CredentialKind::Certificate => Err(NoProof::NotYet("certificate")),
        CredentialKind::Federated => Err(NoProof::NotYet("federated")),
    }
}

impl From<NoProof> for Failure {
    fn from(why: NoProof) -> Self {
        match why {
            NoProof::Empty => Self::new(
                Code::CredentialSecretInvalid,
                "Failed to connect. Please check your Azure (Entra ID) Credential: the client secret is empty",
                "save the secret's Value with put_secret",
            ),
            NoProof::NotYet(kind) => Self::new(
                Code::InvalidInput,
                format!("this version cannot sign in with a credential of the kind {kind}"),
                "set credential.kind to secret and save a client secret with put_secret",
            ),
        }
    }
}
