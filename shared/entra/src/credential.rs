//! How the application proves who it is (rule 1.3). Certificates and federated tokens have their place here.

use directory::{Code, CredentialKind, Failure};
use engine::ports::Connection;
use secrecy::ExposeSecret;

/// The fields of the token request that are the proof.
///
/// # Errors
/// A credential that is empty, or of a kind that this version does not know.
pub(crate) fn proof(who: &Connection) -> Result<Vec<(&'static str, &str)>, Failure> {
    match who.kind {
        CredentialKind::Secret => match who.secret.expose_secret().trim() {
            "" => Err(Failure::new(
                Code::CredentialSecretInvalid,
                "Failed to connect. Please check your Azure (Entra ID) Credential: the client secret is empty",
                "save the secret's Value with put_secret",
            )),
            secret => Ok(vec![("client_secret", secret)]),
        },
        CredentialKind::Certificate => Err(not_yet("certificate")),
        CredentialKind::Federated => Err(not_yet("federated")),
    }
}

fn not_yet(kind: &str) -> Failure {
    Failure::new(
        Code::InvalidInput,
        format!("this version cannot sign in with a credential of the kind {kind}"),
        "set credential.kind to secret and save a client secret with put_secret",
    )
}
