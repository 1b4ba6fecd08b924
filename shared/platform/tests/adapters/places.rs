//! A secret in either place, and on its way: Secrets Manager, KMS and the table in memory, killed at every call.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use engine::ports::{
    Moved,
    Place::{self, Kms, SecretsManager as Manager},
    Secrets,
};
use futures::{future::maybe_done, poll};
use platform::{SealedSecrets, SecretStore, SecretsManager, Tables};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::script::{Answer, Script, error, ok};

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/sealing";
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:entra-sync-prod-rotate";

/// What the three services hold of one tenant.
#[derive(Debug, Default)]
struct World {
    /// The body in Secrets Manager.
    managed: Option<String>,
    rotates: bool,
    /// The item of the table.
    item: Option<Value>,
    /// Answers what was asked until this many calls have been made.
    calls_left: Option<usize>,
    /// Somebody saves this when the secret was read that often more.
    saved_after: Option<(usize, String)>,
}

impl World {
    fn answer(&mut self, operation: &str, body: &Value) -> Answer {
        match &mut self.calls_left {
            Some(0) => return error("AccessDeniedException"),
            Some(left) => *left -= 1,
            None => (),
        }
        let gone = || error("ResourceNotFoundException");
        let text = |body: &Value| body["SecretString"].as_str().map(str::to_owned);
        match operation {
            "DescribeSecret" if self.managed.is_some() => ok(&json!({"RotationEnabled": self.rotates}).to_string()),
            "GetSecretValue" => match self.managed.clone() {
                Some(managed) => {
                    self.meet();
                    ok(&json!({"SecretString": managed}).to_string())
                }
                None => gone(),
            },
            "CreateSecret" => {
                self.managed = text(body);
                ok("{}")
            }
            "PutSecretValue" if self.managed.is_some() => {
                self.managed = text(body);
                ok("{}")
            }
            "DeleteSecret" if self.managed.take().is_some() => ok("{}"),
            "RotateSecret" => {
                self.rotates = true;
                ok("{}")
            }
            "DescribeSecret" | "PutSecretValue" | "DeleteSecret" => gone(),
            // Whoever asks: somebody may have copied it to another tenant.
            "GetItem" => {
                let mut item = self.item.clone();
                if let Some(item) = &mut item {
                    item["pk"] = body["Key"]["pk"].clone();
                }
                ok(&json!({"Item": item}).to_string())
            }
            "PutItem" => {
                self.item = Some(body["Item"].clone());
                ok("{}")
            }
            "DeleteItem" => {
                self.item = None;
                ok("{}")
            }
            "GenerateDataKey" => {
                let key = STANDARD.encode([7; 32]);
                let blob = STANDARD.encode(body["EncryptionContext"].to_string());
                ok(&json!({"CiphertextBlob": blob, "Plaintext": key, "KeyId": KEY}).to_string())
            }
            "Decrypt" => {
                let bound_to = STANDARD.encode(body["EncryptionContext"].to_string());
                if body["CiphertextBlob"] == bound_to {
                    ok(&json!({"Plaintext": STANDARD.encode([7; 32]), "KeyId": KEY}).to_string())
                } else {
                    error("InvalidCiphertextException")
                }
            }
            other => panic!("nobody should ask for {other}"),
        }
    }

    fn meet(&mut self) {
        match self.saved_after.take() {
            Some((0, secret)) => self.managed = Some(body(&secret)),
            Some((more, secret)) => self.saved_after = Some((more - 1, secret)),
            None => (),
        }
    }
}

fn body(secret: &str) -> String {
    json!({"ad_key": secret}).to_string()
}

struct Stage {
    world: Arc<Mutex<World>>,
    script: Script,
}

impl Stage {
    fn new() -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        let answering = world.clone();
        Self { world, script: Script::by(move |operation, body| answering.lock().unwrap().answer(operation, body)) }
    }

    /// As a function of a stack with this place of its own sees it, nothing in its memory.
    fn store(&self, own: Place) -> SecretStore {
        let config = self.script.config();
        let manager = SecretsManager::new(aws_sdk_secretsmanager::Client::new(&config), "entra-sync/prod/");
        let tables = Tables::new(aws_sdk_dynamodb::Client::new(&config), "control", "directory");
        let sealed = SealedSecrets::new(aws_sdk_kms::Client::new(&config), tables, KEY, "prod");
        SecretStore::new(manager, sealed, own).renewed_by(Some(FUNCTION))
    }

    async fn holding(own: Place, secret: &str) -> Self {
        let stage = Self::new();
        stage.put(own, secret).await;
        stage
    }

    async fn put(&self, own: Place, secret: &str) {
        self.store(own).put_secret(&contoso(), &secret.into()).await.unwrap();
    }

    async fn read(&self, own: Place) -> Option<String> {
        let secret = self.store(own).secret(&contoso()).await.unwrap();
        secret.map(|secret| secret.expose_secret().to_owned())
    }

    fn places(&self) -> Vec<Place> {
        let world = self.world.lock().unwrap();
        let held = [(Manager, world.managed.is_some()), (Kms, world.item.is_some())];
        held.into_iter().filter(|(_, held)| *held).map(|(place, _)| place).collect()
    }

    fn stop_after(&self, calls: Option<usize>) {
        self.world.lock().unwrap().calls_left = calls;
    }
}

