//! What all stories together have left behind: no credential, assertion or token shows in anything that was logged,
//! answered, mailed or kept (rule 1.3). Runs after the stories of `e2e`, on the stack that they ran on.

use serde_json::{Value, json};
use tests::stack::Stack;

/// How the credentials of the stories begin or end, also of those that are no longer used.
const CREDENTIALS: [&str; 6] = [
    "-company-value",
    "~demo-value",
    "wrong-on-purpose",
    "Wr0ng~on~purpose",
    "N3w~secret~of~this~story",
    "PRIVATE KEY-----",
];
/// The beginning of every RSA key in PKCS#8, behind its length.
const KEY: &str = "IBADANBgkqhkiG9w0BAQEFAASC";

/// The first signed token (JWT) in a text.
fn token(text: &str) -> Option<&str> {
    let part = |text: &str| text.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"-_".contains(b)).count();
    text.match_indices("eyJ").find_map(|(at, _)| {
        let rest = &text[at..];
        let header = part(rest);
        let claims = rest[header..].strip_prefix('.').map(part)?;
        (header > 15 && claims > 15).then(|| &rest[..header])
    })
}

/// Everything that shows in a text and must not.
fn found(text: &str) -> Vec<&str> {
    let known = CREDENTIALS.into_iter().chain([KEY]).filter(|known| text.contains(known));
    known.chain(token(text)).collect()
}

#[tokio::test]
async fn r1_3_no_credential_shows_in_what_the_whole_run_has_left_behind() {
    let stack = Stack::from_env().unwrap();
    let mut left = vec![
        ("the logs", stack.log().unwrap()),
        ("the answers", stack.answers().unwrap_or_else(|err| panic!("the stories of e2e run before: {err}"))),
        ("the mails", json!(stack.mails().await.unwrap()).to_string()),
    ];
    for table in ["ControlTable", "DirectoryTable"] {
        left.push((table, stack.scan(table).await.unwrap().to_string()));
    }
    for (what, text) in &left {
        assert!(text.len() > 10_000, "{what} hold next to nothing, so that nothing was looked at");
        assert_eq!(found(text), Vec::<&str>::new(), "in {what}");
    }
}

#[tokio::test]
async fn what_shows_is_found() {
    let stack = Stack::from_env().unwrap();
    let everything = stack.control("companies", &json!({"users": 0, "groups": 0, "seed": 9999})).await.unwrap();
    assert_eq!(found(&everything.to_string()), ["-company-value"]);
    let identity = format!("{}/?Action=GetWebIdentityToken", stack.value("IDENTITY_ENDPOINT").unwrap());
    let form = "Action=GetWebIdentityToken&Version=2011-06-15&Audience.member.1=a&SigningAlgorithm=RS256";
    let asked = reqwest::Client::new().post(identity).header("content-type", "application/x-www-form-urlencoded");
    let issued = asked.body(form).send().await.unwrap().text().await.unwrap();
    assert!(token(&issued).is_some_and(|header| header.starts_with("eyJ")), "{issued}");
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    assert_eq!(found(&Value::String(key.serialize_pem()).to_string()), ["PRIVATE KEY-----", KEY]);
}
