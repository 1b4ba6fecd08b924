//! The keys of trusted issuers, read as Entra reads them: from the issuer's own discovery document. Loopback only.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jsonwebtoken::jwk::JwkSet;
use reqwest::{Client, Url, redirect};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    assertion,
    call::{Call, pairs},
    requests::About,
    world::World,
};

/// Keys are read again after this time, or for a key that is not among them.
const FRESH: Duration = Duration::from_secs(60);
/// An issuer that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The keys that are known, by issuer.
#[derive(Debug, Default)]
pub(crate) struct Keys(BTreeMap<String, (Instant, JwkSet)>);

impl Keys {
    /// Those of an issuer, if they could be read.
    pub(crate) fn of(&self, issuer: &str) -> Option<&JwkSet> {
        self.0.get(issuer).map(|(_, keys)| keys)
    }

    /// Keep what was read, or forget what can no longer be read.
    pub(crate) fn keep(&mut self, issuer: String, keys: Option<JwkSet>) {
        match keys {
            Some(keys) => drop(self.0.insert(issuer, (Instant::now(), keys))),
            None => drop(self.0.remove(&issuer)),
        }
    }
}

/// The issuer whose keys this sign-in needs and that are not known, or not any more.
pub(crate) fn wanted(world: &World, call: &Call) -> Option<String> {
    if About::of(call) != About::Token {
        return None;
    }
    let form = pairs(&String::from_utf8_lossy(&call.body));
    let (_, assertion) = form.iter().find(|(name, _)| name == "client_assertion")?;
    let (header, claims) = assertion::parse(assertion)?;
    let directory = world.directory(call.segments.first()?)?;
    let mut trusted = directory.applications.iter().flat_map(|application| &application.federated);
    let known = world.keys.0.get(&claims.iss).is_some_and(|(at, keys)| {
        at.elapsed() < FRESH && header.kid.as_deref().is_some_and(|kid| keys.find(kid).is_some())
    });
    (!known && trusted.any(|known| known.issuer == claims.iss)).then_some(claims.iss)
}

/// Read an issuer's keys.
pub(crate) async fn read(issuer: &str) -> Option<JwkSet> {
    #[derive(Deserialize)]
    struct Discovery {
        issuer: String,
        jwks_uri: String,
    }
    let discovery: Discovery = get(&format!("{issuer}/.well-known/openid-configuration")).await?;
    if discovery.issuer != issuer {
        return None;
    }
    get(&discovery.jwks_uri).await
}

async fn get<T: DeserializeOwned>(url: &str) -> Option<T> {
    let url = Url::parse(url).ok()?;
    let loopback = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if url.scheme() != "http" || !loopback {
        return None;
    }
    let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(PATIENCE).build().ok()?;
    client.get(url).send().await.ok()?.error_for_status().ok()?.json().await.ok()
}
