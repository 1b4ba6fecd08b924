//! Credentials that are no shared secret: a certificate, and the identity of the cloud account.

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd};
use serde_json::{Value, json};

use crate::company::{Company, counts};

/// The PEM of a new key, and that of its certificate, which ends in 2031.
fn made() -> (String, String) {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let mut certificate = CertificateParams::new(vec!["entra-sync.example".to_owned()]).unwrap();
    certificate.not_after = date_time_ymd(2031, 2, 3);
    (key.serialize_pem(), certificate.self_signed(&key).unwrap().pem())
}

/// A company that is to sign in by a kind of credential.
async fn company_by(kind: &str, seed: u64, application: impl Fn(&Company) -> Value) -> Company {
    let company = Company::new(4, 1, seed).await;
    company.change(json!([application(&company)])).await;
    company.admin(json!({"action": "delete_tenant", "purge": true})).await;
    let mut settings = company.settings();
    settings["credential"] = json!({"kind": kind});
    let saved = company.admin(json!({"action": "put_tenant", "settings": settings})).await;
    assert!(saved.get("error").is_none(), "{saved}");
    company
}

#[tokio::test]
async fn r1_3_a_certificate_signs_in_and_tells_its_own_end() {
    let ((key, certificate), (other_key, other)) = (made(), made());
    let registered = json!({"op": "set_application", "secrets": [], "certificates": [{"certificate": certificate}]});
    let company = company_by("certificate", 3001, |_| registered.clone()).await;
    let put = async |pem: String| company.admin(json!({"action": "put_secret", "ad_key": pem})).await;

    let apart = put(format!("{key}{other}")).await;
    assert_eq!(apart["error"]["code"], "invalid_input", "{apart}");
    assert!(apart["error"]["message"].as_str().unwrap().contains("do not belong together"), "{apart}");
    let unknown = put(format!("{other_key}{other}")).await;
    assert_eq!(unknown["error"]["code"], "credential_certificate_invalid", "{unknown}");
    let saved = put(format!("{certificate}{key}")).await;
    assert_eq!(
        (&saved["message"], &saved["connection"]["status"], &saved["secret_expiry"], &saved["credential_state"]),
        (&json!("SUCCESS"), &json!("green"), &json!("2031-02-03"), &json!("working")),
        "{saved}"
    );
    assert_eq!(counts(&company.sync(json!({"action": "sync"})).await), "adding users 4, adding groups 1");

    let kept = company.stack.scan("ControlTable").await.unwrap().to_string();
    let log = company.stack.log().unwrap();
    for line in key.lines().chain(other_key.lines()).filter(|line| line.len() > 60) {
        assert!(!kept.contains(line) && !log.contains(line), "a line of a key shows");
    }
}

#[tokio::test]
async fn r1_3_with_the_identity_of_the_cloud_account_there_is_no_secret() {
    let trusted = |company: &Company, subject: &str| {
        let issuer = company.stack.value("IDENTITY_ENDPOINT").unwrap();
        json!({"op": "set_application", "secrets": [], "federated": [{"issuer": issuer, "subject": subject}]})
    };
    let role = |company: &Company| company.stack.value("IdentityRoleArn").unwrap().to_owned();
    let company = company_by("federated", 3002, |company| trusted(company, &role(company))).await;
    let checked = company.admin(json!({"action": "test_connection"})).await;
    assert_eq!(
        (&checked["connection"]["status"], &checked["secret_expiry"], &checked["credential_state"]),
        (&json!("green"), &Value::Null, &json!("working")),
        "{checked}"
    );
    let run = company.sync(json!({"action": "sync"})).await;
    assert_eq!(counts(&run), "adding users 4, adding groups 1", "{run}");
    let secret = company.admin(json!({"action": "put_secret", "ad_key": "some~Value"})).await;
    assert_eq!(secret["error"]["code"], "invalid_input", "there is none to save: {secret}");

    // Somebody enters another role, and the token that was cached has run out.
    company.change(json!([trusted(&company, "arn:aws:iam::000000000000:role/another")])).await;
    let run_out = |kind: &str| json!({"match": {"kind": kind, "tenant": company.directory}, "fault": "expire_token"});
    company.stack.control("faults", &json!([run_out("users"), run_out("groups")])).await.unwrap();
    let failed = company.sync(json!({"action": "sync"})).await;
    assert_eq!(failed["error"]["code"], "credential_federation_mismatch", "{failed}");
    let help = failed["error"]["help"].as_str().unwrap();
    let issuer = company.stack.value("IDENTITY_ENDPOINT").unwrap();
    for part in [issuer, &role(&company), "api://AzureADTokenExchange"] {
        assert!(help.contains(part), "{part}: {failed}");
    }
}
