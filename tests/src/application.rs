//! The application's registration in Entra: its credentials, what its token may do with them, and the directory's policy.

use std::{collections::BTreeSet, sync::atomic::Ordering};

use directory::{Code, CredentialKind, Failure};
use engine::ports::{Certificate, Connection, NewSecret, NotAdded, Registered, Registration};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

use crate::entra::Entra;

/// A client secret of the application.
#[derive(Debug, Clone)]
pub struct Password {
    /// The secret.
    pub value: String,
    /// Its key id.
    pub key_id: String,
    /// Its name.
    pub name: String,
    /// From when it works.
    pub starts: Timestamp,
    /// Until when it works.
    pub ends: Timestamp,
}

/// What the token may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum May {
    /// Nothing with applications.
    #[default]
    Nothing,
    /// Read the registration.
    Read,
    /// Read it and change its credentials, were it its owner.
    NotOwner,
    /// Read it and change its credentials.
    Own,
}

/// The application. As long as it lists no credential, every credential works.
#[derive(Debug, Clone, Default)]
pub struct Application {
    /// Its secrets, those that have ended too.
    pub secrets: Vec<Password>,
    /// Its certificates.
    pub certificates: Vec<Registered>,
    /// What its token may do.
    pub may: May,
    /// The most days that a new secret may last.
    pub most_days: Option<i64>,
    /// So many times a new secret is not known yet.
    pub unknown_for: u32,
    /// Whether removing secrets fails.
    pub keeps_all: bool,
    /// Key ids of what was removed, each as often as it was there and went.
    pub removed: Vec<String>,
    made: u64,
    new: BTreeSet<String>,
}

impl Entra {
    /// Change the application.
    pub fn application<T>(&self, change: impl FnOnce(&mut Application) -> T) -> T {
        change(&mut self.state.borrow_mut().application)
    }

    /// A person adds a secret that ends after so many days.
    pub fn add_password(&self, name: &str, value: &str, days: i64) -> String {
        let ends = self.now.get() + SignedDuration::from_hours(24 * days);
        self.application(|application| {
            application.made += 1;
            let (key_id, starts) = (format!("key-{}", application.made), self.now.get());
            let (value, name) = (value.to_owned(), name.to_owned());
            application.secrets.push(Password { value, key_id: key_id.clone(), name, starts, ends });
            key_id
        })
    }

    /// The secrets that work now.
    pub fn passwords(&self) -> Vec<Password> {
        let now = self.now.get();
        let state = self.state.borrow();
        state.application.secrets.iter().filter(|one| one.starts <= now && now < one.ends).cloned().collect()
    }

    /// Whether the sign-in accepts a credential.
    pub(crate) fn sign_in_as(&self, who: &Connection) -> Result<(), Failure> {
        let is_key = who.secret.expose_secret().contains("PRIVATE KEY-----");
        assert_eq!(is_key, who.kind == CredentialKind::Certificate, "a key is sent as a secret, or a secret as a key");
        let now = self.now.get();
        let mut state = self.state.borrow_mut();
        let Application { secrets, certificates, unknown_for, new, .. } = &mut state.application;
        if who.kind == CredentialKind::Federated || (secrets.is_empty() && certificates.is_empty()) {
            return Ok(());
        }
        let value = who.secret.expose_secret();
        let refused = |code, cause: &str| {
            let message = format!("Failed to connect. Please check your Azure (Entra ID) Credential: {cause}");
            Err(Failure::new(code, message, "renew it"))
        };
        if who.kind == CredentialKind::Federated {
            assert!(value.is_empty(), "an identity is no secret that is kept");
            return Ok(());
        }
        if who.kind == CredentialKind::Certificate {
            let known = certificates.iter().any(|one| one.mark == read_pem(value).map(|read| read.thumbprint));
            let ends = read_pem(value).map(|read| read.ends);
            let works = known && ends.is_some_and(|ends| now < ends);
            return if works {
                Ok(())
            } else {
                refused(Code::CredentialCertificateInvalid, "the certificate is unknown")
            };
        }
        match secrets.iter().find(|one| one.value == value) {
            Some(one) if new.contains(&one.key_id) && *unknown_for > 0 => {
                *unknown_for -= 1;
                refused(Code::CredentialSecretInvalid, "the client secret is unknown")
            }
            Some(one) if one.ends <= now => refused(Code::CredentialSecretExpired, "the client secret has expired"),
            Some(_) => Ok(()),
            None => refused(Code::CredentialSecretInvalid, "the client secret is unknown"),
        }
    }