fn contoso() -> directory::TenantId {
    "contoso".parse().unwrap()
}

#[tokio::test]
async fn s1_3_a_secret_goes_to_the_stacks_own_place_and_stays_there() {
    for own in [Manager, Kms] {
        let stage = Stage::holding(own, "one").await;
        assert_eq!(stage.places(), [own]);
        for later in [Manager, Kms] {
            assert_eq!(stage.read(later).await.as_deref(), Some("one"));
            stage.put(later, "one").await;
            assert_eq!(stage.places(), [own], "another choice is for new secrets");
        }
        stage.store(own).delete_secret(&contoso()).await.unwrap();
        assert_eq!((stage.places(), stage.read(own).await), (vec![], None));
        stage.store(own).delete_secret(&contoso()).await.unwrap();
    }
}

#[tokio::test]
async fn s1_3_what_is_sealed_names_its_tenant_and_cannot_be_read() {
    let stage = Stage::holding(Kms, "s3cret").await;
    assert_eq!(stage.read(Kms).await.as_deref(), Some("s3cret"));
    let asked = stage.script.asked();
    let context = json!({"entra-sync:stage": "prod", "entra-sync:tenant": "contoso"});
    let (_, generate) = asked.iter().find(|(operation, _)| operation == "GenerateDataKey").unwrap();
    assert_eq!(*generate, json!({"KeyId": KEY, "KeySpec": "AES_256", "EncryptionContext": context}));
    let (_, decrypt) = asked.iter().find(|(operation, _)| operation == "Decrypt").unwrap();
    assert_eq!((&decrypt["KeyId"], &decrypt["EncryptionContext"]), (&json!(KEY), &context));
    let item = stage.world.lock().unwrap().item.clone().unwrap();
    assert_eq!((&item["pk"]["S"], &item["sk"]["S"]), (&json!("T#contoso"), &json!("SECRET")));
    let names: Vec<_> = item.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["nonce", "pk", "sealed", "sealed_key", "sk"]);
    assert!(!item.to_string().contains("s3cret"), "{item}");
    assert_eq!(
        format!("{:?}", stage.store(Kms)),
        format!("SecretStore(SecretsManager(entra-sync/prod/), SealedSecrets({KEY}))")
    );
}

#[tokio::test]
async fn s1_3_what_is_sealed_for_one_tenant_does_not_open_for_another() {
    let stage = Stage::holding(Kms, "s3cret").await;
    let fabrikam = "fabrikam".parse().unwrap();
    let fault = stage.store(Kms).secret(&fabrikam).await.unwrap_err();
    let expected = "the sealed secret of fabrikam does not open: it was sealed for another tenant or stage, or changed \
        since; save it again";
    assert_eq!((fault.to_string().as_str(), fault.passes), (expected, false));
    for name in ["sealed", "nonce", "sealed_key"] {
        let stage = Stage::holding(Kms, "s3cret").await;
        for wrong in ["AAAA", "no base64!"] {
            stage.world.lock().unwrap().item.as_mut().unwrap()[name]["S"] = json!(wrong);
            let fault = stage.store(Kms).secret(&contoso()).await.unwrap_err();
            assert!(!fault.passes && fault.to_string().starts_with("the sealed secret of contoso does not open"));
            assert!(!format!("{fault:?}").contains(wrong), "{fault:?}");
        }
        stage.put(Kms, "newer").await;
        assert_eq!(stage.read(Kms).await.as_deref(), Some("newer"), "saving again mends it");
    }
}

#[tokio::test]
async fn s1_3_a_move_killed_at_any_call_loses_nothing_and_is_repeated() {
    for own in [Manager, Kms] {
        for (from, to) in [(Manager, Kms), (Kms, Manager)] {
            for calls in 0..20 {
                let stage = Stage::holding(from, "one").await;
                stage.stop_after(Some(calls));
                let moved = stage.store(own).move_secret(&contoso(), to).await;
                stage.stop_after(None);
                assert_eq!(stage.read(own).await.as_deref(), Some("one"), "after {calls} calls");
                // Whatever is saved now counts, also for a stack that has chosen otherwise since.
                stage.put(own, "two").await;
                for later in [Manager, Kms] {
                    assert_eq!(stage.read(later).await.as_deref(), Some("two"), "after {calls} calls");
                }
                assert_ne!(stage.store(own).move_secret(&contoso(), to).await.unwrap(), Moved::NoSecret);
                assert_eq!((stage.places(), stage.read(own).await.as_deref()), (vec![to], Some("two")));
                assert_eq!(stage.store(own).move_secret(&contoso(), to).await.unwrap(), Moved::AlreadyThere, "again");
                if moved.is_ok() {
                    break;
                }
                assert!(calls < 19, "it ends");
            }
        }
    }
    let stage = Stage::new();
    assert_eq!(stage.store(Kms).move_secret(&contoso(), Kms).await.unwrap(), Moved::NoSecret, "nothing to move");
}

