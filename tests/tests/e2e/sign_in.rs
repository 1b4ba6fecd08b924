//! Signing in with Microsoft over the deployed HTTP API, as a browser does it.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use reqwest::{Method, Response, header};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::company::Company;

/// Somebody's browser: it follows nothing by itself, and has the cookie jar of an ordinary HTTP client, which keeps no
/// `Secure` cookie that came over plain `http` and so never sends one there (RFC 6265bis).
struct Browser {
    http: reqwest::Client,
    base: String,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl Browser {
    fn at(company: &Company) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let base = company.stack.value("ConsoleUrl").unwrap().to_owned();
        assert!(!base.ends_with('/'), "{base}");
        Self { http, base, cookies: RefCell::default() }
    }

    async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, String::new()).await
    }

    async fn send(&self, method: Method, path: &str, form: String) -> Response {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = self.http.request(method, &url);
        if url.starts_with(&self.base) {
            let cookies = self.cookies.borrow();
            let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        if !form.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        }
        let response = request.send().await.unwrap();
        for set in response.headers().get_all(header::SET_COOKIE) {
            let set = set.to_str().unwrap();
            for attribute in ["; HttpOnly", "; SameSite=Lax", "; Path=/"] {
                assert!(set.contains(attribute), "{set}");
            }
            if !self.base.starts_with("https:") && (set.contains("; Secure") || set.starts_with("__")) {
                continue;
            }
            let (name, rest) = set.split_once('=').unwrap();
            self.cookies.borrow_mut().remove(name);
            if !rest.contains("Max-Age=0") {
                let value = rest.split(';').next().unwrap().to_owned();
                self.cookies.borrow_mut().insert(name.to_owned(), value);
            }
        }
        response
    }

    /// Where an answer leads to.
    #[track_caller]
    fn location(response: &Response) -> String {
        assert!(response.status().is_redirection(), "{response:?}");
        response.headers()["location"].to_str().unwrap().to_owned()
    }

    /// Begin with an address, and follow to the answer to the callback.
    async fn sign_in(&self, address: &str) -> Response {
        let microsoft = Self::location(&self.get(&format!("/signin?address={address}")).await);
        assert!(microsoft.contains("/oauth2/v2.0/authorize?"), "{microsoft}");
        let back = Self::location(&self.get(&microsoft).await);
        assert!(back.starts_with(&format!("{}/signin/callback?", self.base)), "{back}");
        self.get(&back).await
    }

    /// The first page.
    async fn page(&self) -> String {
        self.get("/").await.text().await.unwrap()
    }
}

fn person(company: &Company, name: &str) -> Value {
    company.person(
        name,
        &json!({"proxyAddresses": [
            format!("SMTP:{}", company.address(name)), format!("smtp:{}", company.address(&format!("{name}.alias"))),
        ]}),
    )
}

#[tokio::test]
async fn r8_4_a_user_signs_in_and_out_and_stays_out_once_disabled() {
    let company = Company::connected(0, 0, 2801).await;
    company.change(json!([person(&company, "ann"), person(&company, "bob")])).await;
    company.automatic().await;
    let convert = json!({"action": "convert", "address": company.address("bob"), "to": "organization_admin"});
    company.admin(convert).await;

    for (name, typed) in [("ann", "ANN.Alias"), ("bob", "bob")] {
        let browser = Browser::at(&company);
        let end = browser.sign_in(&company.address(typed)).await;
        assert_eq!(Browser::location(&end), format!("{}/", browser.base));
        let page = browser.page().await;
        assert!(page.contains(&format!("<strong>{}</strong>", company.address(name))), "{page}");
        let token = page.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let forged = browser.send(Method::POST, "/signout", "token=forged".to_owned()).await;
        assert_eq!(forged.status(), 403);
        let out = browser.send(Method::POST, "/signout", format!("token={token}")).await;
        assert_eq!(Browser::location(&out), format!("{}/", browser.base));
        assert!(!browser.page().await.contains(&company.address(name)));
    }

    let browser = Browser::at(&company);
    browser.sign_in(&company.address("ann")).await;
    let blocked = json!({"op": "update_user", "user": company.address("ann"), "properties": {"accountEnabled": false}});
    company.change(blocked).await;
    company.automatic().await;
    let page = browser.page().await;
    assert!(!page.contains(&company.address("ann")) && page.contains("Your e-mail address"), "r8_5: {page}");

    let browser = Browser::at(&company);
    browser.sign_in(&company.address("bob")).await;
    assert_eq!(company.admin(json!({"action": "end_sessions"})).await["ended"], true);
    assert!(!browser.page().await.contains(&company.address("bob")));
}

