//! Times as a tenant's people read them: in the time zone of their reports.

use askama::{Template, filters::HtmlSafe};
use directory::TimeZone;
use jiff::Timestamp;
use mail::words;

/// A time, for programs and for people. A template writes it as markup of its own.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(source = "<time datetime=\"{{ iso }}\">{{ words }}</time>", ext = "html")]
pub(crate) struct Moment {
    /// RFC 3339, to the second.
    iso: String,
    pub(crate) words: String,
}

impl HtmlSafe for Moment {}

impl Moment {
    /// With the name of the zone.
    pub(crate) fn new(at: Timestamp, zone: &TimeZone) -> Self {
        let Self { iso, words } = Self::in_table(at, zone);
        Self { iso, words: format!("{words} ({})", zone.name()) }
    }

    /// Shorter, for a table whose heading names the zone.
    pub(crate) fn in_table(at: Timestamp, zone: &TimeZone) -> Self {
        Self { iso: format!("{at:.0}"), words: words::time(at.to_zoned(zone.zone()).datetime()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_names_its_zone() {
        let zone = TimeZone::try_from("Europe/Zurich".to_owned()).unwrap();
        let at = "2026-07-03T10:05:06Z".parse().unwrap();
        let (long, short) = (Moment::new(at, &zone), Moment::in_table(at, &zone));
        assert_eq!(
            (long.words.as_str(), short.to_string().as_str()),
            ("3 July 2026, 12:05 (Europe/Zurich)", "<time datetime=\"2026-07-03T10:05:06Z\">3 July 2026, 12:05</time>")
        );
    }
}
