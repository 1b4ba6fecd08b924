//! A tenant, its people, Microsoft, and the console.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use aws_sdk_dynamodb::{
    Client,
    config::{
        BehaviorVersion, ConfigBag, Credentials, Intercept, Region, RuntimeComponents,
        interceptors::BeforeTransmitInterceptorContextRef,
    },
    error::BoxError,
    types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType},
};
use axum::Router;
use console::{Console, Others, Secret, Settings};
use directory::TenantId;
use engine::ports::{Clock as _, Fault, Letter, Mailer, Message, Moved, Place, Queue, QueueName, Secrets};
use entra::openid::SignIn;
use graph_standin::{CONTOSO, FABRIKAM, SIGN_IN_CLIENT_ID, SIGN_IN_SECRET, SignIns, Standin, demo};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Context, LambdaEvent};
use platform::{Environment, Function, Tables};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::{runtime::Handle, sync::oneshot};

use crate::browser::{Browser, Page};

/// Where the console is.
pub(crate) const BASE: &str = "https://console.example.com";
/// The service's own sign-in page.
pub(crate) const SERVICE: &str = "https://service.example.com/sign-in";
/// The tenant of these tests.
pub(crate) const TENANT: &str = "contoso";
const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

/// Everything there is.
pub(crate) struct World {
    pub(crate) microsoft: Standin,
    client: Client,
    vault: Vault,
    later: Arc<AtomicI64>,
    requests: Requests,
    log: Log,
    _database: oneshot::Sender<()>,
    _logging: tracing::subscriber::DefaultGuard,
}

impl World {
    /// A tenant that has synchronised Contoso's people.
    pub(crate) async fn new() -> Self {
        let world = Self::empty().await;
        world.connect(json!({})).await;
        world.sync().await;
        world
    }

