//! The smaller ports in memory: secrets, queues, post, and an invocation's time.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use directory::TenantId;
use engine::ports::{Clock, Fault, Letter, Mailer, Message, Place, Queue, QueueName, Secrets};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use crate::turnstile::Turnstile;

/// Secrets, with a cache that can lag behind.
#[derive(Debug)]
pub struct Vault {
    turnstile: Rc<Turnstile>,
    secrets: RefCell<BTreeMap<TenantId, String>>,
    cached: RefCell<BTreeMap<TenantId, String>>,
}

impl Vault {
    /// No secrets.
    pub fn new(turnstile: Rc<Turnstile>) -> Self {
        Self { turnstile, secrets: RefCell::default(), cached: RefCell::default() }
    }

    /// A secret that the cache does not know of where it holds another.
    pub fn renew(&self, tenant: &TenantId, secret: &str) {
        self.secrets.borrow_mut().insert(tenant.clone(), secret.to_owned());
    }

    fn afresh(&self, tenant: &TenantId) -> Option<SecretString> {
        let secret = self.secrets.borrow().get(tenant).cloned();
        if let Some(secret) = &secret {
            self.cached.borrow_mut().insert(tenant.clone(), secret.clone());
        }
        secret.map(SecretString::from)
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
            self.secrets.borrow_mut().insert(tenant.clone(), secret.expose_secret().to_owned());
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

    async fn move_secret(&self, tenant: &TenantId, _: Place) -> Result<bool, Fault> {
        self.turnstile.pass("move_secret", || self.secrets.borrow().contains_key(tenant)).await
    }

    async fn start_rotation(&self, tenant: &TenantId) -> Result<bool, Fault> {
        self.turnstile.pass("start_rotation", || self.secrets.borrow().contains_key(tenant)).await
    }

    async fn stop_rotation(&self, _: &TenantId) -> Result<(), Fault> {
        self.turnstile.pass("stop_rotation", || ()).await
    }
}

/// Messages that were sent and not taken.
#[derive(Debug)]
pub struct Queues {
    turnstile: Rc<Turnstile>,
    sync: RefCell<Vec<Message>>,
    report: RefCell<Vec<Message>>,
}

impl Queues {
    /// No messages.
    pub fn new(turnstile: Rc<Turnstile>) -> Self {
        Self { turnstile, sync: RefCell::default(), report: RefCell::default() }
    }

    /// Take all messages of a queue.
    pub fn take(&self, queue: QueueName) -> Vec<Message> {
        match queue {
            QueueName::Sync => self.sync.take(),
            QueueName::Report => self.report.take(),
        }
    }
}

impl Queue for Queues {
    async fn send(&self, queue: QueueName, messages: Vec<Message>) -> Result<(), Fault> {
        let send = || {
            assert!(
                messages.iter().all(|message| message.delay <= Duration::from_secs(900)),
                "a delay that SQS refuses"
            );
            match queue {
                QueueName::Sync => self.sync.borrow_mut().extend(messages),
                QueueName::Report => self.report.borrow_mut().extend(messages),
            }
        };
        self.turnstile.pass("send", send).await
    }
}

/// Letters that were sent.
#[derive(Debug)]
pub struct Post {
    turnstile: Rc<Turnstile>,
    letters: RefCell<Vec<Letter>>,
}

impl Post {
    /// No letters.
    pub fn new(turnstile: Rc<Turnstile>) -> Self {
        Self { turnstile, letters: RefCell::default() }
    }

    /// Take all letters.
    pub fn take(&self) -> Vec<Letter> {
        self.letters.take()
    }
}

impl Mailer for Post {
    async fn send(&self, letter: &Letter) -> Result<String, Fault> {
        let post = || {
            let mut letters = self.letters.borrow_mut();
            letters.push(letter.clone());
            format!("letter-{}", letters.len())
        };
        self.turnstile.pass("mail", post).await
    }
}

/// The time of one invocation: it takes place at one moment, and runs out after so many port calls.
#[derive(Debug)]
pub struct Invocation {
    turnstile: Rc<Turnstile>,
    now: Timestamp,
    from: u64,
    calls: Option<u64>,
    whole: Cell<Duration>,
}

impl Invocation {
    /// An invocation at `now` that may make so many calls.
    pub fn new(turnstile: Rc<Turnstile>, now: Timestamp, calls: Option<u64>) -> Self {
        let from = turnstile.calls();
        Self { turnstile, now, from, calls, whole: Cell::new(Duration::from_secs(300)) }
    }
}

impl Clock for Invocation {
    fn remaining(&self) -> Duration {
        let over = self.calls.is_some_and(|calls| self.turnstile.calls() - self.from >= calls);
        if over { Duration::from_secs(1) } else { self.whole.get() }
    }

    fn now(&self) -> Timestamp {
        self.now
    }
}
