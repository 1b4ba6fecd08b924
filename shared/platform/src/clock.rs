//! Where time comes from: the one place that asks the machine what time it is.

use std::time::{Duration, SystemTime};

use directory::Failure;
use engine::ports::Clock;
use jiff::Timestamp;

/// The clock of one invocation.
#[derive(Debug, Clone, Copy)]
pub struct InvocationClock {
    deadline: SystemTime,
    fixed: Option<Timestamp>,
}

/// The clock of an invocation that is stopped at `deadline`. Where the test clock is on, an event may say what time it
/// is, and everything takes place at that time; the deadline stays real.
///
/// # Errors
/// An event that says the time where the test clock is off, or not as RFC 3339.
pub fn clock(event_now: Option<&str>, test_clock: bool, deadline: SystemTime) -> Result<InvocationClock, Failure> {
    let fixed = match event_now {
        None => None,
        Some(_) if !test_clock => {
            return Err(Failure::invalid(
                "\"now\" is for tests: this stack takes its time from the clock (TestClock is off)",
            ));
        }
        Some(text) => {
            let wrong = |_| Failure::invalid("\"now\" is not a time as in RFC 3339, for example 2026-03-01T07:00:00Z");
            Some(text.parse().map_err(wrong)?)
        }
    };
    Ok(InvocationClock { deadline, fixed })
}

impl Clock for InvocationClock {
    fn remaining(&self) -> Duration {
        self.deadline.duration_since(system_time()).unwrap_or_default()
    }

    fn now(&self) -> Timestamp {
        self.fixed.unwrap_or_else(timestamp)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
fn timestamp() -> Timestamp {
    Timestamp::now()
}

#[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
fn system_time() -> SystemTime {
    SystemTime::now()
}

/// The real time in milliseconds since 1970, for metrics: CloudWatch refuses another day's.
pub(crate) fn milliseconds() -> i64 {
    timestamp().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s9_an_event_tells_the_time_only_where_the_test_clock_is_on() {
        let deadline = system_time() + Duration::from_secs(60);
        let told = clock(Some("2026-03-01T07:00:00+01:00"), true, deadline).unwrap();
        assert_eq!(told.now().to_string(), "2026-03-01T06:00:00Z");
        assert!((50..=60).contains(&told.remaining().as_secs()), "the deadline stays real");
        let refused = clock(Some("2026-03-01T07:00:00Z"), false, deadline).unwrap_err();
        assert_eq!(refused.code, directory::Code::InvalidInput);
        assert!(clock(Some("yesterday"), true, deadline).is_err());
        let real = clock(None, false, deadline).unwrap();
        assert!(real.now() >= told.now());
    }

    #[test]
    fn nothing_remains_after_the_deadline() {
        let past = clock(None, false, SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(past.remaining(), Duration::ZERO);
    }
}
