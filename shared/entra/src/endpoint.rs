//! Base URLs that secrets and tokens are sent to, and the links that may be followed from there (section 9, "Hosts").

use url::{Host, Url};

/// A base URL: `https`, or plain `http` on loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(Url);

/// Why a text cannot be an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum BadEndpoint {
    #[error("an endpoint is a base URL such as https://graph.microsoft.com")]
    NotAUrl,
    #[error("plain http is accepted for an endpoint on loopback only; use https")]
    NotLoopback,
    #[error("an endpoint holds no user, password, query or fragment")]
    TooMuch,
}

impl Endpoint {
    /// Read a base URL. A path is kept and a slash at its end does not matter.
    pub(crate) fn parse(text: &str) -> Result<Self, BadEndpoint> {
        let url = Url::parse(text.trim()).map_err(|_| BadEndpoint::NotAUrl)?;
        let plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(BadEndpoint::NotAUrl),
        };
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return Err(BadEndpoint::NotAUrl),
        };
        if plain && !loopback {
            return Err(BadEndpoint::NotLoopback);
        }
        if has_user(&url) || url.query().is_some() || url.fragment().is_some() {
            return Err(BadEndpoint::TooMuch);
        }
        Ok(Self(url))
    }

    /// The URL of `path` below this base; each part is escaped.
    pub(crate) fn at(&self, path: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// `link` as a URL, when it has the scheme, host and port of this endpoint.
    pub(crate) fn pin(&self, link: &str) -> Option<Url> {
        let url = Url::parse(link).ok()?;
        (url.origin() == self.0.origin() && !has_user(&url)).then_some(url)
    }
}

/// A client would turn these into an `Authorization` header of their own.
fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn s9_plain_http_on_loopback_only() {
        check("https anywhere",         "https://graph.example",          "https://graph.example/v1.0/users");
        check("http on IPv4 loopback",  "http://127.0.0.1:8080",          "http://127.0.0.1:8080/v1.0/users");
        check("slash at the end",       "http://127.9.0.1:8080/",         "http://127.9.0.1:8080/v1.0/users");
        check("http on IPv6 loopback",  "http://[::1]:8080",              "http://[::1]:8080/v1.0/users");
        check("localhost, with a path", "http://localhost/graph/",        "http://localhost/graph/v1.0/users");
        let loopback = BadEndpoint::NotLoopback.to_string();
        check("http elsewhere",         "http://graph.microsoft.com",     &loopback);
        check("a name that looks local", "http://127.0.0.1.example.com",  &loopback);
        check("another private host",   "http://192.168.0.1",             &loopback);
        check("a user",                 "https://a:b@graph.example",      &BadEndpoint::TooMuch.to_string());
        check("a query",                "https://graph.example/?a=b",     &BadEndpoint::TooMuch.to_string());
        check("another scheme",         "ftp://127.0.0.1",                &BadEndpoint::NotAUrl.to_string());
        check("no URL",                 "127.0.0.1:8080",                 &BadEndpoint::NotAUrl.to_string());
    }

    #[track_caller]
    fn check(name: &str, text: &str, expected: &str) {
        let outcome = Endpoint::parse(text)
            .map_or_else(|err| err.to_string(), |endpoint| endpoint.at(&["v1.0", "users"]).to_string());
        assert_eq!(outcome, expected, "{name}");
    }

    #[test]
    #[rustfmt::skip]
    fn s9_links_are_pinned_to_the_origin() {
        let graph = Endpoint::parse("https://graph.microsoft.com").unwrap();
        for (name, link, pinned) in [
            ("the same host",        "https://graph.microsoft.com/v1.0/users/delta?$skiptoken=a",      true),
            ("its port said aloud",  "https://graph.microsoft.com:443/v1.0/users/delta?$skiptoken=a",  true),
            ("case of the host",     "https://Graph.Microsoft.com/v1.0/users/delta",                   true),
            ("another host",         "https://graph.microsoft.com.example.org/v1.0/users/delta",       false),
            ("another port",         "https://graph.microsoft.com:8443/v1.0/users/delta",              false),
            ("another scheme",       "http://graph.microsoft.com/v1.0/users/delta",                    false),
            ("a user in front",      "https://me@graph.microsoft.com/v1.0/users/delta",                false),
            ("host as a user",       "https://graph.microsoft.com@example.org/v1.0/users/delta",       false),
            ("another cloud",        "https://graph.microsoft.us/v1.0/users/delta",                    false),
            ("no URL",               "/v1.0/users/delta",                                              false),
            ("nothing",              "",                                                               false),
        ] {
            assert_eq!(graph.pin(link).is_some(), pinned, "{name}");
        }
    }

    #[test]
    fn parts_of_a_path_are_escaped() {
        let login = Endpoint::parse("https://login.example").unwrap();
        assert_eq!(login.at(&["a/b?c", "token"]).as_str(), "https://login.example/a%2Fb%3Fc/token");
    }
}
