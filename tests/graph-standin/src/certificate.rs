//! Certificates as they are registered: public, and enough to check what they signed.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::clock::property_date;

/// The registration of a certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Registering")]
pub struct Certificate {
    /// The portal's *Certificate ID*.
    pub key_id: Uuid,
    /// The portal's description.
    pub name: String,
    /// From when it is accepted; the certificate's own date unless given.
    pub starts: Timestamp,
    /// Until when it is accepted; the certificate's own date unless given.
    pub ends: Timestamp,
    /// SHA-256 in capital hex digits.
    thumbprint: String,
    /// DER in Base64.
    certificate: String,
    #[serde(skip_serializing)]
    der: Vec<u8>,
    #[serde(skip_serializing)]
    public_key: Vec<u8>,
}

/// A certificate as it comes.
#[derive(Deserialize)]
struct Registering {
    key_id: Option<Uuid>,
    #[serde(default)]
    name: String,
    certificate: String,
    starts: Option<Timestamp>,
    ends: Option<Timestamp>,
}

/// A text that is no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a certificate is PEM, or DER in Base64")]
pub struct NotACertificate;

impl TryFrom<Registering> for Certificate {
    type Error = NotACertificate;

    fn try_from(coming: Registering) -> Result<Self, NotACertificate> {
        let Registering { key_id, name, certificate, starts, ends } = coming;
        let read = Self::new(&certificate)?;
        Ok(Self {
            key_id: key_id.unwrap_or(read.key_id),
            name,
            starts: starts.unwrap_or(read.starts),
            ends: ends.unwrap_or(read.ends),
            ..read
        })
    }
}

impl Certificate {
    /// Register a certificate: PEM, in which a private key is overlooked, or DER in Base64.
    ///
    /// # Errors
    /// No certificate, or none that can be read.
    pub fn new(text: &str) -> Result<Self, NotACertificate> {
        let der = match pem::parse_many(text) {
            Ok(blocks) if !blocks.is_empty() => {
                blocks.into_iter().find(|block| block.tag() == "CERTIFICATE").map(pem::Pem::into_contents)
            }
            _ => STANDARD.decode(text.split_whitespace().collect::<String>()).ok(),
        };
        let der = der.ok_or(NotACertificate)?;
        let (_, read) = X509Certificate::from_der(&der).map_err(|_| NotACertificate)?;
        let date = |seconds| Timestamp::from_second(seconds).map_err(|_| NotACertificate);
        let (starts, ends) =
            (date(read.validity().not_before.timestamp())?, date(read.validity().not_after.timestamp())?);
        let public_key = read.public_key().subject_public_key.data.to_vec();
        Ok(Self {
            key_id: Uuid::new_v4(),
            name: String::new(),
            starts,
            ends,
            thumbprint: hex(digest(&SHA256, &der).as_ref()),
            certificate: STANDARD.encode(&der),
            der,
            public_key,
        })
    }

    /// Is this what an assertion's `x5t#S256` or `x5t` names?
    pub(crate) fn is(&self, x5t_s256: Option<&str>, x5t: Option<&str>) -> bool {
        let is = |named: Option<&str>, sum: &[u8]| named == Some(URL_SAFE_NO_PAD.encode(sum).as_str());
        is(x5t_s256, digest(&SHA256, &self.der).as_ref()) || is(x5t, self.sha1().as_ref())
    }

    /// The key that checks its signatures.
    pub(crate) fn key(&self) -> DecodingKey {
        DecodingKey::from_rsa_der(&self.public_key)
    }

    /// One of `keyCredentials`.
    pub(crate) fn shown(&self) -> Value {
        json!({
            "customKeyIdentifier": hex(self.sha1().as_ref()),
            "displayName": self.name,
            "endDateTime": property_date(self.ends),
            "key": null,
            "keyId": self.key_id,
            "startDateTime": property_date(self.starts),
            "type": "AsymmetricX509Cert",
            "usage": "Verify",
        })
    }

    fn sha1(&self) -> impl AsRef<[u8]> {
        digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.der)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
