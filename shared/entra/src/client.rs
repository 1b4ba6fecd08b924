//! Microsoft Graph as the engine asks it: one request, tried until it is answered, refused, or out of time.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use directory::{Code, Failure, GroupTold, Kind, Microsoft, ObjectId, UserTold};
use engine::ports::{
    Certificate, Connection, Graph, GraphPage, Identity, Mailboxes, NewSecret, NoPage, NotAdded, Registration,
};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use uuid::Uuid;

use crate::{
    ask::Ask,
    audiences::Audiences,
    certificate::{BadCertificate, Certificate as Pair},
    clouds::{Clouds, Place},
    endpoint::BadEndpoint,
    federation::{Federation, NoIdentity},
    graph_errors,
    http::{Http, exchange},
    page::{self, Misread},
    patience::Patience,
    sentences::{self, Service},
    sign_in::sign_in,
    token::{Token, Tokens},
    trouble::{self, Trouble},
};

/// Microsoft Graph and its sign-in, for any number of tenants.
#[derive(Debug)]
pub struct Client<I = NoIdentity> {
    pub(crate) clouds: Clouds,
    federation: Federation<I>,
    http: Http,
    tokens: Tokens,
    pub(crate) first_pause: Duration,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum NotBuilt {
    #[error("an endpoint cannot be used")]
    Endpoint(#[from] BadEndpoint),
    #[error("the HTTP client cannot be set up")]
    Http(#[from] reqwest::Error),
}

impl<I: Identity> Client<I> {
    /// Graph at Microsoft's own hosts, or at the ones given: base URLs without `/v1.0` and without a tenant. An empty
    /// text is none. `identity` is who we are for directories that federate with us, and `audiences` for whom it says so.
    ///
    /// # Errors
    /// An endpoint that is no base URL, or plain `http` to somewhere else than loopback.
    pub fn new(graph: Option<&str>, login: Option<&str>, identity: I, audiences: Audiences) -> Result<Self, NotBuilt> {
        Ok(Self {
            clouds: Clouds::new(graph, login)?,
            federation: Federation { identity, audiences },
            http: Http::new()?,
            tokens: Tokens::default(),
            first_pause: Duration::from_millis(500),
        })
    }

    /// The longest first pause before something is tried again; later ones double.
    #[must_use]
    pub fn with_first_pause(self, first_pause: Duration) -> Self {
        Self { first_pause, ..self }
    }

    /// A kept token or a new one.
    pub(crate) async fn token(&self, who: &Connection, place: &Place, budget: Duration) -> Result<Arc<Token>, Failure> {
        let patience = Patience::within(budget, self.first_pause);
        let slot = self.tokens.slot(who);
        let mut held =
            tokio::time::timeout(budget, slot.lock()).await.map_err(|_| sentences::out_of_time(Service::SignIn))?;
        if let Some(token) = held.as_ref().filter(|token| token.is_fresh()) {
            return Ok(Arc::clone(token));
        }
        let token = Arc::new(sign_in(&self.http, place, &self.federation, who, patience).await?);
        *held = Some(Arc::clone(&token));
        Ok(token)
    }

    /// Drop a token that Graph refuses, unless another one has taken its place.
    async fn drop_token(&self, who: &Connection, refused: &Arc<Token>) {
        let slot = self.tokens.slot(who);
        let mut held = slot.lock().await;
        if held.as_ref().is_some_and(|token| Arc::ptr_eq(token, refused)) {
            *held = None;
        }
    }

    /// Ask Graph until it answers with something that `read` understands.
    pub(crate) async fn ask<T>(
        &self,
        who: &Connection,
        ask: Ask<'_>,
        patience: &mut Patience,
        read: impl Fn(&[u8]) -> Result<T, Misread>,
    ) -> Result<T, NoPage> {
        let place = self.clouds.place(who.cloud);
        // A kept connection that has died leaves open what became of a request.
        let (mut new_token, mut new_connection) = (false, ask.once);
        let mut replicated_in = self.first_pause * REPLICATION;
        loop {
            let token = self.token(who, place, patience.remaining()).await?;
            if patience.remaining().is_zero() {
                return Err(sentences::out_of_time(Service::Graph).into());
            }
            let asked_as = Uuid::new_v4().to_string();
            who.meter.graph.fetch_add(1, Ordering::Relaxed);
            let method = if ask.body.is_some() { Method::POST } else { Method::GET };
            let mut request = self
                .http
                .request(method, ask.url.clone(), new_connection)
                .bearer_auth(token.bearer())
                .header("client-request-id", &asked_as);
            for (name, value) in ask.headers {
                request = request.header(*name, *value);
            }
            if let Some(body) = &ask.body {
                request = request.header("content-type", "application/json").body(body.clone());
            }
            let mut lacks = false;
            let trouble = match exchange(request, patience.remaining()).await {
                Ok(answer) if matches!(answer.status, StatusCode::OK | StatusCode::NO_CONTENT) => {
                    match read(&answer.body) {
                        Ok(value) => {
                            let request_id = graph_errors::header(&answer.headers, "request-id");
                            tracing::debug!(tenant = %who.tenant, asked_as, request_id, "Graph answered");
                            return Ok(value);
                        }
                        Err(misread) => trouble::misread(misread, &answer, &asked_as),
                    }
                }
                Ok(answer) => {
                    new_connection = ask.once || answer.status == StatusCode::SERVICE_UNAVAILABLE;
                    lacks = ask.may_lack && matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND);
                    trouble::refused(&answer, who, &token, &ask, &asked_as)
                }
                Err(broken) => {
                    new_connection = true;
                    let microsoft = Microsoft { correlation_id: Some(asked_as.clone()), ..Microsoft::default() };
                    Trouble::Passing(sentences::broken(Service::Graph, broken, microsoft))
                }
            };
            if !lacks {
                trouble.log(who, &asked_as);
            }
            match trouble {
                Trouble::Passing(failure) => {
                    let unclear = ask.once && failure.code != Code::Throttled;
                    if unclear || !patience.wait(failure.retry_after).await {
                        return Err(failure.into());
                    }
                }
                Trouble::Lost(failure) => {
                    if ask.once || !patience.wait(failure.retry_after).await {
                        return Err(if ask.is_inside_a_round() { NoPage::LinkDead(failure) } else { failure.into() });
                    }
                }
                Trouble::Token(failure) => {
                    if new_token {
                        return Err(failure.into());
                    }
                    new_token = true;
                    self.drop_token(who, &token).await;
                }
                Trouble::NotReplicated(failure) => {
                    if !patience.wait(Some(replicated_in)).await {
                        return Err(failure.into());
                    }
                    replicated_in *= 2;
                    self.drop_token(who, &token).await;
                }
                Trouble::Final(no_page) => return Err(no_page),
            }
        }
    }
}

/// Entra makes an application known everywhere within about a minute: with a first pause of half a second elsewhere, the
/// pauses here are 5, 10, 20 and 40 seconds, as far as the budget goes.
const REPLICATION: u32 = 10;

/// What a failure is where there are no links.
pub(crate) fn failure(no_page: NoPage) -> Failure {
    match no_page {
        NoPage::StateGone(failure) | NoPage::LinkDead(failure) | NoPage::Failure(failure) => failure,
    }
}

fn collection(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "users",
        Kind::Group => "groups",
    }
}

/// Background work: Microsoft sheds it first when it must (the page "Microsoft Graph service-specific throttling limits").
pub(crate) const PAGE: &[(&str, &str)] = &[("accept", "application/json"), ("x-ms-throttle-priority", "Low")];
pub(crate) const ONE: &[(&str, &str)] = &[("accept", "application/json")];
const COUNT: &[(&str, &str)] = &[("accept", "text/plain"), ("consistencylevel", "eventual")];

impl<I: Identity> Graph for Client<I> {
    async fn page(
        &self,
        who: &Connection,
        kind: Kind,
        link: Option<&str>,
        budget: Duration,
    ) -> Result<GraphPage, NoPage> {
        let place = self.clouds.place(who.cloud);
        let select = match kind {
            Kind::User => format!("$select={}", UserTold::SELECT),
            Kind::Group => format!("$select={},members", GroupTold::SELECT),
        };
        let ask = match link {
            None => Ask::new(place, &[collection(kind), "delta"], Some(&select), PAGE),
            Some(link) => match place.graph.pin(link) {
                Some(url) => Ask { url, link: Some(link), ..Ask::new(place, &[], None, PAGE) },
                // Pages never bring such a link: Graph was somewhere else when it was stored. A full round mends it.
                None => {
                    let failure = sentences::bad_answer(Service::Graph, Misread::Elsewhere, Microsoft::default());
                    return Err(NoPage::StateGone(failure));
                }
            },
        };
        let mut patience = Patience::within(budget, self.first_pause);
        self.ask(who, ask, &mut patience, |body| page::page(body, kind, &place.graph)).await
    }

