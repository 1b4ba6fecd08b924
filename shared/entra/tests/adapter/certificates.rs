//! Signing in with a certificate (rule 1.3).

use directory::{Code, CredentialKind, Kind};
use engine::ports::{Connection, Graph};
use graph_standin::{About, ApplicationChange, Certificate, Fault, Rule};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};

use crate::{
    logged::Log,
    support::{BUDGET, Stage, contoso, failure, told},
};

/// The PEM of a new key, and that of its certificate.
fn made() -> (String, String) {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let certificate = CertificateParams::new(vec!["entra-sync.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    (key.serialize_pem(), certificate.pem())
}

fn with(pem: String) -> Connection {
    let mut who = contoso();
    (who.kind, who.secret) = (CredentialKind::Certificate, pem.into());
    who
}

fn register(stage: &Stage, certificate: &str) {
    let certificates = Some(vec![Certificate::new(certificate).unwrap()]);
    stage.application(ApplicationChange { certificates, ..Default::default() });
}

#[tokio::test]
async fn r1_3_a_registered_certificate_signs_in() {
    let (log, _guard) = Log::start();
    let (stage, (key, certificate)) = (Stage::new(), made());
    register(&stage, &certificate);
    let who = with(format!("{certificate}{key}"));
    stage.client.try_out(&who, BUDGET).await.unwrap();
    assert_eq!(told(stage.page(&who, Kind::User, None).await), "16 objects");
    assert_eq!(stage.requests(&who), (1, 3));
    let by_domain = Connection { authority: "contoso.com".to_owned(), ..with(format!("{key}{certificate}")) };
    stage.client.try_out(&by_domain, BUDGET).await.unwrap();
    let told = stage.client.certificate(&who.secret).unwrap();
    let registered = serde_json::to_value(Certificate::new(&certificate).unwrap()).unwrap();
    assert_eq!(told.thumbprint, registered["thumbprint"]);
    log.without(&[key.lines().nth(1).unwrap(), certificate.lines().nth(1).unwrap()]);
}

#[tokio::test]
async fn r1_3_an_unknown_certificate_is_refused_at_once() {
    let (log, _guard) = Log::start();
    let (stage, (key, certificate), (_, other)) = (Stage::new(), made(), made());
    let who = with(format!("{key}{certificate}"));
    for registered in [None, Some(other)] {
        registered.iter().for_each(|registered| register(&stage, registered));
        let failure = failure(stage.client.try_out(&who, BUDGET).await, Code::CredentialCertificateInvalid);
        assert!(failure.message.contains("Entra does not know the certificate"), "{failure}");
        assert_eq!(failure.microsoft.unwrap().code.as_deref(), Some("AADSTS700027"));
    }
    assert_eq!(stage.requests(&who), (2, 0));
    assert!(log.without(&[key.lines().nth(1).unwrap()]).contains("AADSTS700027"));
}

#[tokio::test]
async fn r1_3_an_assertion_outside_its_time_is_made_anew_once() {
    let (key, certificate) = made();
    for (times, requests, expected) in [(1, (2, 1), "16 objects"), (9, (2, 0), "credential_certificate_invalid")] {
        let stage = Stage::with(Rule::new(Fault::Aadsts { code: 700_024 }).on(About::Token).times(times));
        register(&stage, &certificate);
        let who = with(format!("{key}{certificate}"));
        assert_eq!(told(stage.page(&who, Kind::User, None).await), expected);
        assert_eq!(stage.requests(&who), requests);
    }
}

#[tokio::test]
async fn r1_3_a_pair_that_is_none_is_said_before_anything_is_asked() {
    let (stage, (key, _), (_, other)) = (Stage::new(), made(), made());
    let who = with(format!("{key}{other}"));
    let apart = "the private key and the certificate do not belong together";
    let invalid = failure(stage.client.certificate(&who.secret), Code::InvalidInput);
    assert!(invalid.message.ends_with(apart), "{invalid}");
    let refused = failure(stage.client.try_out(&who, BUDGET).await, Code::CredentialCertificateInvalid);
    assert!(refused.message.ends_with(apart), "{refused}");
    assert_eq!(stage.requests(&who), (0, 0));
}
