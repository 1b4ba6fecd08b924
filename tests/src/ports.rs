//! The smaller ports in memory: queues, post, and an invocation's time.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use engine::ports::{Clock, Fault, Letter, Mailer, Message, Queue, QueueName};
use jiff::Timestamp;

use crate::turnstile::Turnstile;

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
