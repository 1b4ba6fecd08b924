//! A certificate and its private key, read from PEM (rule 1.3). What is wrong is said without quoting any of it.

use std::fmt;

use aws_lc_rs::{
    digest::{SHA256, digest},
    rsa::KeyPair,
    signature::KeyPair as _,
};
use directory::{Code, Failure};
use engine::ports;
use jiff::Timestamp;
use jsonwebtoken::EncodingKey;
use pem::Pem;
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::sentences::connect;

/// A private key, and the certificate that belongs to it.
pub(crate) struct Certificate {
    /// Signs.
    pub(crate) key: EncodingKey,
    /// SHA-256 of the certificate.
    pub(crate) thumbprint: Vec<u8>,
    ends: Timestamp,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate(***)")
    }
}

/// Why a text is no certificate with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadCertificate {
    #[error("it is not PEM: paste the blocks whole, from -----BEGIN to -----END, with their line breaks")]
    NotPem,
    #[error("it holds no private key (a block PRIVATE KEY or RSA PRIVATE KEY)")]
    NoKey,
    #[error("it holds several private keys")]
    SeveralKeys,
    #[error("the private key is encrypted; take the passphrase off (openssl pkey -in key.pem)")]
    Encrypted,
    #[error("the private key is not an RSA key, and Entra accepts no other")]
    NotRsa,
    #[error("the private key is shorter than 2048 bits")]
    TooShort,
    #[error("the private key cannot be read")]
    BrokenKey,
    #[error("it holds no certificate (a block CERTIFICATE)")]
    NoCertificate,
    #[error("a certificate in it cannot be read")]
    BrokenCertificate,
    #[error("the private key and the certificate do not belong together")]
    Apart,
}

impl Certificate {
    /// Read a private key and its certificate in any order. Of several certificates, which are a chain, the one of the
    /// key counts.
    pub(crate) fn read(pem: &SecretString) -> Result<Self, BadCertificate> {
        let text = Zeroizing::new(pem.expose_secret().replace("\r\n", "\n"));
        let text = Zeroizing::new(text.replace('\r', "\n"));
        let blocks = pem::parse_many(text.as_bytes()).map_err(|_| BadCertificate::NotPem)?;
        let read = Self::of(&blocks);
        blocks.into_iter().for_each(|block| drop(Zeroizing::new(block.into_contents())));
        read
    }

    fn of(blocks: &[Pem]) -> Result<Self, BadCertificate> {
        let (key, public) = key(blocks)?;
        let mut certificates = blocks.iter().filter(|block| is_certificate(block)).peekable();
        if certificates.peek().is_none() {
            return Err(BadCertificate::NoCertificate);
        }
        for block in certificates {
            let (_, read) =
                X509Certificate::from_der(block.contents()).map_err(|_| BadCertificate::BrokenCertificate)?;
            if *read.public_key().subject_public_key.data == *public {
                let ends = Timestamp::from_second(read.validity().not_after.timestamp())
                    .map_err(|_| BadCertificate::BrokenCertificate)?;
                // A trusted certificate goes on behind its end.
                let thumbprint = digest(&SHA256, read.as_raw()).as_ref().to_vec();
                return Ok(Self { key, thumbprint, ends });
            }
        }
        Err(BadCertificate::Apart)
    }

    /// What it says of itself.
    pub(crate) fn facts(&self) -> ports::Certificate {
        ports::Certificate { thumbprint: hex(&self.thumbprint), ends: self.ends }
    }
}

fn is_certificate(block: &Pem) -> bool {
    ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"].contains(&block.tag())
}

/// The only private key, and its public half as certificates hold it.
fn key(blocks: &[Pem]) -> Result<(EncodingKey, Vec<u8>), BadCertificate> {
    let mut keys = blocks.iter().filter(|block| block.tag().ends_with("PRIVATE KEY"));
    let (block, another) = (keys.next().ok_or(BadCertificate::NoKey)?, keys.next());
    if another.is_some() {
        return Err(BadCertificate::SeveralKeys);
    }
    let encrypted = block.headers().get("Proc-Type").is_some_and(|value| value.contains("ENCRYPTED"));
    let pair = match block.tag() {
        _ if encrypted => return Err(BadCertificate::Encrypted),
        "ENCRYPTED PRIVATE KEY" => return Err(BadCertificate::Encrypted),
        "PRIVATE KEY" => KeyPair::from_pkcs8(block.contents()),
        "RSA PRIVATE KEY" => KeyPair::from_der(block.contents()),
        _ => return Err(BadCertificate::NotRsa),
    };
    let pair = pair.map_err(|rejected| match rejected.description_() {
        "TooSmall" => BadCertificate::TooShort,
        "WrongAlgorithm" => BadCertificate::NotRsa,
        _ => BadCertificate::BrokenKey,
    })?;
    let text = Zeroizing::new(pem::encode(block));
    let key = EncodingKey::from_rsa_pem(text.as_bytes()).map_err(|_| BadCertificate::BrokenKey)?;
    Ok((key, pair.public_key().as_ref().to_vec()))
}

/// Capital hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

impl BadCertificate {
    /// For whoever brings it.
    pub(crate) fn invalid(self) -> Failure {
        Failure::new(
            Code::InvalidInput,
            format!("ad_key cannot be used: {self}"),
            "send the PEM of the private key and of its certificate in one text, in any order; nothing was changed",
        )
    }

