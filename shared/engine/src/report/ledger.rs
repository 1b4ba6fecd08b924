//! The ledger of mails: each goes out effectively once (rule 6.7).
//!
//! Before a mail is handed over it is claimed; afterwards it is marked as sent. The post knows no token by which it could
//! tell a second try from a second mail. So where it is not known what became of the first, because the answer was lost
//! or the invocation died between the claim and the mark, the mail is not sent again: a second copy is the worse of the
//! two, and the window is one call. The outcome is then `unclear`, and is logged. Where the post answered that it did
//! nothing, the claim is let go and a retry sends.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Mailed, Reporter, Request};
use crate::{
    keys,
    lease::put,
    ports::{Change, Clock, Condition, Fault, Item, Key, Letter, Mailer, NotCommitted, Store, Write},
    records::{read, write},
};

/// Who owns the mails to the operator: no tenant's id has capitals.
pub(crate) const OPERATOR: &str = "OPERATOR";
/// How long it is remembered that a mail was sent, in days.
const KEPT_DAYS: i64 = 400;
/// With less time than this left a mail is not begun: the invocation could end before it was its turn and the post has
/// answered.
const LEAST_TIME: Duration = Duration::from_secs(30);
/// So long after its invocation has ended at the latest a claim is given up, in seconds.
const GRACE_SECONDS: i64 = 30;
/// So often a note on what became of a mail is tried.
const TRIES: usize = 3;

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Posted {
    /// It went out.
    Sent,
    /// It went out before.
    AlreadySent,
    /// It may have gone out before, and so is not sent again.
    Unclear,
    /// Another invocation is sending it.
    Busy,
}

impl Posted {
    /// Why nothing was sent, for programs.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::AlreadySent => "already_sent",
            Self::Unclear => "unclear",
            Self::Busy => "being_sent",
        }
    }
}

/// A mail in the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Entry {
    /// Who is sending it, or was when it died.
    pub(crate) claim: Option<String>,
    /// Until when that can be, in epoch seconds.
    pub(crate) claim_until: Option<i64>,
    /// When it was sent.
    pub(crate) sent_at: Option<Timestamp>,
    /// The post's own id for it.
    pub(crate) post: Option<String>,
    /// Who asked for it.
    pub(crate) by: Option<String>,
    /// When this is forgotten, in epoch seconds.
    pub(crate) ttl: i64,
}

impl Entry {
    /// What became of the mail; nothing where it is free to be sent.
    pub(crate) fn past(&self, now: Timestamp) -> Option<Posted> {
        match (&self.sent_at, &self.claim, self.claim_until) {
            (Some(_), ..) => Some(Posted::AlreadySent),
            (None, Some(_), Some(until)) if now.as_second() <= until => Some(Posted::Busy),
            (None, Some(_), _) => Some(Posted::Unclear),
            (None, None, _) => None,
        }
    }
}

impl<S: Store, M: Mailer, C: Clock> Reporter<'_, S, M, C> {
    /// What became of a mail before; nothing where it is free to be sent.
    pub(super) async fn past(&self, owner: &str, what: &str) -> Result<Option<Posted>, Fault> {
        let entry = self.entry(&keys::mail(owner, what)).await?;
        Ok(entry.and_then(|entry| entry.past(self.clock.now())))
    }

    /// Send a mail, unless it was sent; `beside` goes with its claim, all or none.
    ///
    /// # Errors
    /// The world's.
    pub(super) async fn post(
        &self,
        owner: &str,
        what: &str,
        request: &Request,
        letter: Letter,
        beside: Vec<Write>,
    ) -> Result<Mailed, Fault> {
        let key = keys::mail(owner, what);
        if self.clock.remaining() < LEAST_TIME {
            return Err(Fault::passing("there is too little time left to send a mail"));
        }
        let claim = format!("{}@{}", self.owner, self.clock.now());
        if let Some(past) = self.claim(&key, &claim, request, beside).await? {
            if past == Posted::Unclear {
                tracing::warn!(owner, what, "it is not known whether this mail was sent, so it is not sent again");
            }
            return Ok(Mailed::not_again(past));
        }
        match self.mailer.send(&letter).await {
            Ok(id) => {
                let sent = [("sent_at", json!(self.clock.now())), ("post", json!(id)), ("claim_until", Value::Null)];
                self.note(&key, &claim, &sent).await;
                tracing::info!(owner, what, post = id, "mail sent");
                Ok(Mailed { posted: Posted::Sent, letter: Some(letter) })
            }
            Err(fault) if fault.nothing_done => {
                self.note(&key, &claim, &[("claim", Value::Null), ("claim_until", Value::Null)]).await;
                Err(fault)
            }
            Err(fault) => {
                self.note(&key, &claim, &[("claim_until", Value::Null)]).await;
                tracing::error!(owner, what, "it is not known whether this mail was sent: it will not be sent again");
                Err(fault)
            }
        }
    }

    /// Claim a mail: nothing where it is ours, else what became of it.
    async fn claim(
        &self,
        key: &Key,
        claim: &str,
        request: &Request,
        beside: Vec<Write>,
    ) -> Result<Option<Posted>, Fault> {
        let now = self.clock.now();
        let before = self.entry(key).await?;
        if let Some(past) = before.as_ref().and_then(|entry| entry.past(now)) {
            return Ok(Some(past));
        }
        let only_if = match before {
            None => vec![Condition::NoItem],
            Some(_) => vec![Condition::Without("claim"), Condition::Without("sent_at")],
        };
        let rest = i64::try_from(self.clock.remaining().as_secs()).unwrap_or_default();
        let entry = Entry {
            claim: Some(claim.to_owned()),
            claim_until: Some(now.as_second() + rest + GRACE_SECONDS),
            by: request.by.clone(),
            ttl: now.as_second() + KEPT_DAYS * 86_400,
            ..Entry::default()
        };
        let claimed = Write { only_if, ..put(key.clone(), write(&entry)) };
        match self.store.commit(std::iter::once(claimed).chain(beside).collect()).await {
            Ok(()) => Ok(None),
            Err(NotCommitted::Refused(_)) => Ok(Some(Posted::Busy)),
            // Whether the claim was written is not known where the answer was lost: look.
            Err(NotCommitted::Fault(fault)) => match self.entry(key).await? {
                Some(entry) if entry.claim.as_deref() == Some(claim) => Ok(None),
                _ => Err(fault),
            },
        }
    }

    /// Note what became of a mail. Where that fails the claim stands, and the mail is not sent again.
    async fn note(&self, key: &Key, claim: &str, attributes: &[(&str, Value)]) {
        let set: Item = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let change = Change::Set { set, add: Vec::new() };
        let only_if = vec![Condition::Equals("claim", json!(claim))];
        for _ in 0..TRIES {
            let write = Write { key: key.clone(), change: change.clone(), only_if: only_if.clone() };
            match self.store.commit(vec![write]).await {
                Ok(()) | Err(NotCommitted::Refused(_)) => return,
                Err(NotCommitted::Fault(fault)) => tracing::warn!("cannot note what became of a mail: {fault}"),
            }
        }
    }

    async fn entry(&self, key: &Key) -> Result<Option<Entry>, Fault> {
        let item = self.store.get(std::slice::from_ref(key)).await?.pop().flatten();
        item.map(|item| read("a mail in the ledger", item)).transpose()
    }
}
