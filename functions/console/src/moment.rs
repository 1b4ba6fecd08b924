//! Times as a tenant's people read them: in the time zone of their reports, and named.

use directory::TimeZone;
use jiff::Timestamp;
use mail::words;

/// A time, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// RFC 3339, to the second.
    pub(crate) iso: String,
    /// With the zone's name.
    pub(crate) words: String,
}

impl Moment {
    pub(crate) fn new(at: Timestamp, zone: &TimeZone) -> Self {
        let local = words::time(at.to_zoned(zone.zone()).datetime());
        Self { iso: format!("{at:.0}"), words: format!("{local} ({})", zone.name()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_names_its_zone() {
        let zone = TimeZone::try_from("Europe/Zurich".to_owned()).unwrap();
        let moment = Moment::new("2026-07-03T10:05:06Z".parse().unwrap(), &zone);
        assert_eq!(
            (moment.iso.as_str(), moment.words.as_str()),
            ("2026-07-03T10:05:06Z", "3 July 2026, 12:05 (Europe/Zurich)")
        );
    }
}
