//! When a tenant is due: spread over the period, so that ten thousand tenants do not start on the hour.

use directory::{Frequency, ReportTime, TenantId};
use jiff::{Timestamp, ToSpan as _, civil::Time};
use serde_json::{Value, json};

use crate::{
    ports::Item,
    records::{Schedule, Tenant},
};

/// A number of the tenant's own, the same for ever.
fn spread(tenant: &TenantId) -> u64 {
    let hash = blake3::hash(tenant.as_str().as_bytes());
    hash.as_bytes()[..8].iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// The shard of the index `due` for runs.
pub fn run_shard(tenant: &TenantId) -> String {
    format!("S#{:x}", spread(tenant) & 15)
}

/// The shard of the index `due` for reports.
pub fn report_shard(tenant: &TenantId) -> String {
    format!("R#{:x}", spread(tenant) & 15)
}

/// The next time after `now` at which a tenant runs, in epoch seconds; `None` for never (rule 4.1).
pub fn next_run(tenant: &TenantId, frequency: Frequency, now: Timestamp) -> Option<i64> {
    let period = i64::from(frequency.0) * 3600;
    if period == 0 {
        return None;
    }
    let offset = i64::try_from(spread(tenant) % 86_400).unwrap_or_default() % period;
    let passed = (now.as_second() - offset).div_euclid(period);
    Some((passed + 1) * period + offset)
}

/// When a tenant next runs by itself, as people are told. While a run is at work its item says when that one is taken up,
/// should it be interrupted.
pub fn next_told(tenant: &TenantId, meta: &Tenant, sync: &Schedule, now: Timestamp) -> Option<Timestamp> {
    let due = if sync.run.is_some() { next_run(tenant, meta.settings.sync_frequency, now) } else { sync.due_at };
    due.and_then(|due| Timestamp::from_second(due).ok())
}

/// The attributes that put a tenant's runs into the index `due`, or take them out.
pub fn due_attributes(tenant: &TenantId, due: Option<i64>) -> Item {
    let shard = due.map(|_| run_shard(tenant));
    let mut attributes = Item::from_iter([("due_at".to_owned(), json!(due)), ("due_shard".to_owned(), json!(shard))]);
    if due.is_none() {
        attributes.insert("due_since".to_owned(), Value::Null);
    }
    attributes
}

/// The next time after `now` at which a tenant's report is mailed, in epoch seconds.
pub fn next_report(report: &ReportTime, now: Timestamp) -> i64 {
    let zone = report.time_zone.zone();
    let today = now.to_zoned(zone.clone()).date();
    let hour = Time::new(report.hour.0, 0, 0, 0).unwrap_or(Time::midnight());
    (0..3)
        .filter_map(|days| today.checked_add(days.days()).ok()?.to_datetime(hour).to_zoned(zone.clone()).ok())
        .map(|at| at.timestamp())
        .find(|at| *at > now)
        .unwrap_or(now)
        .as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r4_1_due_times_are_spread_over_the_period() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let mut offsets = std::collections::BTreeSet::new();
        for number in 0..1000 {
            let tenant: TenantId = format!("tenant-{number}").parse().unwrap();
            let due = next_run(&tenant, Frequency(1), now).unwrap();
            assert!((1..=3600).contains(&(due - now.as_second())));
            assert_eq!(
                next_run(&tenant, Frequency(1), Timestamp::from_second(due).unwrap()),
                Some(due + 3600),
                "a steady period"
            );
            offsets.insert(due);
        }
        assert!(offsets.len() > 700, "{} different times", offsets.len());
        assert_eq!(next_run(&"a".parse().unwrap(), Frequency(0), now), None);
    }

    #[test]
    fn r6_1_reports_go_out_at_the_tenants_own_hour() {
        let report: ReportTime = serde_json::from_str(r#"{"hour": 7, "time_zone": "Europe/Zurich"}"#).unwrap();
        let due = |now: &str| Timestamp::from_second(next_report(&report, now.parse().unwrap())).unwrap().to_string();
        assert_eq!(due("2026-11-22T05:59:59Z"), "2026-11-22T06:00:00Z");
        assert_eq!(due("2026-11-22T06:00:00Z"), "2026-11-23T06:00:00Z");
        assert_eq!(due("2026-07-01T12:00:00Z"), "2026-07-02T05:00:00Z", "summer time");
    }
}
