//! Microsoft Graph as the engine asks it: one request, tried until it is answered, refused, or out of time.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use directory::{Code, Failure, GroupTold, Kind, Microsoft, UserTold};
use engine::ports::{Connection, Graph, GraphPage, NoPage};
use reqwest::{Method, StatusCode};
use url::Url;
use uuid::Uuid;

use crate::{
    clouds::{Clouds, Place},
    endpoint::BadEndpoint,
    graph_errors::{self, Meaning},
    http::{Answer, Http, exchange},
    page::{self, Misread},
    patience::Patience,
    retry_after::retry_after,
    sentences::{self, Service},
    sign_in::sign_in,
    token::{Token, Tokens},
};

/// Microsoft Graph and its sign-in, for any number of tenants.
#[derive(Debug)]
pub struct Client {
    clouds: Clouds,
    http: Http,
    tokens: Tokens,
    first_pause: Duration,
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

/// One request to Graph.
struct Ask<'a> {
    url: Url,
    /// Headers beside those that every request has.
    headers: &'a [(&'static str, &'static str)],
    /// The stored link that is asked, if it is one.
    link: Option<&'a str>,
}

/// Why one attempt was not the last, or was.
enum Trouble {
    /// Try again.
    Passing(Failure),
    /// Try again; a link inside a round that stays lost will not come back.
    Lost(Failure),
    /// Try again with another token, once.
    Token(Failure),
    /// Try again with another token a little later, once.
    NotReplicated(Failure),
    /// Give up.
    Final(NoPage),
}

