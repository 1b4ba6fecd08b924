//! The first step: a new secret is added to the application and kept as the version that is being made.

use std::time::Duration;

use directory::{Code, Failure};
use jiff::{SignedDuration, Timestamp};

use super::{Rotator, reach, secrets};
use crate::{
    operator::Refused,
    ports::{Clock, Connection, Graph, NewSecret, NotAdded, Registration, Rotated, Store, Version, Versions},
};

/// So many days a new secret is to last; the shorter ones where the directory's policy allows no more.
const DAYS: [i64; 3] = [180, 90, 60];
/// One that lasts no longer is not worth while.
const FEWEST_DAYS: i64 = 30;
/// So many characters of a version's name are in the name of its secret.
const TOKEN: usize = 8;

impl<G: Graph, S: Store, V: Versions, C: Clock, P: AsyncFn(Duration)> Rotator<'_, G, S, V, C, P> {
    /// Add a secret and keep it, unless that was done, and then remove what nobody uses: what an earlier rotation added and
    /// could not keep. In this order, since another try of this very step may be at work, and what it has added is of no
    /// use to it any longer only once this one is kept. What cannot be removed now is found again by the next rotation.
    pub(super) async fn create(&self, of: &Rotated, token: &str) -> Result<(), Refused> {
        let (tenant, _) = self.tenant(of).await?;
        let made = self.versions.version(of, token).await?;
        let current = self.current(of).await?;
        let previous = match &of.previous {
            Some(previous) => self.versions.version(of, previous).await?,
            None => None,
        };
        let who = reach(of, &tenant, current.ad_key.clone())?;
        let registration = self.registration(&who).await?;
        let used = secrets::Used { current: &current, previous: previous.as_ref() };
        let made = match made {
            Some(made) if self.may_work(&made, &registration) => made,
            Some(_) => {
                self.versions.drop_pending(of, token).await?;
                return Err(lost(token).into());
            }
            None => {
                let name = secrets::named(&of.mark, &token.chars().take(TOKEN).collect::<String>());
                let NewSecret { key_id, value, ends } = self.add(&who, &name).await?;
                let retires = used.retires(&registration.secrets);
                let made = Version { ad_key: value, key_id: Some(key_id), ends: Some(ends), retires };
                self.versions.put_pending(of, token, &made).await?;
                made
            }
        };
        for orphan in used.orphans(&made, &registration.secrets, &of.mark) {
            self.remove(&who, orphan).await;
        }
        Ok(())
    }

    /// Whether a version that was made before can be put to use: its secret is there, and has not ended.
    fn may_work(&self, made: &Version, registration: &Registration) -> bool {
        let listed = registration.secrets.iter().any(|one| made.key_id.as_ref() == Some(&one.key_id));
        listed && made.ends.is_some_and(|ends| self.clock.now() < ends)
    }

    /// Add a secret that lasts as long as the directory's policy allows.
    async fn add(&self, who: &Connection, name: &str) -> Result<NewSecret, Failure> {
        for days in DAYS {
            match self.lasting(days, who, name).await {
                Ok(made) => return Ok(made),
                Err(NotAdded::TooLong(_)) => (),
                Err(NotAdded::Failure(failure)) => return Err(failure),
            }
        }
        self.lasting(FEWEST_DAYS, who, name).await.map_err(|why| match why {
            NotAdded::Failure(failure) => failure,
            NotAdded::TooLong(failure) => Failure {
                message: format!(
                    "the directory's policy does not even allow a client secret that lasts {FEWEST_DAYS} days"
                ),
                help: "use a certificate or a federated credential, or exempt the application from the policy on the \
                       lifetime of secrets; until then renew the secret by hand"
                    .to_owned(),
                ..failure
            },
        })
    }

    async fn lasting(&self, days: i64, who: &Connection, name: &str) -> Result<NewSecret, NotAdded> {
        let ends = self.clock.now().checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
        self.graph.add_secret(who, name, ends, self.budget()).await
    }
}

/// What was made can no longer be put to use.
fn lost(token: &str) -> Failure {
    let message =
        format!("version {token} of the secret is given up: its secret has ended, or somebody has removed it");
    Failure::new(Code::NotFound, message, "nothing: the rotation begins anew with the next attempt")
}
