//! The credentials of tenants: which of two places each is in, how it gets to the other, and a short memory of them.
//!
//! A stack has a *place of its own*, where new secrets go. A secret stays where it is until it is moved. It is looked for in
//! the stack's own place first, so where a move was cut short and there are two, the one there is the one that counts.
//! Only moving removes one of two; saving replaces both, so that both at once never remove the last.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use directory::TenantId;
use engine::ports::{Fault, Moved, Place, Secrets, Version};
use secrecy::{ExposeSecret, SecretString};

use crate::{SealedSecrets, SecretsManager, body, fault::RETRIES};

/// How long a credential is believed without asking again. After a rotation the one before still works.
const TTL: Duration = Duration::from_secs(300);
/// How many tenants' credentials are kept in memory.
const MOST_KEPT: usize = 64;

/// Both places, and the memory.
pub struct SecretStore {
    manager: SecretsManager,
    sealed: SealedSecrets,
    own: Place,
    rotate: Option<String>,
    kept: Mutex<Kept>,
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretStore({:?}, {:?})", self.manager, self.sealed)
    }
}

impl SecretStore {
    /// Secrets in both places; new ones go to `own`.
    pub fn new(manager: SecretsManager, sealed: SealedSecrets, own: Place) -> Self {
        Self { manager, sealed, own, rotate: None, kept: Mutex::default() }
    }

    /// With the ARN of the function that renews secrets.
    #[must_use]
    pub fn renewed_by(mut self, function: Option<&str>) -> Self {
        self.rotate = function.map(str::to_owned);
        self
    }

    /// What is kept in memory. A panic elsewhere leaves the map whole: each change of it is one call.
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, place: Place, tenant: &TenantId) -> Result<Option<SecretString>, Fault> {
        match place {
            Place::SecretsManager => self.manager.read(tenant).await,
            Place::Kms => self.sealed.read(tenant).await,
        }
    }

    async fn holds(&self, place: Place, tenant: &TenantId) -> Result<bool, Fault> {
        match place {
            Place::SecretsManager => self.manager.holds(tenant).await,
            Place::Kms => self.sealed.holds(tenant).await,
        }
    }

    async fn write(&self, place: Place, tenant: &TenantId, body: &SecretString) -> Result<(), Fault> {
        match place {
            Place::SecretsManager => self.manager.write(tenant, body).await,
            Place::Kms => self.sealed.write(tenant, body).await,
        }
    }

    async fn delete(&self, place: Place, tenant: &TenantId) -> Result<(), Fault> {
        match place {
            Place::SecretsManager => self.manager.delete(tenant).await,
            Place::Kms => self.sealed.delete(tenant).await,
        }
    }

    /// Where it is, or where a new one goes, in the order of writing. Of two places the one that does not count comes first
    /// and last: whichever way it is being moved, where it comes from is written before where it goes to.
    async fn places_of(&self, tenant: &TenantId) -> Result<Vec<Place>, Fault> {
        let other = other(self.own);
        if !self.holds(other, tenant).await? {
            return Ok(vec![self.own]);
        }
        Ok(if self.holds(self.own, tenant).await? { vec![other, self.own, other] } else { vec![other] })
    }

    /// Copy it until both places hold the same: it may be saved while it moves.
    async fn carry_over(&self, tenant: &TenantId, to: Place) -> Result<(), Fault> {
        let from = other(to);
        for _ in 0..=RETRIES {
            let Some(now) = self.read(from, tenant).await? else { return Ok(()) };
            let copied = self.read(to, tenant).await?;
            if copied.is_some_and(|copied| copied.expose_secret() == now.expose_secret()) {
                return self.delete(from, tenant).await;
            }
            self.write(to, tenant, &now).await?;
        }
        Err(Fault::passing(format!("the secret of {tenant} is being saved while it is moved")))
    }
}

fn other(place: Place) -> Place {
    match place {
        Place::SecretsManager => Place::Kms,
        Place::Kms => Place::SecretsManager,
    }
}

impl Secrets for SecretStore {
    async fn secret(&self, tenant: &TenantId) -> Result<Option<SecretString>, Fault> {
        let kept = self.kept().get(tenant, Instant::now());
        match kept {
            Some(secret) => Ok(Some(secret)),
            None => self.secret_afresh(tenant).await,
        }
    }

