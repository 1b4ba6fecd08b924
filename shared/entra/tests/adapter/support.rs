//! A stand-in, a client that points at it, and a connection to one of its companies.

use std::time::Duration;

use directory::{Cloud, Code, CredentialKind, Failure, Kind, Observed};
use engine::ports::{Connection, Graph, GraphPage, Identity, Meter, Next, NoPage};
use entra::{Audiences, Client, NoIdentity};
use graph_standin::{About, ApplicationChange, CONTOSO, Change, Demo, Rule, Standin, demo};

/// Long enough for every retry of a test, whose pauses are short.
pub(crate) const BUDGET: Duration = Duration::from_secs(20);

pub(crate) struct Stage<I = NoIdentity> {
    pub(crate) standin: Standin,
    pub(crate) client: Client<I>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let standin = Standin::start(demo()).unwrap();
        let client = client(&standin.graph_endpoint(), &standin.login_endpoint());
        Self { standin, client }
    }

    pub(crate) fn with(rule: Rule) -> Self {
        let stage = Self::new();
        stage.standin.fault(rule);
        stage
    }
}

impl<I: Identity> Stage<I> {
    /// Change Contoso's application.
    pub(crate) fn application(&self, change: ApplicationChange) {
        self.standin.change(CONTOSO.name, Change::SetApplication(change)).unwrap();
    }

    pub(crate) async fn page(&self, who: &Connection, kind: Kind, link: Option<&str>) -> Result<GraphPage, NoPage> {
        self.client.page(who, kind, link, BUDGET).await
    }

    /// A whole round from its beginning or from `link`: the objects and where the next round starts.
    pub(crate) async fn round(&self, who: &Connection, kind: Kind, link: Option<String>) -> (Vec<Observed>, String) {
        let (mut all, mut link) = (Vec::new(), link);
        loop {
            let page = self.page(who, kind, link.as_deref()).await.unwrap();
            all.extend(page.objects);
            match page.next {
                Next::Page(next) => link = Some(next),
                Next::Round(next) => return (all, next),
            }
        }
    }

    /// The requests that the stand-in saw, for tokens and for Graph; the meter must agree.
    #[track_caller]
    pub(crate) fn requests(&self, who: &Connection) -> (usize, usize) {
        let token = self.standin.count(About::Token);
        let graph = self.standin.requests().len() - token - self.standin.count(About::Identity);
        let metered = who.meter.read();
        assert_eq!((metered.sign_in as usize, metered.graph as usize), (token, graph), "the meter");
        (token, graph)
    }
}

pub(crate) fn client(graph: &str, login: &str) -> Client {
    Client::new(Some(graph), Some(login), NoIdentity, Audiences::default())
        .unwrap()
        .with_first_pause(Duration::from_millis(1))
}

pub(crate) fn contoso() -> Connection {
    who(CONTOSO)
}

pub(crate) fn who(demo: Demo) -> Connection {
    Connection {
        tenant: demo.name.parse().unwrap(),
        authority: demo.directory_id.to_string(),
        application_id: demo.application_id.to_string(),
        cloud: Cloud::Global,
        kind: CredentialKind::Secret,
        secret: demo.client_secret.into(),
        meter: Meter::default(),
    }
}

/// The code of the failure and which of the three kinds it is.
pub(crate) fn told(outcome: Result<GraphPage, NoPage>) -> String {
    match outcome {
        Ok(page) => format!("{} objects", page.objects.len()),
        Err(NoPage::StateGone(_)) => "state gone".to_owned(),
        Err(NoPage::LinkDead(_)) => "link dead".to_owned(),
        Err(NoPage::Failure(failure)) => failure.code.name(),
    }
}

/// The failure, which says nothing secret and has something to do next.
#[track_caller]
pub(crate) fn failure<T>(outcome: Result<T, impl Into<Failed>>, code: Code) -> Failure {
    let Err(err) = outcome else { panic!("it succeeded") };
    let Failed(failure) = err.into();
    let shown = format!("{failure:?} {}", serde_json::to_string(&failure).unwrap());
    assert!(!shown.contains("-value"), "a secret: {shown}");
    assert!(!shown.contains("eyJ"), "a token: {shown}");
    assert!(!shown.contains("-----"), "a key: {shown}");
    assert!(!failure.help.is_empty());
    assert_eq!(failure.code, code, "{shown}");
    failure
}

pub(crate) struct Failed(Failure);

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<NoPage> for Failed {
    fn from(no_page: NoPage) -> Self {
        let (NoPage::StateGone(failure) | NoPage::LinkDead(failure) | NoPage::Failure(failure)) = no_page;
        Self(failure)
    }
}
