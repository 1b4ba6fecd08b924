//! Faults on demand: which requests they hit, and what they do to the answer.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    answer::{Answer, Body},
    call::Call,
    delta::first_round,
    directory::Kind,
    errors::GraphError,
    requests::{About, any},
    sign_in_errors::SignInError,
};

/// A fault, the requests that it hits, and how often. Of several rules the first that is due wins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which requests.
    #[serde(rename = "match", default)]
    pub on: Match,
    /// Let so many of them pass first.
    #[serde(default)]
    pub after: u32,
    /// Then hit so many.
    #[serde(default = "once")]
    pub times: u32,
    /// With this.
    pub fault: Fault,
}

/// Which requests a rule hits: those that fit everything given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// What it is about; over HTTP `any` is the same as leaving it out.
    #[serde(deserialize_with = "any")]
    pub kind: Option<About>,
    /// Its directory by short name, GUID or domain.
    pub tenant: Option<String>,
    /// Something that is in its path or query.
    pub path: Option<String>,
}

/// What happens instead of, or to, the right answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// 429, with `Retry-After` as given: seconds, fractions or an HTTP date.
    Throttle {
        /// The header's value; no header without it.
        retry_after: Option<String>,
    },
    /// Any status; without a body the one that Microsoft sends with it.
    Status {
        /// The status.
        code: u16,
        /// A body of one's own; a string is sent as plain text.
        body: Option<Value>,
    },
    /// The sign-in refuses with this AADSTS number.
    Aadsts {
        /// Such as 53003.
        code: u32,
    },
    /// 401: the token is expired.
    ExpireToken,
    /// 403: the privileges don't suffice.
    Forbidden,
    /// The delta state is gone. Hits only requests that carry a token.
    ExpireDelta {
        /// 410 (then with `Location`) or 400.
        #[serde(default = "gone")]
        status: u16,
        /// `syncStateNotFound` or `resyncRequired`.
        #[serde(default = "sync_state_not_found")]
        code: String,
    },
    /// `Content-Length` promises more than is sent before the connection closes.
    Cut,
    /// 200 with a page of HTML.
    NotJson,
    /// The right answer, late.
    Stall {
        /// By so much.
        milliseconds: u64,
    },
    /// The page's link points to another origin.
    ForeignLink {
        /// Scheme, host and port.
        #[serde(default = "elsewhere")]
        origin: String,
    },
    /// The right page, but its nextLink leads to the same page again.
    Loop,
    /// A page without objects, whose nextLink leads to the right page.
    EmptyPage,
    /// The round is over without the objects of this page and those after it.
    Nothing,
    /// Every object of the page comes twice.
    Twice,
    /// One object of the page has properties of the wrong types.
    WrongTypes,
    /// The JSON is not valid UTF-8 in one place.
    Garble,
}

fn once() -> u32 {
    1
}

fn gone() -> u16 {
    410
}

fn sync_state_not_found() -> String {
    "syncStateNotFound".to_owned()
}

fn elsewhere() -> String {
    "https://graph.example.net".to_owned()
}

impl Rule {
    /// This fault, once, on the next request of any kind.
    pub fn new(fault: Fault) -> Self {
        Self { on: Match::default(), after: 0, times: 1, fault }
    }

    /// Only on requests about this.
    pub fn on(mut self, about: About) -> Self {
        self.on.kind = Some(about);
        self
    }

    /// Only for this directory.
    pub fn tenant(mut self, tenant: &str) -> Self {
        self.on.tenant = Some(tenant.to_owned());
        self
    }

    /// Only where path or query contain this.
    pub fn path(mut self, part: &str) -> Self {
        self.on.path = Some(part.to_owned());
        self
    }

    /// After so many requests passed.
    pub fn after(mut self, requests: u32) -> Self {
        self.after = requests;
        self
    }

    /// So many times.
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn fits(&self, call: &Call, about: About, is_tenant: &impl Fn(&str) -> bool) -> bool {
        let with_token = call.query.iter().any(|(name, token)| {
            (name == "$deltatoken" || name == "$skiptoken") && !token.is_empty() && token != "latest"
        });
        self.on.kind.is_none_or(|kind| kind == about)
            && self.on.tenant.as_deref().is_none_or(is_tenant)
            && self.on.path.as_deref().is_none_or(|part| call.target.contains(part))
            && (with_token || !matches!(self.fault, Fault::ExpireDelta { .. }))
    }
}

/// The fault that is due for a request, counted as played.
pub(crate) fn due<'a>(
    rules: impl IntoIterator<Item = &'a mut Rule>,
    call: &Call,
    is_tenant: impl Fn(&str) -> bool,
) -> Option<Fault> {
    let about = About::of(call);
    for rule in rules.into_iter().filter(|rule| rule.times > 0) {
        if !rule.fits(call, about, &is_tenant) {
            continue;
        }
        if rule.after > 0 {
            rule.after -= 1;
        } else {
            rule.times -= 1;
            return Some(rule.fault.clone());
        }
    }
    None
}

