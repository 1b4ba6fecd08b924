//! Credentials: kept for a while, saved again after a deletion, never shown.

use engine::ports::{Place, Secrets};
use platform::{SealedSecrets, SecretStore, SecretsManager, Tables};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::script::{Answer, Script, error, ok};

const SECRET: &str = r#"{"Name": "entra-sync/prod/contoso", "SecretString": "{\"ad_key\": \"s3cret\"}"}"#;
const OTHER: &str = r#"{"Name": "entra-sync/prod/contoso", "SecretString": "{\"ad_key\": \"newer\"}"}"#;
/// What the table says where nothing is sealed.
const NOTHING: &str = "{}";

/// A stack that keeps secrets in Secrets Manager.
pub(crate) fn store(script: &Script) -> SecretStore {
    let config = script.config();
    let manager = SecretsManager::new(aws_sdk_secretsmanager::Client::new(&config), "entra-sync/prod/");
    let tables = Tables::new(aws_sdk_dynamodb::Client::new(&config), "control", "directory");
    let sealed = SealedSecrets::new(aws_sdk_kms::Client::new(&config), tables, "key", "prod");
    SecretStore::new(manager, sealed, Place::SecretsManager)
}

pub(crate) fn contoso() -> directory::TenantId {
    "contoso".parse().unwrap()
}

async fn read(store: &SecretStore) -> Option<String> {
    store.secret(&contoso()).await.unwrap().map(|secret| secret.expose_secret().to_owned())
}

/// Save a credential and name the calls that it took, between two looks at the table.
async fn put(answers: impl IntoIterator<Item = Answer>) -> (bool, String) {
    let script = Script::new([ok(NOTHING)].into_iter().chain(answers));
    let outcome = store(&script).put_secret(&contoso(), &SecretString::from("s3cret")).await;
    let operations = script.operations().join(" ").replace("GetItem", "");
    (outcome.is_ok(), operations.trim().to_owned())
}

#[tokio::test]
async fn a_credential_is_read_once() {
    let script = Script::new([ok(SECRET), ok(OTHER)]);
    let store = store(&script);
    assert_eq!(read(&store).await.as_deref(), Some("s3cret"));
    assert_eq!(read(&store).await.as_deref(), Some("s3cret"));
    assert_eq!(script.asked(), [("GetSecretValue".to_owned(), json!({"SecretId": "entra-sync/prod/contoso"}))]);
    assert!(store.secret_afresh(&contoso()).await.unwrap().is_some());
    assert_eq!(read(&store).await.as_deref(), Some("newer"), "what was read afresh is kept");
    assert_eq!(script.asked().len(), 2);
}

#[tokio::test]
async fn what_is_not_there_is_none_and_is_not_kept() {
    let gone = |code| [error(code), ok(NOTHING)];
    let gone = [gone("ResourceNotFoundException"), gone("InvalidRequestException")].concat();
    let store = store(&Script::new(gone.into_iter().chain([ok(SECRET)])));
    assert_eq!(read(&store).await, None);
    assert_eq!(read(&store).await, None, "marked for deletion");
    assert_eq!(read(&store).await.as_deref(), Some("s3cret"));
}

#[tokio::test]
async fn a_body_of_another_shape_is_a_fault_that_does_not_quote_it() {
    let store = store(&Script::new([ok(r#"{"SecretString": "s3cret"}"#)]));
    let fault = store.secret(&contoso()).await.unwrap_err();
    assert!(!fault.passes && !format!("{fault:?}").contains("s3cret"), "{fault:?}");
}

#[tokio::test]
async fn saving_makes_replaces_and_revives() {
    let (gone, deleting) = (|| error("ResourceNotFoundException"), || error("InvalidRequestException"));
    assert_eq!(put([ok("{}")]).await, (true, "PutSecretValue".into()));
    assert_eq!(put([gone(), ok("{}")]).await, (true, "PutSecretValue CreateSecret".into()));
    let raced = put([gone(), error("ResourceExistsException"), ok("{}")]).await;
    assert_eq!(raced, (true, "PutSecretValue CreateSecret PutSecretValue".into()));
    let scheduled = put([deleting(), ok("{}"), ok("{}")]).await;
    assert_eq!(scheduled, (true, "PutSecretValue RestoreSecret PutSecretValue".into()));
    let still = put([gone(), deleting(), gone(), gone(), ok("{}")]).await;
    assert_eq!(still, (true, "PutSecretValue CreateSecret RestoreSecret PutSecretValue CreateSecret".into()));
    let (saved, _) = put([error("InvalidRequestException")]).await;
    assert!(!saved, "it gives up in the end");
}

#[tokio::test]
async fn what_was_saved_or_deleted_is_not_answered_from_memory() {
    let gone = || error("ResourceNotFoundException");
    let script = Script::new([
        ok(SECRET),
        ok(NOTHING),
        ok("{}"),
        ok(NOTHING),
        ok(OTHER),
        ok("{}"),
        ok("{}"),
        gone(),
        ok(NOTHING),
        ok("{}"),
        gone(),
    ]);
    let store = store(&script);
    assert_eq!(read(&store).await.as_deref(), Some("s3cret"));
    store.put_secret(&contoso(), &SecretString::from("newer")).await.unwrap();
    let put = &script.asked()[2].1;
    assert_eq!(put["SecretString"], json!(r#"{"ad_key":"newer"}"#));
    assert_eq!(put["VersionStages"], json!(["AWSCURRENT", "AWSPENDING"]), "no renewal that failed stays pending");
    assert_eq!(read(&store).await.as_deref(), Some("newer"));
    store.delete_secret(&contoso()).await.unwrap();
    assert_eq!(script.asked()[6].1["ForceDeleteWithoutRecovery"], json!(true));
    assert_eq!(read(&store).await, None);
    store.delete_secret(&contoso()).await.unwrap();
}
