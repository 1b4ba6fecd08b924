//! Rotate: a tenant's client secret is renewed by itself, in the four steps of Secrets Manager (rule 7.3).
//!
//! *create* adds a secret to the application, *set* has nothing to do, *test* tries it, *finish* makes it the one in use
//! and removes the one before last. Each may be killed anywhere and asked for again. The secret in use and the one before
//! it are never touched, so that whoever still has one of them cached goes on.

mod create;
mod finish;
mod secrets;

use std::time::Duration;

use directory::{Code, Failure};
use secrecy::SecretString;

use crate::{
    credential,
    operator::{self, Asked, Refused},
    ports::{Clock, Connection, Fault, Graph, Registration, Rotated, Store, Version, Versions},
    reach,
    records::{Schedule, Tenant},
    renewal,
};

/// So much of an invocation is left when nothing more is begun.
const MARGIN: Duration = Duration::from_secs(10);
/// The longest that one question to Microsoft may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long a new secret is waited for before it is tried once more: Entra does not know it everywhere at once.
const PAUSE: Duration = Duration::from_secs(5);
/// So often it may be refused in one invocation.
const MOST_TRIES: usize = 24;
/// So often in a row it is to be accepted: the part of Entra that answers next may be one that does not know it yet.
const ACCEPTED: usize = 2;
/// Who changes what a rotation changes, for the audit.
const BY: &str = "rotate";

/// A step of a rotation, in the order in which they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Make the new secret.
    Create,
    /// Where it is used: nowhere but here.
    Set,
    /// See that it works.
    Test,
    /// Make it the one in use.
    Finish,
}

/// What Secrets Manager asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which step.
    pub step: Step,
    /// The secret's ARN or name.
    pub secret_id: String,
    /// The version that is being made.
    pub token: String,
}

/// What rotating needs of the world, and of its invocation.
#[derive(Debug)]
pub struct Rotator<'a, G, S, V, C, P> {
    /// Microsoft.
    pub graph: &'a G,
    /// The tables.
    pub store: &'a S,
    /// The versions of secrets.
    pub versions: &'a V,
    /// The invocation's time.
    pub clock: &'a C,
    /// Lets time pass.
    pub pause: P,
    /// A name of the invocation that no other has.
    pub nonce: &'a str,
}

