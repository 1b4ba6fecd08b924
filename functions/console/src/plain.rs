//! Numbers, times and long values as people read them.

use jiff::Timestamp;

/// `1,234`
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 user`, `1,234 users`
pub(crate) fn many(count: u64, one: &str, more: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { more })
}

/// A time to the minute.
pub(crate) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A time to the minute, or a dash.
pub(crate) fn minute_or_dash(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "–".to_owned(), minute)
}

/// A value that leaves room for others; what is cut shows it at its end.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// How many lines have room on a page together, so that it stays below 30,000 bytes; at least one.
pub(crate) fn fitting(lines: &[String]) -> usize {
    const LONGEST: usize = 22_000;
    let mut size = 0;
    let fit = lines.iter().take_while(|line| {
        size += line.len();
        size <= LONGEST
    });
    fit.count().max(1).min(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_values() {
        for (given, shown) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(given), shown);
        }
        assert_eq!((many(1, "user", "users"), many(0, "user", "users")), ("1 user".to_owned(), "0 users".to_owned()));
        assert_eq!((cut("Zoë", 3), cut("Zoë B", 3)), ("Zoë".to_owned(), "Zoë…".to_owned()));
        assert_eq!(minute("2027-03-01T08:05:59Z".parse().unwrap()), "2027-03-01 08:05 UTC");
    }
}
