//! Sign-in for people: codes are for one use, for one redirect and for whoever holds the verifier.

use graph_standin::{CONTOSO, SIGN_IN_CLIENT_ID, SIGN_IN_SECRET};
use reqwest::redirect::Policy;
use serde_json::Value;

use crate::support::Reader;

const REDIRECT: &str = "https://console.example.com/signin/callback";
/// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A code for somebody, as the person brings it back.
async fn code(discovery: &Value, hint: &str) -> String {
    let query = [
        ("client_id", SIGN_IN_CLIENT_ID.to_string()),
        ("response_type", "code".to_owned()),
        ("redirect_uri", REDIRECT.to_owned()),
        ("scope", "openid profile".to_owned()),
        ("state", "a state".to_owned()),
        ("nonce", "a-nonce".to_owned()),
        ("code_challenge", CHALLENGE.to_owned()),
        ("code_challenge_method", "S256".to_owned()),
        ("login_hint", hint.to_owned()),
    ];
    let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let authorize = discovery["authorization_endpoint"].as_str().unwrap();
    let answer = client.get(authorize).query(&query).send().await.unwrap();
    let back = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(back.starts_with(REDIRECT) && back.ends_with("&state=a%20state"), "{back}");
    back.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned()
}

async fn token(reader: &Reader, discovery: &Value, code: &str, verifier: &str, redirect: &str) -> (u16, Value) {
    let id = SIGN_IN_CLIENT_ID.to_string();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", &id),
        ("client_secret", SIGN_IN_SECRET),
        ("code", code),
        ("code_verifier", verifier),
        ("redirect_uri", redirect),
    ];
    let url = discovery["token_endpoint"].as_str().unwrap();
    let answer = reader.client.post(url).form(&form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_code_is_good_once_and_for_its_own_sign_in() {
    let reader = Reader::contoso().await;
    let login = reader.standin.login_endpoint();
    let url = format!("{login}/{}/v2.0/.well-known/openid-configuration", CONTOSO.primary_domain);
    let discovery: Value = reader.client.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(discovery["issuer"], format!("{login}/{}/v2.0", CONTOSO.directory_id), "a domain names its GUID");
    let keys: Value =
        reader.client.get(discovery["jwks_uri"].as_str().unwrap()).send().await.unwrap().json().await.unwrap();
    assert_eq!(keys["keys"][0]["kty"], "RSA");

    // By an alias, too.
    let good = code(&discovery, "Adele.Vance@contoso.com").await;
    let (status, answer) = token(&reader, &discovery, &good, VERIFIER, REDIRECT).await;
    assert_eq!((status, answer["id_token"].as_str().unwrap().split('.').count()), (200, 3), "{answer}");
    let (status, answer) = token(&reader, &discovery, &good, VERIFIER, REDIRECT).await;
    assert_eq!((status, &answer["error"]), (400, &Value::from("invalid_grant")), "twice");
    for (name, verifier, redirect) in
        [("another verifier", "another", REDIRECT), ("another redirect", VERIFIER, "https://evil.example/")]
    {
        let code = code(&discovery, "AdeleV@contoso.com").await;
        let (status, answer) = token(&reader, &discovery, &code, verifier, redirect).await;
        assert_eq!((status, &answer["error"]), (400, &Value::from("invalid_grant")), "{name}");
        let (status, _) = token(&reader, &discovery, &code, VERIFIER, REDIRECT).await;
        assert_eq!(status, 400, "{name}: it is used up");
    }
}
