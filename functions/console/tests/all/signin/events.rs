//! What the gateway hands over, also where a client sent what is no URI.

use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn r8_4_no_request_ends_the_process() {
    let world = World::empty().await;
    for (path, query, status) in [
        ("/", "", 200),
        ("/signin", "address=ann@contoso.com&standard=1", 302),
        ("/signin", "address=\"><script>@contoso.com", 400),
        ("/signin/callback", "state=<a>&code=\"{}|\\^`", 400),
        ("/signin", "address=%zz%\u{fc}\u{0}# ?", 400),
        ("/ \"<>?#[]\u{fc}", "", 404),
        ("//evil.example", "", 404),
        ("", "", 200),
        ("/signin", &"\"".repeat(100_000), 400),
        (&"\"".repeat(100_000), &"\"".repeat(100_000), 404),
    ] {
        let event = event(path, query, "console.example.com");
        let answer = console::answer(world.router(|_| ()), LambdaEvent::new(event, Context::default())).await.unwrap();
        let answer = serde_json::to_value(answer).unwrap();
        assert_eq!(answer["statusCode"], status, "{path} {}: {answer}", query.get(..40).unwrap_or(query));
        assert!(!answer["body"].as_str().unwrap_or_default().contains("<script"), "{answer}");
    }
    for host in ["", " ", "a b", "[", "evil.example:port"] {
        let event = event("/", "", host);
        let answer = console::answer(world.router(|_| ()), LambdaEvent::new(event, Context::default())).await.unwrap();
        assert_eq!(serde_json::to_value(answer).unwrap()["statusCode"], 200, "{host}");
    }
    let other = console::answer(world.router(|_| ()), LambdaEvent::new(json!([1]), Context::default())).await;
    assert!(other.is_err());
}

fn event(path: &str, query: &str, host: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "headers": {"Host": host, "x-forwarded-proto": host}, "isBase64Encoded": false,
        "requestContext": {
            "accountId": "123456789012", "apiId": "a1b2c3", "domainName": host, "stage": "$default", "time": "12/Mar/2027:19:03:58 +0000",
            "timeEpoch": 1_804_878_238_000_i64, "requestId": "request", "routeKey": "$default",
            "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "tests"},
        },
    })
}
