//! Which settings were changed on a day and by whom, and which frequency was in force when.

use directory::{
    Frequency, TenantId,
    facts::{Listed, MOST_CHANGES, SettingChanged},
};
use jiff::Timestamp;
use serde_json::Value;

use super::{day::Day, runs};
use crate::{
    keys,
    ports::{Fault, Range, Store, Table},
    records::{Audit, Tenant, read},
};

/// The setting that says how often a tenant runs.
const FREQUENCY: &str = "sync_frequency";

/// The audit from the beginning of a day until now, the earliest first.
///
/// # Errors
/// The store's.
pub(crate) async fn audit(store: &impl Store, tenant: &TenantId, day: &Day) -> Result<Vec<Audit>, Fault> {
    let from = format!("AUD#{:.3}", day.start);
    let range = Range { from, ..keys::starting(Table::Control, keys::tenant_pk(tenant), "AUD#") };
    let items = crate::links::everything(store, range).await?;
    items.into_iter().map(|(_, item)| read("an entry of the audit", item)).collect()
}

/// What was changed on the day, one line for each setting.
pub(crate) fn changed(audit: &[Audit], day: &Day) -> Listed<SettingChanged> {
    let of_day = audit.iter().filter(|entry| day.has(entry.at) && !entry.is_of_a_run());
    let mut lines: Vec<SettingChanged> = of_day.flat_map(|entry| lines(entry, day)).collect();
    let total = lines.len() as u64;
    lines.truncate(MOST_CHANGES);
    Listed { shown: lines, total }
}

/// One line for each setting that an entry names, or one for the entry.
fn lines(entry: &Audit, day: &Day) -> Vec<SettingChanged> {
    let Audit { at, by, action, what, from, to, totals: _ } = entry;
    let line = |setting: String, from: &Value, to: &Value| SettingChanged {
        at: day.local(*at),
        by: by.clone(),
        setting,
        from: shown(from),
        to: shown(to),
    };
    let settings = what.split(", ").filter(|_| action == "put_tenant");
    let each = settings.filter(|key| from.get(key).is_some() || to.get(key).is_some());
    let each: Vec<_> = each.map(|key| line(key.to_owned(), &from[key], &to[key])).collect();
    if !each.is_empty() {
        return each;
    }
    let setting = match action.as_str() {
        "put_tenant" | "put_secret" | "rotate_secret" | "" => what.clone(),
        _ if what.is_empty() => action.clone(),
        _ => format!("{action} {what}"),
    };
    vec![line(setting, from, to)]
}

/// A value as people write it; nothing where there is none.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => {
            let list: Vec<String> = list.iter().filter_map(shown).collect();
            (!list.is_empty()).then(|| list.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().filter_map(|(name, value)| Some(format!("{name} {}", shown(value)?))).collect();
            (!fields.is_empty()).then(|| fields.join(", "))
        }
        other => Some(other.to_string()),
    }
}

/// How many runs the frequency asked for on a day until now: as it was in force from hour to hour. A new tenant is due
/// at once (rule 4.1).
pub(crate) fn expected(tenant: &TenantId, meta: &Tenant, audit: &[Audit], day: &Day, now: Timestamp) -> u64 {
    let changes: Vec<_> = audit
        .iter()
        .filter(|entry| entry.action == "put_tenant")
        .filter_map(|entry| Some((entry.at, frequency(&entry.from)?, frequency(&entry.to)?)))
        .collect();
    let (start, end) = (day.start.max(meta.created_at), day.end.min(now));
    let present = meta.settings.sync_frequency;
    let mut hours = changes.iter().find(|(at, ..)| start < *at).map_or(present, |(_, before, _)| *before);
    let mut from = start;
    let mut expected = u64::from(day.has(meta.created_at) && meta.created_at <= now && hours.0 != 0);
    for (at, _, after) in changes.into_iter().filter(|(at, ..)| start < *at && *at < end) {
        expected += runs::due(tenant, hours, from, at);
        (from, hours) = (at, after);
    }
    expected + runs::due(tenant, hours, from, end)
}

