//! The last step: the new secret is the one in use from now on, and the one before last goes.

use std::time::Duration;

use directory::{Code, CredentialKind, Failure, facts::ExpirySource};
use jiff::Timestamp;
use serde_json::json;

use super::{Rotator, Stage, reach, renewed};
use crate::{
    connection::{hint, mended},
    credential, keys,
    lease::set,
    operator::{self, Refused, TRIES, committed},
    ports::{
        Change, Clock, Condition, Connection, Graph, Item, Registration, Rotated, Store, Version, Versions, Write,
    },
    records::{CredentialFacts, Schedule, Seen, Status, Tenant},
};

/// A new secret, and the application that lists it.
struct Made<'a> {
    token: &'a str,
    version: &'a Version,
    registration: &'a Registration,
    ends: Timestamp,
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
        if written_down(&tenant, &version) {
            if sync.rotation.is_some() {
                self.note(of, Item::from_iter([renewed()])).await?;
            }
        } else {
            // Before anything is changed: without it the day on which the new secret ends is not known.
            let registration = self.registration(&who).await?;
            let mine = registration.secrets.iter().find(|one| version.key_id.as_ref() == Some(&one.key_id));
            let ends = mine.map(|mine| mine.ends).ok_or_else(unlisted)?;
            if stage == Stage::Pending {
                self.versions.make_current(of, token).await?;
            }
            self.write_down(of, &Made { token, version: &version, registration: &registration, ends }, (tenant, sync))
                .await?;
        }
        self.graph.forget(&who);
        self.retire(&who, &version).await?;
        tracing::info!(tenant = %of.tenant, "the secret was renewed");
        Ok(())
    }

    /// What is known of the credential is what is known of this one, from now on.
    async fn write_down(&self, of: &Rotated, made: &Made<'_>, found: (Tenant, Schedule)) -> Result<(), Refused> {
        let mut found = Some(found);
        for part in 0..TRIES {
            let (tenant, sync) = match found.take() {
                Some(found) => found,
                None => {
                    let now = self.versions.rotated(&of.name).await?.and_then(|now| now.current);
                    if now.as_deref() != Some(made.token) {
                        // What came in between is another secret, that a person saved.
                        return Ok(());
                    }
                    operator::tenant(self.store, &of.tenant).await?
                }
            };
            if written_down(&tenant, made.version)
                || committed(self.store, self.writes(of, made, tenant, sync, part)).await?
            {
                return Ok(());
            }
        }
        Err(operator::raced())
    }

    fn writes(
        &self,
        of: &Rotated,
        Made { token: _, version, registration, ends }: &Made<'_>,
        tenant: Tenant,
        mut sync: Schedule,
        part: usize,
    ) -> Vec<Write> {
        let now = self.clock.now();
        let before = credential::ends(&tenant, &sync).map(|(day, _)| day);
        let facts = CredentialFacts {
            saved_at: now,
            expires_on: credential::day(*ends, &tenant.settings.report.time_zone),
            source: ExpirySource::Entra,
            hint: Some(hint(&version.ad_key)),
            key_id: version.key_id.clone(),
            certificate: None,
        };
        let told = credential::tell(registration, CredentialKind::Secret, &facts, now);
        // What the last check met of the secret before is no longer true. Green is the word of a check by a person.
        let error = tenant.status.error.clone().filter(|failure| !failure.code.refuses_credential());
        let status = Status { error, ..tenant.status };
        let on_tenant = [("credential".to_owned(), json!(facts)), ("status".to_owned(), json!(status))];
        let mut on_schedule = mended(&mut sync);
        on_schedule.extend([("seen".to_owned(), json!(Seen { at: now, of: now, told: Some(told) })), renewed()]);
        let (from, to) = (json!({"expires_on": before}), json!({"expires_on": facts.expires_on}));
        vec![
            Write {
                key: keys::meta(&of.tenant),
                change: Change::Set { set: Item::from_iter(on_tenant), add: vec![("rev", 1)] },
                only_if: vec![Condition::Equals("rev", json!(tenant.rev))],
            },
            set(keys::sync(&of.tenant), on_schedule),
            self.asked(of).audit(part, "rotate_secret", "secret", from, to),
        ]
    }

    /// Remove the one before last. Whoever has it cached has had a whole period to notice.
    async fn retire(&self, who: &Connection, version: &Version) -> Result<(), Refused> {
        if let Some(key_id) = version.retires.as_ref().filter(|key_id| version.key_id.as_ref() != Some(key_id)) {
            self.graph.remove_secret(who, key_id, self.budget()).await?;
        }
        Ok(())
    }
}

/// Entra has not listed it yet, or somebody has removed it.
fn unlisted() -> Failure {
    let help = "nothing: it is asked for again; if somebody removed it by hand, start the rotation anew";
    Failure::new(Code::NotFound, "the application does not list the new secret", help)
}

/// Whether what is known of the credential is what is known of this version.
fn written_down(tenant: &Tenant, version: &Version) -> bool {
    let known = tenant.credential.as_ref().and_then(|facts| facts.key_id.as_ref());
    known.is_some() && known == version.key_id.as_ref()
}
