//! The last step: the new secret is the one in use from now on, and the one before last goes.

use std::time::Duration;

use directory::{CredentialKind, Failure, facts::ExpirySource};
use serde_json::{Value, json};

use super::{Rotator, Stage, reach};
use crate::{
    connection::{hint, mended},
    credential, keys,
    lease::set,
    operator::{self, Refused, TRIES, committed},
    ports::{Change, Clock, Condition, Connection, Graph, Item, Rotated, Store, Version, Versions, Write},
    records::{CredentialFacts, Schedule, Seen, Status, Tenant},
    registration, renewal,
};

/// What is known of a new secret.
struct Made {
    facts: CredentialFacts,
    seen: Option<Seen>,
}

impl<G: Graph, S: Store, V: Versions, C: Clock, P: AsyncFn(Duration)> Rotator<'_, G, S, V, C, P> {
    /// Make the version the one in use, write down what is known of it, and remove the one before last: in this order, so
    /// that wherever it is killed the secret in use works, and what is left to do is done when it is asked for again.
    pub(super) async fn finish(&self, of: &Rotated, token: &str, stage: Stage) -> Result<(), Refused> {
        let version = self.made(of, token).await?;
        let (tenant, sync) = match stage {
            Stage::Pending => self.tenant(of).await?,
            Stage::Current => operator::tenant(self.store, &of.tenant).await?,
        };
        let who = reach(of, &tenant, version.ad_key.clone())?;
        let in_use = if written_down(&tenant, version.key_id.as_ref()) {
            if sync.rotation.is_some() {
                renewal::clear(self.store, &self.asked(of)).await?;
            }
            true
        } else {
            if stage == Stage::Pending {
                self.versions.make_current(of, token).await?;
            }
            let made = self.known(&who, &tenant, &version).await?;
            self.write_down(of, token, &made, (tenant, sync)).await?
        };
        self.graph.forget(&who);
        if in_use {
            // Whoever has the one before last cached has had a whole period to notice.
            for key_id in version.retires.iter().filter(|key_id| version.key_id.as_ref() != Some(key_id)) {
                self.remove(&who, key_id).await;
            }
            tracing::info!(tenant = %of.tenant, "the secret was renewed");
        }
        Ok(())
    }

    /// What is known of the new secret, and what the registration says of it where that can be read.
    async fn known(&self, who: &Connection, tenant: &Tenant, version: &Version) -> Result<Made, Refused> {
        let missing = || Failure::not_found("the version does not say when its secret ends: no rotation made it");
        let (now, ends) = (self.clock.now(), version.ends.ok_or_else(missing)?);
        let facts = CredentialFacts {
            kind: CredentialKind::Secret,
            saved_at: now,
            expires_on: credential::day(ends, &tenant.settings.report.time_zone),
            source: ExpirySource::Entra,
            hint: Some(hint(&version.ad_key)),
            key_id: version.key_id.clone(),
            certificate: None,
        };
        let seen = registration::look(self.graph, who, &facts, None, now, self.budget()).await;
        Ok(Made { facts, seen })
    }

    /// What is known of the credential is what is known of this one, from now on: `false` where a person has saved another
    /// meanwhile, which counts.
    async fn write_down(
        &self,
        of: &Rotated,
        token: &str,
        made: &Made,
        found: (Tenant, Schedule),
    ) -> Result<bool, Refused> {
        let mut found = Some(found);
        for _ in 0..TRIES {
            let (tenant, sync) = match found.take() {
                Some(found) => found,
                None => operator::tenant(self.store, &of.tenant).await?,
            };
            // In this order: whoever saves another after this look changes the tenant after it was read.
            let now = self.versions.rotated(&of.name).await?.and_then(|now| now.current);
            if now.as_deref() != Some(token) {
                return Ok(false);
            }
            if written_down(&tenant, made.facts.key_id.as_ref())
                || committed(self.store, self.writes(of, made, tenant, sync)).await?
            {
                return Ok(true);
            }
        }
        Err(operator::raced())
    }

    fn writes(&self, of: &Rotated, Made { facts, seen }: &Made, tenant: Tenant, mut sync: Schedule) -> Vec<Write> {
        let before = credential::ends(&tenant, &sync).map(|(day, _)| day);
        // What the last check met of the secret before is no longer true. Green is the word of a check by a person.
        let error = tenant.status.error.clone().filter(|failure| !failure.code.refuses_credential());
        let status = Status { error, ..tenant.status };
        let on_tenant = [("credential".to_owned(), json!(facts)), ("status".to_owned(), json!(status))];
        let mut on_schedule = mended(&mut sync);
        on_schedule.insert("rotation".to_owned(), Value::Null);
        on_schedule.extend(seen.as_ref().map(|seen| ("seen".to_owned(), json!(seen))));
        let (from, to) = (json!({"expires_on": before}), json!({"expires_on": facts.expires_on}));
        vec![
            Write {
                key: keys::meta(&of.tenant),
                change: Change::Set { set: Item::from_iter(on_tenant), add: vec![("rev", 1)] },
                only_if: vec![Condition::Equals("rev", json!(tenant.rev))],
            },
            set(keys::sync(&of.tenant), on_schedule),
            self.asked(of).audit(0, "rotate_secret", "secret", from, to),
        ]
    }
}

/// Whether what is known of the credential is what is known of the one with this key id.
fn written_down(tenant: &Tenant, key_id: Option<&String>) -> bool {
    let known = tenant.credential.as_ref().and_then(|facts| facts.key_id.as_ref());
    known.is_some() && known == key_id
}