fn frequency(settings: &Value) -> Option<Frequency> {
    settings.get(FREQUENCY)?.as_u64()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use directory::Settings;
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::*;
    use crate::records::Status;

    fn day() -> Day {
        Day::new("2026-11-22".parse().unwrap(), TimeZone::UTC, "UTC").unwrap()
    }

    fn entry(at: &str, action: &str, what: &str, from: Value, to: Value) -> Audit {
        Audit {
            at: at.parse().unwrap(),
            by: "ann".into(),
            action: action.into(),
            what: what.into(),
            from,
            to,
            totals: None,
        }
    }

    #[test]
    #[rustfmt::skip]
    fn r6_3_settings_changed_are_told_one_by_one() {
        check("two settings", entry("2026-11-22T10:00:00Z", "put_tenant", "seats, name", json!({"seats": null, "name": "A"}), json!({"seats": 5, "name": "B"})),
              "seats: None -> 5; name: A -> B");
        check("domains",      entry("2026-11-22T10:00:00Z", "put_tenant", "domains", json!({"domains": []}), json!({"domains": [{"name": "a.com", "kind": "relay"}]})),
              "domains: None -> kind relay, name a.com");
        check("a secret",     entry("2026-11-22T10:00:00Z", "put_secret", "secret", json!({"expires_on": null}), json!({"expires_on": "2028-11-22"})),
              "secret: None -> expires_on 2028-11-22");
        check("an exemption", entry("2026-11-22T10:00:00Z", "exempt", "ann@contoso.com", Value::Null, Value::Null),
              "exempt ann@contoso.com: None -> None");
        check("a run",        entry("2026-11-22T10:00:00Z", "apply", "01JD0000000000000000000000", Value::Null, Value::Null), "");
        check("another day",  entry("2026-11-23T10:00:00Z", "exempt", "ann@contoso.com", Value::Null, Value::Null), "");
    }

    #[track_caller]
    fn check(name: &str, entry: Audit, expected: &str) {
        let text = |value: &Option<String>| value.clone().unwrap_or("None".into());
        let lines: Vec<_> = changed(&[entry], &day())
            .shown
            .iter()
            .map(|line| format!("{}: {} -> {}", line.setting, text(&line.from), text(&line.to)))
            .collect();
        assert_eq!(lines.join("; "), expected, "{name}");
    }

    #[test]
    #[rustfmt::skip]
    fn r6_3_expected_runs_follow_the_frequency() {
        let to = |at: &str, from: u8, to: u8| entry(at, "put_tenant", FREQUENCY, json!({FREQUENCY: from}), json!({FREQUENCY: to}));
        let (old, noon, late) = ("2026-01-01T00:00:00Z", "2026-11-22T12:00:00Z", "2026-11-23T07:00:00Z");
        //       what happens                     created   now   hours  audit                                             runs
        expect("a whole day",                     old,      late, 1,     vec![],                                           24);
        expect("half of today",                   old,      noon, 1,     vec![],                                           12);
        expect("made at noon",                    noon,     late, 1,     vec![],                                           13);
        expect("made this moment",                noon,     noon, 1,     vec![],                                           1);
        expect("made the next day",               late,     late, 1,     vec![],                                           0);
        expect("never",                           old,      late, 0,     vec![],                                           0);
        expect("switched off at noon",            old,      late, 0,     vec![to(noon, 1, 0)],                             12);
        expect("switched off the morning after",  old,      late, 0,     vec![to("2026-11-23T01:00:00Z", 1, 0)],           24);
    }

    #[track_caller]
    fn expect(name: &str, created: &str, now: &str, hours: u8, audit: Vec<Audit>, runs: u64) {
        let meta = Tenant {
            settings: Settings::default().with(&json!({FREQUENCY: hours})).unwrap(),
            rev: 1,
            connection: 1,
            status: Status::default(),
            created_at: created.parse().unwrap(),
            credential: None,
            no_contact_since: None,
            contact_saved_at: None,
            contact_bounced: None,
            federated_since: None,
        };
        let tenant = "contoso".parse().unwrap();
        assert_eq!(expected(&tenant, &meta, &audit, &day(), now.parse().unwrap()), runs, "{name}");
    }
}
