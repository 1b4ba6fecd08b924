//! How long Microsoft asks us to wait: `Retry-After` as seconds, a fraction of them, or a date.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// Nothing is worth waiting for longer than this; whatever runs next asks again.
const MOST: Duration = Duration::from_hours(24);

/// The pause that an answer asks for. A date counts from the answer's own `Date`: our clock may differ.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, RETRY_AFTER)?;
    let wait = match text.parse::<f64>() {
        Ok(seconds) if seconds >= 0.0 => Duration::try_from_secs_f64(seconds).unwrap_or(MOST),
        Ok(_) => return None,
        Err(_) => {
            let until = httpdate::parse_http_date(text).ok()?;
            let sent = httpdate::parse_http_date(self::text(headers, DATE)?).ok()?;
            until.duration_since(sent).unwrap_or_default()
        }
    };
    Some(wait.min(MOST))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    #[rustfmt::skip]
    fn every_form_of_retry_after() {
        let sent = Some("Sun, 22 Nov 2026 10:00:00 GMT");
        check("seconds",                      Some("10"),     None, Some(10_000));
        check("spaces around",                Some(" 10 "),   None, Some(10_000));
        check("a fraction",                   Some("2.128"),  None, Some(2_128));
        check("none to wait",                 Some("0"),      None, Some(0));
        check("a date",                       Some("Sun, 22 Nov 2026 10:01:30 GMT"),  sent, Some(90_000));
        check("an old form of date",          Some("Sunday, 22-Nov-26 10:00:05 GMT"), sent, Some(5_000));
        check("a date that has passed",       Some("Sun, 22 Nov 2026 09:00:00 GMT"),  sent, Some(0));
        check("a date without the answer's",  Some("Sun, 22 Nov 2026 10:01:30 GMT"),  None, None);
        check("longer than a day",            Some("1e12"),   None, Some(86_400_000));
        check("longer than time",             Some("1e300"),  None, Some(86_400_000));
        check("negative",                     Some("-5"),     None, None);
        check("not a number",                 Some("NaN"),    None, None);
        check("words",                        Some("soon"),   sent, None);
        check("nothing",                      Some(""),       sent, None);
        check("no header",                    None,           sent, None);
    }

    #[track_caller]
    fn check(name: &str, value: Option<&'static str>, date: Option<&'static str>, expected: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.extend(value.map(|value| (RETRY_AFTER, HeaderValue::from_static(value))));
        headers.extend(date.map(|date| (DATE, HeaderValue::from_static(date))));
        assert_eq!(retry_after(&headers), expected.map(Duration::from_millis), "{name}");
    }
}
