//! The keys that ID tokens are signed with: kept for a day, asked for again where a token does not fit them.

use std::time::Duration;

use openidconnect::core::CoreJsonWebKeySet;
use reqwest::Method;
use url::Url;

use crate::http::{Http, exchange};

use super::{NotSignedIn, kept::Kept, unreachable};

/// How long keys are believed (the page "Signing key rollover in the Microsoft identity platform": check daily).
const KEPT: Duration = Duration::from_hours(24);
/// Tokens that do not fit make nobody ask more often than this.
const AGAIN: Duration = Duration::from_secs(5);
/// How long Microsoft may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// The keys of every directory that somebody signed in to.
#[derive(Debug, Default)]
pub(super) struct Keys {
    kept: Kept<Url, CoreJsonWebKeySet>,
    asked_again: Kept<Url, ()>,
}

impl Keys {
    /// The keys at an address, perhaps from before.
    pub(super) async fn of(&self, http: &Http, url: &Url) -> Result<CoreJsonWebKeySet, NotSignedIn> {
        match self.kept.get(url) {
            Some(keys) => Ok(keys),
            None => self.ask(http, url).await,
        }
    }

    /// The keys at an address as they are now, or were when this was last asked, a moment ago.
    pub(super) async fn of_afresh(&self, http: &Http, url: &Url) -> Result<CoreJsonWebKeySet, NotSignedIn> {
        if self.asked_again.get(url).is_some() {
            return self.of(http, url).await;
        }
        self.asked_again.keep(url.clone(), (), AGAIN);
        self.ask(http, url).await
    }

    async fn ask(&self, http: &Http, url: &Url) -> Result<CoreJsonWebKeySet, NotSignedIn> {
        let answer = exchange(http.request(Method::GET, url.clone(), false), PATIENCE).await.map_err(unreachable)?;
        if !answer.status.is_success() {
            return Err(NotSignedIn::Unreachable(format!("it answers {}", answer.status.as_u16())));
        }
        let keys: CoreJsonWebKeySet = serde_json::from_slice(&answer.body)
            .map_err(|_| NotSignedIn::Unreachable("its keys cannot be read".to_owned()))?;
        self.kept.keep(url.clone(), keys.clone(), KEPT);
        Ok(keys)
    }
}