impl Fault {
    /// The name in the log.
    pub(crate) fn name(&self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(name)) => name,
            Ok(Value::Object(named)) => named.keys().next().cloned().unwrap_or_default(),
            _ => String::new(),
        }
    }

    /// The answer that takes the place of the right one.
    pub(crate) fn instead(&self, call: &Call) -> Option<Answer> {
        let about = About::of(call);
        let error = match self {
            Self::Throttle { retry_after } if about == About::Token => {
                let answer = SignInError::of_number(90_055).answer(call);
                return Some(match retry_after {
                    Some(after) => answer.header("retry-after", after),
                    None => answer,
                });
            }
            Self::Throttle { retry_after } => GraphError::throttled(retry_after.as_deref()),
            Self::Status { code, body: Some(Value::String(text)) } => {
                return Some(Answer::with(*code, Body::Text(text.clone())));
            }
            Self::Status { code, body: Some(body) } => return Some(Answer::with(*code, Body::Json(body.clone()))),
            Self::Status { code, body: None } if about == About::Token => {
                let number = if *code >= 500 { 90_033 } else { 90_014 };
                return Some(SignInError { status: *code, ..SignInError::of_number(number) }.answer(call));
            }
            Self::Status { code, body: None } => GraphError::of_status(*code),
            Self::Aadsts { code } => return Some(SignInError::of_number(*code).answer(call)),
            Self::ExpireToken => GraphError::of_status(401),
            Self::Forbidden => GraphError::forbidden(),
            Self::ExpireDelta { status, code } => {
                let kind = if about == About::Groups { Kind::Group } else { Kind::User };
                GraphError::sync_state_gone(*status, code, first_round(call, kind))
            }
            Self::NotJson => {
                let html =
                    "<!DOCTYPE html>\n<html><body><h1>Our services aren't available right now</h1></body></html>";
                return Some(
                    Answer::with(200, Body::Text(html.to_owned())).header("content-type", "text/html; charset=utf-8"),
                );
            }
            Self::Cut
            | Self::Stall { .. }
            | Self::ForeignLink { .. }
            | Self::Loop
            | Self::EmptyPage
            | Self::Nothing
            | Self::Twice
            | Self::WrongTypes
            | Self::Garble => return None,
        };
        Some(error.answer(call))
    }

    /// Bend the right answer.
    pub(crate) fn bend(&self, answer: &mut Answer, call: &Call) {
        let (again, end) = (answer.again.clone(), answer.end.clone());
        match self {
            Self::Cut => answer.cut = true,
            Self::Garble => {
                let mut bytes = answer.value().map(|value| value.to_string().into_bytes()).unwrap_or_default();
                let middle = bytes.len() / 2;
                if let Some(byte) = bytes.get_mut(middle) {
                    *byte = 0xFF;
                }
                answer.body = Body::Bytes(bytes);
            }
            Self::ForeignLink { origin } => {
                for name in ["@odata.nextLink", "@odata.deltaLink"] {
                    let link = answer.value().and_then(|value| value.get_mut(name));
                    if let Some(Value::String(link)) = link {
                        *link = link.replacen(&call.origin, origin, 1);
                    }
                }
            }
            Self::Loop | Self::EmptyPage => {
                let empty = *self == Self::EmptyPage;
                if let (Some(Value::Object(page)), Some(again)) = (answer.value(), again) {
                    page.remove("@odata.deltaLink");
                    page.insert("@odata.nextLink".to_owned(), again.into());
                    if empty {
                        page.insert("value".to_owned(), json!([]));
                    }
                }
            }
            Self::Nothing => {
                if let (Some(Value::Object(page)), Some(end)) = (answer.value(), end) {
                    page.remove("@odata.nextLink");
                    page.insert("@odata.deltaLink".to_owned(), end.into());
                    page.insert("value".to_owned(), json!([]));
                }
            }
            Self::Twice => {
                let page = answer.value().and_then(|value| value.get_mut("value"));
                if let Some(Value::Array(objects)) = page {
                    objects.extend_from_within(..);
                }
            }
            Self::WrongTypes => {
                let page = answer.value().and_then(|value| value.get_mut("value"));
                if let Some(Value::Object(object)) = page.and_then(|objects| objects.get_mut(0)) {
                    object.insert("displayName".to_owned(), json!({ "value": 1 }));
                    object.insert("proxyAddresses".to_owned(), "SMTP:not-a-list@contoso.com".into());
                    object.insert("accountEnabled".to_owned(), "yes".into());
                    object.insert("mailEnabled".to_owned(), json!(1));
                }
            }
            _ => (),
        }
    }

    /// How long the answer is held back.
    pub(crate) fn delay(&self) -> Option<std::time::Duration> {
        match self {
            Self::Stall { milliseconds } => Some(std::time::Duration::from_millis(*milliseconds)),
            _ => None,
        }
    }
}
