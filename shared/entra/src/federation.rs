//! Signing in with the identity of the cloud account, which nobody has to keep (rule 1.3; the page "Workload identity
//! federation").

use std::{error::Error, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use directory::{Code, Failure};
use engine::ports::{Connection, Fault, Identity};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    audiences::Audiences,
    client::Client,
    clouds::Place,
    patience::Patience,
    sentences::{self, Service, connect},
    token::Token,
};

/// Who we are, and for whom we say so.
#[derive(Debug)]
pub(crate) struct Federation<I> {
    pub(crate) identity: I,
    pub(crate) audiences: Audiences,
}

/// Nobody: for where no cloud account issues identity tokens.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoIdentity;

impl Identity for NoIdentity {
    async fn token(&self, _: &str) -> Result<SecretString, Fault> {
        Err(Fault::permanent("there is no cloud account here"))
    }
}

impl<I: Identity> Federation<I> {
    /// An identity token that this connection's cloud takes, within `time`.
    pub(crate) async fn token(&self, who: &Connection, time: Duration) -> Result<SecretString, Failure> {
        let asked = tokio::time::timeout(time, self.identity.token(self.audiences.of(who.cloud))).await;
        asked.map_err(|_| sentences::out_of_time(Service::SignIn))?.map_err(|fault| no_token(&fault, who))
    }
}

fn no_token(fault: &Fault, who: &Connection) -> Failure {
    let cause = fault.source.as_deref().map(|cause: &(dyn Error + Send + Sync)| tracing::field::display(cause));
    tracing::warn!(tenant = %who.tenant, cause, "no identity token: {fault}");
    if fault.passes {
        let message = format!("the AWS account issues no identity token at the moment: {fault}");
        return Failure::new(Code::MicrosoftUnavailable, message, "nothing at first: it is tried again by itself");
    }
    let message = connect(&format!("the AWS account issues no identity token: {fault}"));
    let help = "run make bootstrap once for this AWS account, which switches outbound identity federation on; if that was done, \
        deploy the stack again: it is what lets sync and admin assume the role that may call sts:GetWebIdentityToken";
    Failure::new(Code::CredentialFederationMismatch, message, help)
}

/// What our own token says of itself. None of it is secret.
#[derive(Deserialize)]
struct Presented {
    iss: String,
    sub: String,
    aud: Value,
}

impl Presented {
    fn read(token: &SecretString) -> Option<Self> {
        let claims = token.expose_secret().split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }

    /// The federated credential that Entra must have.
    fn wanted(&self) -> String {
        let aud = match &self.aud {
            Value::Array(all) => all.first(),
            one => Some(one),
        };
        let aud = aud.and_then(Value::as_str).unwrap_or_default();
        format!("issuer {}, subject {}, audience {}", line(&self.iss), line(&self.sub), line(aud))
    }
}

/// One line that is not too long: Entra takes 600 characters.
fn line(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(600).collect()
}

/// Say of a refusal of our identity token what is to be done about it.
pub(crate) fn explain(failure: &mut Failure, token: &SecretString) {
    let wanted = Presented::read(token).map(|presented| presented.wanted());
    let wanted = wanted.as_deref().unwrap_or("the issuer, subject and audience that make bootstrap prints");
    let said = failure.microsoft.as_ref().and_then(|microsoft| microsoft.code.as_deref());
    match (failure.code, said) {
        (Code::CredentialFederationMismatch, Some("AADSTS700223" | "AADSTS700238")) => {
            failure.message = connect("the directory forbids federated credentials, or those of this issuer");
            failure.help = format!(
                "an administrator of the directory allows workload identity federation for {wanted}; or use a certificate"
            );
        }
        (Code::CredentialFederationMismatch, Some("AADSTS50013" | "AADSTS700024" | "AADSTS5002738")) => {
            failure.message = connect("Entra cannot verify the identity token of the AWS account");
            failure.help = format!(
                "see that the issuer's keys can be read from the internet and that the issuer was not switched off and on again; \
                 presented were {wanted}"
            );
        }
        (Code::CredentialFederationMismatch, _) => {
            failure.help = format!(
                "the application must have this federated credential, exactly (Entra portal: App registrations, Certificates & \
                 secrets, Federated credentials, Other issuer): {wanted}; a new one takes some minutes to work"
            );
        }
        (Code::WrongCloud, Some("AADSTS900382")) => {
            failure.help.push_str("; where the cloud is right, it forbids federated credentials: use a certificate");
        }
        _ => (),
    }
}

impl<I: Identity> Client<I> {
    /// A token, although the directory may not yet know everywhere what it was told about us. Somebody waits for it, which
    /// is why a scheduled run does not ask like this.
    pub(crate) async fn spread_token(
        &self,
        who: &Connection,
        place: &Place,
        budget: Duration,
    ) -> Result<Arc<Token>, Failure> {
        let mut patience = Patience::within(budget, self.first_pause);
        let mut spread_in = self.first_pause * SPREADING;
        let mut mismatch = None;
        loop {
            match self.token(who, place, patience.remaining()).await {
                Err(failure) if may_spread(&failure) => {
                    if !patience.wait(Some(spread_in)).await {
                        return Err(failure);
                    }
                    spread_in *= 2;
                    mismatch = Some(failure);
                }
                // That the time ran out says less than what came before.
                Err(failure) if failure.code.passes() => return Err(mismatch.unwrap_or(failure)),
                outcome => return outcome,
            }
        }
    }
}

/// Entra makes a federated credential known everywhere within some minutes: the pauses are 10, 20, 40 and 80 seconds, as
/// far as the budget goes.
const SPREADING: u32 = 20;

/// A federated credential that was just added is not known everywhere for some minutes.
fn may_spread(failure: &Failure) -> bool {
    let said = failure.microsoft.as_ref().and_then(|microsoft| microsoft.code.as_deref());
    let mismatch = ["AADSTS70021", "AADSTS700211", "AADSTS700212", "AADSTS700213", "AADSTS70025"];
    failure.code == Code::CredentialFederationMismatch && said.is_some_and(|said| mismatch.contains(&said))
}
