//! Tokens and refusals.

use graph_standin::{ApplicationChange, CONTOSO, Change, Cloud, FABRIKAM, NORTHWIND};
use serde_json::Value;

use crate::support::{Reader, SCOPE};

const UNKNOWN: &str = "11111111-2222-4333-8444-555555555555";

#[tokio::test]
async fn refuses_like_microsoft() {
    let reader = Reader::contoso().await;
    let contoso = CONTOSO.directory_id.to_string();
    let northwind = NORTHWIND.directory_id.to_string();
    let (id, secret) = (&CONTOSO.application_id.to_string(), CONTOSO.client_secret);
    let no_scope = "https://graph.example.com/.default";
    let northwind_id = &NORTHWIND.application_id.to_string();
    #[rustfmt::skip]
    let cases = [
        // authority         client id     secret                   scope     status error                  number
        (UNKNOWN,            id,           secret,                  SCOPE,    400, "invalid_request",     90_002),
        ("unknown.example",  id,           secret,                  SCOPE,    400, "invalid_request",     90_002),
        ("contoso",          id,           secret,                  SCOPE,    400, "invalid_request",     900_023),
        ("common",           id,           secret,                  SCOPE,    400, "invalid_request",     50_059),
        (&contoso,           northwind_id, secret,                  SCOPE,    400, "unauthorized_client", 700_016),
        (&contoso,           id,           "demo-other-value",      SCOPE,    401, "invalid_client",      7_000_215),
        (&northwind,         northwind_id, NORTHWIND.client_secret, SCOPE,    401, "invalid_client",      7_000_222),
        (&contoso,           id,           secret,                  no_scope, 400, "invalid_scope",       70_011),
    ];
    for (authority, id, secret, scope, status, error, number) in cases {
        let (actual, body) = reader.ask(authority, id, secret, scope).await;
        assert_eq!(
            (actual, body["error"].as_str(), body["error_codes"][0].as_u64()),
            (status, Some(error), Some(number))
        );
        let description = body["error_description"].as_str().unwrap();
        let lines: Vec<_> = description.split("\r\n").collect();
        assert!(lines[0].starts_with(&format!("AADSTS{number}: ")), "{description}");
        assert_eq!(lines[1], format!("Trace ID: {}", body["trace_id"].as_str().unwrap()));
        assert_eq!(lines[2], format!("Correlation ID: {}", body["correlation_id"].as_str().unwrap()));
        assert_eq!(lines[3], format!("Timestamp: {}", body["timestamp"].as_str().unwrap()));
        assert_eq!(body["timestamp"].as_str().unwrap().len(), "2016-01-09 02:02:12Z".len());
    }
}

#[tokio::test]
async fn a_domain_is_as_good_as_the_guid_and_every_cloud_has_its_scope() {
    let reader = Reader::contoso().await;
    let (id, secret) = (&CONTOSO.application_id.to_string(), CONTOSO.client_secret);
    for root in
        ["graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"]
    {
        let scope = format!("https://{root}/.default");
        for authority in ["contoso.com", "Contoso.onmicrosoft.com"] {
            let (status, body) = reader.ask(authority, id, secret, &scope).await;
            assert_eq!((status, body["expires_in"].as_i64()), (200, Some(3599)));
        }
    }
    reader.standin.change("contoso", Change::SetCloud { cloud: Some(Cloud::UsGov) }).unwrap();
    let (status, body) = reader.ask("contoso.com", id, secret, SCOPE).await;
    assert_eq!((status, body["error_codes"][0].as_u64()), (400, Some(900_382)));
}

#[tokio::test]
async fn a_disabled_application_gets_nothing() {
    let reader = Reader::contoso().await;
    let off = Change::SetApplication(ApplicationChange { disabled: Some(true), ..Default::default() });
    reader.standin.change("contoso", off).unwrap();
    let id = &CONTOSO.application_id.to_string();
    let (status, body) = reader.ask("contoso.com", id, CONTOSO.client_secret, SCOPE).await;
    assert_eq!((status, body["error_codes"][0].as_u64()), (400, Some(7_000_112)));
}

#[tokio::test]
async fn without_consent_there_is_a_token_and_graph_refuses() {
    let mut reader = Reader::contoso().await;
    let roles = |roles: &[&str]| {
        let roles = Some(roles.iter().map(|&role| role.to_owned()).collect());
        Change::SetApplication(ApplicationChange { roles, ..Default::default() })
    };
    reader.standin.change("contoso", roles(&[])).unwrap();
    reader.sign_in(CONTOSO).await;
    let (status, body) = reader.get("users/delta").await;
    assert_eq!((status, &body["error"]["code"]), (403, &Value::from("Authorization_RequestDenied")));
    assert!(body["error"]["innerError"]["request-id"].is_string());

    reader.standin.change("contoso", roles(&["User.Read.All"])).unwrap();
    reader.sign_in(CONTOSO).await;
    assert_eq!(reader.get("users/delta").await.0, 200);
    assert_eq!(reader.get("groups/delta").await.0, 403);
}

#[tokio::test]
async fn missing_broken_foreign_and_old_tokens_are_refused() {
    let mut reader = Reader::contoso().await;
    let good = reader.token.clone();
    let other = Reader::of(FABRIKAM, graph_standin::demo()).await;
    for bad in ["", "nonsense", &good[..good.len() - 1], &other.token] {
        reader.token = bad.to_owned();
        let (status, body) = reader.get("users").await;
        assert_eq!((status, &body["error"]["code"]), (401, &Value::from("InvalidAuthenticationToken")), "{bad}");
    }
    reader.token = good;
    assert_eq!(reader.get("users").await.0, 200);
    reader.standin.set_now("2126-01-01T00:00:00Z".parse().ok());
    assert_eq!(reader.get("users").await.0, 401);
}