    async fn try_out(&self, who: &Connection, budget: Duration) -> Result<(), Failure> {
        self.forget(who);
        let place = self.clouds.place(who.cloud);
        let mut patience = Patience::within(budget, self.first_pause);
        self.spread_token(who, place, patience.remaining()).await?;
        for kind in Kind::ALL {
            let ask = Ask::new(place, &[collection(kind)], Some("$top=1&$select=id"), ONE);
            self.ask(who, ask, &mut patience, page::collection).await.map_err(failure)?;
        }
        Ok(())
    }

    async fn count(&self, who: &Connection, kind: Kind, budget: Duration) -> Result<u64, Failure> {
        let ask = Ask::new(self.clouds.place(who.cloud), &[collection(kind), "$count"], None, COUNT);
        let mut patience = Patience::within(budget, self.first_pause);
        self.ask(who, ask, &mut patience, page::number).await.map_err(failure)
    }

    async fn mailboxes(&self, who: &Connection, users: &[ObjectId], budget: Duration) -> Result<Mailboxes, Failure> {
        self.ask_mailboxes(who, users, budget).await
    }

    async fn registration(&self, who: &Connection, budget: Duration) -> Result<Option<Registration>, Failure> {
        self.read_registration(who, budget).await
    }

    async fn add_secret(
        &self,
        who: &Connection,
        name: &str,
        ends: Timestamp,
        budget: Duration,
    ) -> Result<NewSecret, NotAdded> {
        self.add_password(who, name, ends, budget).await
    }

    async fn remove_secret(&self, who: &Connection, key_id: &str, budget: Duration) -> Result<(), Failure> {
        self.remove_password(who, key_id, budget).await
    }

    fn certificate(&self, pem: &SecretString) -> Result<Certificate, Failure> {
        Pair::read(pem).map(|pair| pair.facts()).map_err(BadCertificate::invalid)
    }

    fn forget(&self, who: &Connection) {
        self.tokens.forget(who);
    }
}