    pub(crate) fn register(&self, who: &Connection) -> Result<Option<Registration>, Failure> {
        self.sign_in_as(who)?;
        let state = self.state.borrow();
        let application = &state.application;
        if application.may == May::Nothing {
            return Ok(None);
        }
        who.meter.graph.fetch_add(1, Ordering::Relaxed);
        let listed = |one: &Password| Registered {
            key_id: one.key_id.clone(),
            name: Some(one.name.clone()),
            mark: Some(one.value.chars().take(3).collect()),
            starts: one.starts,
            ends: one.ends,
        };
        Ok(Some(Registration {
            name: "Entra Sync for Contoso".to_owned(),
            secrets: application.secrets.iter().map(listed).collect(),
            certificates: application.certificates.clone(),
        }))
    }

    pub(crate) fn add(&self, who: &Connection, name: &str, ends: Timestamp) -> Result<NewSecret, NotAdded> {
        self.may_change(who)?;
        let days = self.application(|application| application.most_days);
        let now = self.now.get();
        if days.is_some_and(|days| ends.duration_since(now) > SignedDuration::from_hours(24 * days)) {
            let message = "a client secret of this application may not last as long";
            return Err(NotAdded::TooLong(Failure::new(Code::PermissionMissing, message, "ask for less")));
        }
        Ok(self.application(|application| {
            application.made += 1;
            let number = application.made;
            let (key_id, value) = (format!("key-{number}"), format!("{number:03}-made-by-entra"));
            let one =
                Password { value: value.clone(), key_id: key_id.clone(), name: name.to_owned(), starts: now, ends };
            application.secrets.push(one);
            application.new.insert(key_id.clone());
            NewSecret { key_id, value: value.into(), ends }
        }))
    }

    pub(crate) fn remove(&self, who: &Connection, key_id: &str) -> Result<(), Failure> {
        self.may_change(who)?;
        if self.application(|application| application.keeps_all) {
            return Err(Failure::unexpected("removal"));
        }
        self.application(|application| {
            let before = application.secrets.len();
            application.secrets.retain(|one| one.key_id != key_id);
            if application.secrets.len() < before {
                application.removed.push(key_id.to_owned());
            }
        });
        Ok(())
    }

    fn may_change(&self, who: &Connection) -> Result<(), Failure> {
        self.sign_in_as(who)?;
        who.meter.graph.fetch_add(1, Ordering::Relaxed);
        if self.application(|application| application.may) == May::Own {
            return Ok(());
        }
        let message = "the application may not change its own credentials";
        let help = "grant Application.ReadWrite.OwnedBy, and make the application an owner of itself";
        Err(Failure::new(Code::PermissionMissing, message, help))
    }
}

/// A certificate of a test: `… BEGIN CERTIFICATE----- <thumbprint> <end>`.
pub fn pem(thumbprint: &str, ends: &str) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n-----BEGIN CERTIFICATE----- {thumbprint} {ends}")
}

pub(crate) fn read_pem(text: &str) -> Option<Certificate> {
    let (_, words) = text.rsplit_once("BEGIN CERTIFICATE-----")?;
    let (thumbprint, ends) = words.trim().split_once(' ')?;
    Some(Certificate { thumbprint: thumbprint.to_owned(), ends: ends.parse().ok()? })
}

pub(crate) fn certificate(pem: &SecretString) -> Result<Certificate, Failure> {
    read_pem(pem.expose_secret()).ok_or_else(|| {
        Failure::new(Code::CredentialCertificateInvalid, "the certificate cannot be read", "paste the whole file")
    })
}

/// A certificate as the application lists it.
pub fn certificate_of(thumbprint: &str, ends: &str) -> Registered {
    Registered {
        key_id: format!("key-of-{thumbprint}"),
        name: Some(format!("CN={thumbprint}")),
        mark: Some(thumbprint.to_owned()),
        starts: Timestamp::UNIX_EPOCH,
        ends: ends.parse().expect("a time"),
    }
}
