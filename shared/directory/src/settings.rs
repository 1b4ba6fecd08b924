//! What a tenant can set, its defaults, and what is refused (section 9, "Settings").

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Address, Domain, Failure, Kind};

/// All settings of a tenant. Unknown keys and impossible values never get this far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What people call the tenant.
    pub name: String,
    /// The domain that names the directory where no `directory_id` is given.
    pub primary_domain: Option<Domain>,
    /// The registered domains: only their addresses are imported (rule 2.4).
    pub domains: Vec<RegisteredDomain>,
    /// Who gets reports and warnings.
    pub tech_contact: Option<Address>,
    /// The directory's GUID in Entra.
    pub directory_id: Option<Guid>,
    /// The application (client) id.
    pub application_id: Option<Guid>,
    /// How the application proves who it is.
    pub credential: Credential,
    /// The Microsoft cloud of the directory.
    pub cloud: Cloud,
    /// Keep users on the service's own sign-in page (rule 8.3).
    pub disable_login: bool,
    /// The role of a new user (rule 3.3).
    pub default_user_role_name: NewUserRole,
    /// Hours between runs; 0 is never.
    pub sync_frequency: Frequency,
    /// Import users.
    pub sync_active_users: bool,
    /// Import distribution groups and Microsoft 365 groups.
    pub sync_distribution_groups: bool,
    /// Import security groups.
    pub sync_security_groups: bool,
    /// Import guests too (rule 2.8).
    pub sync_guests: bool,
    /// Switch (rule 3.1).
    pub add_users: bool,
    /// Switch; also disabling and re-enabling (rule 3.2).
    pub update_users: bool,
    /// Switch.
    pub remove_deleted_users: bool,
    /// Switch.
    pub add_groups: bool,
    /// Switch.
    pub update_groups: bool,
    /// Switch.
    pub remove_deleted_groups: bool,
    /// What a blocked sign-in means (rule 5.2).
    pub blocked_sign_in: BlockedSignIn,
    /// Days between marking an object as deleted and removing it for good (rule 3.4).
    pub recovery_days: Days,
    /// The deletion brake (rule 4.8).
    pub brake: Brake,
    /// How many billable users the tenant has paid for.
    pub seats: Option<u32>,
    /// Read the kind of mailboxes (needs `MailboxSettings.Read`).
    pub read_mailbox_kind: bool,
    /// Renew the secret by itself (needs `Application.ReadWrite.OwnedBy`).
    pub rotate_secret: bool,
    /// When the daily report is mailed.
    pub report: ReportTime,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            primary_domain: None,
            domains: Vec::new(),
            tech_contact: None,
            directory_id: None,
            application_id: None,
            credential: Credential::default(),
            cloud: Cloud::default(),
            disable_login: false,
            default_user_role_name: NewUserRole::EndUser,
            sync_frequency: Frequency(24),
            sync_active_users: true,
            sync_distribution_groups: true,
            sync_security_groups: false,
            sync_guests: false,
            add_users: true,
            update_users: true,
            remove_deleted_users: false,
            add_groups: true,
            update_groups: true,
            remove_deleted_groups: false,
            blocked_sign_in: BlockedSignIn::Disable,
            recovery_days: Days(30),
            brake: Brake::default(),
            seats: None,
            read_mailbox_kind: false,
            rotate_secret: false,
            report: ReportTime::default(),
        }
    }
}

/// A domain of the tenant and whether mail flows for it (rule 2.5). Both kinds count as registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredDomain {
    /// The domain.
    pub name: Domain,
    /// Relay or management.
    #[serde(default)]
    pub kind: DomainKind,
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),* }
    };
}

choice! {
    /// Whether mail flows for a domain.
    DomainKind {
        /// Mail flows.
        #[default]
        Relay,
        /// Registered, no mail flow.
        Management,
    }
}

choice! {
    /// A Microsoft cloud (rule 1.4).
    Cloud {
        /// Worldwide, GCC included.
        #[default]
        Global,
        /// US Government L4, GCC High.
        UsGov,
        /// US Government L5.
        UsGovDod,
        /// China, operated by 21Vianet.
        China,
    }
}

choice! {
    /// How the application proves who it is (rule 1.3).
    CredentialKind {
        /// A client secret.
        #[default]
        Secret,
        /// An assertion signed with a certificate.
        Certificate,
        /// An identity token of the cloud account.
        Federated,
    }
}

choice! {
    /// The role of a new user (rule 3.3).
    NewUserRole {
        /// May sign in, gets digests.
        #[default]
        EndUser,
        /// Neither.
        SilentUser,
    }
}