#[tokio::test]
async fn r8_2_and_r8_3_ways_to_sign_in() {
    let company = Company::connected(0, 0, 2802).await;
    company.change(json!([person(&company, "ann")])).await;
    company.automatic().await;
    let browser = Browser::at(&company);
    let service = company.stack.value("SERVICE_SIGN_IN_URL").unwrap();
    let to_service = format!("{service}?address=ann%40{}", company.domain);
    let start = format!("/signin?address={}", company.address("ann"));
    let standard = browser.get(&format!("{start}&standard=1")).await;
    assert_eq!(Browser::location(&standard), to_service);
    let unknown = browser.get("/signin?address=ann@nobodys.example").await;
    assert_eq!(Browser::location(&unknown), format!("{service}?address=ann%40nobodys.example"));

    // Microsoft is down for this directory, which nobody has asked about yet; it is back when it is asked again.
    let down = json!({"match": {"kind": "token", "tenant": company.directory}, "times": 1, "fault": {"status": {"code": 503}}});
    company.stack.control("faults", &down).await.unwrap();
    assert_eq!(Browser::location(&browser.get(&start).await), to_service);
    let back = async { while !Browser::location(&browser.get(&start).await).contains("/oauth2/v2.0/authorize?") {} };
    tokio::time::timeout(Duration::from_secs(30), back).await.expect("Microsoft is back");

    company.admin(json!({"action": "put_tenant", "settings": {"disable_login": true}})).await;
    let page = browser.get(&start).await.text().await.unwrap();
    assert!(page.contains(&to_service) && page.contains(">Sign in with Microsoft</a>"), "{page}");
    let button = page.split("href=\"").find(|part| part.contains("/signin/microsoft?")).unwrap();
    let button = button.split('"').next().unwrap();
    let there = async { while !Browser::location(&browser.get(button).await).contains("/oauth2/v2.0/authorize?") {} };
    tokio::time::timeout(Duration::from_secs(30), there).await.expect("the button leads to Microsoft");
    let style = page.split("href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let style = browser.get(&style).await;
    assert_eq!(
        (style.status().as_u16(), &style.headers()["content-type"]),
        (200, &"text/css; charset=utf-8".parse().unwrap())
    );
}

/// Clients that escape nothing; a browser of ours would not let such a query through.
#[tokio::test]
async fn r8_4_a_query_that_is_no_uri_is_answered() {
    let company = Company::connected(0, 0, 2804).await;
    let console = reqwest::Url::parse(company.stack.value("ConsoleUrl").unwrap()).unwrap();
    let authority = format!("{}:{}", console.host_str().unwrap(), console.port_or_known_default().unwrap());
    for (query, status) in [
        ("address=\"<b>\"", "400"),
        ("address=<ann>@nobodys.example", "400"),
        ("address=a@nobodys.example&x=\">", "302"),
    ] {
        let mut stream = TcpStream::connect(&authority).await.unwrap();
        let request =
            format!("GET {}/signin?{query} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n", console.path());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(answer.split(' ').nth(1), Some(status), "{query}: {answer}");
    }
}

#[tokio::test]
async fn r8_1_and_r8_5_who_is_refused() {
    let company = Company::connected(0, 0, 2803).await;
    company.change(json!([person(&company, "ann"), person(&company, "bob"), person(&company, "box")])).await;
    company.automatic().await;
    for (name, to) in [("bob", "silent_user"), ("box", "functional_account")] {
        company.admin(json!({"action": "convert", "address": company.address(name), "to": to})).await;
    }
    company.change(json!([person(&company, "new")])).await;
    let sign_ins = async |how: Value| {
        company.stack.control(&format!("{}/sign-ins", company.directory), &how).await.unwrap();
    };
    let victim = json!({"email": company.address("ann"), "preferred_username": company.address("ann")});
    for (name, how, title) in [
        ("bob", json!({}), "Your account has no sign-in"),
        ("box", json!({}), "This is a functional account"),
        ("new", json!({}), "Your account is not known here"),
        ("new", json!({"claims": victim}), "Your account is not known here"),
        ("ann", json!({"claims": {"nonce": "another"}}), "You could not be signed in"),
        ("ann", json!({"sign": "none"}), "You could not be signed in"),
        ("ann", json!({"sign": "other_key"}), "You could not be signed in"),
        ("ann", json!({"claims": {"aud": "another"}}), "You could not be signed in"),
        ("ann", json!({"claims": {"tid": "11111111-2222-4333-8444-555555555555"}}), "You could not be signed in"),
    ] {
        sign_ins(how.clone()).await;
        let browser = Browser::at(&company);
        let page = browser.sign_in(&company.address(name)).await;
        assert_eq!(page.status(), 403, "{name} {how}");
        let text = page.text().await.unwrap();
        assert!(text.contains(&format!("<h1>{title}</h1>")), "{name} {how}: {text}");
        assert!(browser.cookies.borrow().is_empty(), "{name} {how}");
        // The line of the log that this code leads to is looked for in the console's own tests: local AWS writes what a
        // function logs behind the gateway to its log group only.
        assert!(text.contains("For support: <code>"), "{name} {how}: {text}");
    }
    sign_ins(json!({})).await;
    let thief = Browser::at(&company);
    let begun = Browser::at(&company);
    let microsoft = Browser::location(&begun.get(&format!("/signin?address={}", company.address("ann"))).await);
    let back = Browser::location(&begun.get(&microsoft).await);
    assert_eq!(thief.get(&back).await.status(), 400, "another browser");
    assert_eq!(Browser::location(&begun.get(&back).await), format!("{}/", begun.base));
    assert_eq!(begun.get(&back).await.status(), 400, "once only");
}
