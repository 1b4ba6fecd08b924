//! Rotations in the world in memory, as Secrets Manager asks for them.

use std::time::Duration;

use directory::CredentialKind;
use engine::{
    keys,
    operator::Refused,
    ports::Secrets as _,
    records::{CredentialFacts, ExpirySource, write},
    rotate::{Request, Rotator, Step},
};
use serde_json::json;

use crate::{
    application::{May, Password},
    ports::Invocation,
    turnstile::drive,
    world::World,
};

/// The steps of a rotation in their order.
pub const STEPS: [Step; 4] = [Step::Create, Step::Set, Step::Test, Step::Finish];

impl World {
    /// A tenant with a secret that a person made and that ends in a year, to be renewed by itself from now on.
    pub fn rotating() -> Self {
        let world = Self::new();
        world.save_by_hand("hand-made", 365);
        world.entra.application(|application| application.may = May::Own);
        world.set(json!({"rotate_secret": true}));
        assert_eq!(drive(world.vault.start_rotation(&world.tenant)).expect("an end").ok(), Some(true));
        world
    }

    /// A person makes a secret, and saves it here without its day.
    pub fn save_by_hand(&self, value: &str, days: i64) {
        self.entra.add_password("made by hand", value, days);
        self.vault.renew(&self.tenant, value);
        let mut tenant = self.tenant();
        tenant.credential = Some(CredentialFacts {
            kind: CredentialKind::Secret,
            saved_at: self.now(),
            expires_on: "2030-01-01".parse().expect("a day"),
            source: ExpirySource::Assumed,
            hint: Some(value.chars().take(3).collect()),
            key_id: None,
            certificate: None,
        });
        tenant.rev += 1;
        self.store.poke(keys::meta(&self.tenant), write(&tenant));
    }

    /// One step, in an invocation of its own; nothing where it was killed.
    pub fn step(&self, step: Step, token: &str) -> Option<Result<(), Refused>> {
        self.step_of(step, &self.vault.name(&self.tenant), token)
    }

    /// The same of any secret.
    pub fn step_of(&self, step: Step, secret_id: &str, token: &str) -> Option<Result<(), Refused>> {
        drive(self.stepping(step, secret_id, token))
    }

    /// One step under way.
    ///
    /// # Errors
    /// The engine's.
    pub async fn stepping(&self, step: Step, secret_id: &str, token: &str) -> Result<(), Refused> {
        self.wait(1);
        self.store.fenced(false);
        let clock = Invocation::new(self.turnstile.clone(), self.now(), None);
        let nonce = format!("rotate-{}", self.turnstile.calls());
        let pause = async |time: Duration| self.wait(i64::try_from(time.as_secs()).expect("a pause"));
        let (graph, store, versions) = (&self.entra, &self.store, &self.vault);
        let rotator = Rotator { graph, store, versions, clock: &clock, pause, nonce: &nonce };
        let (secret_id, token) = (secret_id.to_owned(), token.to_owned());
        rotator.rotate(&Request { step, secret_id, token }).await
    }

    /// What Secrets Manager does when a rotation is due, up to the first step that is not done: which, and why.
    pub fn rotate(&self, token: &str) -> Result<(), (Step, String)> {
        self.vault.begin(&self.tenant, token);
        for step in STEPS {
            match self.step(step, token) {
                Some(Ok(())) => (),
                Some(Err(refused)) => return Err((step, refused.to_string())),
                None => return Err((step, "killed".to_owned())),
            }
        }
        Ok(())
    }

    /// The secret in use as the application lists it, if it works.
    pub fn working(&self) -> Option<Password> {
        let current = self.vault.current(&self.tenant)?;
        self.entra.passwords().into_iter().find(|one| one.value == current)
    }
}
