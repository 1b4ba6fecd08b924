//! Which of an application's credentials is ours, and when it ends: one answer for settings, reports and warnings alike
//! (rule 6.5).

use directory::{CredentialKind, Settings, TimeZone, expiry, facts::ExpirySource};
use jiff::{Timestamp, civil::Date};

use crate::{
    ports::{Registered, Registration},
    records::{CredentialFacts, Schedule, Seen, Tenant, Told},
};

/// The registration is read again after so many hours: once a day, whatever the minute of the daily run.
const SEEN_HOURS: i64 = 20;
/// With so few days left a secret that renews itself should have done so: the shortest lasts 30 days, and is renewed
/// after 14.
const IN_HAND_DAYS: i32 = 14;

/// The day on which the credential of a tenant ends, and where that is known from. A federated one does not end.
///
/// What Entra says of this very credential goes before what a certificate says of itself, and that before what somebody
/// stated or what was assumed.
pub(crate) fn ends(tenant: &Tenant, sync: &Schedule) -> Option<(Date, ExpirySource)> {
    let facts = facts(tenant)?;
    let day = |at: Timestamp| day(at, &tenant.settings.report.time_zone);
    let listed = told(tenant, sync).and_then(|told| told.ours.as_ref());
    Some(match (listed, &facts.certificate) {
        (Some(ours), _) => (day(ours.ends), ExpirySource::Entra),
        (None, Some(certificate)) => (day(certificate.ends), ExpirySource::Certificate),
        (None, None) => (facts.expires_on, facts.source),
    })
}

/// The calendar day of a moment in a tenant's time zone.
pub(crate) fn day(at: Timestamp, zone: &TimeZone) -> Date {
    at.to_zoned(zone.zone()).date()
}

/// Calendar days until the credential ends, seen at `now`.
pub(crate) fn days_left(tenant: &Tenant, sync: &Schedule, now: Timestamp) -> Option<i32> {
    let (on, _) = ends(tenant, sync)?;
    Some(expiry::days_left(day(now, &tenant.settings.report.time_zone), on))
}

/// Whether the credential is one that is renewed by itself (rule 7.3).
pub(crate) fn renews_itself(settings: &Settings) -> bool {
    settings.rotate_secret && settings.credential.kind == CredentialKind::Secret
}

/// Whether a credential with so many days left may end without anybody's being told yet: it is renewed by itself, and
/// that has not failed. Where a policy allows a short life only, it is always about to end.
pub(crate) fn is_in_hand(tenant: &Tenant, sync: &Schedule, days_left: i32) -> bool {
    renews_itself(&tenant.settings) && sync.rotation.is_none() && days_left > IN_HAND_DAYS
}

/// What is known of the credential that is saved, where it is of the kind that the settings name. Of a federated one
/// nothing is.
pub(crate) fn facts(tenant: &Tenant) -> Option<&CredentialFacts> {
    tenant.credential.as_ref().filter(|facts| facts.kind == tenant.settings.credential.kind)
}

/// Since when the credential is in use, as far as that is known.
pub(crate) fn since(tenant: &Tenant) -> Option<Timestamp> {
    match tenant.settings.credential.kind {
        CredentialKind::Federated => tenant.federated_since,
        CredentialKind::Secret | CredentialKind::Certificate => facts(tenant).map(|facts| facts.saved_at),
    }
}

/// What the registration said of the credential that is in use.
pub(crate) fn told<'a>(tenant: &Tenant, sync: &'a Schedule) -> Option<&'a Told> {
    let facts = facts(tenant)?;
    sync.seen.as_ref().filter(|seen| seen.of == facts.saved_at)?.told.as_ref()
}

/// Whether a run is to read the registration: not since the credential was replaced, or not for a day.
pub(crate) fn is_due(facts: &CredentialFacts, seen: Option<&Seen>, now: Timestamp) -> bool {
    seen.is_none_or(|seen| seen.of != facts.saved_at || now.duration_since(seen.at).as_hours() >= SEEN_HOURS)
}

