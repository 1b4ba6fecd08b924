//! E-mail addresses in the one form in which they are kept and compared (rule 2.2).

use std::fmt;

use serde::{Deserialize, Serialize};

/// An address in lower case, its domain in ASCII (IDNA) form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(Box<str>);

/// A domain in lower case and ASCII (IDNA) form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(Box<str>);

/// Why a text is not an address. Never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum BadAddress {
    #[error("an address has exactly one @ between a local part and a domain")]
    NotOneAt,
    #[error(
        "the part before the @ is empty, longer than 64 bytes, quoted, or holds characters that mail does not carry"
    )]
    Local,
    #[error("the part after the @ is not a domain name")]
    Domain,
}

impl Address {
    /// Read an address as Entra or a person writes it. Case and the form of the domain do not matter.
    ///
    /// # Errors
    /// Local parts that are quoted or not ASCII are refused: SES and most filters cannot carry them
    /// (RFC 5321 section 4.1.2; the page "Amazon SES: formatting email addresses").
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let (local, domain) = text.trim().split_once('@').ok_or(BadAddress::NotOneAt)?;
        if domain.contains('@') {
            return Err(BadAddress::NotOneAt);
        }
        let atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b);
        let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
        if local.is_empty() || local.len() > 64 || dots || !local.bytes().all(atom) {
            return Err(BadAddress::Local);
        }
        let domain = Domain::parse(domain)?;
        Ok(Self(format!("{}@{domain}", local.to_ascii_lowercase()).into()))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the `@`.
    pub fn domain(&self) -> Domain {
        Domain(self.0.rsplit_once('@').map_or("", |(_, domain)| domain).into())
    }
}

impl Domain {
    /// Read a domain name in any case, in Unicode or ASCII form.
    ///
    /// # Errors
    /// [`BadAddress::Domain`] for anything that is not at least two labels of letters, digits and hyphens.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let ascii = idna::domain_to_ascii_strict(text.trim()).map_err(|_| BadAddress::Domain)?;
        let label =
            |l: &str| !l.is_empty() && l.len() <= 63 && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if ascii.len() <= 253 && ascii.contains('.') && ascii.split('.').all(label) {
            Ok(Self(ascii.into()))
        } else {
            Err(BadAddress::Domain)
        }
    }

    /// The domain as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Microsoft's own domains that every directory has, in every cloud (rule 2.6).
    pub fn is_microsofts(&self) -> bool {
        [".onmicrosoft.com", ".onmicrosoft.us", ".onmicrosoft.cn", ".partner.onmschina.cn", ".onmicrosoft.de"]
            .iter()
            .any(|suffix| self.0.ends_with(suffix))
    }
}

impl TryFrom<String> for Address {
    type Error = BadAddress;
    fn try_from(text: String) -> Result<Self, BadAddress> {
        Self::parse(&text)
    }
}
impl TryFrom<String> for Domain {
    type Error = BadAddress;
    fn try_from(text: String) -> Result<Self, BadAddress> {
        Self::parse(&text)
    }
}
impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0.into()
    }
}
impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0.into()
    }
}
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn r2_2_addresses_have_one_form() {
        check("lower case",            "Ann.Lee@Contoso.COM",      "ann.lee@contoso.com");
        check("IDNA domain",           "ann@Bücher.example",       "ann@xn--bcher-kva.example");
        check("spaces around",         "  ann@contoso.com ",       "ann@contoso.com");
        check("plus and apostrophe",   "o'neil+x@contoso.com",     "o'neil+x@contoso.com");
        check("no @",                  "ann",                      "an address has exactly one @ between a local part and a domain");
        check("two @",                 "ann@b@contoso.com",        "an address has exactly one @ between a local part and a domain");
        check("no domain",             "ann@",                     "the part after the @ is not a domain name");
        check("one label",             "ann@localhost",            "the part after the @ is not a domain name");
        check("hidden line break",     "ann@contoso.com\r\nBcc: x", "the part after the @ is not a domain name");
        let local = BadAddress::Local.to_string();
        check("no local part",         "@contoso.com",             &local);
        check("quoted",                "\"ann lee\"@contoso.com",  &local);
        check("not ASCII",             "änn@contoso.com",          &local);
        check("control character",     "a\u{0}nn@contoso.com",     &local);
        check("two dots",              "a..n@contoso.com",         &local);
        check("ten kilobytes",         &format!("{}@contoso.com", "a".repeat(10_000)), &local);
    }

    #[track_caller]
    fn check(name: &str, text: &str, expected: &str) {
        let outcome = Address::parse(text).map_or_else(|err| err.to_string(), |address| address.to_string());
        assert_eq!(outcome, expected, "{name}");
    }
}
