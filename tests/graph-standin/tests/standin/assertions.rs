//! Assertions that a certificate of our own signed.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use graph_standin::{ApplicationChange, CONTOSO, Certificate};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::json;

use crate::support::Reader;

struct Made {
    key: EncodingKey,
    thumbprint: String,
    pem: String,
}

fn made() -> Made {
    let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let certificate =
        CertificateParams::new(vec!["entra-sync.example".to_owned()]).unwrap().self_signed(&pair).unwrap();
    Made {
        key: EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap(),
        thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate.der())),
        pem: certificate.pem(),
    }
}

#[tokio::test]
async fn assertions_of_certificates() {
    let reader = Reader::contoso().await;
    let (known, other) = (made(), made());
    let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
    reader.standin.set_now(Some(now));
    let certificates = Some(vec![Certificate::new(&known.pem).unwrap()]);
    reader.application(ApplicationChange { certificates, ..Default::default() });
    let url = reader.token_url();
    let (ps, rs) = (Algorithm::PS256, Algorithm::RS256);
    #[rustfmt::skip]
    let cases = [
        // algorithm        thumbprint         signs   aud    exp  number
        (ps,               &known.thumbprint, &known, &*url,  60,  None),
        (rs,               &known.thumbprint, &known, &*url,  60,  None),
        (ps,               &other.thumbprint, &other, &*url,  60,  Some(700_027)),
        (ps,               &known.thumbprint, &other, &*url,  60,  Some(700_027)),
        (Algorithm::RS384, &known.thumbprint, &known, &*url,  60,  Some(700_027)),
        (ps,               &known.thumbprint, &known, "api",  60,  Some(700_023)),
        (ps,               &known.thumbprint, &known, &*url,  -60, Some(700_024)),
    ];
    for (algorithm, thumbprint, signer, aud, seconds, number) in cases {
        let id = CONTOSO.application_id;
        let header = Header { x5t_s256: Some(thumbprint.clone()), ..Header::new(algorithm) };
        let claims = json!({ "iss": id, "sub": id, "aud": aud, "exp": now.as_second() + seconds });
        let assertion = encode(&header, &claims, &signer.key).unwrap();
        assert_eq!(reader.assert(&assertion).await, number, "{algorithm:?} {aud} {seconds}");
    }
    assert_eq!(reader.assert("nonsense").await, Some(50_027));
}

#[test]
fn a_certificate_is_pem_or_base64() {
    let made = made();
    let base64: String = made.pem.lines().filter(|line| !line.starts_with("---")).collect();
    for text in [made.pem.as_str(), &base64] {
        let registered: Certificate = serde_json::from_value(json!({ "certificate": text, "name": "ours" })).unwrap();
        let shown = serde_json::to_value(&registered).unwrap();
        assert_eq!((&shown["certificate"], shown["thumbprint"].as_str().map(str::len)), (&json!(base64), Some(64)));
        let again: Certificate = serde_json::from_value(shown.clone()).unwrap();
        assert_eq!(serde_json::to_value(again).unwrap(), shown);
    }
    for text in ["", "AAAA", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(Certificate::new(text).is_err(), "{text}");
    }
}