/// What a registration says of our credential.
pub(crate) fn tell(registration: &Registration, kind: CredentialKind, facts: &CredentialFacts, now: Timestamp) -> Told {
    let (listed, ours) = match kind {
        CredentialKind::Secret => (&registration.secrets, our_secret(&registration.secrets, facts, now)),
        CredentialKind::Certificate => (&registration.certificates, our_certificate(&registration.certificates, facts)),
        CredentialKind::Federated => (&registration.secrets, None),
    };
    let later = |one: &&Registered| {
        let valid = one.starts <= now && now < one.ends;
        // One that begins like ours may be ours.
        let another = |ours: &Registered| one.key_id != ours.key_id && (one.mark.is_none() || one.mark != ours.mark);
        ours.is_some_and(|ours| valid && another(ours) && ours.ends < one.ends)
    };
    Told {
        application: registration.name.clone(),
        newer: listed.iter().filter(later).max_by_key(|one| (one.ends, &one.key_id)).cloned(),
        ours: ours.cloned(),
    }
}

/// By its key id where that is known, else by how it begins. Of several that begin like ours it is the one that ends on the
/// day that somebody stated, else the first to end of those that are still valid: a warning that comes too early does no
/// harm. Where all have ended it is the last.
fn our_secret<'a>(secrets: &'a [Registered], facts: &CredentialFacts, now: Timestamp) -> Option<&'a Registered> {
    if let Some(key_id) = &facts.key_id {
        return secrets.iter().find(|secret| secret.key_id == *key_id);
    }
    let hint = facts.hint.as_ref()?;
    let alike = || secrets.iter().filter(|secret| secret.mark.as_ref() == Some(hint));
    let on = |secret: &Registered| secret.ends.to_zoned(jiff::tz::TimeZone::UTC).date();
    let stated = alike().find(|secret| facts.source == ExpirySource::Stated && on(secret) == facts.expires_on);
    let valid = alike().filter(|secret| now < secret.ends).min_by_key(|secret| (secret.ends, &secret.key_id));
    stated.or(valid).or_else(|| alike().max_by_key(|secret| (secret.ends, &secret.key_id)))
}

