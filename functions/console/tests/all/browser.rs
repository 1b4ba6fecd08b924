//! A browser: it keeps cookies as browsers do, and follows nothing by itself.

use std::{cell::RefCell, collections::BTreeMap};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use tower::ServiceExt as _;

use crate::world::BASE;

/// A page as it came.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Page {
    /// A header as text, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Where it leads to.
    #[track_caller]
    pub(crate) fn location(&self) -> String {
        assert!(self.status.is_redirection(), "{self:?}");
        self.header("location").to_owned()
    }

    /// The heading.
    pub(crate) fn title(&self) -> &str {
        let title = self.body.split_once("<h1>").and_then(|(_, rest)| rest.split_once("</h1>"));
        title.map_or("", |(title, _)| title)
    }
}

/// Somebody's browser.
pub(crate) struct Browser {
    router: Router,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl Browser {
    pub(crate) fn new(router: Router) -> Self {
        Self { router, cookies: RefCell::default() }
    }

    /// The cookies that it holds.
    pub(crate) fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.borrow().clone()
    }

    /// Hold other cookies.
    pub(crate) fn set_cookies(&self, cookies: BTreeMap<String, String>) {
        self.cookies.replace(cookies);
    }

    /// Open a page of the console, by its path or its whole address.
    pub(crate) async fn get(&self, address: &str) -> Page {
        self.send("GET", address, "", &[]).await
    }

    /// Send a form.
    pub(crate) async fn post(&self, address: &str, form: &str) -> Page {
        self.send("POST", address, form, &[]).await
    }

    /// Send any request.
    pub(crate) async fn send(
        &self,
        method: &str,
        address: &str,
        body: impl Into<Vec<u8>>,
        headers: &[(&str, &str)],
    ) -> Page {
        let path = address.strip_prefix(BASE).unwrap_or(address);
        assert!(path.starts_with('/'), "the console does not lead to {address}");
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies: Vec<String> = self.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if method == "POST" {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let request = request.body(Body::from(body.into())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        for set in response.headers().get_all(header::SET_COOKIE) {
            let (name, rest) = set.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if rest.contains("Max-Age=0") {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
        }
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
        Page { status: parts.status, headers: parts.headers, body }
    }

    /// Go to Microsoft and come back: the address of the callback.
    pub(crate) async fn at_microsoft(&self, location: &str) -> String {
        assert!(location.contains("/oauth2/v2.0/authorize?"), "{location}");
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let answer = client.get(location).send().await.unwrap();
        assert_eq!(answer.status(), 302, "{}", answer.text().await.unwrap());
        let back = answer.headers()["location"].to_str().unwrap().to_owned();
        assert!(back.starts_with(&format!("{BASE}/signin/callback?")), "{back}");
        back
    }

    /// Sign in with an address, as far as the answer to the callback.
    pub(crate) async fn sign_in(&self, address: &str) -> Page {
        let start = self.get(&format!("/signin?address={address}")).await;
        let back = self.at_microsoft(&start.location()).await;
        self.get(&back).await
    }

    /// What a form must say to be of this session.
    pub(crate) async fn token(&self) -> String {
        let page = self.get("/").await;
        let token = page.body.split_once("name=\"token\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
        token.map(|(token, _)| token.to_owned()).unwrap_or_default()
    }

    /// The address that the first page says is signed in, or nothing.
    pub(crate) async fn signed_in_as(&self) -> Option<String> {
        let page = self.get("/").await;
        assert_eq!(page.status, StatusCode::OK);
        let signed_in = page.body.contains(">Sign out</button>");
        let name = page.body.split_once("<strong>").and_then(|(_, rest)| rest.split_once("</strong>"));
        name.filter(|_| signed_in).map(|(name, _)| name.to_owned())
    }
}
