//! The keys that ID tokens are signed with: kept for a day, asked for again where a token names one that is new.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use openidconnect::core::CoreJsonWebKeySet;
use reqwest::Method;
use tokio::time::Instant;
use url::Url;

use crate::http::{Http, exchange};

use super::{NotSignedIn, unreachable};

/// How long keys are believed (the page "Signing key rollover in the Microsoft identity platform": check daily).
const KEPT: Duration = Duration::from_hours(24);
/// Tokens with unknown keys make nobody ask more often than this.
const AGAIN: Duration = Duration::from_secs(60);
/// So many directories' keys are kept.
const MOST: usize = 256;
/// How long Microsoft may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// The keys of every directory that somebody signed in to.
#[derive(Debug, Default)]
pub(super) struct Keys(Mutex<BTreeMap<Url, (Instant, CoreJsonWebKeySet)>>);

impl Keys {
    /// The keys at an address, perhaps from before.
    pub(super) async fn of(&self, http: &Http, url: &Url) -> Result<CoreJsonWebKeySet, NotSignedIn> {
        match self.kept(url, KEPT) {
            Some(keys) => Ok(keys),
            None => self.ask(http, url).await,
        }
    }

    /// The keys at an address as they are now, or were a moment ago.
    pub(super) async fn of_afresh(&self, http: &Http, url: &Url) -> Result<CoreJsonWebKeySet, NotSignedIn> {
        match self.kept(url, AGAIN) {
            Some(keys) => Ok(keys),
            None => self.ask(http, url).await,
        }
    }

    fn kept(&self, url: &Url, no_older_than: Duration) -> Option<CoreJsonWebKeySet> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(url).filter(|(since, _)| since.elapsed() < no_older_than).map(|(_, keys)| keys.clone())
    }

    async fn ask(&self, http: &Http, url: &Url) -> Result<CoreJsonWebKeySet, NotSignedIn> {
        let answer = exchange(http.request(Method::GET, url.clone(), false), PATIENCE).await.map_err(unreachable)?;
        if !answer.status.is_success() {
            return Err(NotSignedIn::Unreachable(format!("it answers {}", answer.status.as_u16())));
        }
        let keys: CoreJsonWebKeySet = serde_json::from_slice(&answer.body)
            .map_err(|_| NotSignedIn::Unreachable("its keys cannot be read".to_owned()))?;
        self.keep(url, keys.clone());
        Ok(keys)
    }

    fn keep(&self, url: &Url, keys: CoreJsonWebKeySet) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST
            && let Some(oldest) = kept.iter().min_by_key(|(_, (since, _))| *since).map(|(url, _)| url.clone())
        {
            kept.remove(&oldest);
        }
        kept.insert(url.clone(), (Instant::now(), keys));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn r8_1_keys_are_kept_for_a_day_and_asked_for_again_after_a_minute_where_one_is_new() {
        let (keys, url) = (Keys::default(), |n: usize| format!("https://login.example/{n}").parse::<Url>().unwrap());
        keys.keep(&url(0), CoreJsonWebKeySet::default());
        assert!(keys.kept(&url(0), AGAIN).is_some());
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(keys.kept(&url(0), AGAIN).is_none() && keys.kept(&url(0), KEPT).is_some());
        for n in 1..=MOST {
            keys.keep(&url(n), CoreJsonWebKeySet::default());
        }
        assert!(keys.kept(&url(0), KEPT).is_none(), "the oldest went");
        tokio::time::advance(KEPT).await;
        assert!(keys.kept(&url(MOST), KEPT).is_none());
    }
}
