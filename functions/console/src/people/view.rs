//! The page of people.

use askama::Template;
use directory::{Address, Held, Kind, UserType, explain::Step};
use engine::{browse::Page, people::Found, ports::Fault};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::{LONGEST, Lists};
use crate::{fit::cut, form::by_name, moment::Moment, session::Person, shell::Shell};

/// So many characters of a name are in a list.
const SHOWN: usize = 80;
/// So many other addresses are shown.
const ALIASES: usize = 20;

#[derive(Template)]
#[template(path = "people.html")]
pub(crate) struct People<'a> {
    pub(crate) shell: Shell<'a>,
    pub(crate) tabs: Vec<Tab>,
    /// What is looked for.
    pub(crate) typed: &'a str,
    pub(crate) explained: Option<Explained>,
    pub(crate) listed: Option<Listed>,
}

/// A list to choose.
pub(crate) struct Tab {
    name: &'static str,
    label: &'static str,
    current: bool,
}

const TABS: [(Lists, &str, &str); 6] = [
    (Lists::Users(None), "user", "All users"),
    (Lists::Users(Some(UserType::FunctionalAccount)), "functional_account", "Functional accounts"),
    (Lists::Users(Some(UserType::OrganizationAdmin)), "organization_admin", "Administrators"),
    (Lists::Users(Some(UserType::EndUser)), "end_user", "End users"),
    (Lists::Users(Some(UserType::SilentUser)), "silent_user", "Silent users"),
    (Lists::Groups, "group", "Groups"),
];

pub(crate) fn tabs(current: Option<Lists>) -> Vec<Tab> {
    TABS.into_iter().map(|(lists, name, label)| Tab { name, label, current: current == Some(lists) }).collect()
}

fn type_name(user_type: UserType) -> &'static str {
    match user_type {
        UserType::EndUser => "End user",
        UserType::SilentUser => "Silent user",
        UserType::FunctionalAccount => "Functional account",
        UserType::OrganizationAdmin => "Administrator",
    }
}

/// The types that a user can be made.
const TYPES: [(&str, &str); 4] = [
    ("functional_account", "Functional account: mail flows, no sign-in, not billed"),
    ("end_user", "End user: signs in, gets digests"),
    ("silent_user", "Silent user: neither"),
    ("organization_admin", "Administrator: manages everything here"),
];

/// The way of one through the rules.
pub(crate) struct Explained {
    text: String,
    /// What was asked for is an address: it can be exempted, whoever has it.
    address: Option<String>,
    steps: Vec<Step>,
    next: String,
    object: Option<Object>,
}

impl Explained {
    /// # Errors
    /// The answer is not one of explain's.
    pub(crate) fn new(text: &str, answer: &Value, object: Option<Object>) -> Result<Self, Fault> {
        let steps = serde_json::from_value(answer["steps"].clone());
        let own = object.as_ref().and_then(|object| object.address.clone());
        Ok(Self {
            text: text.to_owned(),
            address: own.or_else(|| Address::parse(text).ok().map(|address| address.to_string())),
            steps: steps.map_err(|err| Fault::permanent("the way through the rules cannot be read").because(err))?,
            next: mail::words::stopped(answer["next"].as_str().unwrap_or_default()),
            object,
        })
    }

    fn is_exempt(&self) -> bool {
        let step = |step: &&Step| step.rule == "5.3";
        self.steps.iter().find(step).is_some_and(|step| step.answer == "yes")
    }
}

/// A user or group as it is here.
pub(crate) struct Object {
    name: String,
    facts: Vec<(&'static str, String)>,
    deleted: Option<Moment>,
    /// The address by which it is converted and exempted.
    address: Option<String>,
    user: Option<User>,
}

/// What can be changed of a user.
struct User {
    id: String,
    kind: String,
    digests: bool,
    /// It is the account of the person who looks.
    own: bool,
}

impl User {
    fn types(&self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        TYPES.iter().filter(|(name, _)| *name != self.kind)
    }

