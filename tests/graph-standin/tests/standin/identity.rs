//! Identity tokens of AWS, and what Entra makes of them.

use graph_standin::{About, ApplicationChange, CONTOSO, Change, Fault, Federated, Refusal, Rule, Standin, demo};
use jsonwebtoken::dangerous::insecure_decode;
use serde_json::{Value, json};

use crate::support::Reader;

const EXCHANGE: &str = "api://AzureADTokenExchange";
const ROLE: &str = "arn:aws:iam::000000000000:role/entra-sync-local-eu-west-1-identity";

/// Ask this stand-in as AWS's SDK would: the status and the text.
async fn ask(standin: &Standin, fields: &[(&str, &str)]) -> (u16, String) {
    let asked = reqwest::Client::new().post(format!("{}/", standin.identity_endpoint())).form(fields).send();
    let response = asked.await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/xml");
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn token(standin: &Standin, audience: &str) -> String {
    let fields = [
        ("Action", "GetWebIdentityToken"),
        ("Version", "2011-06-15"),
        ("Audience.member.1", audience),
        ("DurationSeconds", "3600"),
        ("SigningAlgorithm", "RS256"),
    ];
    let (status, text) = ask(standin, &fields).await;
    assert_eq!(status, 200, "{text}");
    let (_, token) = text.split_once("<WebIdentityToken>").unwrap();
    token.split_once('<').unwrap().0.to_owned()
}

fn trust(issuer: String, subject: &str) -> ApplicationChange {
    let federated = Federated { issuer, subject: subject.to_owned(), audience: EXCHANGE.to_owned() };
    ApplicationChange { federated: Some(vec![federated]), ..Default::default() }
}

#[tokio::test]
async fn a_token_says_who_we_are() {
    let reader = Reader::contoso().await;
    let token = token(&reader.standin, EXCHANGE).await;
    let read = insecure_decode::<Value>(&token).unwrap();
    let (header, claims) = (read.header, read.claims);
    let issuer = reader.standin.identity_endpoint();
    assert_eq!((&claims["iss"], &claims["sub"], &claims["aud"]), (&json!(issuer), &json!(ROLE), &json!(EXCHANGE)));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    let get = async |url: &str| reader.client.get(url).send().await.unwrap().json::<Value>().await.unwrap();
    let discovery = get(&format!("{issuer}/.well-known/openid-configuration")).await;
    assert_eq!(discovery["issuer"], json!(issuer));
    let keys = get(discovery["jwks_uri"].as_str().unwrap()).await;
    assert_eq!((&keys["keys"][0]["kid"], &keys["keys"][0]["kty"]), (&json!(header.kid), &json!("RSA")));
    assert_eq!(reader.standin.count(About::Identity), 3);
}

#[tokio::test]
async fn refusals_in_the_words_of_sts() {
    let standin = Standin::start(demo()).unwrap();
    let check = async |fields: &[(&str, &str)], status, code: &str| {
        let (actual, text) = ask(&standin, fields).await;
        assert_eq!(actual, status, "{text}");
        assert!(text.starts_with("<ErrorResponse") && text.contains(&format!("<Code>{code}</Code>")), "{text}");
    };
    let action = ("Action", "GetWebIdentityToken");
    let (audience, algorithm) = (("Audience.member.1", "a"), ("SigningAlgorithm", "RS256"));
    check(&[("Action", "GetCallerIdentity")], 400, "InvalidAction").await;
    check(&[action, algorithm], 400, "ValidationError").await;
    check(&[action, audience], 400, "ValidationError").await;
    check(&[action, audience, algorithm, ("DurationSeconds", "3601")], 400, "ValidationError").await;
    standin.settings(|settings| settings.identity_disabled = true);
    check(&[action, audience, algorithm], 403, "OutboundWebIdentityFederationDisabledException").await;
}

#[tokio::test]
async fn entra_trusts_what_it_was_told_to_trust() {
    let reader = Reader::contoso().await;
    let issuer = reader.standin.identity_endpoint();
    let good = token(&reader.standin, EXCHANGE).await;
    assert_eq!(reader.assert(&good).await, Some(70_025));
    reader.application(trust("https://other.example".to_owned(), ROLE));
    assert_eq!(reader.assert(&good).await, Some(700_211));
    reader.application(trust(issuer.clone(), "arn:aws:iam::1:role/another"));
    assert_eq!(reader.assert(&good).await, Some(700_213));
    reader.application(trust(issuer, ROLE));
    assert_eq!(reader.assert(&token(&reader.standin, "another").await).await, Some(700_212));
    assert_eq!(reader.assert(&good).await, None);
    let tampered = format!("{}A", &good[..good.len() - 1]);
    let other = format!("{}B", &good[..good.len() - 1]);
    assert_eq!([reader.assert(&tampered).await, reader.assert(&other).await].iter().flatten().max(), Some(&50_013));
    reader.standin.set_now("2126-01-01T00:00:00Z".parse().ok());
    assert_eq!(reader.assert(&good).await, Some(700_024));
}

#[tokio::test]
async fn keys_are_read_once_and_again_for_a_new_one() {
    let (reader, aws) = (Reader::contoso().await, Standin::start(demo()).unwrap());
    let aws = aws.with_role("arn:aws:iam::1:role/ours");
    reader.application(trust(aws.identity_endpoint(), "arn:aws:iam::1:role/ours"));
    let good = token(&aws, EXCHANGE).await;
    aws.clear_requests();
    for _ in 0..3 {
        assert_eq!(reader.assert(&good).await, None);
    }
    assert_eq!(aws.count(About::Identity), 2, "the discovery document, and the keys");
    aws.reset();
    assert_eq!(reader.assert(&token(&aws, EXCHANGE).await).await, None, "the role and the key stay");
    let port = aws.identity_endpoint().split([':', '/']).nth(4).unwrap().parse().unwrap();
    drop(aws);
    assert_eq!(reader.assert(&good).await, None, "what is known stays known for a while");
    let aws = Standin::start_at(port, demo()).unwrap().with_role("arn:aws:iam::1:role/ours");
    assert_eq!(reader.assert(&token(&aws, EXCHANGE).await).await, None, "another key is looked for");
    assert_eq!(reader.assert(&good).await, Some(50_013), "the key is gone");

    let gone = trust("http://127.0.0.1:1/identity".to_owned(), ROLE);
    let reader = Reader::contoso().await;
    let own = trust(reader.standin.identity_endpoint(), ROLE);
    let good = token(&reader.standin, EXCHANGE).await;
    reader.standin.fault(Rule::new(Fault::Status { code: 503, body: None }).on(About::Identity));
    reader.application(own);
    assert_eq!(reader.assert(&good).await, Some(50_166));
    assert_eq!(reader.assert(&good).await, None);
    reader.application(gone);
    assert_eq!(reader.assert(&good).await, Some(700_211));
}

#[tokio::test]
async fn twenty_federated_credentials_at_most() {
    let reader = Reader::contoso().await;
    let one = trust(reader.standin.identity_endpoint(), ROLE).federated.unwrap()[0].clone();
    let many = |count| ApplicationChange { federated: Some(vec![one.clone(); count]), ..Default::default() };
    reader.application(many(20));
    let refused = reader.standin.change(CONTOSO.name, Change::SetApplication(many(21)));
    assert_eq!(refused, Err(Refusal::TooManyFederated));
}