    async fn secret_afresh(&self, tenant: &TenantId) -> Result<Option<SecretString>, Fault> {
        self.kept().forget(tenant);
        let mut found = self.read(self.own, tenant).await?;
        if found.is_none() {
            found = self.read(other(self.own), tenant).await?;
        }
        let Some(found) = found else { return Ok(None) };
        let wrong = || Fault::permanent(format!("the secret of {tenant} does not hold JSON with the text \"ad_key\""));
        let secret = body::read(&found).ok_or_else(wrong)?.ad_key;
        self.kept().keep(tenant, secret.clone(), Instant::now());
        Ok(Some(secret))
    }

    async fn put_secret(&self, tenant: &TenantId, secret: &SecretString) -> Result<(), Fault> {
        self.kept().forget(tenant);
        let body = body::write(&Version { ad_key: secret.clone(), key_id: None, ends: None, retires: Vec::new() });
        let mut places = self.places_of(tenant).await?;
        for _ in 0..=RETRIES {
            for place in &places {
                self.write(*place, tenant, &body).await?;
            }
            // It may have moved meanwhile.
            let before = std::mem::replace(&mut places, self.places_of(tenant).await?);
            if before == places {
                return Ok(());
            }
        }
        Err(Fault::passing(format!("the secret of {tenant} is being moved while it is saved")))
    }

    async fn delete_secret(&self, tenant: &TenantId) -> Result<(), Fault> {
        self.kept().forget(tenant);
        // The one that counts goes last.
        self.delete(other(self.own), tenant).await?;
        self.delete(self.own, tenant).await
    }

    async fn move_secret(&self, tenant: &TenantId, place: Place) -> Result<Moved, Fault> {
        self.kept().forget(tenant);
        let from = other(place);
        if !self.holds(from, tenant).await? {
            return Ok(if self.holds(place, tenant).await? { Moved::AlreadyThere } else { Moved::NoSecret });
        }
        if place == Place::Kms && self.manager.rotates(tenant).await? {
            let what = format!("the secret of {tenant} is renewed by itself, in Secrets Manager only");
            return Err(Fault::permanent(what).nothing_done());
        }
        if place == self.own && self.holds(place, tenant).await? {
            // It counts already; what is left was meant to go.
            self.delete(from, tenant).await?;
        } else {
            self.carry_over(tenant, place).await?;
        }
        Ok(Moved::Moved)
    }

    async fn start_rotation(&self, tenant: &TenantId) -> Result<bool, Fault> {
        let missing = || Fault::permanent("the variable ROTATE_FUNCTION_ARN is missing: who would renew the secret?");
        let function = self.rotate.as_deref().ok_or_else(missing)?;
        if self.move_secret(tenant, Place::SecretsManager).await? == Moved::NoSecret {
            return Ok(false);
        }
        self.manager.start_rotation(tenant, function).await
    }

    async fn renew_now(&self, tenant: &TenantId) -> Result<(), Fault> {
        self.manager.renew_now(tenant).await
    }

    async fn stop_rotation(&self, tenant: &TenantId) -> Result<(), Fault> {
        self.manager.stop_rotation(tenant).await
    }
}

/// Credentials in memory, overwritten with zeros when they leave it.
#[derive(Default)]
struct Kept(BTreeMap<TenantId, (Instant, SecretString)>);

impl Kept {
    fn get(&mut self, tenant: &TenantId, now: Instant) -> Option<SecretString> {
        self.0.retain(|_, (since, _)| now.saturating_duration_since(*since) < TTL);
        self.0.get(tenant).map(|(_, secret)| secret.clone())
    }

    fn keep(&mut self, tenant: &TenantId, secret: SecretString, now: Instant) {
        if self.0.len() >= MOST_KEPT {
            let oldest = self.0.iter().min_by_key(|(_, (since, _))| *since).map(|(tenant, _)| tenant.clone());
            oldest.and_then(|tenant| self.0.remove(&tenant));
        }
        self.0.insert(tenant.clone(), (now, secret));
    }

    fn forget(&mut self, tenant: &TenantId) {
        self.0.remove(tenant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_kept_for_five_minutes_and_for_64_tenants() {
        let tenant = |n: usize| format!("t{n}").parse::<TenantId>().unwrap();
        let (mut kept, start) = (Kept::default(), Instant::now());
        for n in 0..100_usize {
            kept.keep(&tenant(n), SecretString::from("x"), start + Duration::from_millis(n as u64));
        }
        assert_eq!(kept.0.len(), MOST_KEPT);
        assert!(kept.get(&tenant(35), start).is_none(), "the oldest went");
        assert!(kept.get(&tenant(99), start + Duration::from_secs(299)).is_some());
        assert!(kept.get(&tenant(99), start + Duration::from_secs(301)).is_none());
        assert!(kept.0.is_empty(), "what is too old does not stay in memory");
    }
}