    /// No tenant yet.
    pub(crate) async fn empty() -> Self {
        let (address, running) = database();
        let requests = Requests::default();
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("id", "key", None, None, "tests"))
            .endpoint_url(format!("http://{address}"))
            .interceptor(requests.clone())
            .build();
        let client = Client::from_conf(config);
        create(&client, "control").await;
        create(&client, "directory").await;
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        Self {
            microsoft: Standin::start(demo()).unwrap(),
            client,
            vault: Vault::default(),
            later: Arc::default(),
            requests,
            log,
            _database: running,
            _logging: tracing::subscriber::set_default(subscriber),
        }
    }

    /// Connect the tenant, with some settings of its own.
    pub(crate) async fn connect(&self, own: Value) {
        let mut settings = json!({
            "name": "Contoso", "primary_domain": CONTOSO.primary_domain, "directory_id": CONTOSO.directory_id,
            "application_id": CONTOSO.application_id, "tech_contact": "it@contoso.com",
            "domains": [{"name": CONTOSO.primary_domain}, {"name": "contoso-mail.com", "kind": "management"}],
            "remove_deleted_users": true, "brake": {"enabled": false},
        });
        settings.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        self.admin(json!({"action": "put_tenant", "settings": settings})).await;
        self.admin(json!({"action": "put_secret", "ad_key": CONTOSO.client_secret})).await;
    }

    pub(crate) fn tables(&self) -> Tables {
        Tables::new(self.client.clone(), "control", "directory")
    }

    /// A browser at this console.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.router(|_| ()))
    }

    /// A browser at a console that is set up otherwise.
    pub(crate) fn browser_at(&self, otherwise: impl FnOnce(&mut Console)) -> Browser {
        Browser::new(self.router(otherwise))
    }

    /// A console that is set up otherwise.
    pub(crate) fn router(&self, otherwise: impl FnOnce(&mut Console)) -> Router {
        let id = SIGN_IN_CLIENT_ID.to_string();
        let settings = Settings::from_lookup(|name| {
            let value = match name {
                "STAGE" => "test",
                "CONSOLE_URL" => BASE,
                "SIGN_IN_CLIENT_ID" => &id,
                "SERVICE_SIGN_IN_URL" => SERVICE,
                "SESSION_KEY_SECRET" => "session-key",
                _ => return None,
            };
            Some(value.to_owned())
        });
        let later = Arc::clone(&self.later);
        let mut console = Console {
            store: self.tables(),
            others: self.others(),
            microsoft: SignIn::new(Some(&self.microsoft.login_endpoint())).unwrap(),
            session_key: Secret::Known(KEY.into()),
            client_secret: Some(Secret::Known(SIGN_IN_SECRET.into())),
            settings: settings.unwrap(),
            clock: Box::new(move || now() + SignedDuration::from_secs(later.load(Ordering::Relaxed))),
        };
        otherwise(&mut console);
        console::router(console)
    }

    /// Time passes for the console.
    pub(crate) fn wait(&self, seconds: i64) {
        self.later.fetch_add(seconds, Ordering::Relaxed);
    }

    /// How Contoso signs people in from now on.
    pub(crate) fn sign_ins(&self, how: Value) {
        let how: SignIns = serde_json::from_value(how).unwrap();
        self.microsoft.sign_ins(CONTOSO.name, how).unwrap();
    }

    /// Ask `admin` for something that it does.
    pub(crate) async fn admin(&self, event: Value) -> Value {
        self.admin_of(TENANT, event).await
    }

    /// Ask `admin` for something of any tenant.
    pub(crate) async fn admin_of(&self, tenant: &str, mut event: Value) -> Value {
        event["tenant"] = json!(tenant);
        let graph = self.graph();
        let (store, environment) = (self.tables(), environment());
        let parts = admin::Parts { graph: &graph, store: &store, secrets: &self.vault, environment: &environment };
        let answer = admin::handle(&parts, LambdaEvent::new(event, context())).await.unwrap();
        assert!(answer.get("error").is_none(), "{answer}");
        answer
    }

    /// The automatic run.
    pub(crate) async fn sync(&self) {
        self.sync_of(TENANT).await;
    }

    /// Another tenant beside the one of these tests, with people of its own.
    pub(crate) async fn with_another_tenant(&self) {
        let settings = json!({
            "name": "Fabrikam", "primary_domain": FABRIKAM.primary_domain, "directory_id": FABRIKAM.directory_id,
            "application_id": FABRIKAM.application_id, "tech_contact": "it@fabrikam.com",
            "domains": [{"name": FABRIKAM.primary_domain}], "brake": {"enabled": false},
        });
        self.admin_of("fabrikam", json!({"action": "put_tenant", "settings": settings})).await;
        self.admin_of("fabrikam", json!({"action": "put_secret", "ad_key": FABRIKAM.client_secret})).await;
        self.sync_of("fabrikam").await;
    }

    async fn sync_of(&self, tenant: &str) {
        let run = self.run_of(tenant).await;
        assert_eq!(run["state"], "applied", "{run}");
    }

    /// An automatic run, whatever becomes of it.
    pub(crate) async fn sync_once(&self) -> Value {
        self.run_of(TENANT).await
    }

    async fn run_of(&self, tenant: &str) -> Value {
        let parts = sync::Parts {
            graph: self.graph(),
            store: self.tables(),
            secrets: self.vault.clone(),
            queue: Nowhere,
            environment: environment(),
        };
        let event = json!({"tenant": tenant, "action": "sync"});
        sync::handle(&parts, LambdaEvent::new(event, context())).await.unwrap()
    }

    /// A run that an operator asks for.
    pub(crate) async fn run(&self, mut event: Value) -> Value {
        event["tenant"] = json!(TENANT);
        asked(Function::Sync, event, self.graph(), self.tables(), self.vault.clone()).await
    }

    /// What the schedule asks `report` for: the mails of a day.
    pub(crate) async fn report(&self, date: &str) -> Value {
        self.report_with(Post::Open, date).await
    }

    /// The same with some post.
    pub(crate) async fn report_with(&self, mailer: Post, date: &str) -> Value {
        let parts = report::Parts { store: self.tables(), mailer, environment: environment() };
        let event = json!({"tenant": TENANT, "date": date});
        report::handle(&parts, LambdaEvent::new(event, context())).await.unwrap()
    }

    /// Somebody works on a run of the tenant for the next hour.
    pub(crate) async fn occupy(&self, run: &str) {
        let until = now().as_millisecond() + 3_600_000;
        self.schedule(json!({"owner": "somebody", "lease_until": until, "run": run, "since": now()})).await;
    }

    /// Set something of what the tenant's runs have written down.
    pub(crate) async fn schedule(&self, set: Value) {
        let set = set.as_object().unwrap().clone();
        let key = engine::keys::sync(&TENANT.parse().unwrap());
        let change = engine::ports::Change::Set { set, add: Vec::new() };
        let write = engine::ports::Write { key, change, only_if: Vec::new() };
        engine::ports::Store::commit(&self.tables(), vec![write]).await.unwrap();
    }

    /// The functions that change things, in a thread of their own as they are in a process of their own elsewhere.
    fn others(&self) -> Others {
        let (graph, login) = (self.microsoft.graph_endpoint(), self.microsoft.login_endpoint());
        let (tables, vault) = (self.tables(), self.vault.clone());
        Others::Here(Box::new(move |function, event| {
            let graph = entra::Client::new(Some(&graph), Some(&login), entra::NoIdentity, entra::Audiences::default());
            let (graph, tables, vault) = (graph.unwrap(), tables.clone(), vault.clone());
            let answer = move || Handle::current().block_on(asked(function, event, graph, tables, vault));
            Box::pin(async move { Ok(tokio::task::spawn_blocking(answer).await.unwrap()) })
        }))
    }

    fn graph(&self) -> entra::Client {
        let (graph, login) = (self.microsoft.graph_endpoint(), self.microsoft.login_endpoint());
        entra::Client::new(Some(&graph), Some(&login), entra::NoIdentity, entra::Audiences::default()).unwrap()
    }

    /// How many requests were made to the tables since the last look.
    pub(crate) fn requests(&self) -> usize {
        self.requests.0.swap(0, Ordering::Relaxed)
    }

    /// What was logged since the last look.
    pub(crate) fn log(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.log.0.lock().unwrap())).unwrap()
    }

    /// The page says this, nobody is signed in, and the log says why, in one line of the request that the page names.
    #[track_caller]
    pub(crate) fn refused(&self, name: &str, browser: &Browser, page: &Page, title: &str, reason: &str) {
        assert_eq!(page.title(), title, "{name}: {page:?}");
        assert!(page.status.is_client_error(), "{name}: {page:?}");
        assert!(!browser.cookies().contains_key("__Host-session"), "{name}");
        let request = page.body.split_once("<code>").and_then(|(_, rest)| rest.split_once("</code>")).unwrap().0;
        let log = self.log();
        let line = log.lines().find(|line| line.contains("refused") && line.contains(request));
        let line = line.unwrap_or_else(|| panic!("{name}: no line of {request} in {log}"));
        assert!(line.contains(reason), "{name}: {line}");
        for secret in ["@", "eyJ", "code=", "__Host"] {
            assert!(!log.contains(secret), "{name}: {secret} is in {log}");
        }
    }
}

