//! The first step: a new secret is added to the application and kept as the version that is being made.

use std::time::Duration;

use directory::Failure;
use jiff::{SignedDuration, Timestamp};

use super::{Rotator, reach, secrets};
use crate::{
    operator::Refused,
    ports::{Clock, Connection, Graph, NewSecret, NotAdded, Rotated, Store, Version, Versions},
};

/// So many days a new secret is to last; the shorter ones where the directory's policy allows no more.
const DAYS: [i64; 4] = [180, 90, 60, 30];
/// So many characters of a version's name are in the name of its secret.
const TOKEN: usize = 8;

impl<G: Graph, S: Store, V: Versions, C: Clock, P: AsyncFn(Duration)> Rotator<'_, G, S, V, C, P> {
    /// Add a secret and keep it, unless that was done, and then remove what nobody uses: what an earlier rotation added and
    /// could not keep. In this order, since another try of this very step may be at work, and what it has added is of no
    /// use to it any longer only once this one is kept.
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
            Some(made) => made,
            None => {
                let name = secrets::named(&of.mark, &token.chars().take(TOKEN).collect::<String>());
                let NewSecret { key_id, value, .. } = self.add(&who, &name).await?;
                let retires = used.retires(&registration.secrets);
                let made = Version { ad_key: value, key_id: Some(key_id), retires };
                self.versions.put_pending(of, token, &made).await?;
                made
            }
        };
        for orphan in used.orphans(&made, &registration.secrets, &of.mark) {
            tracing::info!(tenant = %of.tenant, key_id = orphan, "a secret that nobody uses is removed");
            self.graph.remove_secret(&who, orphan, self.budget()).await?;
        }
        Ok(())
    }

    /// Add a secret that lasts as long as the directory's policy allows.
    async fn add(&self, who: &Connection, name: &str) -> Result<NewSecret, Failure> {
        let mut refusal = None;
        for days in DAYS {
            let ends = self.clock.now().checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
            match self.graph.add_secret(who, name, ends, self.budget()).await {
                Ok(made) => return Ok(made),
                Err(NotAdded::TooLong(failure)) => refusal = Some((days, failure)),
                Err(NotAdded::Failure(failure)) => return Err(failure),
            }
        }
        let (days, failure) = refusal.unwrap_or_else(|| (0, Failure::unexpected(self.nonce)));
        Err(Failure {
            message: format!("the directory's policy does not even allow a client secret that lasts {days} days"),
            help: "use a certificate or a federated credential, or exempt the application from the policy on the lifetime \
                   of secrets; until then renew the secret by hand"
                .to_owned(),
            ..failure
        })
    }
}
