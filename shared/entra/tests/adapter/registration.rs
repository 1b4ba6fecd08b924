//! The application's own registration: read where that is allowed (rule 6.5), changed where that is wanted (rule 7.3).

use directory::{Code, Failure};
use engine::ports::{Connection, Graph, NewSecret, NotAdded};
use graph_standin::{About, ApplicationChange, CONTOSO, Certificate, Change, Fault, Policy, Rule};
use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::{
    logged::Log,
    permissions::with_roles,
    support::{BUDGET, Failed, Stage, contoso, failure},
};

const OWNED: [&str; 2] = ["Directory.Read.All", "Application.ReadWrite.OwnedBy"];

fn ends() -> Timestamp {
    "2027-01-02T03:04:05.6Z".parse().unwrap()
}

async fn add(stage: &Stage, who: &Connection) -> Result<NewSecret, NotAdded> {
    stage.client.add_secret(who, "entra-sync 2026-07-06", ends(), BUDGET).await
}

fn not_added(outcome: Result<NewSecret, NotAdded>, code: Code) -> Failure {
    let failed = outcome.map_err(|not| match not {
        NotAdded::TooLong(failure) | NotAdded::Failure(failure) => Failed::from(failure),
    });
    failure(failed, code)
}

/// How many secrets Contoso's application has.
async fn secrets(stage: &Stage) -> usize {
    stage.client.registration(&contoso(), BUDGET).await.unwrap().unwrap().secrets.len()
}

#[tokio::test]
async fn r6_5_secrets_and_certificates_with_their_ends() {
    let (log, _guard) = Log::start();
    for role in ["Application.Read.All", "Application.ReadWrite.All", "Application.ReadWrite.OwnedBy"] {
        let (stage, who) = (with_roles(&["Directory.Read.All", role]), contoso());
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let pem = CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem();
        let certificates = Some(vec![Certificate::new(&pem).unwrap()]);
        stage.application(ApplicationChange { certificates, ..Default::default() });
        let registration = stage.client.registration(&who, BUDGET).await.unwrap().unwrap();
        let [secret] = registration.secrets.as_slice() else { panic!("{registration:?}") };
        assert_eq!((registration.name.as_str(), secret.mark.as_deref()), ("Entra Sync", Some("dem")), "{role}");
        assert_eq!(secret.ends.to_string(), "2030-01-31T10:00:00Z");
        let mark = registration.certificates[0].mark.as_deref().unwrap();
        assert!(mark.len() == 40 && mark.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_lowercase()), "{mark}");
        assert_eq!(stage.requests(&who), (1, 1));
        let path = stage.standin.requests().pop().unwrap().path;
        assert!(path.ends_with("?$select=id,appId,displayName,passwordCredentials,keyCredentials"), "{path}");
    }
    log.without(&[]);
}

#[tokio::test]
async fn r1_9_nothing_is_asked_that_the_roles_do_not_allow() {
    let (stage, who) = (with_roles(&["Directory.Read.All"]), contoso());
    assert_eq!(stage.client.registration(&who, BUDGET).await.unwrap(), None);
    assert_eq!(stage.requests(&who), (1, 0));
}

#[tokio::test]
async fn r6_5_a_registration_elsewhere_or_not_our_own_is_none() {
    let (log, _guard) = Log::start();
    let gone = json!({"error": {"code": "Request_ResourceNotFound", "message": "x"}});
    for fault in [Fault::Status { code: 404, body: Some(gone) }, Fault::Forbidden] {
        let (stage, who) = (with_roles(&OWNED), contoso());
        stage.standin.fault(Rule::new(fault.clone()).path("applications"));
        assert_eq!(stage.client.registration(&who, BUDGET).await.unwrap(), None, "{fault:?}");
        assert_eq!(stage.requests(&who), (1, 1));
    }
    let text = log.without(&[]);
    assert!(text.contains("Request_ResourceNotFound") && text.contains("Authorization_RequestDenied"), "{text}");
    assert!(!text.contains("WARN"), "{text}");
    let stage = with_roles(&OWNED);
    stage.standin.fault(Rule::new(Fault::Status { code: 503, body: None }).path("applications").times(99));
    failure(stage.client.registration(&contoso(), BUDGET).await, Code::MicrosoftUnavailable);
}

#[tokio::test]
async fn r7_3_a_secret_is_added_used_and_removed() {
    let (log, _guard) = Log::start();
    let (stage, who) = (with_roles(&OWNED), contoso());
    let added = add(&stage, &who).await.unwrap();
    assert_eq!(added.ends.to_string(), "2027-01-02T03:04:06Z");
    let registration = stage.client.registration(&who, BUDGET).await.unwrap().unwrap();
    let listed = registration.secrets.iter().find(|secret| secret.key_id == added.key_id).unwrap();
    assert_eq!(listed.name.as_deref(), Some("entra-sync 2026-07-06"));
    let mut renewed = contoso();
    renewed.secret = added.value.clone();
    stage.client.try_out(&renewed, BUDGET).await.unwrap();
    let old = registration.secrets.iter().find(|secret| secret.key_id != added.key_id).unwrap();
    for _ in 0..2 {
        stage.client.remove_secret(&renewed, &old.key_id, BUDGET).await.unwrap();
    }
    failure(stage.client.try_out(&who, BUDGET).await, Code::CredentialSecretInvalid);
    log.without(&[added.value.expose_secret()]);
}

