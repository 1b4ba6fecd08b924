//! Days of made-up tenants, to change one thing and look at the mail.

use directory::{
    Code, CredentialKind, Failure, Kind, Microsoft, SkipReason,
    facts::{
        ChangeLine, ConnectionFacts, CredentialFacts, CredentialState, DailyFacts, Did, Expiring, ExpiryDay,
        ExpiryEvent, ExpiryFacts, ExpirySource, FailedRun, HeldChanges, Light, Listed, Named, NeverRan, NotImported,
        OpenError, Outcomes, Person, RollUpFacts, Runs, Seats, SettingChanged, Tally, Trouble, Unreached, Waiting,
        Warning, WithoutMobile,
    },
};
use jiff::civil::{Date, date, datetime};

/// The day of every sample.
pub(crate) const TODAY: Date = date(2026, 3, 3);

/// A day on which nothing happened.
pub(crate) fn quiet() -> DailyFacts {
    let still = |count| Tally { before: count, after: count, ..Tally::default() };
    DailyFacts {
        tenant: contoso(),
        date: TODAY,
        time_zone: "Europe/Zurich".to_owned(),
        runs: Runs { expected: 24, started: 24, succeeded: 24, failed: 0, failures: Vec::new() },
        outcomes: Outcomes { users: still(1204), groups: still(86), functional: still(12) },
        changes: Listed::default(),
        not_imported: Vec::new(),
        errors: Listed::default(),
        held: None,
        connection: ConnectionFacts {
            status: Light::Green,
            verified_at: Some(datetime(2026, 1, 12, 14, 3, 0, 0)),
            error: None,
            last_successful_sync: Some(datetime(2026, 3, 3, 23, 4, 0, 0)),
        },
        credential: CredentialFacts {
            kind: CredentialKind::Secret,
            state: CredentialState::Working,
            expiry: Some(expires(376, ExpirySource::Entra)),
            not_renewed: None,
        },
        without_mobile: WithoutMobile::default(),
        settings_changed: Listed::default(),
        warnings: Vec::new(),
        seats: Seats { before: 1180, after: 1180, seats: Some(1200) },
        console: Some("https://console.example".to_owned()),
    }
}

/// A day with something under every heading, and two errors.
pub(crate) fn busy() -> DailyFacts {
    let line = |did, kind, name: &str, address: &str, why: &str| ChangeLine {
        did,
        kind,
        name: name.to_owned(),
        address: (!address.is_empty()).then(|| address.to_owned()),
        why: why.to_owned(),
    };
    DailyFacts {
        runs: Runs {
            expected: 24,
            started: 24,
            succeeded: 23,
            failed: 1,
            failures: vec![failed_run(23, Failure {
                microsoft: Some(Microsoft {
                    code: Some("Authorization_RequestDenied".to_owned()),
                    correlation_id: None,
                    request_id: Some("7b2f6b0e-6a5c-4a6f-9f1a-0f2a3b4c5d6e".to_owned()),
                }),
                consent_link: Some("https://login.microsoftonline.com/contoso.com/adminconsent?client_id=00000000-0000-0000-0000-0000000000aa".to_owned()),
                ..Failure::new(
                    Code::PermissionMissing,
                    "The application lacks the permission Directory.Read.All",
                    "an administrator of the directory grants it under API permissions, or with this link",
                )
            })],
        },
        outcomes: Outcomes {
            users: Tally { before: 1204, added: 2, updated: 1, disabled: 1, deleted: 1, not_enabled: 1, skipped: 18, failed: 1, after: 1205 },
            groups: Tally { before: 86, added: 1, updated: 2, deleted: 0, skipped: 3, after: 87, ..Tally::default() },
            functional: Tally { before: 12, updated: 1, after: 12, ..Tally::default() },
        },
        // in the order of the clock, not of the report
        changes: Listed::from(vec![
            line(Did::Added, Kind::User, "Ann Lee", "ann.lee@contoso.com", "new in Entra"),
            line(Did::Added, Kind::User, "", "trainee7@contoso.com", "new in Entra"),
            line(Did::Updated, Kind::User, "Bea Ortiz", "bea.ortiz@contoso.com", "surname and primary address changed in Entra"),
            line(Did::Deleted, Kind::User, "Carl Novak", "carl.novak@contoso.com", "it is gone from Entra; kept until 2 April 2026"),
            line(Did::Added, Kind::Group, "Project Aurora", "aurora@contoso.com", "new in Entra"),
            line(Did::Disabled, Kind::User, "Dora Weiss", "dora.weiss@contoso.com", "sign-in is blocked in Entra"),
            line(Did::Updated, Kind::Group, "All staff", "staff@contoso.com", "2 members joined, 1 left"),
            line(Did::Updated, Kind::Group, "VPN users", "", "1 member joined"),
            line(Did::Updated, Kind::User, "Reception", "reception@contoso.com", "business phone changed in Entra"),
        ]),
        not_imported: vec![
            NotImported {
                reason: SkipReason::NoSmtpAddress,
                count: 14,
                examples: ["Svc Backup", "Svc Print", "Svc Scan"].map(str::to_owned).to_vec(),
            },
            NotImported { reason: SkipReason::DomainNotRegistered, count: 1, examples: vec!["max@fabrikam.example".to_owned()] },
            NotImported { reason: SkipReason::Guest, count: 6, examples: Vec::new() },
        ],
        errors: Listed::from(vec![OpenError {
            kind: Kind::User,
            object: "eve.moser@contoso.com".to_owned(),
            message: "the address is the primary address of fay.moser@contoso.com in Entra too".to_owned(),
            since: date(2026, 2, 27),
            retry_at: Some(datetime(2026, 3, 4, 6, 0, 0, 0)),
        }]),
        connection: ConnectionFacts { last_successful_sync: Some(datetime(2026, 3, 3, 22, 4, 0, 0)), ..quiet().connection },
        credential: CredentialFacts {
            kind: CredentialKind::Secret,
            state: CredentialState::Expiring,
            expiry: Some(expires(12, ExpirySource::Assumed)),
            not_renewed: None,
        },
        without_mobile: WithoutMobile {
            administrators: Listed::from(vec![
                Person { address: "gil.admin@contoso.com".to_owned(), name: "Gil Baker".to_owned() },
                Person { address: "root@contoso.com".to_owned(), name: String::new() },
            ]),
            others: 31,
        },
        settings_changed: Listed::from(vec![SettingChanged {
            at: datetime(2026, 3, 3, 9, 41, 0, 0),
            by: "gil.admin@contoso.com".to_owned(),
            setting: "sync_frequency".to_owned(),
            from: Some("24".to_owned()),
            to: Some("1".to_owned()),
        }]),
        warnings: vec![Warning {
            code: "seats_exceeded".to_owned(),
            message: "1,205 billable users are more than the 1,200 seats".to_owned(),
        }],
        seats: Seats { before: 1204, after: 1205, seats: Some(1200) },
        ..quiet()
    }
}