/// By its thumbprint. Entra often lists one of another kind than we know: then it is the only one that ends at the very
/// second at which ours does.
fn our_certificate<'a>(certificates: &'a [Registered], facts: &CredentialFacts) -> Option<&'a Registered> {
    let own = facts.certificate.as_ref()?;
    let by_thumbprint = certificates.iter().find(|one| one.mark.as_ref() == Some(&own.thumbprint));
    by_thumbprint.or_else(|| {
        let mut alike = certificates.iter().filter(|one| one.ends.as_second() == own.ends.as_second());
        alike.next().filter(|_| alike.next().is_none())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{ports::Certificate, records::Status};

    fn at(day: &str) -> Timestamp {
        format!("{day}T12:00:00Z").parse().unwrap()
    }

    /// `key mark from to`, by line.
    fn list(text: &str) -> Vec<Registered> {
        let one = |line: &str| {
            let [key_id, mark, starts, ends] = line.split_whitespace().collect::<Vec<_>>().try_into().unwrap();
            let mark = Some(mark.to_owned()).filter(|mark| mark != "-");
            Registered { key_id: key_id.to_owned(), name: None, mark, starts: at(starts), ends: at(ends) }
        };
        text.split(';').filter(|line| !line.trim().is_empty()).map(one).collect()
    }

    fn saved(hint: Option<&str>, key_id: Option<&str>, certificate: Option<(&str, &str)>) -> CredentialFacts {
        CredentialFacts {
            kind: if certificate.is_some() { CredentialKind::Certificate } else { CredentialKind::Secret },
            saved_at: at("2026-01-01"),
            expires_on: "2028-01-01".parse().unwrap(),
            source: ExpirySource::Assumed,
            hint: hint.map(str::to_owned),
            key_id: key_id.map(str::to_owned),
            certificate: certificate
                .map(|(thumbprint, ends)| Certificate { thumbprint: thumbprint.to_owned(), ends: at(ends) }),
        }
    }

    #[test]
    #[rustfmt::skip]
    fn r6_5_ours_is_found_by_key_id_else_by_hint() {
        let hint = || saved(Some("abc"), None, None);
        let stated = || CredentialFacts { source: ExpirySource::Stated, ..hint() };
        //     what is listed                   ours                             on the application                                              ours  newer
        secret("nothing",                       hint(),                          "",                                                             "",   "");
        secret("the only one",                  hint(),                          "1 abc 2026-01-01 2027-01-01",                                  "1",  "");
        secret("none of its hint",              hint(),                          "1 xyz 2026-01-01 2027-01-01",                                  "",   "");
        secret("one without a hint",            hint(),                          "1 - 2026-01-01 2027-01-01",                                    "",   "");
        secret("two alike: the first to end",   hint(),                          "1 abc 2026-01-01 2028-01-01; 2 abc 2026-01-01 2027-01-01",     "2",  "");
        secret("two alike, a day was stated",   stated(),                        "1 abc 2026-01-01 2028-01-01; 2 abc 2026-01-01 2027-01-01",     "1",  "");
        secret("two alike, one has ended",      hint(),                          "1 abc 2026-01-01 2028-01-01; 2 abc 2025-01-01 2026-02-01",     "1",  "");
        secret("two alike, both have ended",    hint(),                          "1 abc 2025-01-01 2026-03-01; 2 abc 2025-01-01 2026-02-01",     "1",  "");
        secret("it has ended",                  hint(),                          "1 abc 2025-01-01 2026-02-01; 2 xyz 2026-01-01 2028-01-01",     "1",  "2");
        secret("another ends later",            hint(),                          "1 abc 2026-01-01 2027-01-01; 2 xyz 2026-01-01 2027-01-02",     "1",  "2");
        secret("the last of several that do",   hint(),                          "1 abc 2026-01-01 2027-01-01; 2 x 2026-01-01 2028-01-01; 3 y 2026-01-01 2029-01-01", "1", "3");
        secret("another ends sooner",           hint(),                          "1 abc 2026-01-01 2027-01-01; 2 xyz 2026-01-01 2026-12-31",     "1",  "");
        secret("another is not valid yet",      hint(),                          "1 abc 2026-01-01 2027-01-01; 2 xyz 2026-12-01 2029-01-01",     "1",  "");
        secret("its key id is known",           saved(Some("abc"), Some("2"), None), "1 abc 2026-01-01 2026-12-01; 2 abc 2026-01-01 2027-01-01", "2",  "");
        secret("its key id is gone",            saved(Some("abc"), Some("3"), None), "1 abc 2026-01-01 2027-01-01",                              "",   "");
        let own = || saved(None, None, Some(("FF00", "2027-01-01")));
        certificate("by its thumbprint",        own(),                           "1 AA 2026-01-01 2027-01-01; 2 FF00 2026-01-01 2027-01-01",     "2",  "");
        certificate("by its last second",       own(),                           "1 AA 2026-01-01 2027-01-01; 2 BB 2026-01-01 2028-01-01",       "1",  "2");
        certificate("two end like it",          own(),                           "1 AA 2026-01-01 2027-01-01; 2 BB 2026-01-01 2027-01-01",       "",   "");
        certificate("none ends like it",        own(),                           "1 AA 2026-01-01 2027-01-02",                                   "",   "");
        certificate("it says nothing of itself", hint(),                         "1 abc 2026-01-01 2027-01-01",                                  "",   "");
    }

    #[track_caller]
    fn secret(name: &str, facts: CredentialFacts, listed: &str, ours: &str, newer: &str) {
        let registration = Registration { secrets: list(listed), ..Registration::default() };
        check(name, &tell(&registration, CredentialKind::Secret, &facts, at("2026-06-01")), ours, newer);
    }

    #[track_caller]
    fn certificate(name: &str, facts: CredentialFacts, listed: &str, ours: &str, newer: &str) {
        let registration = Registration { certificates: list(listed), ..Registration::default() };
        check(name, &tell(&registration, CredentialKind::Certificate, &facts, at("2026-06-01")), ours, newer);
    }

    #[track_caller]
    fn check(name: &str, told: &Told, ours: &str, newer: &str) {
        let key = |one: &Option<Registered>| one.as_ref().map(|one| one.key_id.clone()).unwrap_or_default();
        assert_eq!((key(&told.ours).as_str(), key(&told.newer).as_str()), (ours, newer), "{name}");
    }

    #[test]
    #[rustfmt::skip]
    fn r6_5_the_day_is_entras_else_the_certificates_else_stated_or_assumed() {
        let plain = || saved(Some("abc"), None, None);
        let stated = || CredentialFacts { source: ExpirySource::Stated, ..plain() };
        let own = || saved(None, None, Some(("FF", "2027-05-01")));
        //     what is known                      kind           facts     of when        Entra says     zone            the day
        check_day("nothing was saved",             "secret",      None,             "2026-01-01", None,               "UTC",           "");
        check_day("assumed",                       "secret",      Some(plain()),    "2026-01-01", None,               "UTC",           "2028-01-01 Assumed");
        check_day("stated",                        "secret",      Some(stated()),   "2026-01-01", None,               "UTC",           "2028-01-01 Stated");
        check_day("read",                          "secret",      Some(stated()),   "2026-01-01", Some("2027-02-03"), "UTC",           "2027-02-03 Entra");
        check_day("read of the one before",        "secret",      Some(stated()),   "2025-01-01", Some("2027-02-03"), "UTC",           "2028-01-01 Stated");
        check_day("its day is the tenant's",       "secret",      Some(plain()),    "2026-01-01", Some("2027-02-03"), "Pacific/Auckland", "2027-02-04 Entra");
        check_day("a certificate",                 "certificate", Some(own()),      "2026-01-01", None,               "UTC",           "2027-05-01 Certificate");
        check_day("a certificate's own day, there", "certificate", Some(own()),     "2026-01-01", None,               "Pacific/Auckland", "2027-05-02 Certificate");
        check_day("a certificate, as Entra has it", "certificate", Some(own()),     "2026-01-01", Some("2027-04-01"), "UTC",           "2027-04-01 Entra");
        check_day("a secret under another kind",   "certificate", Some(stated()),   "2026-01-01", Some("2027-02-03"), "UTC",           "");
        check_day("a certificate under another",   "secret",      Some(own()),      "2026-01-01", Some("2027-02-03"), "UTC",           "");
        check_day("federated",                     "federated",   Some(stated()),   "2026-01-01", Some("2027-02-03"), "UTC",           "");
    }

    #[track_caller]
    fn check_day(
        name: &str,
        kind: &str,
        credential: Option<CredentialFacts>,
        of: &str,
        listed: Option<&str>,
        zone: &str,
        expected: &str,
    ) {
        let settings = json!({"credential": {"kind": kind}, "report": {"time_zone": zone}});
        let tenant = Tenant {
            settings: Settings::default().with(&settings).unwrap(),
            rev: 1,
            connection: 1,
            status: Status::default(),
            created_at: at("2026-01-01"),
            credential,
            federated_since: None,
            no_contact_since: None,
            contact_saved_at: None,
            contact_bounced: None,
        };
        let ours = listed.map(|day| list(&format!("1 abc 2026-01-01 {day}")).remove(0));
        let told = Some(Told { application: "App".to_owned(), ours, newer: None });
        let sync = Schedule { seen: Some(Seen { at: at("2026-06-01"), of: at(of), told }), ..Schedule::default() };
        let found = ends(&tenant, &sync).map(|(day, source)| format!("{day} {source:?}")).unwrap_or_default();
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn r6_5_the_registration_is_read_once_a_day_and_after_a_replacement() {
        let facts = saved(Some("abc"), None, None);
        let seen = |of: &str| Seen { at: at("2026-06-01"), of: at(of), told: None };
        let due = |seen: Option<Seen>, hours: i64| {
            is_due(&facts, seen.as_ref(), at("2026-06-01") + jiff::SignedDuration::from_hours(hours))
        };
        assert!(due(None, 0) && due(Some(seen("2025-01-01")), 1) && due(Some(seen("2026-01-01")), 20));
        assert!(!due(Some(seen("2026-01-01")), 19));
    }
}