#[tokio::test]
async fn r7_3_an_unclear_outcome_is_not_repeated() {
    for (fault, code, added) in [
        (Fault::Status { code: 503, body: None }, Code::MicrosoftUnavailable, 0),
        (Fault::Status { code: 500, body: None }, Code::MicrosoftUnavailable, 0),
        (Fault::Status { code: 404, body: None }, Code::MicrosoftUnavailable, 0),
        (Fault::NotJson, Code::BadAnswer, 0),
        (Fault::Cut, Code::BadAnswer, 1),
        (Fault::Garble, Code::BadAnswer, 1),
    ] {
        let (stage, who) = (with_roles(&OWNED), contoso());
        stage.standin.fault(Rule::new(fault.clone()).path("addPassword").times(99));
        not_added(add(&stage, &who).await, code);
        assert_eq!(stage.requests(&who), (1, 2), "{fault:?}: the object id is read, and a secret asked for once");
        assert_eq!(secrets(&stage).await, 1 + added, "{fault:?}");
    }
}

#[tokio::test]
async fn r7_3_what_certainly_did_nothing_is_repeated() {
    for (fault, requests) in
        [(Fault::Throttle { retry_after: Some("0.001".to_owned()) }, (1, 3)), (Fault::ExpireToken, (2, 3))]
    {
        let (stage, who) = (with_roles(&OWNED), contoso());
        stage.standin.fault(Rule::new(fault.clone()).path("addPassword"));
        add(&stage, &who).await.unwrap();
        assert_eq!(stage.requests(&who), requests, "{fault:?}");
        assert_eq!(secrets(&stage).await, 2, "{fault:?}");
    }
}

#[tokio::test]
async fn r7_3_the_directorys_policy_is_told_apart() {
    let (stage, who) = (with_roles(&OWNED), contoso());
    let policy = |policy| stage.standin.change(CONTOSO.name, Change::SetPolicy(policy)).unwrap();
    policy(Policy { password_lifetime_days: Some(1), ..Policy::default() });
    let long = stage.client.add_secret(&who, "n", "2099-01-01T00:00:00Z".parse().unwrap(), BUDGET).await;
    assert!(matches!(long, Err(NotAdded::TooLong(_))));
    let too_long = not_added(long, Code::PermissionMissing);
    assert!(too_long.message.contains("a shorter life"), "{too_long}");
    policy(Policy { passwords_forbidden: true, ..Policy::default() });
    let forbidden = add(&stage, &who).await;
    assert!(matches!(forbidden, Err(NotAdded::Failure(_))));
    let forbidden = not_added(forbidden, Code::PermissionMissing);
    assert!(forbidden.message.contains("forbids new client secrets"), "{forbidden}");
    assert!(forbidden.help.contains("use a certificate or a federated credential"), "{forbidden:?}");
    let said = forbidden.microsoft.unwrap().code;
    assert_eq!(said.as_deref(), Some("CredentialTypeNotAllowedAsPerAppPolicy"));
    assert_eq!(stage.requests(&who), (1, 4), "no try is repeated");
}

#[tokio::test]
async fn r7_3_the_missing_permission_is_named() {
    let (unowned, unallowed) = (with_roles(&OWNED), with_roles(&["Directory.Read.All", "Application.Read.All"]));
    unowned.application(ApplicationChange { owned: Some(false), ..Default::default() });
    for stage in [unowned, unallowed] {
        let added = not_added(add(&stage, &contoso()).await, Code::PermissionMissing);
        let removed = stage.client.remove_secret(&contoso(), "a", BUDGET).await;
        for failure in [added, failure(removed, Code::PermissionMissing)] {
            assert!(failure.message.contains("Application.ReadWrite.OwnedBy"), "{failure}");
            assert!(failure.message.contains("owners") && failure.consent_link.is_some(), "{failure}");
        }
    }
}

#[tokio::test]
async fn r7_3_removing_is_repeated_until_it_is_answered() {
    let (stage, who) = (with_roles(&OWNED), contoso());
    let added = add(&stage, &who).await.unwrap();
    stage.standin.fault(Rule::new(Fault::Status { code: 503, body: None }).on(About::Other).path("removePassword"));
    stage.client.remove_secret(&who, &added.key_id, BUDGET).await.unwrap();
    assert_eq!(secrets(&stage).await, 1);
    // What Graph does not understand, of a secret that is still there, is a failure.
    let added = add(&stage, &who).await.unwrap();
    let body = json!({"error": {"code": "Request_BadRequest", "message": "x"}});
    stage.standin.fault(Rule::new(Fault::Status { code: 400, body: Some(body) }).path("removePassword"));
    failure(stage.client.remove_secret(&who, &added.key_id, BUDGET).await, Code::Unexpected);
    let gone = json!({"error": {"code": "Request_ResourceNotFound", "message": "x"}});
    stage.standin.fault(Rule::new(Fault::Status { code: 404, body: Some(gone) }).path("addPassword"));
    not_added(add(&stage, &who).await, Code::NotFound);
}