/// A day on which the brake held 57 removals.
pub(crate) fn held() -> DailyFacts {
    let mut facts = quiet();
    facts.held = Some(holding(51, 6));
    facts.outcomes.users = Tally { before: 1204, added: 3, updated: 1, after: 1207, ..Tally::default() };
    facts
}

/// Held removals.
pub(crate) fn holding(users: u64, groups: u64) -> HeldChanges {
    let run = "01JNDM8Z4T9Q0V3W5X7Y1A2B3C".parse().unwrap();
    HeldChanges { users, groups, emptied: 0, undone: 0, run, since: date(2026, 3, 2) }
}

/// A day on which Entra refused the secret.
pub(crate) fn refused() -> DailyFacts {
    let failure = secret_expired();
    let mut facts = quiet();
    facts.runs = Runs {
        expected: 24,
        started: 24,
        succeeded: 0,
        failed: 24,
        failures: (14..24).rev().map(|hour| failed_run(hour, failure.clone())).collect(),
    };
    facts.credential.state = CredentialState::Refused;
    facts.credential.expiry = Some(expires(-1, ExpirySource::Stated));
    facts.connection.last_successful_sync = Some(datetime(2026, 3, 2, 23, 4, 0, 0));
    facts
}

/// A day of a tenant in whose directory somebody tries things.
pub(crate) fn hostile() -> DailyFacts {
    let mut facts = busy();
    facts.tenant.name = HOSTILE.to_owned();
    facts.tenant.domain = None;
    facts.time_zone = HOSTILE.to_owned();
    for failed in &mut facts.runs.failures {
        hurt(&mut failed.failure);
    }
    for change in &mut facts.changes.shown {
        change.name = HOSTILE.to_owned();
        change.address = Some(HOSTILE.to_owned());
        change.why = HOSTILE.to_owned();
    }
    for group in &mut facts.not_imported {
        group.examples = vec![HOSTILE.to_owned(); 2];
    }
    for error in &mut facts.errors.shown {
        error.object = HOSTILE.to_owned();
        error.message = HOSTILE.to_owned();
    }
    let mut failure = secret_expired();
    hurt(&mut failure);
    facts.connection.error = Some(failure);
    facts.connection.status = Light::Grey;
    for person in &mut facts.without_mobile.administrators.shown {
        person.name = HOSTILE.to_owned();
        person.address = HOSTILE.to_owned();
    }
    for setting in &mut facts.settings_changed.shown {
        setting.by = HOSTILE.to_owned();
        setting.setting = HOSTILE.to_owned();
        setting.from = Some(HOSTILE.to_owned());
        setting.to = Some(HOSTILE.to_owned());
    }
    for warning in &mut facts.warnings {
        warning.code = HOSTILE.to_owned();
        warning.message = HOSTILE.to_owned();
    }
    facts.console = Some("javascript:alert(1)".to_owned());
    facts
}