    /// For a sign-in with the one that is kept.
    pub(crate) fn refused(self) -> Failure {
        Failure::new(
            Code::CredentialCertificateInvalid,
            connect(&format!("the certificate that is kept cannot be used: {self}")),
            "save the PEM of the private key and of its certificate with put_secret",
        )
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        CertificateParams, KeyPair as Made, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd,
    };

    use super::*;

    fn made() -> (String, String) {
        certified(&Made::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap())
    }

    fn certified(key: &Made) -> (String, String) {
        let mut params = CertificateParams::new(vec!["entra-sync.example".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2031, 2, 3);
        (key.serialize_pem(), params.self_signed(key).unwrap().pem())
    }

    #[test]
    #[rustfmt::skip]
    fn r1_3_key_and_certificate_in_one_text() {
        use BadCertificate::{Apart, BrokenCertificate, BrokenKey, Encrypted, NoCertificate, NoKey, NotPem, NotRsa, SeveralKeys};
        let ((key, certificate), (other_key, other)) = (made(), made());
        let (elliptic, elliptic_certificate) = certified(&Made::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
        let relabelled = |tag: &str| key.replace("PRIVATE KEY", tag);
        let proc_type = relabelled("RSA PRIVATE KEY").replacen("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1);
        check("key, then certificate",      &[&key, &certificate],                         Ok("2031-02-03T00:00:00Z"));
        check("certificate, then key",      &[&certificate, &key],                         Ok("2031-02-03T00:00:00Z"));
        check("a chain",                    &[&key, &other, &certificate],                 Ok("2031-02-03T00:00:00Z"));
        check("Windows line breaks",        &[&key.replace('\n', "\r\n"), &certificate.replace('\n', "\r\n")], Ok("2031-02-03T00:00:00Z"));
        check("text around the blocks",     &["Bag Attributes\n  friendlyName: x\n\n", &key, "\nsubject=CN = x\n\n", &certificate, "bye"], Ok("2031-02-03T00:00:00Z"));
        check("another's certificate",      &[&key, &other],                               Err(Apart));
        check("no certificate",             &[&key],                                       Err(NoCertificate));
        check("no key",                     &[&certificate],                               Err(NoKey));
        check("nothing",                    &[""],                                         Err(NoKey));
        check("a client secret",            &["abc8Q~value"],                              Err(NoKey));
        check("two keys",                   &[&key, &other_key, &certificate],             Err(SeveralKeys));
        check("an encrypted key",           &[&relabelled("ENCRYPTED PRIVATE KEY"), &certificate], Err(Encrypted));
        check("an old encrypted key",       &[&proc_type, &certificate],                   Err(Encrypted));
        check("an elliptic key",            &[&elliptic, &elliptic_certificate],           Err(NotRsa));
        check("an old elliptic key",        &[&relabelled("EC PRIVATE KEY"), &certificate], Err(NotRsa));
        check("a broken key",               &["-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", &certificate], Err(BrokenKey));
        check("a broken certificate",       &[&key, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"], Err(BrokenCertificate));
        check("blocks that are no Base64",  &["-----BEGIN PRIVATE KEY-----\n?\n-----END PRIVATE KEY-----\n"], Err(NotPem));
    }

    #[track_caller]
    fn check(name: &str, parts: &[&str], expected: Result<&str, BadCertificate>) {
        let read = Certificate::read(&parts.concat().into());
        let ends = read.as_ref().map(|read| read.facts().ends.to_string()).map_err(|bad| *bad);
        assert_eq!(ends, expected.map(str::to_owned), "{name}");
        if let Ok(read) = read {
            assert!(read.facts().thumbprint.len() == 64 && format!("{read:?}") == "Certificate(***)", "{name}");
        }
    }

    #[test]
    fn r1_3_the_older_form_of_an_rsa_key() {
        let (key, certificate) = made();
        let block = pem::parse(&key).unwrap();
        // PKCS#8 holds the older form in an octet string at its end, behind a header of 26 bytes for keys of 2048 bits.
        let older = pem::encode(&Pem::new("RSA PRIVATE KEY", &block.contents()[26..]));
        let read = Certificate::read(&format!("{certificate}{older}").into()).unwrap();
        assert_eq!(read.facts(), Certificate::read(&format!("{key}{certificate}").into()).unwrap().facts());
    }

    #[test]
    fn r1_3_the_thumbprint_of_a_trusted_certificate_is_that_of_the_certificate() {
        let (key, certificate) = made();
        let mut contents = pem::parse(&certificate).unwrap().into_contents();
        // As OpenSSL writes what it is trusted for, behind it.
        contents.extend([0x30, 0x0c, 0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02]);
        let trusted = pem::encode(&Pem::new("TRUSTED CERTIFICATE", contents));
        let read = Certificate::read(&format!("{key}{trusted}").into()).unwrap();
        assert_eq!(read.facts(), Certificate::read(&format!("{key}{certificate}").into()).unwrap().facts());
    }

    #[test]
    fn r1_3_what_is_wrong_is_said_without_quoting() {
        let (key, _) = made();
        let shown = format!("{:?}", Certificate::read(&key.as_str().into()).unwrap_err().invalid());
        assert!(key.lines().skip(1).all(|line| !shown.contains(line)), "{shown}");
        assert!(shown.contains("it holds no certificate"), "{shown}");
    }
}