choice! {
    /// What a blocked sign-in means for a mailbox (rule 5.2).
    BlockedSignIn {
        /// The user is not active.
        #[default]
        Disable,
        /// It is a functional account.
        FunctionalAccount,
        /// Nothing: sign-in is not looked at.
        Ignore,
    }
}

/// The kind of credential; the credential itself is never a setting.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Credential {
    /// Secret, certificate or federated.
    pub kind: CredentialKind,
}

/// Limits of the deletion brake (rule 4.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Brake {
    /// Off only for tenants that said so.
    pub enabled: bool,
    /// Percent of the active managed users that one run may disable and delete.
    pub users_percent: Percent,
    /// That many users are always allowed.
    pub users_min: u32,
    /// Percent of the managed groups that one run may delete.
    pub groups_percent: Percent,
    /// That many groups are always allowed.
    pub groups_min: u32,
    /// A group of more members than this is not emptied without a word.
    pub members_min: u32,
}

impl Default for Brake {
    fn default() -> Self {
        Self {
            enabled: true,
            users_percent: Percent(10),
            users_min: 5,
            groups_percent: Percent(10),
            groups_min: 5,
            members_min: 10,
        }
    }
}

/// The hour at which the daily report is mailed, in the tenant's own time zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReportTime {
    /// 0 to 23.
    pub hour: Hour,
    /// A name of the IANA time zone database.
    pub time_zone: TimeZone,
}

impl Default for ReportTime {
    fn default() -> Self {
        Self { hour: Hour(7), time_zone: TimeZone("UTC".to_owned()) }
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($kind:ty), $fits:expr, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "u64")]
        pub struct $name(pub $kind);
        impl TryFrom<u64> for $name {
            type Error = String;
            fn try_from(number: u64) -> Result<Self, String> {
                let fits: fn(u64) -> bool = $fits;
                match <$kind>::try_from(number) {
                    Ok(small) if fits(number) => Ok(Self(small)),
                    _ => Err(concat!("expected ", $expected).to_owned()),
                }
            }
        }
    };
}

number!(
    /// Hours between runs (rule 4.1).
    Frequency(u8), |n| [0, 1, 3, 6, 12, 24].contains(&n), "0 (never), 1, 3, 6, 12 or 24 hours"
);
number!(
    /// Days of recovery.
    Days(u16), |n| n <= 3650, "0 to 3650 days"
);
number!(
    /// A share of a hundred.
    Percent(u8), |n| n <= 100, "0 to 100 percent"
);
number!(
    /// An hour of the day.
    Hour(i8), |n| n <= 23, "an hour from 0 to 23"
);

/// A GUID in lower case with hyphens, as Entra's portal shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Guid(String);

impl Guid {
    /// The GUID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text is shaped like a GUID, in any case, with braces or without.
    pub fn is_shape_of(text: &str) -> bool {
        let text = text.trim();
        let text = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
        let groups: Vec<&str> = text.split('-').collect();
        let hyphenated = groups.iter().map(|g| g.len()).eq([8, 4, 4, 4, 12]);
        (hyphenated || (groups.len() == 1 && text.len() == 32))
            && groups.iter().all(|g| g.bytes().all(|b| b.is_ascii_hexdigit()))
    }
}

impl TryFrom<String> for Guid {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.trim().trim_start_matches('{').trim_end_matches('}').to_ascii_lowercase();
        if Self::is_shape_of(&text) && text.len() == 36 { Ok(Self(text)) } else { Err("expected a GUID") }
    }
}

/// A time zone that this program knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct TimeZone(String);

impl TimeZone {
    /// The zone itself.
    pub fn zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::get(&self.0).unwrap_or(jiff::tz::TimeZone::UTC)
    }

    /// Its IANA name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TimeZone {
    type Error = &'static str;
    fn try_from(name: String) -> Result<Self, Self::Error> {
        match jiff::tz::TimeZone::get(&name) {
            Ok(_) => Ok(Self(name)),
            Err(_) => Err("expected a name of the IANA time zone database, such as Europe/Zurich"),
        }
    }
}