/// Markup, the end of an attribute, a header, a right-to-left override, a bell and a line separator.
pub(crate) const HOSTILE: &str =
    "<script>alert(1)</script>\" onload='x'\r\nBcc: eve@evil.example\u{202e}txt.exe\u{7}\u{2028}{{ 7 * 7 }}";

fn hurt(failure: &mut Failure) {
    failure.message = HOSTILE.to_owned();
    failure.help = HOSTILE.to_owned();
    failure.consent_link = Some(format!("https://login.example/\"><script>{HOSTILE}"));
    let said = Some(HOSTILE.to_owned());
    failure.microsoft = Some(Microsoft { code: said.clone(), correlation_id: said.clone(), request_id: said });
}

/// A secret that ends in 14 days.
pub(crate) fn ending() -> ExpiryFacts {
    ExpiryFacts {
        tenant: contoso(),
        date: TODAY,
        event: ExpiryEvent::Expiring,
        application_id: "6f1d2c3b-4a59-4867-8778-695a4b3c2d1e".to_owned(),
        application_name: Some("Entra Sync for Contoso".to_owned()),
        kind: CredentialKind::Secret,
        name: Some("entra-sync 2024".to_owned()),
        key_id: Some("0b1c2d3e-4f50-4617-8728-394a5b6c7d8e".to_owned()),
        hint: Some("x7Q".to_owned()),
        expiry: Some(expires(14, ExpirySource::Entra)),
        newer: None,
        unlisted: false,
        renews_itself: false,
        failed_runs: 0,
        console: Some("https://console.example".to_owned()),
        portal: Some("https://entra.microsoft.com/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/Credentials/appId/6f1d2c3b-4a59-4867-8778-695a4b3c2d1e".to_owned()),
    }
}

/// A day of an operator with something in each list.
pub(crate) fn all_tenants() -> RollUpFacts {
    let named = |id: &str, name: &str| Named {
        id: id.parse().unwrap(),
        name: name.to_owned(),
        domain: Some(format!("{id}.example")),
    };
    let ending = |id, name, days, source| Expiring {
        tenant: named(id, name),
        kind: CredentialKind::Secret,
        expiry: expires(days, source),
    };
    RollUpFacts {
        date: TODAY,
        tenants: 1312,
        scheduled: 1290,
        runs: Runs { expected: 12_480, started: 12_455, succeeded: 12_430, failed: 25, failures: Vec::new() },
        failed: Listed {
            shown: vec![
                Trouble {
                    tenant: named("adatum", "Adatum"),
                    failed_runs: 24,
                    errors: 0,
                    failure: Some(secret_expired()),
                },
                Trouble { tenant: named("fabrikam", "Fabrikam"), failed_runs: 0, errors: 3, failure: None },
            ],
            total: 7,
        },
        held: Listed::from(vec![Waiting { tenant: named("litware", "Litware"), held: holding(51, 6) }]),
        never_ran: Listed::from(vec![NeverRan {
            tenant: named("tailspin", "Tailspin Toys"),
            expected: 1,
            last_successful_sync: None,
        }]),
        expiring: Listed::from(vec![
            ending("adatum", "Adatum", -1, ExpirySource::Stated),
            ending("northwind", "Northwind Traders", 3, ExpirySource::Entra),
            ending("wingtip", "Wingtip", 58, ExpirySource::Assumed),
        ]),
        unreached: Listed::from(vec![Unreached {
            tenant: named("relecloud", "Relecloud"),
            since: TODAY.at(7, 2, 0, 0),
        }]),
        switched_off: Listed::from(vec![named("proseware", "Proseware")]),
    }
}

/// The failure of an expired secret.
pub(crate) fn secret_expired() -> Failure {
    Failure {
        microsoft: Some(Microsoft {
            code: Some("AADSTS7000222".to_owned()),
            correlation_id: Some("c2b1a09f-8e7d-4c6b-a594-837261504f3e".to_owned()),
            request_id: None,
        }),
        ..Failure::new(
            Code::CredentialSecretExpired,
            "Failed to connect. Please check your Azure (Entra ID) Credential: the client secret has expired",
            "create a new client secret and save its value",
        )
    }
}

/// A day of expiry, counted from today.
pub(crate) fn expires(days_left: i32, source: ExpirySource) -> ExpiryDay {
    ExpiryDay { on: TODAY + jiff::Span::new().days(days_left), days_left, source }
}

fn failed_run(hour: i8, failure: Failure) -> FailedRun {
    FailedRun {
        run: format!("01JNDM8Z4T9Q0V3W5X7Y1A2B{hour:02}").parse().unwrap(),
        at: TODAY.at(hour, 4, 0, 0),
        failure,
    }
}

fn contoso() -> Named {
    Named { id: "contoso".parse().unwrap(), name: "Contoso Ltd".to_owned(), domain: Some("contoso.com".to_owned()) }
}
