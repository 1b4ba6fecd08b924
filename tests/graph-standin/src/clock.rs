//! What time it is here, and the two ways Microsoft writes it.

use jiff::Timestamp;

/// The machine's time, unless a test set the clock.
#[expect(clippy::disallowed_methods, reason = "the stand-in is its own outside world, with its own clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// The form inside Graph's errors: `2020-08-18T12:51:51`.
pub(crate) fn graph_date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The form of the sign-in's errors, which is not RFC 3339: `2016-01-09 02:02:12Z`.
pub(crate) fn sign_in_date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// The form of properties, seven digits of fraction: `2021-09-09T19:50:29.0000000Z`.
pub(crate) fn property_date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.0000000Z").to_string()
}