impl Drop for World {
    /// A test that fails shows what the console logged.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// Tables in memory, served by a thread of their own, so that its time is not the console's; until the sender is dropped.
fn database() -> (SocketAddr, oneshot::Sender<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (running, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let serving = dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap());
            tokio::select! { _ = serving => (), _ = ended => () }
        });
    });
    (address, running)
}

async fn asked(function: Function, event: Value, graph: entra::Client, store: Tables, secrets: Vault) -> Value {
    let (event, environment) = (LambdaEvent::new(event, context()), environment());
    let answer = match function {
        Function::Admin => {
            let parts = admin::Parts { graph: &graph, store: &store, secrets: &secrets, environment: &environment };
            admin::handle(&parts, event).await
        }
        Function::Sync => {
            sync::handle(&sync::Parts { graph, store, secrets, queue: Nowhere, environment }, event).await
        }
        Function::Report => report::handle(&report::Parts { store, mailer: Post::Closed, environment }, event).await,
    };
    answer.unwrap()
}

/// What time it is.
pub(crate) fn now() -> Timestamp {
    platform::clock(None, false, SystemTime::UNIX_EPOCH).unwrap().now()
}

fn context() -> Context {
    let mut context = Context::default();
    context.deadline = u64::MAX / 2_000;
    context.request_id = "request-1".to_owned();
    context
}

fn environment() -> Environment {
    let variables = [("STAGE", "test"), ("OPERATOR_MAIL", "operator@example.com")];
    Environment::from_lookup(|name| {
        variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    })
}

async fn create(client: &Client, name: &str) {
    let attribute = |name| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build().unwrap()
    };
    let part = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let call = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("sk"))
        .key_schema(part("pk", KeyType::Hash))
        .key_schema(part("sk", KeyType::Range));
    call.send().await.unwrap();
}

/// The credentials of the tenants.
#[derive(Clone, Default)]
struct Vault(Arc<Mutex<BTreeMap<TenantId, SecretString>>>);

impl Secrets for Vault {
    async fn secret(&self, tenant: &TenantId) -> Result<Option<SecretString>, Fault> {
        Ok(self.0.lock().unwrap().get(tenant).cloned())
    }
    async fn secret_afresh(&self, tenant: &TenantId) -> Result<Option<SecretString>, Fault> {
        self.secret(tenant).await
    }
    async fn put_secret(&self, tenant: &TenantId, secret: &SecretString) -> Result<(), Fault> {
        self.0.lock().unwrap().insert(tenant.clone(), secret.clone());
        Ok(())
    }
    async fn delete_secret(&self, tenant: &TenantId) -> Result<(), Fault> {
        self.0.lock().unwrap().remove(tenant);
        Ok(())
    }
    async fn move_secret(&self, _: &TenantId, _: Place) -> Result<Moved, Fault> {
        Ok(Moved::AlreadyThere)
    }
    async fn renew_now(&self, _: &TenantId) -> Result<(), Fault> {
        Ok(())
    }
    async fn start_rotation(&self, _: &TenantId) -> Result<bool, Fault> {
        Ok(true)
    }
    async fn stop_rotation(&self, _: &TenantId) -> Result<(), Fault> {
        Ok(())
    }
}

/// Messages are not needed here.
struct Nowhere;

impl Queue for Nowhere {
    async fn send(&self, _: QueueName, _: Vec<Message>) -> Result<(), Fault> {
        Ok(())
    }
}

/// Nobody is mailed from a page: it is closed then.
pub(crate) enum Post {
    Open,
    /// It takes nothing at the moment.
    Away,
    Closed,
}

impl Mailer for Post {
    async fn send(&self, _: &Letter) -> Result<String, Fault> {
        match self {
            Self::Open => Ok("a mail".to_owned()),
            Self::Away => Err(Fault { nothing_done: true, ..Fault::passing("away") }),
            Self::Closed => panic!("a page sends a mail"),
        }
    }
}

/// Counts the requests to the tables.
#[derive(Debug, Clone, Default)]
struct Requests(Arc<AtomicUsize>);

impl Intercept for Requests {
    fn name(&self) -> &'static str {
        "requests"
    }
    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
