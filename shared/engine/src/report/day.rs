//! A calendar day in a time zone: 23, 24 or 25 hours.

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

/// A day that is reported on.
#[derive(Debug, Clone)]
pub(crate) struct Day {
    /// Which.
    pub(crate) date: Date,
    /// Where its days begin.
    pub(crate) zone: TimeZone,
    /// The zone's IANA name.
    pub(crate) zone_name: String,
    /// Its first moment.
    pub(crate) start: Timestamp,
    /// The first moment of the next.
    pub(crate) end: Timestamp,
}

impl Day {
    /// A day, where time reaches that far.
    pub(crate) fn new(date: Date, zone: TimeZone, zone_name: &str) -> Option<Self> {
        let start = date.to_zoned(zone.clone()).ok()?.timestamp();
        let end = date.tomorrow().ok()?.to_zoned(zone.clone()).ok()?.timestamp();
        Some(Self { date, zone, zone_name: zone_name.to_owned(), start, end })
    }

    /// Whether something took place on it.
    pub(crate) fn has(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }

    /// A moment on the clocks of the zone.
    pub(crate) fn local(&self, at: Timestamp) -> DateTime {
        at.to_zoned(self.zone.clone()).datetime()
    }

    /// The day of a moment in the zone.
    pub(crate) fn date_of(&self, at: Timestamp) -> Date {
        self.local(at).date()
    }

    /// The time at which the day is told of: now, or its beginning where it is yet to come.
    pub(crate) fn told_at(&self, now: Timestamp) -> Timestamp {
        now.max(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn r6_1_a_day_is_the_tenants_own() {
        check("UTC",                    "2026-11-22", "UTC",                 "2026-11-22T00:00:00Z", 24);
        check("winter",                 "2026-11-22", "Europe/Zurich",       "2026-11-21T23:00:00Z", 24);
        check("spring forward",         "2026-03-29", "Europe/Zurich",       "2026-03-28T23:00:00Z", 23);
        check("fall back",              "2026-10-25", "Europe/Zurich",       "2026-10-24T22:00:00Z", 25);
        check("before the sun",         "2026-11-22", "Pacific/Kiritimati",  "2026-11-21T10:00:00Z", 24);
        check("a day without midnight", "2018-11-04", "America/Sao_Paulo",   "2018-11-04T03:00:00Z", 23);
    }

    #[track_caller]
    fn check(name: &str, date: &str, zone: &str, start: &str, hours: i64) {
        let day = Day::new(date.parse().unwrap(), TimeZone::get(zone).unwrap(), zone).unwrap();
        assert_eq!(day.start.to_string(), start, "{name}");
        assert_eq!(day.end.duration_since(day.start).as_hours(), hours, "{name}");
        assert!(day.has(day.start) && !day.has(day.end), "{name}");
    }

    #[test]
    fn the_last_day_of_all_is_out_of_reach() {
        assert!(Day::new(Date::MAX, TimeZone::UTC, "UTC").is_none());
    }
}