impl<G: Graph, S: Store, V: Versions, C: Clock, P: AsyncFn(Duration)> Rotator<'_, G, S, V, C, P> {
    /// Carry out a step. Asking again changes nothing more. Why it was not done is kept for the daily report, until a
    /// rotation is done; what was no step of a rotation is nothing to report.
    ///
    /// # Errors
    /// The step was not done, and the secret in use works as before.
    pub async fn rotate(&self, request: &Request) -> Result<(), Refused> {
        let Some(of) = self.versions.rotated(&request.secret_id).await? else {
            return Err(Failure::not_found("the secret is not there, or is not one of this stack's tenants").into());
        };
        let stage = stage(&of, &request.token)?;
        let done = self.step(&of, request, stage).await;
        let error = match &done {
            Ok(()) => return done,
            Err(Refused::Failure(failure)) => (**failure).clone(),
            // It passes, or the next step fails as well and says so.
            Err(Refused::Fault(fault)) if fault.passes => return done,
            Err(Refused::Fault(_)) => Failure::unexpected(self.nonce),
        };
        renewal::note(self.store, &self.asked(&of), error).await;
        done
    }

    async fn step(&self, of: &Rotated, request: &Request, stage: Stage) -> Result<(), Refused> {
        match (request.step, stage) {
            // It was made, and is in use already.
            (Step::Create | Step::Set, Stage::Current) => Ok(()),
            (Step::Create, Stage::Pending) => self.create(of, &request.token).await,
            (Step::Set, Stage::Pending) => self.made(of, &request.token).await.map(drop),
            (Step::Test, _) => self.test(of, &request.token).await,
            (Step::Finish, stage) => self.finish(of, &request.token, stage).await,
        }
    }

    /// Try the new secret until it works everywhere, as far as that can be told, or time is up. Secrets Manager also asks for this step alone, to see whether
    /// rotations are possible: then there is no new secret, and the present one is tried. That is when rotation is switched
    /// on, a moment before the setting is saved, so that the setting does not matter here.
    async fn test(&self, of: &Rotated, token: &str) -> Result<(), Refused> {
        let (tenant, _) = operator::tenant(self.store, &of.tenant).await?;
        let (version, wanted) = match self.versions.version(of, token).await? {
            Some(made) => (made, ACCEPTED),
            None => (self.current(of).await?, 1),
        };
        let who = reach(of, &tenant, version.ad_key)?;
        let (mut accepted, mut refused) = (0, 0);
        loop {
            let outcome = self.graph.try_out(&who, self.budget()).await;
            let is_late = self.budget() <= PAUSE;
            match outcome {
                Ok(()) if accepted + 1 == wanted => return Ok(()),
                Ok(()) if is_late => return Err(Fault::passing("no time is left to try the new secret again").into()),
                Ok(()) => accepted += 1,
                Err(failure) => {
                    (accepted, refused) = (0, refused + 1);
                    if failure.code != Code::CredentialSecretInvalid || refused == MOST_TRIES || is_late {
                        return Err(failure.into());
                    }
                    self.graph.forget(&who);
                }
            }
            (self.pause)(PAUSE).await;
        }
    }

    /// Remove a secret from the application. Where that fails the secret in use is as good as before: the next rotation
    /// tries it again.
    async fn remove(&self, who: &Connection, key_id: &str) {
        match self.graph.remove_secret(who, key_id, self.budget()).await {
            Ok(()) => tracing::info!(tenant = %who.tenant, key_id, "a secret that nobody uses was removed"),
            Err(failure) => {
                let code = failure.code.name();
                tracing::warn!(tenant = %who.tenant, key_id, code, "a secret that nobody uses is left: {failure}");
            }
        }
    }

    fn budget(&self) -> Duration {
        self.clock.remaining().saturating_sub(MARGIN).min(PATIENCE)
    }

    /// The tenant, if its secret is to be renewed by itself.
    async fn tenant(&self, of: &Rotated) -> Result<(Tenant, Schedule), Refused> {
        let found = operator::tenant(self.store, &of.tenant).await?;
        if credential::renews_itself(&found.0.settings) {
            return Ok(found);
        }
        let message = format!("the secret of tenant {} is not to be renewed by itself", of.tenant);
        let help = "turn rotate_secret on with put_tenant, or stop the rotation of this secret in Secrets Manager";
        Err(Failure::new(Code::InvalidInput, message, help).into())
    }

    /// The version that is in use.
    async fn current(&self, of: &Rotated) -> Result<Version, Refused> {
        let found = match &of.current {
            Some(current) => self.versions.version(of, current).await?,
            None => None,
        };
        let missing = || Failure::not_found(format!("no secret was saved for tenant {}", of.tenant));
        found.ok_or_else(|| missing().into())
    }

    /// The version that is being made, once it holds a secret.
    async fn made(&self, of: &Rotated, token: &str) -> Result<Version, Refused> {
        let missing = || {
            let help =
                "nothing: the rotation begins again; if it does not, cancel it in Secrets Manager and start anew";
            Failure::new(Code::NotFound, format!("version {token} of the secret holds nothing yet"), help)
        };
        self.versions.version(of, token).await?.ok_or_else(|| missing().into())
    }

    /// What the application has, without which nothing can be renewed.
    async fn registration(&self, who: &Connection) -> Result<Registration, Refused> {
        let found = self.graph.registration(who, self.budget()).await?;
        found.ok_or_else(|| {
            let message = "the application's registration cannot be read, so that its secret cannot be renewed";
            let help = "grant the application permission Application.ReadWrite.OwnedBy with admin consent, and make the \
                        application's service principal an owner of its registration; an application that is registered in \
                        another directory cannot renew its secret: turn rotate_secret off";
            Failure::new(Code::PermissionMissing, message, help).into()
        })
    }

    fn asked(&self, of: &Rotated) -> Asked {
        let (tenant, nonce) = (of.tenant.clone(), self.nonce.to_owned());
        Asked { tenant, by: BY.to_owned(), now: self.clock.now(), nonce }
    }
}

/// Where a version stands that a step asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is being made.
    Pending,
    /// It is in use: the rotation was done, or nearly.
    Current,
}

fn stage(of: &Rotated, token: &str) -> Result<Stage, Failure> {
    if of.current.as_deref() == Some(token) {
        return Ok(Stage::Current);
    }
    let refuse = |message: String| {
        let help = "start the rotation in Secrets Manager rather than invoking this function";
        Err(Failure::new(Code::InvalidInput, message, help))
    };
    if !of.enabled {
        return refuse(format!("the rotation of tenant {}'s secret is not switched on", of.tenant));
    }
    if of.pending.as_deref() != Some(token) {
        return refuse(format!("version {token} of tenant {}'s secret is not the one that is being made", of.tenant));
    }
    Ok(Stage::Pending)
}

/// How to reach the directory with a secret.
fn reach(of: &Rotated, tenant: &Tenant, secret: SecretString) -> Result<Connection, Refused> {
    Ok(reach::with(&of.tenant, &tenant.settings, Some(secret))?)
}
