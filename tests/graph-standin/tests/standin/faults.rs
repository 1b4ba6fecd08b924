//! Faults on demand.

use graph_standin::{About, CONTOSO, Fault, Rule};
use serde_json::{Value, json};

use crate::support::{GROUPS, Reader, SCOPE, USERS};

#[tokio::test]
async fn a_rule_lets_some_pass_hits_some_and_is_over() {
    let reader = Reader::contoso().await;
    let throttle = Fault::Throttle { retry_after: Some("0.5".to_owned()) };
    reader.standin.fault(Rule::new(throttle).on(About::Users).tenant("contoso.com").path("/delta").after(1).times(2));
    let mut statuses = Vec::new();
    for link in [GROUPS, USERS, USERS, USERS, "users", USERS] {
        statuses.push(reader.send(link).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429, 429, 200, 200]);
    let played: Vec<_> = reader.standin.requests().into_iter().filter_map(|request| request.fault).collect();
    assert_eq!(played, ["throttle", "throttle"]);
    assert_eq!(reader.standin.counters()["users_delta"], 4);
    assert_eq!(reader.standin.count(About::Token), 1);
}

#[tokio::test]
async fn refusals_on_demand() {
    let reader = Reader::contoso().await;
    let (_, link) = reader.round(USERS).await;
    let status = |code, body| Fault::Status { code, body };
    let delta = |status, code: &str| Fault::ExpireDelta { status, code: code.to_owned() };
    #[rustfmt::skip]
    let cases = [
        (Fault::Throttle { retry_after: None },             429, "TooManyRequests"),
        (Fault::ExpireToken,                                401, "InvalidAuthenticationToken"),
        (Fault::Forbidden,                                  403, "Authorization_RequestDenied"),
        (delta(410, "syncStateNotFound"),                   410, "syncStateNotFound"),
        (delta(400, "resyncRequired"),                      400, "resyncRequired"),
        (status(503, None),                                 503, "serviceNotAvailable"),
        (status(418, Some(json!({"error": {"code": "x"}}))), 418, "x"),
    ];
    for (fault, status, code) in cases {
        reader.standin.fault(Rule::new(fault));
        let (actual, body) = reader.get(&link).await;
        assert_eq!((actual, &body["error"]["code"]), (status, &json!(code)));
    }
    // The delta fault waits for a request with a token.
    reader.standin.fault(Rule::new(delta(410, "syncStateNotFound")));
    assert_eq!(reader.get(USERS).await.0, 200);
    assert_eq!(reader.get(&link).await.0, 410);
    // The sign-in speaks its own language.
    let id = CONTOSO.application_id.to_string();
    for (fault, status, number) in [
        (Fault::Aadsts { code: 53_003 }, 400, 53_003),
        (Fault::Throttle { retry_after: Some("2".to_owned()) }, 429, 90_055),
        (Fault::Status { code: 500, body: None }, 500, 90_033),
    ] {
        reader.standin.fault(Rule::new(fault).on(About::Token));
        let (actual, body) = reader.ask("contoso.com", &id, CONTOSO.client_secret, SCOPE).await;
        assert_eq!((actual, &body["error_codes"][0]), (status, &json!(number)));
    }
}

#[tokio::test]
async fn broken_answers_on_demand() {
    let reader = Reader::contoso().await;
    let play = |fault| reader.standin.fault(Rule::new(fault));
    play(Fault::Cut);
    let response = reader.send(USERS).await;
    assert_eq!(response.status(), 200);
    let promised = response.content_length().unwrap();
    assert!(promised > 100);
    assert!(response.bytes().await.is_err());

    play(Fault::NotJson);
    let response = reader.send(USERS).await;
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    assert!(response.json::<Value>().await.is_err());

    play(Fault::Garble);
    assert!(reader.send(USERS).await.json::<Value>().await.is_err());

    play(Fault::Stall { milliseconds: 30 });
    assert_eq!(reader.get(USERS).await.0, 200);

    play(Fault::WrongTypes);
    assert!(reader.get(USERS).await.1["value"][0]["proxyAddresses"].is_string());

    play(Fault::ForeignLink { origin: "https://graph.example.net".to_owned() });
    let (_, page) = reader.get(USERS).await;
    assert!(page["@odata.deltaLink"].as_str().unwrap().starts_with("https://graph.example.net/v1.0/users/delta?"));
}

#[tokio::test]
async fn empty_pages_lose_nothing_and_loops_never_end() {
    let reader = Reader::contoso().await;
    reader.standin.settings(|settings| settings.page_size = 10);
    reader.standin.fault(Rule::new(Fault::EmptyPage).after(1));
    let (pages, _) = reader.pages(USERS).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [10, 0, 6]);

    reader.standin.fault(Rule::new(Fault::Loop).times(3));
    let (pages, _) = reader.pages(USERS).await;
    assert_eq!(pages.len(), 5);
    assert!(pages[..4].iter().all(|page| *page == pages[0]));
    let links: Vec<_> = reader.standin.requests().into_iter().map(|request| request.path).collect();
    let different: std::collections::BTreeSet<_> = links.iter().collect();
    assert_eq!(different.len(), links.len() - 1, "only the first link is asked twice");
}

#[tokio::test]
async fn a_round_that_ends_too_early_and_one_that_repeats_itself() {
    let reader = Reader::contoso().await;
    reader.standin.settings(|settings| settings.page_size = 10);
    reader.standin.fault(Rule::new(Fault::Nothing).after(1));
    let (told, link) = reader.round(USERS).await;
    assert_eq!(told.len(), 10);
    assert!(reader.round(&link).await.0.is_empty());
    reader.standin.fault(Rule::new(Fault::Twice));
    let (told, _) = reader.round(USERS).await;
    assert_eq!(told.len(), 26);
    assert_eq!(told[0], told[10]);
}

#[tokio::test]
async fn what_was_read_is_what_is_true() {
    let reader = Reader::contoso().await;
    let (told, _) = reader.round(GROUPS).await;
    let truth = reader.standin.groups("contoso");
    assert_eq!(told.len(), truth.len());
    for group in told {
        let (properties, members) = &truth[&group["id"].as_str().unwrap().parse().unwrap()];
        assert_eq!(group["displayName"], properties["displayName"]);
        assert_eq!(group["members@delta"].as_array().map(Vec::len), Some(members.len()));
    }
    let adele = reader.standin.user_id("contoso", "Adele Vance").unwrap();
    assert_eq!(reader.standin.users("contoso")[&adele]["mail"], "AdeleV@contoso.com");
}
