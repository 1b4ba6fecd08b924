//! Where a token goes, and where it never goes; what is sent with it.

use directory::{Code, Kind};
use engine::ports::{Graph, NoPage};
use entra::{Audiences, Client, NoIdentity};
use graph_standin::{About, Fault, Rule};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::{BUDGET, Stage, client, contoso, failure, told};
/// A port where nothing is expected to arrive.
async fn elsewhere() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    (listener, origin)
}

/// Nothing has arrived: the connection that we make now is the first.
async fn nobody_came(listener: TcpListener) {
    let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (_, first) = listener.accept().await.unwrap();
    assert_eq!(first, ours.local_addr().unwrap(), "somebody connected");
}

#[tokio::test]
async fn s9_a_link_to_another_origin_is_not_followed() {
    let (listener, origin) = elsewhere().await;
    let (stage, who) = (Stage::with(Rule::new(Fault::ForeignLink { origin }).on(About::Users)), contoso());
    let outcome = stage.page(&who, Kind::User, None).await;
    assert!(matches!(outcome, Err(NoPage::Failure(_))));
    let failure = failure(outcome, Code::BadAnswer);
    assert!(failure.message.contains("another scheme, host or port"), "{failure}");
    assert_eq!(stage.requests(&who), (1, 1));
    nobody_came(listener).await;
}

#[tokio::test]
async fn s9_a_stored_link_to_another_origin_starts_a_full_round() {
    let (listener, origin) = elsewhere().await;
    let (stage, who) = (Stage::new(), contoso());
    let link = format!("{origin}/v1.0/users/delta?$deltatoken=a");
    assert_eq!(told(stage.page(&who, Kind::User, Some(&link)).await), "state gone");
    assert_eq!(stage.requests(&who), (0, 0));
    nobody_came(listener).await;
}

#[tokio::test]
async fn s9_redirects_are_not_followed() {
    let (listener, origin) = elsewhere().await;
    let (graph, graph_origin) = elsewhere().await;
    let stage = Stage::new();
    let client = client(&graph_origin, &stage.standin.login_endpoint());
    let head = format!("HTTP/1.1 302 Found\r\nlocation: {origin}/v1.0/users/delta\r\ncontent-length: 0\r\n\r\n");
    let serve = tokio::spawn(answer_all(graph, head));
    let who = contoso();
    failure(client.page(&who, Kind::User, None, BUDGET).await, Code::BadAnswer);
    assert_eq!(who.meter.read().graph, 5);
    nobody_came(listener).await;
    serve.abort();
}

/// Answer every request with this, on a connection of its own.
async fn answer_all(listener: TcpListener, answer: String) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

#[tokio::test]
async fn what_a_request_says_of_itself() {
    let (graph, graph_origin) = elsewhere().await;
    let stage = Stage::new();
    let client = client(&format!("{graph_origin}/"), &stage.standin.login_endpoint());
    let who = contoso();
    let page = r#"{"value": [], "@odata.deltaLink": "ORIGIN/v1.0/groups/delta?$deltatoken=a"}"#
        .replace("ORIGIN", &graph_origin);
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}", page.len());
    let serve = async {
        let (mut stream, _) = graph.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        head
    };
    let (outcome, head) = tokio::join!(client.page(&who, Kind::Group, None, BUDGET), serve);
    assert_eq!(told(outcome), "0 objects");
    let first = "get /v1.0/groups/delta?$select=id,displayname,mail,proxyaddresses,mailenabled,securityenabled,grouptypes,visibility,members http/1.1\r\n";
    assert!(head.starts_with(first), "{head}");
    for expected in [
        "\r\nuser-agent: entra-sync/",
        "\r\nauthorization: bearer ",
        "\r\nclient-request-id: ",
        "\r\nx-ms-throttle-priority: low\r\n",
    ] {
        assert!(head.contains(expected), "{expected}: {head}");
    }
}

#[tokio::test]
async fn an_answer_beyond_all_measure_is_not_read() {
    let (graph, graph_origin) = elsewhere().await;
    let stage = Stage::new();
    let client = client(&graph_origin, &stage.standin.login_endpoint());
    let answer = format!("HTTP/1.1 500 Oops\r\ncontent-length: 300000\r\n\r\n{}", "x".repeat(300_000));
    let serve = tokio::spawn(answer_all(graph, answer));
    let failure = failure(client.page(&contoso(), Kind::User, None, BUDGET).await, Code::BadAnswer);
    assert!(failure.message.contains("larger than it may be"), "{failure}");
    serve.abort();
}

#[tokio::test]
async fn nobody_at_home() {
    let (listener, origin) = elsewhere().await;
    drop(listener);
    let stage = Stage::new();
    let who = contoso();
    let graphless = client(&origin, &stage.standin.login_endpoint());
    failure(graphless.page(&who, Kind::User, None, BUDGET).await, Code::MicrosoftUnavailable);
    assert_eq!((who.meter.read().sign_in, who.meter.read().graph), (1, 5));
    let loginless = client(&stage.standin.graph_endpoint(), &origin);
    let failure = failure(loginless.page(&contoso(), Kind::User, None, BUDGET).await, Code::MicrosoftUnavailable);
    assert_eq!(failure.message, "Microsoft's sign-in cannot be reached: no connection could be made");
}

#[tokio::test]
async fn https_is_spoken_or_nothing() {
    let stage = Stage::new();
    let tls = stage.standin.login_endpoint().replace("http://", "https://");
    let client = client(&stage.standin.graph_endpoint(), &tls);
    failure(client.page(&contoso(), Kind::User, None, BUDGET).await, Code::MicrosoftUnavailable);
    assert!(stage.standin.requests().is_empty(), "a secret went out in the clear");
}

#[test]
fn s9_plain_http_is_for_loopback() {
    let client = |graph, login| Client::new(graph, login, NoIdentity, Audiences::default());
    let refused = client(Some("http://graph.example.com"), None).unwrap_err();
    assert_eq!(refused.to_string(), "an endpoint cannot be used");
    assert!(client(Some(""), Some(" ")).is_ok(), "an empty parameter is none");
}
