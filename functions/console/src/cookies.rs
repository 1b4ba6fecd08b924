//! Cookies that only this function can make or read: encrypted, authenticated, and bound to their name.

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use cookie::{Cookie, CookieJar, Key, SameSite, time::Duration};
use engine::ports::Fault;
use secrecy::ExposeSecret as _;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Secret, arrival::Arrival};

/// What a browser keeps for us.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Name {
    /// The sign-in under way.
    Transaction,
    /// Who is signed in.
    Session,
}

/// Has browsers hold to what the cookie says: for this host alone, over TLS alone.
const PREFIX: &str = "__Host-";
/// Browsers keep no larger cookie.
const LARGEST: usize = 4096;

impl Name {
    /// Over plain `http` many clients keep no such cookie, or keep it and never send it.
    fn at(self, arrival: &Arrival) -> &'static str {
        let name = match self {
            Self::Transaction => "__Host-signin",
            Self::Session => "__Host-session",
        };
        if arrival.is_plain() { name.trim_start_matches(PREFIX) } else { name }
    }

    /// Whether the browser sent it, be it ours or not.
    pub(crate) fn is_in(self, arrival: &Arrival, headers: &HeaderMap) -> bool {
        find(headers, self.at(arrival)).is_some()
    }

    /// The header that has the browser forget it.
    pub(crate) fn forget(self, arrival: &Arrival) -> Result<HeaderValue, Fault> {
        let mut cookie = ours(self, arrival, String::new());
        cookie.set_max_age(Duration::ZERO);
        header(&cookie)
    }
}

/// Seals and opens.
pub(crate) struct Cookies<'a> {
    key: Key,
    arrival: &'a Arrival,
}

impl<'a> Cookies<'a> {
    /// With the key that the secret holds.
    ///
    /// # Errors
    /// The secret cannot be read, or is too short to be a key.
    pub(crate) async fn with(secret: &Secret, arrival: &'a Arrival) -> Result<Self, Fault> {
        let secret = secret.read().await?;
        let master = secret.expose_secret().as_bytes();
        if master.len() < 32 {
            return Err(Fault::permanent("the key of the sessions is shorter than 32 characters"));
        }
        Ok(Self { key: Key::derive_from(master), arrival })
    }

    /// What a cookie of the request says, where we wrote it.
    pub(crate) fn open<T: DeserializeOwned>(&self, headers: &HeaderMap, name: Name) -> Option<T> {
        let name = name.at(self.arrival);
        let sealed = find(headers, name)?;
        let opened = CookieJar::new().private(&self.key).decrypt(Cookie::new(name, sealed.to_owned()))?;
        serde_json::from_str(opened.value()).ok()
    }

    /// The header that has the browser keep something, for some time or until it is closed.
    pub(crate) fn seal<T: Serialize>(&self, name: Name, what: &T, seconds: Option<i64>) -> Result<HeaderValue, Fault> {
        let text = serde_json::to_string(what).map_err(|err| Fault::permanent("cannot write a cookie").because(err))?;
        let mut jar = CookieJar::new();
        jar.private_mut(&self.key).add(Cookie::new(name.at(self.arrival), text));
        let sealed = jar.get(name.at(self.arrival)).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
        let mut cookie = ours(name, self.arrival, sealed);
        cookie.set_max_age(seconds.map(Duration::seconds));
        header(&cookie)
    }
}

/// For this host alone, over TLS alone, out of reach of scripts. `Lax`, since people come back from another site.
fn ours(name: Name, arrival: &Arrival, value: String) -> Cookie<'static> {
    Cookie::build((name.at(arrival), value))
        .path("/")
        .secure(!arrival.is_plain())
        .http_only(true)
        .same_site(SameSite::Lax)
        .build()
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

    const SESSION: &str = "__Host-session";

    fn arrival(base: &str) -> Arrival {
        Arrival { base: base.to_owned(), request: "request".to_owned() }
    }

    fn cookies<'a>(key: &str, arrival: &'a Arrival) -> Cookies<'a> {
        Cookies { key: Key::derive_from(key.repeat(32).as_bytes()), arrival }
    }

    /// The request that follows an answer with this `Set-Cookie`.
    fn next(set: &HeaderValue) -> HeaderMap {
        let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(pair).unwrap())])
    }

    #[test]
    fn r8_4_a_cookie_is_bound_to_its_key_its_name_and_its_content() {
        let arrival = arrival("https://console.example.com");
        let ours = cookies("a", &arrival);
        let set = ours.seal(Name::Session, &"ann", None).unwrap();
        let text = set.to_str().unwrap();
        assert!(!text.contains("ann"), "{text}");
        for attribute in ["__Host-", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
            assert!(text.contains(attribute), "{text}");
        }
        assert!(!text.contains("Domain") && !text.contains("Max-Age"), "{text}");
        assert_eq!(ours.open::<String>(&next(&set), Name::Session).as_deref(), Some("ann"));
        assert_eq!(cookies("b", &arrival).open::<String>(&next(&set), Name::Session), None, "another key");
        let as_another = HeaderValue::try_from(text.replacen(SESSION, "__Host-signin", 1)).unwrap();
        assert_eq!(ours.open::<String>(&next(&as_another), Name::Transaction), None, "another name");
        let value = text.split_once('=').unwrap().1;
        for at in [0, 5, 20] {
            let other = if &value[at..=at] == "A" { "B" } else { "A" };
            let mut changed = value.to_owned();
            changed.replace_range(at..=at, other);
            let changed = HeaderValue::try_from(format!("{SESSION}={changed}")).unwrap();
            assert_eq!(ours.open::<String>(&next(&changed), Name::Session), None, "another content");
        }
        for nonsense in ["", "=", "AAAA", "%00", "ann"] {
            let nonsense = HeaderValue::try_from(format!("{SESSION}={nonsense}")).unwrap();
            assert_eq!(ours.open::<String>(&next(&nonsense), Name::Session), None);
        }
    }

    #[test]
    fn r8_4_cookies_on_loopback_come_back_over_plain_http() {
        let (plain, tls) = (arrival("http://127.0.0.1:4566/api"), arrival("https://console.example.com"));
        let set = cookies("a", &plain).seal(Name::Session, &"ann", None).unwrap();
        let text = set.to_str().unwrap();
        assert!(text.starts_with("session=") && text.contains("HttpOnly") && !text.contains("Secure"), "{text}");
        assert_eq!(cookies("a", &plain).open::<String>(&next(&set), Name::Session).as_deref(), Some("ann"));
        assert_eq!(cookies("a", &tls).open::<String>(&next(&set), Name::Session), None, "TLS takes its own alone");
        let forget = Name::Session.forget(&plain).unwrap();
        assert!(forget.to_str().unwrap().starts_with("session=; ") && !forget.to_str().unwrap().contains("Secure"));
    }

    #[tokio::test]
    async fn a_short_key_is_none() {
        assert!(Cookies::with(&Secret::Known("short".into()), &arrival("https://console.example.com")).await.is_err());
    }
}
