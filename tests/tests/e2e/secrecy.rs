//! No credential shows anywhere: tables, answers, mails, logs (rule 1.3).

use serde_json::json;

use crate::company::{Company, SECRET};

#[tokio::test]
async fn r1_3_a_secret_shows_nowhere() {
    let company = Company::connected(4, 1, 1201).await;
    let mut answers = Vec::new();
    answers.push(company.sync(json!({"action": "sync"})).await);
    answers.push(company.admin(json!({"action": "get_tenant"})).await);
    answers.push(company.admin(json!({"action": "test_connection"})).await);
    answers.push(company.admin(json!({"action": "put_secret", "ad_key": "wrong-on-purpose-1201"})).await);
    answers.push(
        company.admin(json!({"action": "put_tenant", "settings": {"credential": "wrong-on-purpose-1201"}})).await,
    );
    answers.push(company.invoke("Report", json!({"date": "2026-11-22", "preview": true})).await);
    for table in ["ControlTable", "DirectoryTable"] {
        answers.push(company.stack.scan(table).await.unwrap());
    }
    let log = company.stack.log().unwrap();
    // Tokens begin with one of the last two, and shorter beginnings come up by chance in what is stored compressed.
    for secret in [SECRET, "wrong-on-purpose-1201", "eyJhbGciOi", "eyJ0eXAiOi"] {
        for answer in &answers {
            assert!(!answer.to_string().contains(secret), "{secret} shows in {answer}");
        }
        assert!(!log.contains(secret), "{secret} shows in the log");
    }
    assert!(log.contains("run ends"), "the log is the functions' log");
}