impl Client {
    /// Graph at Microsoft's own hosts, or at the ones given: base URLs without `/v1.0` and without a tenant. An empty
    /// text is none.
    ///
    /// # Errors
    /// An endpoint that is no base URL, or plain `http` to somewhere else than loopback.
    pub fn new(graph: Option<&str>, login: Option<&str>) -> Result<Self, NotBuilt> {
        Ok(Self {
            clouds: Clouds::new(graph, login)?,
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
    async fn token(&self, who: &Connection, place: &Place, budget: Duration) -> Result<Arc<Token>, Failure> {
        let patience = Patience::within(budget, self.first_pause);
        let slot = self.tokens.slot(who);
        let mut held =
            tokio::time::timeout(budget, slot.lock()).await.map_err(|_| sentences::out_of_time(Service::SignIn))?;
        if let Some(token) = held.as_ref().filter(|token| token.is_fresh()) {
            return Ok(Arc::clone(token));
        }
        let token = Arc::new(sign_in(&self.http, place, who, patience).await?);
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
    async fn ask<T>(
        &self,
        who: &Connection,
        ask: Ask<'_>,
        patience: &mut Patience,
        read: impl Fn(&[u8]) -> Result<T, Misread>,
    ) -> Result<T, NoPage> {
        let place = self.clouds.place(who.cloud);
        let (mut new_token, mut new_connection) = (false, false);
        loop {
            let token = self.token(who, place, patience.remaining()).await?;
            if patience.remaining().is_zero() {
                return Err(sentences::out_of_time(Service::Graph).into());
            }
            let asked_as = Uuid::new_v4().to_string();
            who.meter.graph.fetch_add(1, Ordering::Relaxed);
            let mut request = self
                .http
                .request(Method::GET, ask.url.clone(), new_connection)
                .bearer_auth(token.bearer())
                .header("client-request-id", &asked_as);
            for (name, value) in ask.headers {
                request = request.header(*name, *value);
            }
            let trouble = match exchange(request, patience.remaining()).await {
                Ok(answer) if answer.status == StatusCode::OK => match read(&answer.body) {
                    Ok(value) => return Ok(value),
                    Err(misread) => misread_answer(misread, &answer, &asked_as),
                },
                Ok(answer) => {
                    new_connection = answer.status == StatusCode::SERVICE_UNAVAILABLE;
                    refused_answer(&answer, who, &token, &ask, &asked_as)
                }
                Err(broken) => {
                    new_connection = true;
                    let microsoft = Microsoft { correlation_id: Some(asked_as.clone()), ..Microsoft::default() };
                    Trouble::Passing(sentences::broken(Service::Graph, broken, microsoft))
                }
            };
            trouble.log(who, &asked_as);
            match trouble {
                Trouble::Passing(failure) => {
                    if !patience.wait(failure.retry_after).await {
                        return Err(failure.into());
                    }
                }
                Trouble::Lost(failure) => {
                    if !patience.wait(failure.retry_after).await {
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
                    if new_token || !patience.wait(failure.retry_after).await {
                        return Err(failure.into());
                    }
                    new_token = true;
                    self.drop_token(who, &token).await;
                }
                Trouble::Final(no_page) => return Err(no_page),
            }
        }
    }
}

/// 200, but not what was asked for.
fn misread_answer(misread: Misread, answer: &Answer, asked_as: &str) -> Trouble {
    let microsoft = Microsoft {
        code: None,
        correlation_id: Some(asked_as.to_owned()),
        request_id: graph_errors::header(&answer.headers, "request-id"),
    };
    let failure = sentences::bad_answer(Service::Graph, misread, microsoft);
    match misread {
        Misread::NotJson | Misread::NoLink | Misread::BothLinks => Trouble::Passing(failure),
        Misread::Elsewhere => Trouble::Final(NoPage::Failure(failure)),
    }
}

/// Anything but 200. Its body is never data.
fn refused_answer(answer: &Answer, who: &Connection, token: &Token, ask: &Ask<'_>, asked_as: &str) -> Trouble {
    let graph_errors::Refusal { meaning, mut microsoft } = graph_errors::refusal(answer);
    microsoft.correlation_id.get_or_insert_with(|| asked_as.to_owned());
    let status = answer.status.as_u16();
    match meaning {
        Meaning::Throttled => Trouble::Passing(pausing(sentences::throttled(Service::Graph, microsoft), answer)),
        Meaning::Unavailable => Trouble::Passing(pausing(sentences::unavailable(Service::Graph, microsoft), answer)),
        Meaning::Lost => Trouble::Lost(pausing(sentences::unavailable(Service::Graph, microsoft), answer)),
        Meaning::NotGraph => {
            let what = format_args!("status {status} without a reason");
            Trouble::Passing(pausing(sentences::bad_answer(Service::Graph, what, microsoft), answer))
        }
        Meaning::Token => Trouble::Token(sentences::bad_answer(
            Service::Graph,
            "it refuses a token that Microsoft's sign-in has just given",
            microsoft,
        )),
        Meaning::NotReplicated => Trouble::NotReplicated(sentences::denied(microsoft, who, token.roles())),
        Meaning::Denied => Trouble::Final(sentences::denied(microsoft, who, token.roles()).into()),
        Meaning::Disabled => Trouble::Final(sentences::refused(Code::ApplicationDisabled, microsoft, who).into()),
        Meaning::StateGone if ask.link.is_some() => {
            let what = "it no longer has the state that the delta link names";
            Trouble::Final(NoPage::StateGone(sentences::bad_answer(Service::Graph, what, microsoft)))
        }
        Meaning::PageExpired if ask.link.is_some() => {
            let what = "it no longer has the page that the link names";
            Trouble::Final(NoPage::LinkDead(sentences::bad_answer(Service::Graph, what, microsoft)))
        }
        // Without a link there is no state that could be gone.
        Meaning::StateGone | Meaning::PageExpired => {
            Trouble::Passing(pausing(sentences::unavailable(Service::Graph, microsoft), answer))
        }
        // Graph made the link, and only the token in it can be what Graph does not like.
        Meaning::Unforeseen if answer.status == StatusCode::BAD_REQUEST && ask.link.is_some() => {
            let failure = sentences::unforeseen(microsoft);
            Trouble::Final(if ask.is_inside_a_round() { NoPage::LinkDead(failure) } else { NoPage::StateGone(failure) })
        }
        Meaning::Unforeseen => Trouble::Final(sentences::unforeseen(microsoft).into()),
    }
}

/// With the pause that the answer asks for.
fn pausing(mut failure: Failure, answer: &Answer) -> Failure {
    failure.retry_after = retry_after(&answer.headers);
    failure
}

impl Ask<'_> {
    /// A first request of its own.
    fn new(
        place: &Place,
        path: &[&str],
        query: Option<&str>,
        headers: &'static [(&'static str, &'static str)],
    ) -> Self {
        let mut url = place.graph.at(&["v1.0"]);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        url.set_query(query);
        Self { url, headers, link: None }
    }

    /// Whether this goes on with a round that has begun (`$skiptoken`), rather than beginning one.
    fn is_inside_a_round(&self) -> bool {
        self.link.is_some_and(|link| link.to_ascii_lowercase().contains("skiptoken"))
    }
}

impl Trouble {
    fn log(&self, who: &Connection, asked_as: &str) {
        let failure = match self {
            Self::Passing(failure) | Self::Lost(failure) | Self::Token(failure) | Self::NotReplicated(failure) => {
                failure
            }
            Self::Final(NoPage::Failure(failure) | NoPage::StateGone(failure) | NoPage::LinkDead(failure)) => failure,
        };
        let microsoft = failure.microsoft.as_ref();
        let said = microsoft.and_then(|microsoft| microsoft.code.as_deref());
        let request_id = microsoft.and_then(|microsoft| microsoft.request_id.as_deref());
        tracing::warn!(
            tenant = %who.tenant, asked_as, request_id, microsoft = said, code = ?failure.code, "no answer from Graph: {failure}"
        );
    }
}

/// What a failure is where there are no links.
fn failure(no_page: NoPage) -> Failure {
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
const PAGE: &[(&str, &str)] = &[("accept", "application/json"), ("x-ms-throttle-priority", "Low")];
const ONE: &[(&str, &str)] = &[("accept", "application/json")];
const COUNT: &[(&str, &str)] = &[("accept", "text/plain"), ("consistencylevel", "eventual")];

impl Graph for Client {
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
                Some(url) => Ask { url, headers: PAGE, link: Some(link) },
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

    fn forget(&self, who: &Connection) {
        self.tokens.forget(who);
    }
}