    fn gets_digests(&self) -> bool {
        self.kind != "functional_account"
    }
}

impl Object {
    pub(crate) fn new(found: &Found, me: &Person) -> Self {
        let (kind, shown) = (found.held.kind(), json!(found.held));
        let text = |key: &str| shown[key].as_str().unwrap_or_default().to_owned();
        let is = |key: &str| shown[key] == true;
        let aliases: Vec<&str> =
            shown["alias_emails"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let number = |key: &str| mail::words::figure(shown[key].as_u64().unwrap_or_default());
        let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
        let by = if text("managed_by") == "sync" { "Synchronisation" } else { "Hand" }.to_owned();
        let mut facts = vec![("Primary address", text("primary_email")), ("Other addresses", some(&aliases))];
        if kind == Kind::User {
            let state = if is("is_active") { "Active" } else { "Inactive" };
            facts.extend([
                ("Type", by_name(&text("type")).map_or("User", type_name).to_owned()),
                ("State", state.to_owned()),
                ("Digests", yes(is("digests"))),
            ]);
        } else {
            let kind = match text("kind").as_str() {
                "distribution" => "Distribution group",
                "security" => "Security group",
                _ => "Microsoft 365 group",
            };
            facts.extend([("Kind", kind.to_owned()), ("Members", number("member_count"))]);
        }
        facts.extend([("Kept up to date by", by), ("Exempt", yes(found.exempt))]);
        if kind == Kind::User {
            facts.extend([
                ("Job title", text("job_title")),
                ("Department", text("department")),
                ("Mobile", text("mobile")),
                ("Phone", text("phone")),
                ("Principal name (UPN)", text("upn")),
            ]);
        }
        let in_entra = [text("entra_id"), text("signs_in_as")].into_iter().find(|id| !id.is_empty());
        facts.push(("ID in Entra", in_entra.unwrap_or_default()));
        facts.retain(|(_, value)| !value.is_empty());
        let named = if kind == Kind::User { "display_name" } else { "name" };
        let name = [text(named), text("primary_email")].into_iter().find(|name| !name.trim().is_empty());
        Self {
            name: name.unwrap_or_else(|| text("id")),
            facts,
            deleted: text("deleted_at").parse().ok().map(|at| Moment::new(at, &me.zone)),
            address: Some(text("primary_email")).filter(|address| !address.is_empty()),
            user: (kind == Kind::User).then(|| User {
                id: text("id"),
                kind: text("type"),
                digests: is("digests"),
                own: shown["id"] == me.user.as_str(),
            }),
        }
    }
}

/// Some of them, and how many there are more.
fn some(aliases: &[&str]) -> String {
    let mut shown: Vec<String> = aliases.iter().take(ALIASES).map(|alias| (*alias).to_owned()).collect();
    if aliases.len() > ALIASES {
        shown.push(mail::words::many((aliases.len() - ALIASES) as u64, "other"));
    }
    mail::words::list(&shown)
}

/// A list.
pub(crate) struct Listed {
    heading: String,
    rows: Vec<Row>,
    /// The query of the next page.
    next: Option<String>,
    /// There may be more, which was not looked at yet.
    cut: bool,
    total: Option<String>,
}

struct Row {
    name: String,
    address: String,
    what: &'static str,
    state: &'static str,
    /// The query that explains it.
    query: String,
}

impl Listed {
    pub(crate) fn new(lists: Lists, text: Option<&str>, page: Page<Found>) -> Self {
        let label = TABS.iter().find(|(known, ..)| *known == lists).map_or("All users", |(_, _, label)| label);
        let name = TABS.iter().find(|(known, ..)| *known == lists).map_or("user", |(_, name, _)| name);
        let more = |from: &String| {
            let mut query = Serializer::new(String::new());
            query.append_pair("type", name).append_pair("from", from);
            if let Some(text) = text {
                query.append_pair("q", text);
            }
            query.finish()
        };
        Self {
            heading: text.map_or_else(|| label.to_owned(), |text| format!("{label} with “{text}”")),
            next: page.next.as_ref().map(more),
            cut: page.cut,
            total: page.total.filter(|_| text.is_none()).map(mail::words::figure),
            rows: page.rows.iter().map(Row::new).collect(),
        }
    }
}

impl Row {
    fn new(found: &Found) -> Self {
        let (name, addresses, what, active) = match &found.held {
            Held::User(user) => {
                let name = user.profile.display_name.clone().unwrap_or_default();
                (name, &user.addresses, type_name(user.kind), user.is_active)
            }
            Held::Group(group) => (group.name.clone(), &group.addresses, "Group", true),
        };
        let address = addresses.primary.as_ref().map(ToString::to_string).unwrap_or_default();
        let meant = if address.is_empty() { found.held.id().as_str() } else { &address };
        let state = match (found.held.deleted_at(), active, found.exempt) {
            (Some(_), ..) => "Marked as deleted",
            (None, _, true) => "Exempt",
            (None, false, false) => "Inactive",
            (None, true, false) => "Active",
        };
        let query = Serializer::new(String::new()).append_pair("q", meant).finish();
        Self { name: cut(&name, SHOWN), address: address.chars().take(LONGEST).collect(), what, state, query }
    }
}
