//! Report: what a day was like, told once to whom it concerns: the daily report, the warning of a credential that ends,
//! and the operator's roll-up over all tenants.
//!
//! Facts are gathered here and put into words by whoever calls: this crate knows no template. What was sent is in the
//! ledger, so that a message that comes twice is mailed once.

mod copy;
mod day;
mod expiry;
mod facts;
mod ledger;
mod mailed;
mod people;
mod returned;
mod roll_up;
mod runs;
mod settings;
mod standing;
mod sums;

use directory::{
    Address, Failure, TenantId,
    facts::{DailyFacts, ExpiryFacts, RollUpFacts},
};
use jiff::{ToSpan as _, civil::Date, tz::TimeZone};
use serde_json::{Value, json};

use crate::{
    keys, no_contact,
    ports::{Change, Clock, Condition, Fault, Item, Letter, Mailer, Store, Write},
    records::{Counts, Schedule, Tenant, read},
    run::refused,
};
use day::Day;
use ledger::Posted;

pub use copy::{MailedCopy, MailedReport, mailed_report};
pub use mailed::{MailedDay, mailed};
pub use returned::Returned;

/// What a report is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Whose; nobody's is the operator's roll-up.
    pub tenant: Option<TenantId>,
    /// Which day; the last whole one where nothing is said.
    pub date: Option<Date>,
    /// Show it, and send nothing.
    pub preview: bool,
    /// Who asks.
    pub by: Option<String>,
}

/// A mail without its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Words {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Who puts facts into words.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Writer {
    pub daily: fn(&DailyFacts) -> Words,
    pub expiry: fn(&ExpiryFacts) -> Words,
    pub roll_up: fn(&RollUpFacts) -> Words,
}

/// What reporting needs of the world, and of its invocation.
#[derive(Debug)]
pub struct Reporter<'a, S, M, C> {
    /// The tables.
    pub store: &'a S,
    /// The post.
    pub mailer: &'a M,
    /// The invocation's time.
    pub clock: &'a C,
    /// Puts facts into words.
    pub writer: Writer,
    /// A name of the invocation that no other has.
    pub owner: &'a str,
    /// Who gets the roll-up.
    pub operator: &'a Address,
    /// The console's address, without a slash at its end, where people can sign in to it.
    pub console: Option<&'a str>,
}

/// What an invocation has come to.
#[derive(Debug)]
pub struct Reported {
    /// For the caller.
    pub answer: Value,
    /// Mails that went out.
    pub sent: u32,
    /// Somebody else is sending the same mail at this moment, and may yet fail: ask again.
    pub busy: bool,
}

impl Reported {
    fn only(answer: Value) -> Self {
        Self { answer, sent: 0, busy: false }
    }

    fn refused(failure: &Failure) -> Self {
        Self::only(refused(failure))
    }
}

/// A tenant as it is stored.
struct Stored {
    meta: Tenant,
    sync: Schedule,
    counts: Counts,
}

