//! The credentials of tenants in memory: a cache that can lag behind, and the versions of a rotation.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use directory::TenantId;
use engine::ports::{Fault, Moved, Place, Rotated, Secrets, Version, Versions};
use secrecy::{ExposeSecret as _, SecretString};

use crate::turnstile::Turnstile;

/// A tenant's secret with its versions.
#[derive(Debug, Clone, Default)]
struct Kept {
    sealed: bool,
    rotates: bool,
    versions: BTreeMap<String, Version>,
    current: Option<String>,
    previous: Option<String>,
    pending: Option<String>,
}

impl Kept {
    fn make_current(&mut self, version: &str) {
        if self.current.as_deref() != Some(version) {
            self.previous = self.current.replace(version.to_owned());
        }
    }
}

/// Secrets, with a cache that can lag behind.
#[derive(Debug)]
pub struct Vault {
    turnstile: Rc<Turnstile>,
    secrets: RefCell<BTreeMap<TenantId, Kept>>,
    cached: RefCell<BTreeMap<TenantId, String>>,
    stage: RefCell<String>,
    saved: Cell<u64>,
}

impl Vault {
    /// No secrets.
    pub fn new(turnstile: Rc<Turnstile>) -> Self {
        let stage = RefCell::new("test".to_owned());
        Self { turnstile, secrets: RefCell::default(), cached: RefCell::default(), stage, saved: Cell::new(0) }
    }

    /// A secret that the cache does not know of where it holds another.
    pub fn renew(&self, tenant: &TenantId, secret: &str) {
        self.saved.set(self.saved.get() + 1);
        let version = format!("by-hand-{}", self.saved.get());
        let content = Version { ad_key: SecretString::from(secret), key_id: None, ends: None, retires: Vec::new() };
        let mut secrets = self.secrets.borrow_mut();
        let kept = secrets.entry(tenant.clone()).or_default();
        kept.versions.insert(version.clone(), content);
        kept.make_current(&version);
    }

    /// This is the vault of another stack.
    pub fn stage(&self, stage: &str) {
        stage.clone_into(&mut self.stage.borrow_mut());
    }

    /// The name of a tenant's secret.
    pub fn name(&self, tenant: &TenantId) -> String {
        format!("entra-sync/{}/{tenant}", self.stage.borrow())
    }

    /// What Secrets Manager does before it asks for the steps of a rotation: this version is the one being made.
    pub fn begin(&self, tenant: &TenantId, version: &str) {
        let mut secrets = self.secrets.borrow_mut();
        let kept = secrets.get_mut(tenant).expect("a secret");
        assert!(kept.rotates, "a rotation that is not switched on");
        if kept.current.as_deref() != Some(version) {
            kept.pending = Some(version.to_owned());
        }
    }

    /// The secret that is in use.
    pub fn current(&self, tenant: &TenantId) -> Option<String> {
        let secrets = self.secrets.borrow();
        let kept = secrets.get(tenant)?;
        Some(kept.versions[kept.current.as_ref()?].ad_key.expose_secret().to_owned())
    }

    /// Whether it is renewed by itself.
    pub fn rotates(&self, tenant: &TenantId) -> bool {
        self.secrets.borrow().get(tenant).is_some_and(|kept| kept.rotates)
    }

    fn afresh(&self, tenant: &TenantId) -> Option<SecretString> {
        let secret = self.current(tenant);
        if let Some(secret) = &secret {
            self.cached.borrow_mut().insert(tenant.clone(), secret.clone());
        }
        secret.map(SecretString::from)
    }

    fn with<T>(&self, of: &Rotated, change: impl FnOnce(&mut Kept) -> T) -> T {
        change(self.secrets.borrow_mut().get_mut(&of.tenant).expect("a secret"))
    }
}

impl Secrets for Vault {
    async fn secret(&self, tenant: &TenantId) -> Result<Option<SecretString>, Fault> {
        let look = || {
            let cached = self.cached.borrow().get(tenant).cloned();
            cached.map(SecretString::from).or_else(|| self.afresh(tenant))
        };
        self.turnstile.pass("secret", look).await
    }

    async fn secret_afresh(&self, tenant: &TenantId) -> Result<Option<SecretString>, Fault> {
        self.turnstile.pass("secret_afresh", || self.afresh(tenant)).await
    }

