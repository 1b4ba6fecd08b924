//! One HTTP attempt: a request out, a whole answer back, within a time and a size.

use std::{sync::OnceLock, time::Duration};

use reqwest::{Client, ClientBuilder, Method, RequestBuilder, StatusCode, header::HeaderMap, redirect, retry};
use url::Url;

/// The longest that one attempt may take.
const LONGEST: Duration = Duration::from_secs(30);
/// The largest answer that is read; a page of Graph is about a hundredth of it.
const LARGEST: usize = 32 * 1024 * 1024;
/// The largest refusal that is read.
const LARGEST_REFUSAL: usize = 256 * 1024;

/// A client that keeps connections, and one that opens a new connection for each request.
#[derive(Debug)]
pub(crate) struct Http {
    pooled: Client,
    unpooled: OnceLock<Client>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer. Never shows the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("no connection could be made")]
    NoConnection,
    #[error("no answer came in time")]
    TimedOut,
    #[error("the connection broke before an answer came")]
    NoAnswer,
    #[error("the connection broke before the answer was complete")]
    Cut,
    #[error("the answer is larger than it may be")]
    TooLarge,
}

impl Http {
    /// A client without redirects, without proxies and without retries of its own.
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        Ok(Self { pooled: builder().build()?, unpooled: OnceLock::new() })
    }

    /// A request over a kept connection, or over a `new` one: Microsoft asks for that after a 503, and a kept
    /// connection may have died while the function was frozen.
    pub(crate) fn request(&self, method: Method, url: Url, new: bool) -> RequestBuilder {
        let client = if new {
            self.unpooled
                .get_or_init(|| builder().pool_max_idle_per_host(0).build().unwrap_or_else(|_| self.pooled.clone()))
        } else {
            &self.pooled
        };
        client.request(method, url)
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("entra-sync/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(3))
        .timeout(LONGEST)
        .pool_idle_timeout(Duration::from_secs(20))
        .tcp_keepalive(Duration::from_secs(15))
        .http2_keep_alive_interval(Duration::from_secs(15))
        .http2_keep_alive_while_idle(true)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
}

/// Send a request and read its answer within `time`.
pub(crate) async fn exchange(request: RequestBuilder, time: Duration) -> Result<Answer, Broken> {
    let mut response = request.timeout(time.min(LONGEST)).send().await.map_err(|err| broken(&err, Broken::NoAnswer))?;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let largest = if status.is_success() { LARGEST } else { LARGEST_REFUSAL };
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|err| broken(&err, Broken::Cut))? {
        if largest - body.len() < chunk.len() {
            return Err(Broken::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body })
}

fn broken(err: &reqwest::Error, otherwise: Broken) -> Broken {
    if err.is_timeout() {
        Broken::TimedOut
    } else if err.is_connect() {
        Broken::NoConnection
    } else {
        otherwise
    }
}
