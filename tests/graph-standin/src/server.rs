//! The listener: reads a request, lets a fault play, answers, and keeps the log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Router,
    body::{Body as HttpBody, Bytes, to_bytes},
    extract::{Request as HttpRequest, State},
    http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_LENGTH, header::CONTENT_TYPE},
    response::Response,
    serve::ListenerExt,
};
use futures::{StreamExt, stream};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    answer::{Answer, Body},
    batch,
    call::Call,
    control,
    errors::GraphError,
    faults, graph, identity, issuers, openid,
    requests::{About, Request, tenant_of},
    sign_in,
    world::World,
};

/// The world, shared between the server and the library's calls.
pub(crate) type Shared = Arc<Mutex<World>>;

/// The largest body that is read.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

pub(crate) fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serve until told to stop. Whatever is under way then is cut off with the runtime.
pub(crate) async fn serve(listener: TcpListener, world: Shared, stop: oneshot::Receiver<()>) {
    let router = Router::new().fallback(handle).with_state(world);
    let listener = listener.tap_io(|stream| {
        // Small answers should not wait for each other; without the option they are only slower.
        let _ = stream.set_nodelay(true);
    });
    tokio::select! {
        _ = axum::serve(listener, router).into_future() => (),
        _ = stop => (),
    }
}

async fn handle(State(world): State<Shared>, request: HttpRequest) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await.unwrap_or_default().to_vec();
    let now = lock(&world).now();
    let call = Call::new(parts.method.as_str(), &parts.uri, parts.headers, body, now);
    if call.segments.first().is_some_and(|first| first == "_control") {
        return respond(control::answer(&mut lock(&world), &call), &call);
    }
    let (fault, tenant) = due(&mut lock(&world), &call);
    if let Some(delay) = fault.as_ref().and_then(faults::Fault::delay) {
        tokio::time::sleep(delay).await;
    }
    let issuer = issuers::wanted(&lock(&world), &call);
    if let Some(issuer) = issuer {
        let keys = issuers::read(&issuer).await;
        lock(&world).keys.keep(issuer, keys);
    }
    let answer = {
        let world = &mut lock(&world);
        let mut answer = fault.as_ref().and_then(|fault| fault.instead(&call)).unwrap_or_else(|| right(world, &call));
        if let Some(fault) = &fault {
            fault.bend(&mut answer, &call);
        }
        world.requests.push(Request {
            method: call.method.clone(),
            path: call.target.clone(),
            kind: About::of(&call),
            tenant,
            status: answer.status,
            fault: fault.as_ref().map(faults::Fault::name),
            client_request_id: call.client_request_id().map(str::to_owned),
        });
        answer
    };
    respond(answer, &call)
}

/// The fault that a request meets, and the short name of its directory.
fn due(world: &mut World, call: &Call) -> (Option<faults::Fault>, Option<String>) {
    let tenant = tenant_of(world, call);
    let directory = world.directories.iter().find(|directory| Some(directory.id) == tenant);
    let is_tenant = |named: &str| directory.is_some_and(|one| one.name == named || one.answers_to(named));
    let fault = faults::due(&mut world.rules, call, is_tenant);
    (fault, directory.map(|directory| directory.name.clone()))
}

/// The answer without faults.
fn right(world: &mut World, call: &Call) -> Answer {
    let segments: Vec<_> = call.segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        [authority, "v2.0", ".well-known", "openid-configuration"] => {
            openid::discovery(world, authority, call).unwrap_or_else(|error| error.answer(call))
        }
        [authority, "discovery", "v2.0", "keys"] => {
            openid::keys(world, authority).unwrap_or_else(|error| error.answer(call))
        }
        [authority, "oauth2", "v2.0", "authorize"] => {
            openid::authorize(world, authority, call).unwrap_or_else(|error| error.answer(call))
        }
        [authority, "oauth2", "v2.0", "token"] if openid::has_code(call) => {
            openid::token(world, authority, call).unwrap_or_else(|error| error.answer(call))
        }
        [authority, "oauth2", "v2.0", "token"] => {
            sign_in::token(world, authority, call).unwrap_or_else(|error| error.answer(call))
        }
        ["identity", ..] => identity::answer(world, call),
        ["v1.0", "$batch"] => batch::answer(world, call).unwrap_or_else(|error| error.answer(call)),
        ["v1.0", ..] => graph::answer(world, call).unwrap_or_else(|error| error.answer(call)),
        _ => GraphError::new(404, "UnknownError", "").answer(call),
    }
}

fn respond(answer: Answer, call: &Call) -> Response {
    let (bytes, content_type) = match answer.body {
        Body::Json(value) => (value.to_string().into_bytes(), "application/json; charset=utf-8"),
        Body::Text(text) => (text.into_bytes(), "text/plain"),
        Body::Bytes(bytes) => (bytes, "application/json; charset=utf-8"),
    };
    let length = bytes.len();
    let body = if answer.cut { cut(bytes) } else { HttpBody::from(bytes) };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if answer.cut {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length + 1));
    }
    let ids =
        [("request-id", Some(call.request_id.to_string())), ("x-ms-request-id", Some(call.request_id.to_string()))];
    let client = ("client-request-id", call.client_request_id().map(str::to_owned));
    let own = answer.headers.into_iter().map(|(name, value)| (name, Some(value)));
    for (name, value) in ids.into_iter().chain([client]).chain(own) {
        if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Half of the bytes, then the connection breaks. The pause lets the half go out first.
fn cut(mut bytes: Vec<u8>) -> HttpBody {
    bytes.truncate(bytes.len() / 2);
    let half = stream::iter([Ok(Bytes::from(bytes))]);
    let end = stream::once(async {
        tokio::task::yield_now().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    });
    HttpBody::from_stream(half.chain(end))
}
