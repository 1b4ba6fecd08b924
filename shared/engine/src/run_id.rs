//! The names of runs, and of what the worklist takes for one: a time, which orders them, and a number that no other has.

use directory::RunId;
use jiff::Timestamp;

/// The name of a run that begins `at` a time; of the number 80 bits count.
pub fn new(at: Timestamp, number: u128) -> RunId {
    let milliseconds = u64::try_from(at.as_millisecond()).unwrap_or_default();
    let text = ulid::Ulid::from_parts(milliseconds, number).to_string();
    RunId::try_from(text).unwrap_or_else(|_| unreachable!("a ULID is 26 capitals and digits"))
}

/// A number made of the name of an invocation, which no other has.
pub(crate) fn number(name: &str) -> u128 {
    let hash = blake3::hash(name.as_bytes());
    hash.as_bytes()[..10].iter().fold(0, |number, byte| (number << 8) | u128::from(*byte))
}