#[tokio::test]
async fn s1_3_a_save_that_is_killed_leaves_the_old_secret_or_the_new() {
    for own in [Manager, Kms] {
        for calls in 0..14 {
            // In both places, as a move leaves it that was cut short.
            let stage = Stage::holding(Kms, "one").await;
            stage.world.lock().unwrap().managed = Some(body("one"));
            stage.stop_after(Some(calls));
            let saved = stage.store(own).put_secret(&contoso(), &SecretString::from("two")).await;
            stage.stop_after(None);
            let left = stage.read(own).await.unwrap();
            assert!(left == "two" || saved.is_err() && left == "one", "after {calls} calls: {left}");
            if saved.is_ok() {
                for later in [Manager, Kms] {
                    assert_eq!(stage.read(later).await.as_deref(), Some("two"), "both were replaced");
                }
            }
        }
    }
}

#[tokio::test]
async fn s1_3_what_is_saved_while_it_moves_is_what_is_left() {
    for (own, from, to) in [(Manager, Manager, Kms), (Manager, Kms, Manager), (Kms, Manager, Kms), (Kms, Kms, Manager)]
    {
        // The save begins after some calls of the move, which goes on after some of the save.
        for (before, begun, between) in turns() {
            let stage = Stage::holding(from, "one").await;
            let (mover, saver, contoso, two) =
                (stage.store(own), stage.store(own), contoso(), SecretString::from("two"));
            let mut moving = pin!(maybe_done(mover.move_secret(&contoso, to)));
            let mut saving = pin!(maybe_done(saver.put_secret(&contoso, &two)));
            for turn in 0..before + begun + between {
                if (before..before + begun).contains(&turn) {
                    let _ = poll!(saving.as_mut());
                } else {
                    let _ = poll!(moving.as_mut());
                }
            }
            saving.as_mut().await;
            moving.await;
            saving.take_output().unwrap().unwrap();
            let left = stage.read(own).await;
            assert_eq!(left.as_deref(), Some("two"), "{from:?} to {to:?}, {before}, {begun}, {between}");
        }
    }
}

/// So many calls of the one, then of the other, then of the first again.
fn turns() -> impl Iterator<Item = (usize, usize, usize)> {
    (3..9).flat_map(|before| (1..7).flat_map(move |begun| [3, 5].map(|between| (before, begun, between))))
}

#[tokio::test]
async fn a_secret_that_is_saved_while_it_moves_moves_as_it_was_saved() {
    for own in [Manager, Kms] {
        let stage = Stage::holding(Manager, "one").await;
        stage.world.lock().unwrap().saved_after = Some((0, "two".into()));
        assert_eq!(stage.store(own).move_secret(&contoso(), Kms).await.unwrap(), Moved::Moved);
        assert_eq!((stage.places(), stage.read(own).await.as_deref()), (vec![Kms], Some("two")));
    }
}

#[tokio::test]
async fn s7_3_what_a_rotation_noted_moves_along() {
    let noted = r#"{"ad_key":"s3cret","key_id":"k2","retires":"k1"}"#;
    let stage = Stage::holding(Manager, "one").await;
    stage.world.lock().unwrap().managed = Some(noted.into());
    for to in [Kms, Manager] {
        assert_eq!(stage.store(Manager).move_secret(&contoso(), to).await.unwrap(), Moved::Moved);
    }
    assert_eq!(stage.world.lock().unwrap().managed.as_deref(), Some(noted));
}

#[tokio::test]
async fn s7_3_only_what_is_in_secrets_manager_is_renewed_by_itself() {
    let stage = Stage::holding(Kms, "one").await;
    assert!(stage.store(Kms).start_rotation(&contoso()).await.unwrap());
    assert_eq!((stage.places(), stage.read(Kms).await.as_deref()), (vec![Manager], Some("one")));
    let fault = stage.store(Kms).move_secret(&contoso(), Kms).await.unwrap_err();
    assert!(!fault.passes && fault.to_string().contains("renewed by itself"), "{fault}");
    assert_eq!(stage.places(), [Manager]);
    assert!(!Stage::new().store(Kms).start_rotation(&contoso()).await.unwrap(), "there is none");
}
