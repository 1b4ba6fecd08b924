//! AWS by script: answers in order, and what was asked. Nothing sleeps; the pauses are counted.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{
    AsyncSleep, Credentials, SharedAsyncSleep, SharedCredentialsProvider, SharedHttpClient, Sleep,
    StalledStreamProtectionConfig,
    http::{HttpRequest, HttpResponse},
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        result::ConnectorError,
    },
    http::StatusCode,
};
use serde_json::Value;

/// One answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// An HTTP status and a body.
    Http(u16, String),
    /// The connection breaks after the request was sent.
    Lost,
}

/// An answer that is fine.
pub(crate) fn ok(body: &str) -> Answer {
    Answer::Http(200, body.to_owned())
}

/// An answer that is an error of the JSON protocols.
pub(crate) fn error(code: &str) -> Answer {
    Answer::Http(400, format!(r#"{{"__type": "com.amazonaws#{code}", "message": "no luck for ann@contoso.com"}}"#))
}

/// What happens when the script is at its end: the last answer is given again.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Mutex<State>>);

/// Answers an operation and its body.
type Responder = Box<dyn FnMut(&str, &Value) -> Answer + Send>;

#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    responder: Option<Responder>,
    asked: Vec<(String, Value)>,
    forms: Vec<String>,
    urls: Vec<String>,
    signers: Vec<String>,
    pauses: Vec<Duration>,
}

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers = answers.into_iter().collect();
        Self(Arc::new(Mutex::new(State { answers, ..State::default() })))
    }

    /// Answers that depend on what is asked, each given when its future is polled again: a test can say who comes next.
    pub(crate) fn by(responder: impl FnMut(&str, &Value) -> Answer + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(State { responder: Some(Box::new(responder)), ..State::default() })))
    }

    /// The configuration of a client that talks to this script.
    pub(crate) fn config(&self) -> SdkConfig {
        let connector = SharedHttpConnector::new(self.clone());
        let http: SharedHttpClient = http_client_fn(move |_, _| connector.clone());
        config("http://script.invalid", http, SharedAsyncSleep::new(self.clone()))
    }

    /// The same, but each service at its own address in the region.
    pub(crate) fn regional(&self) -> SdkConfig {
        let mut builder = self.config().into_builder();
        builder.set_endpoint_url(None);
        builder.build()
    }

    /// The operations asked for, each with its body where that is JSON.
    pub(crate) fn asked(&self) -> Vec<(String, Value)> {
        self.0.lock().unwrap().asked.clone()
    }

    /// The bodies as they were sent, for the protocols that are not JSON.
    pub(crate) fn forms(&self) -> Vec<String> {
        self.0.lock().unwrap().forms.clone()
    }

    /// Where each was sent.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.0.lock().unwrap().urls.clone()
    }

    /// Whose access key signed each.
    pub(crate) fn signers(&self) -> Vec<String> {
        self.0.lock().unwrap().signers.clone()
    }

    /// The names of the operations asked for.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.asked().into_iter().map(|(operation, _)| operation).collect()
    }

    /// How often somebody waited before trying again. The SDK's own timeouts are longer.
    pub(crate) fn pauses(&self) -> usize {
        self.0.lock().unwrap().pauses.iter().filter(|pause| **pause < Duration::from_secs(4)).count()
    }
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl Script {
    fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let mut state = self.0.lock().unwrap();
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let bytes = request.body().bytes().unwrap_or_default();
        let body = serde_json::from_slice(bytes).unwrap_or_default();
        state.forms.push(String::from_utf8_lossy(bytes).into_owned());
        state.asked.push((operation, body));
        state.urls.push(request.uri().to_owned());
        let signature = request.headers().get("authorization").unwrap_or_default();
        let signer = signature.split_once("Credential=").and_then(|(_, rest)| rest.split('/').next());
        state.signers.push(signer.unwrap_or_default().to_owned());
        let last = state.answers.len() == 1;
        let asked = state.asked.last().cloned();
        let answer = match (state.responder.as_mut(), asked) {
            (Some(responder), Some((operation, body))) => Some(responder(&operation, &body)),
            _ if last => state.answers.front().cloned(),
            _ => state.answers.pop_front(),
        };
        match answer {
            Some(Answer::Http(status, body)) => {
                Ok(HttpResponse::new(StatusCode::try_from(status).unwrap(), body.into()))
            }
            Some(Answer::Lost) | None => Err(ConnectorError::io("connection reset".into())),
        }
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let script = self.clone();
        if script.0.lock().unwrap().responder.is_none() {
            return HttpConnectorFuture::ready(script.answer(&request));
        }
        HttpConnectorFuture::new(async move {
            tokio::task::yield_now().await;
            script.answer(&request)
        })
    }
}

impl AsyncSleep for Script {
    fn sleep(&self, duration: Duration) -> Sleep {
        self.0.lock().unwrap().pauses.push(duration);
        Sleep::new(std::future::ready(()))
    }
}

/// A configuration with made-up credentials and no timeouts.
pub(crate) fn config(endpoint: &str, http: SharedHttpClient, sleep: SharedAsyncSleep) -> SdkConfig {
    let credentials = Credentials::new("id", "key", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .http_client(http)
        .sleep_impl(sleep)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(aws_config::timeout::TimeoutConfig::disabled())
        .build()
}