impl Settings {
    /// These settings with a partial update laid over them. Keys that are not named keep their value; `null` clears
    /// what can be empty.
    ///
    /// # Errors
    /// `invalid_input` that names the key and what is expected there, and never repeats a value: people paste secrets
    /// into the wrong field.
    pub fn with(&self, patch: &Value) -> Result<Self, Failure> {
        let mut merged = serde_json::to_value(self).map_err(|err| Failure::invalid(err.to_string()))?;
        merge(&mut merged, patch, "settings")?;
        if let Some(at) = merged["domains"].as_array().and_then(|list| list.iter().position(|item| !item.is_object())) {
            return Err(Failure::invalid(format!("settings.domains[{at}]: expected an object")));
        }
        let settings: Self = serde_path_to_error::deserialize(merged).map_err(|err| {
            let text = err.inner().to_string();
            // Only these texts of serde repeat a value, and they do so ahead of what they expect.
            let repeats = ["invalid ", "unknown variant"].iter().any(|start| text.starts_with(start));
            let said = match text.rfind("expected") {
                Some(at) if repeats => &text[at..],
                None if repeats => "wrong value",
                _ => &text,
            };
            Failure::invalid(format!("settings.{}: {said}", err.path()))
        })?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Failure> {
        let length = self.name.chars().count();
        if length > 200 || self.name.chars().any(char::is_control) {
            return Err(Failure::invalid("settings.name: expected at most 200 characters without control characters"));
        }
        if self.domains.len() > 1000 {
            return Err(Failure::invalid("settings.domains: expected at most 1000 domains"));
        }
        for (at, domain) in self.domains.iter().enumerate() {
            if self.domains[..at].iter().any(|d| d.name == domain.name) {
                return Err(Failure::invalid(format!("settings.domains: {} is listed twice", domain.name)));
            }
        }
        Ok(())
    }

    /// Whether a domain is one of the tenant's (rules 2.4 and 2.5).
    pub fn is_registered(&self, domain: &Domain) -> bool {
        self.domains.iter().any(|registered| &registered.name == domain)
    }

    /// What names the directory at the sign-in: its GUID, else its primary domain (rule 1.2).
    pub fn authority(&self) -> Option<&str> {
        self.directory_id.as_ref().map(Guid::as_str).or(self.primary_domain.as_ref().map(Domain::as_str))
    }

    /// The keys that are different in `other`, with both values, for the audit.
    pub fn differences(&self, other: &Self) -> Vec<(String, Value, Value)> {
        let (Ok(Value::Object(old)), Ok(Value::Object(new))) =
            (serde_json::to_value(self), serde_json::to_value(other))
        else {
            return Vec::new();
        };
        let changed = old.into_iter().filter_map(|(key, from)| {
            let to = new.get(&key)?.clone();
            (from != to).then_some((key, from, to))
        });
        changed.collect()
    }

    /// Whether a change of settings changes what the rules want of anybody (rule 4.10), rather than only when or to
    /// whom something is sent.
    pub fn decides_otherwise_than(&self, other: &Self) -> bool {
        const OTHER: [&str; 12] = [
            "name",
            "tech_contact",
            "report",
            "sync_frequency",
            "seats",
            "application_id",
            "credential",
            "cloud",
            "disable_login",
            "rotate_secret",
            "brake",
            "default_user_role_name",
        ];
        self.differences(other).iter().any(|(key, ..)| !OTHER.contains(&key.as_str()))
    }

    /// The switch for adding objects of a kind.
    pub fn adds(&self, kind: Kind) -> bool {
        if kind == Kind::User { self.add_users } else { self.add_groups }
    }

    /// The switch for updating objects of a kind; also for disabling and re-enabling.
    pub fn updates(&self, kind: Kind) -> bool {
        if kind == Kind::User { self.update_users } else { self.update_groups }
    }

    /// The switch for removing deleted objects of a kind.
    pub fn removes(&self, kind: Kind) -> bool {
        if kind == Kind::User { self.remove_deleted_users } else { self.remove_deleted_groups }
    }
}

/// Lay a patch over what stands under `key`. Over an object only an object: serde would read a list as its fields.
fn merge(base: &mut Value, patch: &Value, key: &str) -> Result<(), Failure> {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (name, value) in patch {
                merge(base.entry(name.clone()).or_insert(Value::Null), value, &format!("{key}.{name}"))?;
            }
            Ok(())
        }
        (Value::Object(_), _) => Err(Failure::invalid(format!("{key}: expected an object"))),
        (base, patch) => {
            *base = patch.clone();
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn r1_2_the_directory_id_is_asked_or_else_the_primary_domain() {
        let id = "11111111-1111-1111-1111-111111111111";
        let authority = |patch| Settings::default().with(&patch).unwrap().authority().map(str::to_owned);
        assert_eq!(authority(json!({})), None);
        assert_eq!(authority(json!({"primary_domain": "Contoso.COM"})).as_deref(), Some("contoso.com"));
        assert_eq!(authority(json!({"primary_domain": "contoso.com", "directory_id": id})).as_deref(), Some(id));
    }

    #[test]
    fn s9_defaults_are_the_published_ones() {
        let shown = serde_json::to_value(Settings::default()).unwrap();
        let expected = json!({
            "name": "", "primary_domain": null, "domains": [], "tech_contact": null, "directory_id": null,
            "application_id": null, "credential": {"kind": "secret"}, "cloud": "global", "disable_login": false,
            "default_user_role_name": "end_user", "sync_frequency": 24, "sync_active_users": true,
            "sync_distribution_groups": true, "sync_security_groups": false, "sync_guests": false, "add_users": true,
            "update_users": true, "remove_deleted_users": false, "add_groups": true, "update_groups": true,
            "remove_deleted_groups": false, "blocked_sign_in": "disable", "recovery_days": 30,
            "brake": {"enabled": true, "users_percent": 10, "users_min": 5, "groups_percent": 10, "groups_min": 5,
                      "members_min": 10},
            "seats": null, "read_mailbox_kind": false, "rotate_secret": false,
            "report": {"hour": 7, "time_zone": "UTC"},
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn s9_a_partial_update_keeps_the_rest() {
        let first = Settings::default().with(&json!({"seats": 5, "brake": {"users_min": 50}})).unwrap();
        let second = first.with(&json!({"seats": null, "name": "Contoso"})).unwrap();
        assert_eq!((second.seats, second.brake.users_min, second.name.as_str()), (None, 50, "Contoso"));
    }

    #[test]
    #[rustfmt::skip]
    fn s9_impossible_settings_are_refused() {
        check("unknown key",        json!({"sync_users": true}),            "unknown field `sync_users`");
        check("unknown nested key", json!({"brake": {"on": true}}),         "settings.brake.on: unknown field `on`");
        check("wrong type",         json!({"add_users": "yes"}),            "settings.add_users: expected a boolean");
        check("r4_1 frequency",     json!({"sync_frequency": 2}),           "settings.sync_frequency: expected 0 (never), 1, 3, 6, 12 or 24 hours");
        check("negative",           json!({"recovery_days": -1}),           "settings.recovery_days: expected");
        check("percent",            json!({"brake": {"users_percent": 101}}), "expected 0 to 100 percent");
        check("time zone",          json!({"report": {"time_zone": "Mars/Olympus"}}), "expected a name of the IANA");
        check("GUID",               json!({"application_id": "contoso"}),   "settings.application_id: expected a GUID");
        check("not an object",      json!([1]),                             "settings: expected an object");
        check("a list for fields",  json!({"brake": []}),                   "settings.brake: expected an object");
        check("a list for a kind",  json!({"credential": ["secret"]}),      "settings.credential: expected an object");
        check("null for fields",    json!({"report": null}),                "settings.report: expected an object");
        check("a list for a domain", json!({"domains": [{"name": "a.com"}, ["b.com"]]}), "settings.domains[1]: expected an object");
        check("a nameless domain",  json!({"domains": [{"kind": "relay"}]}), "settings.domains[0]: missing field `name`");
        check("no domain",          json!({"domains": [{"name": "a"}]}),    "settings.domains[0].name: the part after the @ is not a domain name");
        check("no address",         json!({"tech_contact": "it"}),          "settings.tech_contact: an address has exactly one @ between");
        check("unknown choice",     json!({"cloud": "private"}),            "settings.cloud: expected one of `global`, ");
        check("twice",              json!({"domains": [{"name": "a.com"}, {"name": "A.com"}]}), "a.com is listed twice");
        check("name",               json!({"name": "a\nb"}),                "without control characters");
        check("never null",         json!({"cloud": null}),                 "settings.cloud: expected");
        for key in ["credential", "cloud", "application_id", "primary_domain", "tech_contact", "seats", "domains", "report"] {
            let pasted = Settings::default().with(&json!({key: "pasted, expected by nobody"})).unwrap_err();
            assert!(!["pasted", "nobody"].iter().any(|part| pasted.message.contains(part)), "{pasted}");
        }
    }

    #[track_caller]
    fn check(name: &str, patch: Value, expected: &str) {
        let failure = Settings::default().with(&patch).unwrap_err();
        assert!(failure.message.contains(expected), "{name}: {failure}");
    }

    #[test]
    fn r1_8_guid_shapes() {
        let guid = "1B4F1C9E-7D5A-4C37-9F1E-2B7B6C1D0A11";
        for shape in
            [guid.to_owned(), format!("{{{guid}}}"), guid.to_lowercase(), format!(" {guid} "), guid.replace('-', "")]
        {
            assert!(Guid::is_shape_of(&shape), "{shape}");
        }
        assert!(!Guid::is_shape_of("abc8Q~not-a-guid"));
    }
}
