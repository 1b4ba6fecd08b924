//! Signing in: what is refused and why, and when a token is asked for.

use directory::{Cloud, Code, CredentialKind, Kind};
use engine::ports::Graph;
use graph_standin::{About, FABRIKAM, Fault, NORTHWIND, Rule};

use crate::support::{BUDGET, Stage, contoso, failure, told, who};

#[tokio::test]
async fn r1_7_a_refused_credential_says_why() {
    let stage = Stage::new();
    let cause = async |who, code| {
        let failure = failure(stage.client.try_out(&who, BUDGET).await, code);
        let microsoft = failure.microsoft.unwrap();
        assert!(microsoft.correlation_id.is_some() && microsoft.request_id.is_some());
        let cause = failure.message.strip_prefix("Failed to connect. Please check your Azure (Entra ID) Credential: ");
        (cause.unwrap().to_owned(), microsoft.code.unwrap())
    };
    let said = |cause: &str, code: &str| (cause.to_owned(), code.to_owned());
    let expired = cause(who(NORTHWIND), Code::CredentialSecretExpired).await;
    assert_eq!(expired, said("the client secret has expired", "AADSTS7000222"));
    let mut unknown = contoso();
    unknown.secret = "another-value".into();
    let unknown = cause(unknown, Code::CredentialSecretInvalid).await;
    assert_eq!(unknown, said("Entra does not know the client secret", "AADSTS7000215"));
    let mut stranger = contoso();
    stranger.application_id = who(FABRIKAM).application_id;
    let stranger = cause(stranger, Code::ApplicationNotFound).await;
    assert_eq!(stranger, said("the application is not in this directory", "AADSTS700016"));
    let mut nowhere = contoso();
    nowhere.authority = "nowhere.example".to_owned();
    let nowhere = cause(nowhere, Code::DirectoryNotFound).await;
    assert_eq!(nowhere, said("the directory was not found", "AADSTS90002"));
    assert_eq!(stage.standin.count(About::Token), 4, "what is refused is not asked again");
    assert_eq!(stage.standin.requests().len(), 4, "and Graph is not asked at all");
}

#[tokio::test]
async fn r1_7_every_cause_has_its_code() {
    check(700_027, "credential_certificate_invalid").await;
    check(700_213, "credential_federation_mismatch").await;
    check(7_000_112, "application_disabled").await;
    check(900_382, "wrong_cloud").await;
    check(65_001, "consent_missing").await;
    check(53_003, "conditional_access").await;
    check(50_196, "throttled").await;
    check(70_011, "unexpected").await;
}

async fn check(number: u32, expected: &str) {
    let stage = Stage::with(Rule::new(Fault::Aadsts { code: number }).on(About::Token).times(9));
    let who = contoso();
    assert_eq!(told(stage.page(&who, Kind::User, None).await), expected, "{number}");
    assert_eq!(stage.requests(&who), (1, 0), "{number}: no second attempt");
}

#[tokio::test]
async fn trouble_of_the_sign_in_passes() {
    for (fault, expected) in [
        (Fault::Status { code: 503, body: None }, "microsoft_unavailable"),
        (Fault::Aadsts { code: 90_033 }, "microsoft_unavailable"),
        (Fault::Throttle { retry_after: Some("0.001".to_owned()) }, "throttled"),
        (Fault::NotJson, "bad_answer"),
        (Fault::Cut, "bad_answer"),
    ] {
        let rule = Rule::new(fault.clone()).on(About::Token);
        let (once, who) = (Stage::with(rule.clone()), contoso());
        assert_eq!(told(once.page(&who, Kind::User, None).await), "16 objects", "{fault:?}");
        assert_eq!(once.requests(&who), (2, 1), "{fault:?}");
        let (always, who) = (Stage::with(rule.times(99)), contoso());
        assert_eq!(told(always.page(&who, Kind::User, None).await), expected, "{fault:?}");
        assert_eq!(always.requests(&who), (5, 0), "{fault:?}");
    }
}

#[tokio::test]
async fn one_token_serves_two_readers_at_once() {
    let (stage, who) = (Stage::new(), contoso());
    let users = stage.page(&who, Kind::User, None);
    let groups = stage.page(&who, Kind::Group, None);
    let (users, groups) = tokio::join!(users, groups);
    assert_eq!((told(users), told(groups)), ("16 objects".to_owned(), "7 objects".to_owned()));
    assert_eq!(stage.requests(&who), (1, 2));
}

#[tokio::test]
async fn r1_8_secrets_are_trimmed_and_the_authority_may_be_a_domain() {
    let (stage, mut who) = (Stage::new(), contoso());
    who.secret = " demo-contoso-value\n".into();
    who.authority = "contoso.com".to_owned();
    assert_eq!(told(stage.page(&who, Kind::User, None).await), "16 objects");
}

#[tokio::test]
async fn r1_10_the_scope_is_the_clouds_own() {
    for cloud in [Cloud::Global, Cloud::UsGov, Cloud::UsGovDod, Cloud::China] {
        let (stage, mut who) = (Stage::new(), contoso());
        who.cloud = cloud;
        assert_eq!(told(stage.page(&who, Kind::User, None).await), "16 objects", "{cloud:?}");
    }
}

#[tokio::test]
async fn r7_2_another_secret_never_uses_this_ones_token() {
    let (stage, who, mut other) = (Stage::new(), contoso(), contoso());
    stage.client.try_out(&who, BUDGET).await.unwrap();
    other.secret = "wrong-value".into();
    failure(stage.page(&other, Kind::User, None).await, Code::CredentialSecretInvalid);
    assert_eq!(told(stage.page(&who, Kind::User, None).await), "16 objects");
    assert_eq!(stage.standin.count(About::Token), 2, "and a refused one does not cost this one's token");
}

#[tokio::test]
async fn r1_5_trying_out_reads_one_user_and_one_group_with_a_fresh_token() {
    let (stage, who) = (Stage::new(), contoso());
    stage.client.try_out(&who, BUDGET).await.unwrap();
    assert_eq!(stage.requests(&who), (1, 2));
    stage.client.try_out(&who, BUDGET).await.unwrap();
    assert_eq!(stage.requests(&who), (2, 4));
    let paths: Vec<_> = stage.standin.requests().into_iter().skip(4).map(|request| request.path).collect();
    assert_eq!(paths, ["/v1.0/users?$top=1&$select=id", "/v1.0/groups?$top=1&$select=id"]);
}

#[tokio::test]
async fn a_token_is_kept_until_it_is_forgotten() {
    let (stage, who) = (Stage::new(), contoso());
    for _ in 0..3 {
        stage.page(&who, Kind::User, None).await.unwrap();
    }
    assert_eq!(stage.requests(&who), (1, 3));
    stage.client.forget(&who);
    stage.page(&who, Kind::User, None).await.unwrap();
    assert_eq!(stage.requests(&who), (2, 4));
}

#[tokio::test]
async fn nothing_is_asked_without_a_credential() {
    let (stage, mut who) = (Stage::new(), contoso());
    for (kind, secret, code) in [
        (CredentialKind::Secret, " ", Code::CredentialSecretInvalid),
        (CredentialKind::Certificate, "a-value", Code::CredentialCertificateInvalid),
        (CredentialKind::Federated, "", Code::CredentialFederationMismatch),
    ] {
        (who.kind, who.secret) = (kind, secret.into());
        failure(stage.client.try_out(&who, BUDGET).await, code);
        assert_eq!(stage.requests(&who), (0, 0), "{kind:?}");
    }
}
