//! The believable properties of one person or group, from which companies are made.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::directory::Properties;

/// A user as Graph describes it. What is `None` was never set.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Person {
    pub(crate) account_enabled: bool,
    pub(crate) user_type: &'static str,
    pub(crate) display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) given_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) surname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mail: Option<String>,
    pub(crate) mail_nickname: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) proxy_addresses: Vec<String>,
    pub(crate) user_principal_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) job_title: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) department: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mobile_phone: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) business_phones: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) office_location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preferred_language: Option<&'static str>,
    pub(crate) created_date_time: &'static str,
}

/// A group as Graph describes it.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Team {
    pub(crate) display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) group_types: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mail: Option<String>,
    pub(crate) mail_enabled: bool,
    pub(crate) mail_nickname: String,
    pub(crate) security_enabled: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) proxy_addresses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) membership_rule: Option<&'static str>,
    pub(crate) created_date_time: &'static str,
}

/// The kinds of group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TeamKind {
    Distribution,
    Microsoft365,
    MailSecurity,
    Security,
}

impl Person {
    /// Somebody with a mailbox at `nickname@domain`, not more.
    pub(crate) fn new(given: &str, surname: &str, nickname: &str, domain: &str) -> Self {
        let address = format!("{nickname}@{domain}");
        Self {
            account_enabled: true,
            user_type: "Member",
            display_name: format!("{given} {surname}"),
            given_name: Some(given.to_owned()),
            surname: Some(surname.to_owned()),
            mail: Some(address.clone()),
            mail_nickname: nickname.to_owned(),
            proxy_addresses: vec![format!("SMTP:{address}")],
            user_principal_name: address,
            created_date_time: "2021-07-29T03:09:05Z",
            ..Self::default()
        }
    }

    /// With a job.
    pub(crate) fn job(mut self, title: &'static str, department: &'static str) -> Self {
        self.job_title = Some(title);
        self.department = Some(department);
        self.preferred_language = Some("en-US");
        self
    }

    /// With one more address.
    pub(crate) fn alias(mut self, address: &str) -> Self {
        self.proxy_addresses.push(format!("smtp:{address}"));
        self
    }

    /// With a mobile phone.
    pub(crate) fn mobile(mut self, number: impl Into<String>) -> Self {
        self.mobile_phone = Some(number.into());
        self
    }
}

impl Team {
    /// A group; all but the plain security group get an address.
    pub(crate) fn new(kind: TeamKind, name: &str, nickname: &str, domain: &str) -> Self {
        let mail_enabled = kind != TeamKind::Security;
        let address = format!("{nickname}@{domain}");
        Self {
            display_name: name.to_owned(),
            group_types: if kind == TeamKind::Microsoft365 { vec!["Unified"] } else { Vec::new() },
            mail_enabled,
            security_enabled: matches!(kind, TeamKind::Security | TeamKind::MailSecurity),
            proxy_addresses: if mail_enabled { vec![format!("SMTP:{address}")] } else { Vec::new() },
            mail: mail_enabled.then_some(address),
            mail_nickname: nickname.to_owned(),
            created_date_time: "2021-09-13T10:07:01Z",
            ..Self::default()
        }
    }
}

/// The properties of a believable user with a mailbox, for [`Change::CreateUser`](crate::Change::CreateUser).
pub fn person(given: &str, surname: &str, domain: &str) -> Properties {
    let nickname = format!("{given}.{surname}").to_lowercase();
    properties(&Person::new(given, surname, &nickname, domain).job("Consultant", "Operations"))
}

/// The properties of a distribution list, for [`Change::CreateGroup`](crate::Change::CreateGroup).
pub fn distribution_list(name: &str, nickname: &str, domain: &str) -> Properties {
    properties(&Team::new(TeamKind::Distribution, name, nickname, domain))
}

/// The properties of a security group without an address.
pub fn security_group(name: &str, nickname: &str) -> Properties {
    properties(&Team::new(TeamKind::Security, name, nickname, "none.invalid"))
}

fn properties(of: &impl Serialize) -> Properties {
    match serde_json::to_value(of) {
        Ok(Value::Object(properties)) => properties,
        _ => Properties::new(),
    }
}

/// The id of the thing with this number in a directory: always the same, and shaped like any GUID.
pub(crate) fn id_of(directory: Uuid, number: u64) -> Uuid {
    let (high, low) = directory.as_u64_pair();
    let mut random = fastrand::Rng::with_seed(high ^ low.rotate_left(32) ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    uuid::Builder::from_random_bytes(random.u128(..).to_be_bytes()).into_uuid()
}
