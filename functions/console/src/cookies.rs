//! Cookies that only this function can make or read: encrypted, authenticated, and bound to their name.

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use cookie::{Cookie, CookieJar, Key, SameSite, time::Duration};
use engine::ports::Fault;
use secrecy::ExposeSecret as _;
use serde::{Serialize, de::DeserializeOwned};

use crate::Secret;

/// The sign-in under way.
pub(crate) const TRANSACTION: &str = "__Host-signin";
/// Who is signed in.
pub(crate) const SESSION: &str = "__Host-session";

/// Browsers keep no larger cookie.
const LARGEST: usize = 4096;

/// Seals and opens.
pub(crate) struct Cookies(Key);

impl Cookies {
    /// With the key that the secret holds.
    ///
    /// # Errors
    /// The secret cannot be read, or is too short to be a key.
    pub(crate) async fn with(secret: &Secret) -> Result<Self, Fault> {
        let secret = secret.read().await?;
        let master = secret.expose_secret().as_bytes();
        if master.len() < 32 {
            return Err(Fault::permanent("the key of the sessions is shorter than 32 characters"));
        }
        Ok(Self(Key::derive_from(master)))
    }

    /// What a cookie of the request says, where we wrote it.
    pub(crate) fn open<T: DeserializeOwned>(&self, headers: &HeaderMap, name: &'static str) -> Option<T> {
        let sealed = find(headers, name)?;
        let opened = CookieJar::new().private(&self.0).decrypt(Cookie::new(name, sealed.to_owned()))?;
        serde_json::from_str(opened.value()).ok()
    }

    /// The header that has the browser keep something, for some time or until it is closed.
    pub(crate) fn seal<T: Serialize>(
        &self,
        name: &'static str,
        what: &T,
        seconds: Option<i64>,
    ) -> Result<HeaderValue, Fault> {
        let text = serde_json::to_string(what).map_err(|err| Fault::permanent("cannot write a cookie").because(err))?;
        let mut jar = CookieJar::new();
        jar.private_mut(&self.0).add(Cookie::new(name, text));
        let sealed = jar.get(name).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
        let mut cookie = ours(name, sealed);
        cookie.set_max_age(seconds.map(Duration::seconds));
        header(&cookie)
    }
}

/// The header that has the browser forget a cookie.
pub(crate) fn forget(name: &'static str) -> Result<HeaderValue, Fault> {
    let mut cookie = ours(name, String::new());
    cookie.set_max_age(Duration::ZERO);
    header(&cookie)
}

/// For this host alone, over TLS alone, out of reach of scripts. `Lax`, since people come back from another site.
fn ours(name: &'static str, value: String) -> Cookie<'static> {
    Cookie::build((name, value)).path("/").secure(true).http_only(true).same_site(SameSite::Lax).build()
}

fn header(cookie: &Cookie<'_>) -> Result<HeaderValue, Fault> {
    let text = cookie.to_string();
    if text.len() > LARGEST {
        return Err(Fault::permanent("a cookie is larger than browsers keep"));
    }
    HeaderValue::try_from(text).map_err(|err| Fault::permanent("cannot write a cookie").because(err))
}

/// The first cookie of this name.
fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(key: &str) -> Cookies {
        Cookies(Key::derive_from(key.repeat(32).as_bytes()))
    }

    /// The request that follows an answer with this `Set-Cookie`.
    fn next(set: &HeaderValue) -> HeaderMap {
        let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(pair).unwrap())])
    }

    #[test]
    fn r8_4_a_cookie_is_bound_to_its_key_its_name_and_its_content() {
        let ours = cookies("a");
        let set = ours.seal(SESSION, &"ann", None).unwrap();
        let text = set.to_str().unwrap();
        assert!(!text.contains("ann"), "{text}");
        for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
            assert!(text.contains(attribute), "{text}");
        }
        assert!(!text.contains("Domain") && !text.contains("Max-Age"), "{text}");
        assert_eq!(ours.open::<String>(&next(&set), SESSION).as_deref(), Some("ann"));
        assert_eq!(cookies("b").open::<String>(&next(&set), SESSION), None, "another key");
        let as_another = HeaderValue::try_from(text.replacen(SESSION, TRANSACTION, 1)).unwrap();
        assert_eq!(ours.open::<String>(&next(&as_another), TRANSACTION), None, "another name");
        let value = text.split_once('=').unwrap().1;
        for at in [0, 5, 20] {
            let other = if &value[at..=at] == "A" { "B" } else { "A" };
            let mut changed = value.to_owned();
            changed.replace_range(at..=at, other);
            let changed = HeaderValue::try_from(format!("{SESSION}={changed}")).unwrap();
            assert_eq!(ours.open::<String>(&next(&changed), SESSION), None, "another content");
        }
        for nonsense in ["", "=", "AAAA", "%00", "ann"] {
            let nonsense = HeaderValue::try_from(format!("{SESSION}={nonsense}")).unwrap();
            assert_eq!(ours.open::<String>(&next(&nonsense), SESSION), None);
        }
    }

    #[tokio::test]
    async fn a_short_key_is_none() {
        assert!(Cookies::with(&Secret::Known("short".into())).await.is_err());
    }
}
