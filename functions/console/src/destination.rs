//! Where somebody wanted to go before they were asked to sign in: a page of ours, and nothing else.

use serde::{Deserialize, Serialize};

/// No address of a page that people follow a link to is longer.
const LONGEST: usize = 200;
/// What such an address begins with.
const PAGES: [&str; 7] = ["/settings", "/runs", "/people", "/exemptions", "/reports", "/audit", "/operator"];

/// A page of the console, as a path with its query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Destination(String);

impl Destination {
    /// A path, where it is one of a page: no other host, nothing that ends a header or an attribute.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let page = PAGES.iter().find_map(|page| text.strip_prefix(page))?;
        let ends = page.is_empty() || page.starts_with(['/', '?']);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/?&=_-.%".contains(&byte);
        (ends && text.len() <= LONGEST && text.bytes().all(plain)).then(|| Self(text.to_owned()))
    }

    /// The path.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn only_pages_of_ours_are_gone_to() {
        for ours in ["/runs", "/runs/01JD0000000000000000000000", "/people?q=ann%40contoso.com", "/settings"] {
            assert_eq!(Destination::parse(ours).unwrap().as_str(), ours);
        }
        for other in [
            "", "/", "//evil.example", "/\\evil.example", "https://evil.example", "/runsevil", "/runs@evil.example", "/signout",
            "/runs\r\nset-cookie: a", "/runs\"", "/runs#x", "javascript:alert(1)", "/runs/../../x y",
        ] {
            assert_eq!(Destination::parse(other), None, "{other}");
        }
        assert_eq!(Destination::parse(&format!("/runs/{}", "a".repeat(200))), None);
    }
}
