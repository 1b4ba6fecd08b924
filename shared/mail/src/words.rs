//! Numbers, days and names in words.

use directory::{
    CredentialKind, Failure,
    facts::{ExpiryDay, ExpirySource, Named},
};
use jiff::civil::{Date, DateTime};

use crate::escape;

/// `1 error`, `2 errors`: as a subject writes it.
pub(crate) fn count(number: u64, one: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {one}{s}")
}

/// `1 error`, `1,200 errors`: as a body writes it.
pub fn many(number: u64, one: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {one}{s}", figure(number))
}

/// `1,204,500`.
pub fn figure(number: u64) -> String {
    let digits = number.to_string();
    let mut figure = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at != 0 && (digits.len() - at).is_multiple_of(3) {
            figure.push(',');
        }
        figure.push(digit);
    }
    figure
}

/// `3 March 2026`.
pub fn day(date: Date) -> String {
    date.strftime("%-d %B %Y").to_string()
}

/// `3 March 2026, 07:12`.
pub fn time(at: DateTime) -> String {
    at.strftime("%-d %B %Y, %H:%M").to_string()
}

/// `in 12 days`, `today`, `3 days ago`.
pub fn in_days(days: i32) -> String {
    let length = count(u64::from(days.unsigned_abs()), "day");
    match days {
        0 => "today".to_owned(),
        1.. => format!("in {length}"),
        _ => format!("{length} ago"),
    }
}

/// How long something has lasted: `since today`, `for 3 days`.
pub(crate) fn age(since: Date, today: Date) -> String {
    match (today - since).get_days() {
        ..=0 => "since today".to_owned(),
        days => format!("for {}", count(u64::from(days.unsigned_abs()), "day")),
    }
}

/// `expires in 12 days`, `expired 3 days ago`.
pub(crate) fn expires(days: i32) -> String {
    format!("{} {}", if days < 0 { "expired" } else { "expires" }, in_days(days))
}

/// The day of expiry, how far it is, and from where it is known (rule 6.5).
pub(crate) fn expiry(expiry: &ExpiryDay) -> String {
    format!("{}, {} ({})", day(expiry.on), in_days(expiry.days_left), source(expiry.source))
}

/// From where a day of expiry is known.
pub fn source(source: ExpirySource) -> &'static str {
    match source {
        ExpirySource::Entra => "read from Entra",
        ExpirySource::Certificate => "as the certificate says",
        ExpirySource::Stated => "as stated when it was saved",
        ExpirySource::Assumed => "assumed: 24 months after it was saved, as nobody stated the day",
    }
}

/// A credential as a subject calls it.
pub(crate) fn credential(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Secret => "secret",
        CredentialKind::Certificate => "certificate",
        CredentialKind::Federated => "federated credential",
    }
}

/// A credential as Microsoft's portal calls it.
pub fn credential_in_full(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Secret => "client secret",
        CredentialKind::Certificate => "certificate",
        CredentialKind::Federated => "federated credential",
    }
}

/// A tenant in a subject: its domain, else its name, else its id.
pub(crate) fn tenant(tenant: &Named) -> String {
    let name = Some(tenant.name.as_str()).filter(|name| !name.trim().is_empty());
    escape::line(tenant.domain.as_deref().or(name).unwrap_or(tenant.id.as_str()), 80)
}

/// A tenant in a body: its name and its domain.
pub(crate) fn tenant_in_full(named: &Named) -> String {
    let short = tenant(named);
    match escape::line(&named.name, 80) {
        name if name.is_empty() || name == short => short,
        name => format!("{name} ({short})"),
    }
}

/// What a list leaves unsaid: `and 950 more`.
pub(crate) fn more(total: u64, shown: usize) -> Option<String> {
    let left = total.saturating_sub(shown as u64);
    (left != 0).then(|| format!("and {} more", figure(left)))
}

/// With a capital letter at its start.
pub fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// As a sentence: a capital letter at its start, and a full stop where it has no end of its own.
pub fn stopped(text: &str) -> String {
    let sentence = sentence(&escape::line(text, 400));
    let stop = if sentence.ends_with(['.', '!', '?', '…']) || sentence.is_empty() { "" } else { "." };
    format!("{sentence}{stop}")
}

/// The codes that a support case asks for.
pub(crate) fn quote(failure: &Failure) -> String {
    let microsoft = failure.microsoft.clone().unwrap_or_default();
    let parts = [
        Some(failure.code.name()),
        microsoft.code.map(|code| format!("Microsoft's code {code}")),
        microsoft.correlation_id.map(|id| format!("correlation id {id}")),
        microsoft.request_id.map(|id| format!("request id {id}")),
    ];
    escape::line(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "), 300)
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_days_in_words() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(figure), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([-2, -1, 0, 1, 2].map(in_days), ["2 days ago", "1 day ago", "today", "in 1 day", "in 2 days"]);
        assert_eq!([0, 1, 2].map(|n| count(n, "error")), ["0 errors", "1 error", "2 errors"]);
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