    async fn put_secret(&self, tenant: &TenantId, secret: &SecretString) -> Result<(), Fault> {
        let put = || {
            self.renew(tenant, secret.expose_secret());
            self.cached.borrow_mut().remove(tenant);
        };
        self.turnstile.pass("put_secret", put).await
    }

    async fn delete_secret(&self, tenant: &TenantId) -> Result<(), Fault> {
        let delete = || {
            self.secrets.borrow_mut().remove(tenant);
            self.cached.borrow_mut().remove(tenant);
        };
        self.turnstile.pass("delete_secret", delete).await
    }

    async fn move_secret(&self, tenant: &TenantId, place: Place) -> Result<Moved, Fault> {
        let change = || {
            let mut secrets = self.secrets.borrow_mut();
            let Some(kept) = secrets.get_mut(tenant) else { return Moved::NoSecret };
            let before = std::mem::replace(&mut kept.sealed, place == Place::Kms);
            if before == kept.sealed { Moved::AlreadyThere } else { Moved::Moved }
        };
        self.turnstile.pass("move_secret", change).await
    }

    async fn start_rotation(&self, tenant: &TenantId) -> Result<bool, Fault> {
        let start = || {
            let mut secrets = self.secrets.borrow_mut();
            let kept = secrets.get_mut(tenant);
            kept.map(|kept| (kept.rotates, kept.sealed) = (true, false)).is_some()
        };
        self.turnstile.pass("start_rotation", start).await
    }

    async fn renew_now(&self, _: &TenantId) -> Result<(), Fault> {
        self.turnstile.pass("renew_now", || ()).await
    }

    async fn stop_rotation(&self, tenant: &TenantId) -> Result<(), Fault> {
        let stop = || {
            let mut secrets = self.secrets.borrow_mut();
            secrets.get_mut(tenant).into_iter().for_each(|kept| kept.rotates = false);
        };
        self.turnstile.pass("stop_rotation", stop).await
    }
}

impl Versions for Vault {
    async fn rotated(&self, secret_id: &str) -> Result<Option<Rotated>, Fault> {
        let find = || {
            let secrets = self.secrets.borrow();
            let (tenant, kept) = secrets.iter().find(|(tenant, _)| self.name(tenant) == secret_id)?;
            let (current, previous, pending) = (kept.current.clone(), kept.previous.clone(), kept.pending.clone());
            let (tenant, name) = (tenant.clone(), self.name(tenant));
            let mark = name.clone();
            Some(Rotated { tenant, name, mark, enabled: kept.rotates, current, previous, pending })
        };
        self.turnstile.pass("rotated", find).await
    }

    async fn version(&self, of: &Rotated, version: &str) -> Result<Option<Version>, Fault> {
        let look = || self.with(of, |kept| kept.versions.get(version).cloned());
        self.turnstile.pass("version", look).await
    }

    async fn put_pending(&self, of: &Rotated, version: &str, content: &Version) -> Result<(), Fault> {
        let put = || {
            self.with(of, |kept| match kept.versions.get(version) {
                Some(before) if before.key_id != content.key_id => {
                    Err(Fault::passing("the version was made by somebody else").nothing_done())
                }
                _ => {
                    kept.versions.insert(version.to_owned(), content.clone());
                    Ok(())
                }
            })
        };
        self.turnstile.pass("put_pending", put).await?
    }

    async fn drop_pending(&self, of: &Rotated, version: &str) -> Result<(), Fault> {
        let give_up = || {
            self.with(of, |kept| {
                kept.pending.take_if(|pending| pending == version);
                kept.versions.remove(version);
            });
        };
        self.turnstile.pass("drop_pending", give_up).await
    }

    async fn make_current(&self, of: &Rotated, version: &str) -> Result<(), Fault> {
        let make = || {
            self.with(of, |kept| {
                assert!(kept.versions.contains_key(version), "a version that holds nothing is not for use");
                kept.make_current(version);
                // Older versions lose their labels, and Secrets Manager forgets them.
                let labels = [kept.current.clone(), kept.previous.clone(), kept.pending.clone()];
                kept.versions.retain(|version, _| labels.iter().flatten().any(|label| label == version));
            });
        };
        self.turnstile.pass("make_current", make).await
    }
}
