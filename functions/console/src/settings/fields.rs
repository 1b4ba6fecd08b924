//! The settings as people know them: what each is called, how it is typed, and in which order they stand.

use serde_json::{Map, Value, json};

/// What is typed into a field, and how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A text.
    Text,
    /// A text, or nothing.
    Optional,
    /// A number.
    Number,
    /// A number, or nothing.
    OptionalNumber,
    /// One of several words.
    Choice(&'static [(&'static str, &'static str)]),
    /// One of several numbers.
    Numbers(&'static [(&'static str, &'static str)]),
    /// Yes or no.
    Flag,
    /// Domains, one in a line.
    Domains,
}

/// A setting on the page.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its place among the settings; also the name and the id of the field.
    pub(crate) path: &'static str,
    pub(crate) label: &'static str,
    /// What else there is to know; may be empty.
    pub(crate) hint: &'static str,
    pub(crate) shape: Shape,
    /// What is said where it is refused; where empty, the refusal's own words are.
    pub(crate) expected: &'static str,
}

/// Fields under one heading.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) legend: &'static str,
    pub(crate) fields: &'static [Field],
    /// Switches that stand in a table of so many columns.
    pub(crate) columns: Option<&'static [&'static str]>,
}

/// The connection, which is checked when it is saved (rule 1.5).
pub(crate) const CONNECTION: &[Set] = &[Set {
    legend: "Directory and application",
    columns: None,
    fields: &[
        field(
            "primary_domain",
            "Primary domain",
            "For example contoso.com.",
            Shape::Optional,
            "Type a domain such as contoso.com.",
        ),
        field("directory_id", "Directory (tenant) ID", "", Shape::Optional, GUID),
        field("application_id", "Application (client) ID", "", Shape::Optional, GUID),
        field("cloud", "Cloud", "", Shape::Choice(CLOUDS), "Choose one of the clouds."),
        field("credential.kind", "Credential kind", "", Shape::Choice(KINDS), "Choose one of the kinds."),
        field(
            "rotate_secret",
            "Renew the secret automatically",
            "Needs the permission Application.ReadWrite.OwnedBy.",
            Shape::Flag,
            "",
        ),
    ],
}];

