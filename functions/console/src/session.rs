//! Who is asking: the session that a browser holds, looked up again with each request.

use axum::http::{HeaderMap, HeaderValue, Method};
use directory::{ObjectId, TenantId, TimeZone, User};
use engine::{
    ports::Fault,
    records::Tenant,
    sign_in::{self, Session},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Console,
    arrival::Arrival,
    cookies::{Cookies, Name},
    operator,
    transaction::same,
};

/// No function takes a longer name of who asks.
const LONGEST_BY: usize = 200;

/// A session is written anew once it was last seen so long ago. With every answer it would outlive a sign-out: an answer
/// under way meanwhile would bring it back.
const SEEN_FOR: SignedDuration = SignedDuration::from_mins(5);
/// The header of a page that is looked at again by itself.
const WATCH: &str = "x-watch";

/// What the browser of somebody who is signed in keeps, sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Signed {
    session: Session,
    /// Known to our own pages only: a form that names it was ours.
    token: String,
}

impl Signed {
    /// A session that begins now.
    pub(crate) fn new(session: Session) -> Self {
        Self { session, token: Uuid::new_v4().simple().to_string() }
    }

    fn seen(self, now: Timestamp) -> Self {
        Self { session: self.session.seen_at(now), ..self }
    }

    /// Whether a form names this session.
    pub(crate) fn is_named_by(&self, token: Option<&str>) -> bool {
        token.is_some_and(|token| same(token, &self.token))
    }

    /// Whose it is, for the log: tenant and user.
    pub(crate) fn whose(&self) -> (&TenantId, &ObjectId) {
        (&self.session.tenant, &self.session.user)
    }
}

/// Somebody who is signed in. The tenant of everything that they see or do is this one, and comes from nowhere else.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Of which tenant.
    pub(crate) tenant: TenantId,
    /// Our id of the user.
    pub(crate) user: ObjectId,
    /// The address that pages show.
    pub(crate) address: String,
    /// Whether the user manages the tenant.
    pub(crate) manages: bool,
    /// Whether the user sees all tenants.
    pub(crate) operates: bool,
    /// What a form must say to be ours.
    pub(crate) token: String,
    /// In which the tenant reads times.
    pub(crate) zone: TimeZone,
}

impl Person {
    fn new(signed: &Signed, user: &User, record: &Tenant, manages: bool, operates: bool) -> Self {
        let address = user.addresses.primary.as_ref().map_or("an account without an address", |one| one.as_str());
        Self {
            tenant: signed.session.tenant.clone(),
            user: user.id.clone(),
            address: address.to_owned(),
            manages,
            operates,
            token: signed.token.clone(),
            zone: record.settings.report.time_zone.clone(),
        }
    }

    /// Who they are, as the audit says it.
    pub(crate) fn by(&self) -> &str {
        if self.address.len() <= LONGEST_BY { &self.address } else { self.user.as_str() }
    }
}

/// What a browser's session comes to.
pub(crate) enum Opened {
    /// There is none that we made.
    None,
    /// It is over: the header that has the browser forget it.
    Over(HeaderValue),
    /// Somebody is signed in: who, by which cookie, and the header that has the browser keep it for longer, where that is
    /// due.
    Person(Box<Person>, Box<Signed>, Option<HeaderValue>),
}

/// Whether a person has asked for something, rather than a program that looks by itself.
fn is_asked_for(method: &Method, headers: &HeaderMap) -> bool {
    method != Method::HEAD && !headers.contains_key(WATCH)
}

/// The session of a request.
///
/// # Errors
/// The store's, or the key of the sessions cannot be read.
pub(crate) async fn open(
    console: &Console,
    arrival: &Arrival,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Opened, Fault> {
    if !Name::Session.is_in(arrival, headers) {
        return Ok(Opened::None);
    }
    let cookies = Cookies::with(&console.session_key, arrival).await?;
    let Some(signed) = cookies.open::<Signed>(headers, Name::Session) else { return Ok(Opened::None) };
    tracing::Span::current().record("tenant", signed.session.tenant.as_str());
    let now = (console.clock)();
    match sign_in::resume(&console.store, &signed.session, now).await? {
        Ok((user, record)) => {
            let operates = operator::operates(console, &signed.session.tenant, &user.id).await?;
            let manages = sign_in::manages(&console.store, &signed.session.tenant, &user).await?;
            let person = Person::new(&signed, &user, &record, manages, operates);
            let keeps = is_asked_for(method, headers) && signed.session.idle(now) > SEEN_FOR;
            let cookie = keeps.then(|| cookies.seal(Name::Session, &signed.clone().seen(now), None)).transpose()?;
            Ok(Opened::Person(Box::new(person), Box::new(signed), cookie))
        }
        Err(ended) => {
            tracing::info!(user = signed.session.user.as_str(), reason = ended.name(), "a session is over");
            Ok(Opened::Over(Name::Session.forget(arrival)?))
        }
    }
}