impl<S: Store, M: Mailer, C: Clock> Reporter<'_, S, M, C> {
    /// Carry out a request. Asking again sends nothing again.
    ///
    /// # Errors
    /// A fault of the world. What was not sent is sent when it is asked for again.
    pub async fn report(&self, request: &Request) -> Result<Reported, Fault> {
        match &request.tenant {
            Some(tenant) => self.of_tenant(tenant, request).await,
            None => self.of_all(request).await,
        }
    }

    async fn of_tenant(&self, tenant: &TenantId, request: &Request) -> Result<Reported, Fault> {
        let Some(stored) = self.stored(tenant).await? else {
            return Ok(Reported::refused(&Failure::not_found(format!("there is no tenant {tenant}"))));
        };
        let settings = &stored.meta.settings;
        let (zone, name) = (settings.report.time_zone.zone(), settings.report.time_zone.name());
        let day = match self.day(request, zone, name) {
            Ok(day) => day,
            Err(failure) => return Ok(Reported::refused(&failure)),
        };
        let to = settings.tech_contact.clone();
        if request.preview {
            return self.previewed(tenant, &stored, &day).await;
        }
        let not_sent = |reason: &str| Ok(Reported::only(json!({"sent": false, "reason": reason})));
        if settings.sync_frequency.0 == 0 {
            return not_sent("never");
        }
        let Some(to) = to.filter(|_| no_contact::since(&stored.meta).is_none()) else {
            return not_sent("no_tech_contact");
        };
        // Each mail by itself: a report that cannot be made does not keep a warning from going out.
        let report = self.daily(tenant, &stored, &day, &to, request).await;
        let warning = self.warning(tenant, &stored, &day, &to, request).await;
        let (report, warning) = (report?, warning?);
        let mut answer = report.answer();
        answer["warning"] = json!(warning.as_ref().map(Mailed::answer));
        let mails = [Some(&report), warning.as_ref()];
        let mails = || mails.into_iter().flatten();
        let sent = mails().filter(|mail| mail.posted == Posted::Sent).count();
        let busy = mails().any(|mail| mail.posted == Posted::Busy);
        Ok(Reported { answer, sent: u32::try_from(sent).unwrap_or(u32::MAX), busy })
    }

    async fn daily(
        &self,
        tenant: &TenantId,
        stored: &Stored,
        day: &Day,
        to: &Address,
        request: &Request,
    ) -> Result<Mailed, Fault> {
        let what = ledger_name(day.date);
        if let Some(past) = self.past(tenant.as_str(), &what).await? {
            return Ok(Mailed::not_again(past));
        }
        let facts = self.facts(tenant, stored, day).await?;
        let letter = letter(Some(tenant), to, (self.writer.daily)(&facts));
        let copy = copy::kept(tenant, day.date, &letter, self.clock.now())?;
        let beside = copy.into_iter().chain([still_there(tenant)]).collect();
        self.post(tenant.as_str(), &what, request, letter, beside).await
    }

    async fn warning(
        &self,
        tenant: &TenantId,
        stored: &Stored,
        day: &Day,
        to: &Address,
        request: &Request,
    ) -> Result<Option<Mailed>, Fault> {
        let Some(due) = self.due(tenant, stored, day).await? else { return Ok(None) };
        let letter = letter(Some(tenant), to, (self.writer.expiry)(&due.facts));
        self.post(tenant.as_str(), &due.what, request, letter, vec![still_there(tenant)]).await.map(Some)
    }

    async fn previewed(&self, tenant: &TenantId, stored: &Stored, day: &Day) -> Result<Reported, Fault> {
        let to = stored.meta.settings.tech_contact.as_ref();
        let facts = self.facts(tenant, stored, day).await?;
        let mut answer = shown(to, &(self.writer.daily)(&facts));
        if let Some(due) = self.due(tenant, stored, day).await? {
            answer["warning"] = shown(to, &(self.writer.expiry)(&due.facts));
        }
        Ok(Reported::only(answer))
    }

    /// What the daily report says.
    async fn facts(&self, tenant: &TenantId, stored: &Stored, day: &Day) -> Result<DailyFacts, Fault> {
        let console = self.console.map(str::to_owned);
        Ok(DailyFacts { console, ..facts::gather(self.store, self.clock, tenant, stored, day).await? })
    }

    /// The warning that is due.
    async fn due(&self, tenant: &TenantId, stored: &Stored, day: &Day) -> Result<Option<expiry::Due>, Fault> {
        let console = self.console.map(str::to_owned);
        let due = expiry::due(self.store, tenant, stored, day, self.clock.now()).await?;
        Ok(due.map(|due| expiry::Due { facts: ExpiryFacts { console, ..due.facts }, ..due }))
    }

    async fn of_all(&self, request: &Request) -> Result<Reported, Fault> {
        let day = match self.day(request, TimeZone::UTC, "UTC") {
            Ok(day) => day,
            Err(failure) => return Ok(Reported::refused(&failure)),
        };
        let what = format!("rollup#{}", day.date);
        if !request.preview
            && let Some(past) = self.past(ledger::OPERATOR, &what).await?
        {
            return Ok(Mailed::not_again(past).reported());
        }
        let facts = roll_up::gather(self.store, &day, self.clock.now()).await?;
        let words = (self.writer.roll_up)(&facts);
        if request.preview {
            return Ok(Reported::only(shown(Some(self.operator), &words)));
        }
        Ok(self
            .post(ledger::OPERATOR, &what, request, letter(None, self.operator, words), Vec::new())
            .await?
            .reported())
    }

    /// The day that a request is about: one that has begun, at least in UTC, unless it is only looked at. A report that is
    /// sent is sent for good, and one of a day to come would stand in the place of the true one.
    fn day(&self, request: &Request, zone: TimeZone, name: &str) -> Result<Day, Failure> {
        let now = self.clock.now();
        let today = now.to_zoned(zone.clone()).date();
        let date = request.date.unwrap_or_else(|| today.saturating_sub(1.day()));
        let latest = today.max(now.to_zoned(TimeZone::UTC).date());
        if latest < date && !request.preview {
            return Err(Failure::invalid(format!("date: {date} has not begun in {name}")));
        }
        Day::new(date, zone, name).ok_or_else(|| Failure::invalid(format!("date: {date} is out of reach")))
    }

    async fn stored(&self, tenant: &TenantId) -> Result<Option<Stored>, Fault> {
        let items = self.store.get(&[keys::meta(tenant), keys::sync(tenant), keys::counts(tenant)]).await?;
        let [meta, sync, counts] = <[Option<Item>; 3]>::try_from(items).unwrap_or_default();
        meta.map(|meta| Stored::read(meta, sync, counts)).transpose()
    }
}

impl Stored {
    fn read(meta: Item, sync: Option<Item>, counts: Option<Item>) -> Result<Self, Fault> {
        Ok(Self {
            meta: read("the tenant", meta)?,
            sync: read("the schedule", sync.unwrap_or_default())?,
            counts: read("the totals", counts.unwrap_or_default())?,
        })
    }
}

/// Nothing is written of a tenant that is being removed.
fn still_there(tenant: &TenantId) -> Write {
    Write { key: keys::meta(tenant), change: Change::Check, only_if: vec![Condition::Exists] }
}

/// How the ledger names the report of a day.
fn ledger_name(date: Date) -> String {
    format!("report#{date}")
}

/// What became of a mail.
struct Mailed {
    posted: Posted,
    letter: Option<Letter>,
}

impl Mailed {
    fn not_again(posted: Posted) -> Self {
        Self { posted, letter: None }
    }

    fn answer(&self) -> Value {
        match (&self.posted, &self.letter) {
            (Posted::Sent, Some(letter)) => json!({"sent": true, "to": letter.to, "subject": letter.subject}),
            (posted, _) => json!({"sent": false, "reason": posted.reason()}),
        }
    }

    fn reported(&self) -> Reported {
        let sent = u32::from(self.posted == Posted::Sent);
        Reported { answer: self.answer(), sent, busy: self.posted == Posted::Busy }
    }
}

fn letter(tenant: Option<&TenantId>, to: &Address, words: Words) -> Letter {
    let Words { subject, text, html } = words;
    Letter { tenant: tenant.cloned(), to: to.clone(), subject, text, html }
}

fn shown(to: Option<&Address>, words: &Words) -> Value {
    let Words { subject, text, html } = words;
    json!({"to": to, "subject": subject, "text": text, "html": html})
}