/// Everything else.
pub(crate) const REST: &[Set] = &[
    Set {
        legend: "Domains",
        columns: None,
        fields: &[field(
            "domains",
            "Your domains",
            "One in a line. Only people and groups with an address of these are imported. The operator of this \
             service registers them. Add “management” behind a domain for which no mail flows here: contoso.com management",
            Shape::Domains,
            "",
        )],
    },
    Set {
        legend: "What to Sync",
        columns: None,
        fields: &[
            field("sync_active_users", "Users", "", Shape::Flag, ""),
            field("sync_distribution_groups", "Distribution groups", "Microsoft 365 groups too.", Shape::Flag, ""),
            field("sync_security_groups", "Security groups", "", Shape::Flag, ""),
            field("sync_guests", "Guests", "", Shape::Flag, ""),
            field("blocked_sign_in", "Mailboxes whose sign-in is blocked", "", Shape::Choice(BLOCKED), ""),
            field(
                "read_mailbox_kind",
                "Read the kind of mailboxes",
                "Shared mailboxes, rooms and equipment become functional accounts by themselves. Needs the permission MailboxSettings.Read.",
                Shape::Flag,
                "",
            ),
        ],
    },
    Set {
        legend: "How to Sync",
        columns: Some(&["Add", "Update", "Remove deleted"]),
        fields: &[
            field("add_users", "Users", "", Shape::Flag, ""),
            field("update_users", "Users", "", Shape::Flag, ""),
            field("remove_deleted_users", "Users", "", Shape::Flag, ""),
            field("add_groups", "Groups", "", Shape::Flag, ""),
            field("update_groups", "Groups", "", Shape::Flag, ""),
            field("remove_deleted_groups", "Groups", "", Shape::Flag, ""),
        ],
    },
    Set {
        legend: "Deletions",
        columns: None,
        fields: &[
            field(
                "recovery_days",
                "Recovery days",
                "So long a deleted user or group can come back. 0 removes it at once.",
                Shape::Number,
                "Type a number of days from 0 to 3650.",
            ),
            field(
                "brake.enabled",
                "Deletion brake",
                "A run that would remove more than this waits for your word.",
                Shape::Flag,
                "",
            ),
            field("brake.users_percent", "Percent of the users", "", Shape::Number, PERCENT),
            field("brake.users_min", "So many users are always allowed", "", Shape::Number, NUMBER),
            field("brake.groups_percent", "Percent of the groups", "", Shape::Number, PERCENT),
            field("brake.groups_min", "So many groups are always allowed", "", Shape::Number, NUMBER),
            field(
                "brake.members_min",
                "Largest group that may be emptied",
                "Number of members.",
                Shape::Number,
                NUMBER,
            ),
        ],
    },
    Set {
        legend: "When, and for whom",
        columns: None,
        fields: &[
            field("sync_frequency", "Sync Frequency", "", Shape::Numbers(HOURS), "Choose one of the frequencies."),
            field(
                "default_user_role_name",
                "Default New User Role",
                "",
                Shape::Choice(ROLES),
                "Choose one of the roles.",
            ),
            field(
                "disable_login",
                "Keep the service’s own sign-in page",
                "With “Sign in with Microsoft” beside it, instead of going to Microsoft at once.",
                Shape::Flag,
                "",
            ),
            field(
                "seats",
                "Seats",
                "You are warned when there are more billable users. Empty for no limit.",
                Shape::OptionalNumber,
                "Type a number, or nothing for no limit.",
            ),
            field("name", "Name of your organisation", "", Shape::Text, ""),
        ],
    },
    Set {
        legend: "Report",
        columns: None,
        fields: &[
            field(
                "tech_contact",
                "Tech contact",
                "Gets the daily report and all warnings.",
                Shape::Optional,
                "Type an address such as it@contoso.com.",
            ),
            field("report.hour", "Hour of the report", "", Shape::Numbers(CLOCK), "Choose an hour."),
            field(
                "report.time_zone",
                "Time zone",
                "For example Europe/Zurich or UTC.",
                Shape::Text,
                "Type a name of the IANA time zone database, such as Europe/Zurich.",
            ),
        ],
    },
];

const GUID: &str = "Type the ID as the portal shows it, such as 11111111-2222-3333-4444-555555555555.";
const PERCENT: &str = "Type a number from 0 to 100.";
const NUMBER: &str = "Type a number from 0 to 4294967295.";
const CLOUDS: &[(&str, &str)] = &[
    ("global", "Worldwide, GCC included"),
    ("us_gov", "US Government L4 (GCC High)"),
    ("us_gov_dod", "US Government L5 (DoD)"),
    ("china", "China (21Vianet)"),
];
const KINDS: &[(&str, &str)] =
    &[("secret", "Client secret"), ("certificate", "Certificate"), ("federated", "Federated (by the operator)")];
const BLOCKED: &[(&str, &str)] = &[
    ("disable", "Disable the user"),
    ("functional_account", "Make it a functional account"),
    ("ignore", "Ignore: keep it as it is"),
];
const ROLES: &[(&str, &str)] =
    &[("end_user", "End user: signs in, gets digests"), ("silent_user", "Silent user: neither")];
const HOURS: &[(&str, &str)] = &[
    ("0", "Never"),
    ("1", "Every hour"),
    ("3", "Every 3 hours"),
    ("6", "Every 6 hours"),
    ("12", "Every 12 hours"),
    ("24", "Every 24 hours"),
];
const CLOCK: &[(&str, &str)] = &[
    ("0", "00:00"),
    ("1", "01:00"),
    ("2", "02:00"),
    ("3", "03:00"),
    ("4", "04:00"),
    ("5", "05:00"),
    ("6", "06:00"),
    ("7", "07:00"),
    ("8", "08:00"),
    ("9", "09:00"),
    ("10", "10:00"),
    ("11", "11:00"),
    ("12", "12:00"),
    ("13", "13:00"),
    ("14", "14:00"),
    ("15", "15:00"),
    ("16", "16:00"),
    ("17", "17:00"),
    ("18", "18:00"),
    ("19", "19:00"),
    ("20", "20:00"),
    ("21", "21:00"),
    ("22", "22:00"),
    ("23", "23:00"),
];

