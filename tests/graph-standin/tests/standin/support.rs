//! A reader of Graph that knows just enough: a token, a page, a round.

use graph_standin::{ApplicationChange, CONTOSO, Change, Demo, Directory, Standin, demo};
use reqwest::{Client, Response};
use serde_json::Value;

pub(crate) const SCOPE: &str = "https://graph.microsoft.com/.default";
pub(crate) const USERS: &str = "users/delta?$select=displayName,mobilePhone,proxyAddresses";
pub(crate) const GROUPS: &str = "groups/delta?$select=displayName,members";

pub(crate) struct Reader {
    pub(crate) standin: Standin,
    pub(crate) client: Client,
    pub(crate) token: String,
}

impl Reader {
    /// Signed in at Contoso.
    pub(crate) async fn contoso() -> Self {
        Self::of(CONTOSO, demo()).await
    }

    pub(crate) async fn of(demo: Demo, directories: Vec<Directory>) -> Self {
        let standin = Standin::start(directories).unwrap();
        let mut reader = Self { standin, client: Client::new(), token: String::new() };
        reader.sign_in(demo).await;
        reader
    }

    pub(crate) async fn sign_in(&mut self, demo: Demo) {
        let id = demo.application_id.to_string();
        let (status, body) = self.ask(&demo.directory_id.to_string(), &id, demo.client_secret, SCOPE).await;
        assert_eq!(status, 200, "{body}");
        self.token = body["access_token"].as_str().unwrap().to_owned();
    }

    /// Ask for a token.
    pub(crate) async fn ask(&self, authority: &str, id: &str, secret: &str, scope: &str) -> (u16, Value) {
        let form =
            [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret), ("scope", scope)];
        let url = format!("{}/{authority}/oauth2/v2.0/token", self.standin.login_endpoint());
        let response = self.client.post(url).form(&form).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Ask for a token at Contoso with an assertion: Microsoft's number, if it is refused.
    pub(crate) async fn assert(&self, assertion: &str) -> Option<u64> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &CONTOSO.application_id.to_string()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
            ("scope", SCOPE),
        ];
        let body: Value = self.client.post(self.token_url()).form(&form).send().await.unwrap().json().await.unwrap();
        assert_ne!(body["access_token"].is_string(), body["error_codes"].is_array(), "{body}");
        body["error_codes"][0].as_u64()
    }

    /// Where Contoso signs in.
    pub(crate) fn token_url(&self) -> String {
        format!("{}/{}/oauth2/v2.0/token", self.standin.login_endpoint(), CONTOSO.directory_id)
    }

    /// Change Contoso's application.
    pub(crate) fn application(&self, change: ApplicationChange) {
        self.standin.change("contoso", Change::SetApplication(change)).unwrap();
    }

    /// A GET of a link, or of a path below `/v1.0/`.
    pub(crate) async fn send(&self, link: &str) -> Response {
        self.client.get(self.url(link)).bearer_auth(&self.token).send().await.unwrap()
    }

    pub(crate) fn url(&self, link: &str) -> String {
        if link.starts_with("http") {
            link.to_owned()
        } else {
            format!("{}/v1.0/{link}", self.standin.graph_endpoint())
        }
    }

    pub(crate) async fn get(&self, link: &str) -> (u16, Value) {
        let response = self.send(link).await;
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The pages of a round, and its delta link.
    pub(crate) async fn pages(&self, first: &str) -> (Vec<Vec<Value>>, String) {
        let mut pages = Vec::new();
        let mut link = first.to_owned();
        loop {
            let (status, mut page) = self.get(&link).await;
            assert_eq!(status, 200, "{link}: {page}");
            pages.push(page["value"].as_array().unwrap().clone());
            match (page["@odata.nextLink"].take(), page["@odata.deltaLink"].take()) {
                (Value::String(next), Value::Null) => link = next,
                (Value::Null, Value::String(delta)) => return (pages, delta),
                links => panic!("a page has one link: {links:?}"),
            }
        }
    }

    /// The objects of a round, and its delta link.
    pub(crate) async fn round(&self, first: &str) -> (Vec<Value>, String) {
        let (pages, delta) = self.pages(first).await;
        (pages.concat(), delta)
    }
}

/// The display names of objects, in order.
pub(crate) fn names(objects: &[Value]) -> Vec<&str> {
    objects.iter().map(|object| object["displayName"].as_str().unwrap_or("-")).collect()
}
