//! From Entra's `proxyAddresses` to a primary address and aliases (rule 2.2).

use std::collections::BTreeSet;

use crate::{Address, BadAddress};

/// The addresses that Entra gives an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The primary address, or what is wrong with it.
    pub primary: Result<Address, BadAddress>,
    /// The others that are valid.
    pub aliases: BTreeSet<Address>,
    /// How many others are not.
    pub invalid_aliases: usize,
}

impl Mailbox {
    /// The mailbox behind `proxyAddresses`; `None` without any SMTP entry (rule 2.3).
    ///
    /// The primary is the `SMTP:` entry in capitals; without one `mail`, if it is among the entries; else the first
    /// entry. With several in capitals, the first. Other schemes and entries without a scheme are ignored.
    pub fn read(proxy_addresses: &[String], mail: Option<&str>) -> Option<Self> {
        let entries: Vec<(&str, &str)> = proxy_addresses
            .iter()
            .filter_map(|entry| entry.split_once(':'))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("smtp"))
            .collect();
        let capital = entries.iter().position(|(scheme, _)| *scheme == "SMTP");
        let by_mail = || entries.iter().position(|(_, text)| mail.is_some_and(|mail| same(mail, text)));
        let first = (!entries.is_empty()).then_some(0);
        let at = capital.or_else(by_mail).or(first)?;
        let primary = Address::parse(entries[at].1);
        let others = entries.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, (_, text))| Address::parse(text));
        let (valid, invalid): (Vec<_>, Vec<_>) = others.partition(Result::is_ok);
        let mut aliases: BTreeSet<Address> = valid.into_iter().flatten().collect();
        if let Ok(primary) = &primary {
            aliases.remove(primary);
        }
        Some(Self { primary, aliases, invalid_aliases: invalid.len() })
    }

    /// Every valid address.
    pub fn all(&self) -> impl Iterator<Item = &Address> {
        self.primary.iter().chain(&self.aliases)
    }
}

fn same(a: &str, b: &str) -> bool {
    match (Address::parse(a), Address::parse(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn r2_2_primary_and_aliases() {
        check("capitals mark the primary",      "smtp:a@x.ch SMTP:b@x.ch",            "",       "b@x.ch + a@x.ch");
        check("several in capitals: the first", "SMTP:b@x.ch SMTP:a@x.ch",            "",       "b@x.ch + a@x.ch");
        check("none: mail, if among them",      "smtp:a@x.ch smtp:b@x.ch",            "B@x.ch", "b@x.ch + a@x.ch");
        check("none, and mail is not",          "smtp:a@x.ch smtp:b@x.ch",            "c@x.ch", "a@x.ch + b@x.ch");
        check("other schemes are ignored",      "SIP:s@x.ch X500:/o=x SMTP:a@x.ch SPO:SPO_1", "", "a@x.ch");
        check("mixed case is an alias",         "Smtp:b@x.ch SMTP:a@x.ch",            "",       "a@x.ch + b@x.ch");
        check("case alone is no alias",         "SMTP:A@x.ch smtp:a@X.ch",            "",       "a@x.ch");
        check("no colon, no entry",             "a@x.ch",                             "a@x.ch", "no mailbox");
        check("no SMTP entry",                  "SIP:a@x.ch",                         "a@x.ch", "no mailbox");
        check("nothing at all",                 "",                                   "a@x.ch", "no mailbox");
        check("bad primary",                    "SMTP:a@b@x.ch smtp:c@x.ch",          "",       "an address has exactly one @ between a local part and a domain + c@x.ch");
        check("bad aliases are counted",        "SMTP:a@x.ch smtp:b smtp:c@",         "",       "a@x.ch, 2 invalid");
    }

    #[track_caller]
    fn check(name: &str, proxies: &str, mail: &str, expected: &str) {
        let proxies: Vec<String> = proxies.split_whitespace().map(str::to_owned).collect();
        let shown = match Mailbox::read(&proxies, Some(mail)) {
            None => "no mailbox".to_owned(),
            Some(mailbox) => {
                let mut shown = mailbox.primary.map_or_else(|err| err.to_string(), |address| address.to_string());
                for alias in &mailbox.aliases {
                    shown += &format!(" + {alias}");
                }
                if mailbox.invalid_aliases > 0 {
                    shown += &format!(", {} invalid", mailbox.invalid_aliases);
                }
                shown
            }
        };
        assert_eq!(shown, expected, "{name}");
    }
}