const fn field(
    path: &'static str,
    label: &'static str,
    hint: &'static str,
    shape: Shape,
    expected: &'static str,
) -> Field {
    Field { path, label, hint, shape, expected }
}

/// Whether saving a key checks the connection (rule 1.5).
pub(crate) fn is_of_the_connection(key: &str) -> bool {
    let fields = CONNECTION.iter().flat_map(|set| set.fields).filter(|field| field.shape != Shape::Flag);
    fields.map(Field::key).any(|known| known == key)
}

/// The field of a setting.
pub(crate) fn find(path: &str) -> Option<&'static Field> {
    CONNECTION.iter().chain(REST).flat_map(|set| set.fields).find(|field| field.path == path)
}

impl Field {
    /// The key of the settings that it belongs to.
    pub(crate) fn key(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(key, _)| key)
    }

    /// What the page shows of these settings.
    pub(crate) fn text(&self, settings: &Value) -> String {
        let value = self.path.split('.').fold(settings, |value, name| &value[name]);
        match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(true) => "1".to_owned(),
            Value::Array(domains) => domains.iter().map(line).collect::<Vec<_>>().join("\n"),
            Value::Null | Value::Bool(false) | Value::Object(_) => String::new(),
        }
    }

    /// The setting that a text stands for. What cannot be is passed on, to be refused where everything is.
    fn value(&self, text: &str) -> Value {
        let number = || text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number));
        match self.shape {
            Shape::Optional | Shape::OptionalNumber if text.is_empty() => Value::Null,
            Shape::Number | Shape::OptionalNumber | Shape::Numbers(_) => number(),
            Shape::Text | Shape::Optional | Shape::Choice(_) => json!(text),
            Shape::Flag => json!(!text.is_empty()),
            Shape::Domains => lines(text).map(|(_, name, kind)| json!({"name": name, "kind": kind})).collect(),
        }
    }

    /// Set it in a partial update.
    pub(crate) fn lay_over(&self, patch: &mut Map<String, Value>, text: &str) {
        let value = self.value(text);
        match self.path.split_once('.') {
            None => {
                patch.insert(self.path.to_owned(), value);
            }
            Some((key, name)) => {
                if let Value::Object(inner) = patch.entry(key).or_insert_with(|| json!({})) {
                    inner.insert(name.to_owned(), value);
                }
            }
        }
    }
}

/// A domain as a line.
fn line(domain: &Value) -> String {
    let text = |name| domain[name].as_str().unwrap_or_default();
    if text("kind") == "management" { format!("{} management", text("name")) } else { text("name").to_owned() }
}

/// The domains of a text: the number of the line, the name, and the kind.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str, String)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())).filter(|(_, line)| !line.is_empty());
    lines.map(|(number, line)| match line.split_once(char::is_whitespace) {
        None => (number, line, "relay".to_owned()),
        Some((name, kind)) => (number, name, kind.trim().to_ascii_lowercase()),
    })
}

#[cfg(test)]
mod tests {
    use directory::Settings;

    use super::*;

    fn all() -> impl Iterator<Item = &'static Field> {
        CONNECTION.iter().chain(REST).flat_map(|set| set.fields)
    }

    #[test]
    fn s9_every_setting_has_its_field_and_every_field_reads_what_it_shows() {
        let settings = json!(Settings::default());
        let mut patch = Map::new();
        for field in all() {
            field.lay_over(&mut patch, &field.text(&settings));
        }
        assert_eq!(Value::Object(patch), settings);
    }

    #[test]
    fn r2_5_domains_are_lines() {
        let domains = json!({"domains": [{"name": "a.com", "kind": "relay"}, {"name": "b.com", "kind": "management"}]});
        let field = find("domains").unwrap();
        assert_eq!(field.text(&domains), "a.com\nb.com management");
        let read = field.value(" a.com \r\n\r\n b.com   Management\nc.com  what is this ");
        assert_eq!(read[1], json!({"name": "b.com", "kind": "management"}));
        assert_eq!(read[2], json!({"name": "c.com", "kind": "what is this"}));
        assert_eq!(lines("a.com\n\nb.com").map(|(at, ..)| at).collect::<Vec<_>>(), [1, 3]);
    }
}
