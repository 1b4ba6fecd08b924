//! What the function is invoked with: parsed once, strictly, refused by the name of the field and never by its value.

use directory::{Address, Failure, Kind, ObjectId, RunId, TenantId, UserType};
use engine::{people::Wanted, ports::Place, review::Mark};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use platform::event::{read, run, tenant};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};

/// What is asked for, by whom, and when it takes place.
#[derive(Debug)]
pub(crate) struct Event {
    /// The action's name.
    pub(crate) name: String,
    /// What.
    pub(crate) action: Action,
    /// Who, for the audit.
    pub(crate) by: String,
    /// The test clock's time.
    pub(crate) now: Option<String>,
}

/// Everything that an operator can ask for (section 9). Its `Debug` shows no secret: [`SecretString`] has none to show.
#[derive(Debug)]
pub(crate) enum Action {
    PutTenant { tenant: TenantId, settings: Value, expected: Map<String, Value>, replace_connection: bool },
    GetTenant { tenant: TenantId },
    ListTenants { cursor: Option<String> },
    DeleteTenant { tenant: TenantId },
    PutSecret { tenant: TenantId, ad_key: SecretString, expires_on: Option<Date> },
    TestConnection { tenant: TenantId },
    MoveSecret { tenant: TenantId, to: Place },
    EndSessions { tenant: TenantId },
    Exempt { tenant: TenantId, address: Address },
    Unexempt { tenant: TenantId, address: Address },
    ListExemptions { tenant: TenantId, cursor: Option<String> },
    Convert { tenant: TenantId, address: Address, to: UserType, exempt: bool },
    PutUser { tenant: TenantId, user: Map<String, Value> },
    DeleteUser { tenant: TenantId, address: Address },
    ListUsers { tenant: TenantId, cursor: Option<String> },
    ListGroups { tenant: TenantId, cursor: Option<String> },
    Get { tenant: TenantId, kind: Kind, wanted: Wanted, cursor: Option<String> },
    ListRuns { tenant: TenantId, cursor: Option<String> },
    GetRun { tenant: TenantId, run: RunId, cursor: Option<String> },
    Review { tenant: TenantId, run: RunId, marks: Vec<Mark> },
}

const ACTIONS: &str = "put_tenant, get_tenant, list_tenants, delete_tenant, put_secret, test_connection, move_secret, exempt, \
                       unexempt, list_exemptions, convert, put_user, delete_user, list_users, list_groups, get_user, get_group, \
                       list_runs, get_run, review, end_sessions";

impl Action {
    /// Of which tenant.
    pub(crate) fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::ListTenants { .. } => None,
            Self::PutTenant { tenant, .. }
            | Self::GetTenant { tenant }
            | Self::DeleteTenant { tenant }
            | Self::PutSecret { tenant, .. }
            | Self::TestConnection { tenant }
            | Self::MoveSecret { tenant, .. }
            | Self::EndSessions { tenant }
            | Self::Exempt { tenant, .. }
            | Self::Unexempt { tenant, .. }
            | Self::ListExemptions { tenant, .. }
            | Self::Convert { tenant, .. }
            | Self::PutUser { tenant, .. }
            | Self::DeleteUser { tenant, .. }
            | Self::ListUsers { tenant, .. }
            | Self::ListGroups { tenant, .. }
            | Self::Get { tenant, .. }
            | Self::ListRuns { tenant, .. }
            | Self::GetRun { tenant, .. }
            | Self::Review { tenant, .. } => Some(tenant),
        }
    }
}

/// Read an event.
///
/// # Errors
/// `invalid_input` that names the field: people paste secrets into the wrong one.
pub(crate) fn parse(payload: Value) -> Result<Event, Failure> {
    let Value::Object(mut fields) = payload else {
        return Err(Failure::invalid("expected a JSON object as the event"));
    };
    let now = text(&mut fields, "now")?;
    let by = text(&mut fields, "by")?.unwrap_or_else(|| "operator".to_owned());
    if by.trim().is_empty() || by.len() > 200 || by.chars().any(char::is_control) {
        return Err(Failure::invalid("by: expected 1 to 200 characters without control characters"));
    }
    let name =
        text(&mut fields, "action")?.ok_or_else(|| Failure::invalid(format!("action: expected one of {ACTIONS}")))?;
    let action = action(&name, fields)?;
    Ok(Event { name, action, by, now })
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Failure> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Failure::invalid(format!("{name}: expected a text"))),
    }
}

fn action(name: &str, fields: Map<String, Value>) -> Result<Action, Failure> {
    let fields = Value::Object(fields);
    Ok(match name {
        "put_tenant" => {
            let PutTenant { tenant, settings, expected, replace_connection } = read(fields)?;
            let settings = Value::Object(settings);
            Action::PutTenant { tenant, settings, expected, replace_connection }
        }
        "get_tenant" => Action::GetTenant { tenant: only(fields)? },
        "list_tenants" => {
            let Anywhere { cursor } = read(fields)?;
            Action::ListTenants { cursor }
        }
        "delete_tenant" => {
            let Delete { tenant, purge } = read(fields)?;
            if !purge {
                return Err(Failure::invalid("purge: expected true: everything of the tenant is removed for good"));
            }
            Action::DeleteTenant { tenant }
        }
        "put_secret" => {
            let PutSecret { tenant, ad_key, expires_on } = read(fields)?;
            Action::PutSecret { tenant, ad_key, expires_on }
        }
        "test_connection" => Action::TestConnection { tenant: only(fields)? },
        "move_secret" => {
            let MoveSecret { tenant, to } = read(fields)?;
            Action::MoveSecret { tenant, to }
        }
        "end_sessions" => Action::EndSessions { tenant: only(fields)? },
        "exempt" => {
            let (tenant, address) = addressed(fields)?;
            Action::Exempt { tenant, address }
        }
        "unexempt" => {
            let (tenant, address) = addressed(fields)?;
            Action::Unexempt { tenant, address }
        }
        "list_exemptions" => {
            let (tenant, cursor) = listed(fields)?;
            Action::ListExemptions { tenant, cursor }
        }
        "convert" => {
            let Convert { tenant, address, to, exempt } = read(fields)?;
            Action::Convert { tenant, address, to, exempt }
        }
        "put_user" => {
            let PutUser { tenant, user } = read(fields)?;
            Action::PutUser { tenant, user }
        }
        "delete_user" => {
            let (tenant, address) = addressed(fields)?;
            Action::DeleteUser { tenant, address }
        }
        "list_users" => {
            let (tenant, cursor) = listed(fields)?;
            Action::ListUsers { tenant, cursor }
        }
        "list_groups" => {
            let (tenant, cursor) = listed(fields)?;
            Action::ListGroups { tenant, cursor }
        }
        "get_user" => {
            let GetUser { tenant, address, id } = read(fields)?;
            let wanted = wanted(address, id, None, "address or id")?;
            Action::Get { tenant, kind: Kind::User, wanted, cursor: None }
        }
        "get_group" => {
            let GetGroup { tenant, address, id, name, cursor } = read(fields)?;
            let wanted = wanted(address, id, name, "address, id or name")?;
            Action::Get { tenant, kind: Kind::Group, wanted, cursor }
        }
        "list_runs" => {
            let (tenant, cursor) = listed(fields)?;
            Action::ListRuns { tenant, cursor }
        }
        "get_run" => {
            let GetRun { tenant, run, cursor } = read(fields)?;
            Action::GetRun { tenant, run, cursor }
        }
        "review" => {
            let Review { tenant, run, marks } = read(fields)?;
            Action::Review { tenant, run, marks }
        }
        _ => return Err(Failure::invalid(format!("action: expected one of {ACTIONS}"))),
    })
}

fn wanted(
    address: Option<Address>,
    id: Option<ObjectId>,
    name: Option<String>,
    one_of: &str,
) -> Result<Wanted, Failure> {
    match (address, id, name) {
        (Some(address), None, None) => Ok(Wanted::Address(address)),
        (None, Some(id), None) => Ok(Wanted::Id(id)),
        (None, None, Some(name)) => Ok(Wanted::Name(name)),
        _ => Err(Failure::invalid(format!("expected exactly one of {one_of}"))),
    }
}

fn only(fields: Value) -> Result<TenantId, Failure> {
    let Only { tenant } = read(fields)?;
    Ok(tenant)
}

fn addressed(fields: Value) -> Result<(TenantId, Address), Failure> {
    let Addressed { tenant, address } = read(fields)?;
    Ok((tenant, address))
}

fn listed(fields: Value) -> Result<(TenantId, Option<String>), Failure> {
    let Listed { tenant, cursor } = read(fields)?;
    Ok((tenant, cursor))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutTenant {
    #[serde(deserialize_with = "tenant")]
    tenant: TenantId,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    expected: Map<String, Value>,
    #[serde(default)]
    replace_connection: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Only {
    #[serde(deserialize_with = "tenant")]
    tenant: TenantId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Anywhere {
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delete {
    #[serde(deserialize_with = "tenant")]
    tenant: TenantId,
    #[serde(default)]
    purge: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutSecret {
    #[serde(deserialize_with = "tenant")]
    tenant: TenantId,
    ad_key: SecretString,
    #[serde(default, deserialize_with = "day")]
    expires_on: Option<Date>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveSecret {
    #[serde(deserialize_with = "tenant")]
    tenant: TenantId,
    #[serde(deserialize_with = "place")]
    to: Place,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Addressed {
    #[serde(deserialize_with = "tenant")]
    tenant: TenantId,
    #[serde(deserialize_with = "address")]
    address: Address,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    #[serde(deserialize_with = "tenant")]
    tenant: TenantId,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Convert {
    #[serde(deserialize_with = "tenant")]
    tenant: TenantId,
    #[serde(deserialize_with = "address")]
    address: Address,
    #[serde(deserialize_with = "user_type")]
    to: UserType,
    #[serde(default)]
    exempt: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutUser {
    #[serde(deserialize_with = "tenant")]
    tenant: TenantId,
    user: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GetUser {
    #[serde(deserialize_with = "tenant")]
    tenant: TenantId,
    #[serde(default, deserialize_with = "some_address")]
    address: Option<Address>,
    #[serde(default, deserialize_with = "some_id")]
    id: Option<ObjectId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GetGroup {
    #[serde(deserialize_with = "tenant")]
    tenant: TenantId,
    #[serde(default, deserialize_with = "some_address")]
    address: Option<Address>,
    #[serde(default, deserialize_with = "some_id")]
    id: Option<ObjectId>,
    name: Option<String>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GetRun {
    #[serde(deserialize_with = "tenant")]
    tenant: TenantId,
    #[serde(deserialize_with = "run")]
    run: RunId,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Review {
    #[serde(deserialize_with = "tenant")]
    tenant: TenantId,
    #[serde(deserialize_with = "run")]
    run: RunId,
    marks: Vec<Mark>,
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Address, D::Error> {
    let text = String::deserialize(from)?;
    Address::parse(&text).map_err(|why| D::Error::custom(format!("expected an address: {why}")))
}

fn some_address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Address>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| Address::parse(&text))
        .transpose()
        .map_err(|why| D::Error::custom(format!("expected an address: {why}")))
}

fn some_id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ObjectId>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let expected = "expected an object id: 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'";
    text.map(ObjectId::try_from).transpose().map_err(|_| D::Error::custom(expected))
}

fn user_type<'de, D: Deserializer<'de>>(from: D) -> Result<UserType, D::Error> {
    let expected = "expected end_user, silent_user, functional_account or organization_admin";
    UserType::deserialize(from).map_err(|_| D::Error::custom(expected))
}

fn place<'de, D: Deserializer<'de>>(from: D) -> Result<Place, D::Error> {
    Place::deserialize(from).map_err(|_| D::Error::custom("expected kms or secrets_manager"))
}

/// A day, or a time whose day in UTC is meant.
fn day<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Date>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
    let time = || text.parse::<Timestamp>().ok().map(|time| time.to_zoned(TimeZone::UTC).date());
    let day = time().or_else(|| text.parse().ok());
    day.map(Some).ok_or_else(|| D::Error::custom("expected a day such as 2028-03-01"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    #[rustfmt::skip]
    fn s9_events_that_cannot_be_are_refused_by_name() {
        let run = "01JD0000000000000000000000";
        check("a string",            json!("get_tenant"),                                          "expected a JSON object as the event");
        check("a list",              json!([]),                                                    "expected a JSON object as the event");
        check("nothing",             json!(null),                                                  "expected a JSON object as the event");
        check("no action",           json!({"tenant": "a"}),                                       "action: expected one of put_tenant, ");
        check("unknown action",      json!({"action": "destroy", "tenant": "a"}),                  "action: expected one of put_tenant, ");
        check("action is a number",  json!({"action": 7}),                                         "action: expected a text");
        check("no tenant",           json!({"action": "get_tenant"}),                              "missing field `tenant`");
        check("bad tenant",          json!({"action": "get_tenant", "tenant": "A#b"}),             "tenant: expected a tenant id: 1 to 40 of a-z, 0-9 and -");
        check("tenant is a number",  json!({"action": "get_tenant", "tenant": 7}),                 "tenant: expected a string");
        check("unknown key",         json!({"action": "get_tenant", "tenant": "a", "force": true}), "unknown field `force`");
        check("settings is a list",  json!({"action": "put_tenant", "tenant": "a", "settings": []}), "settings: expected a map");
        check("no marks",            json!({"action": "review", "tenant": "a", "run": run}),        "missing field `marks`");
        check("a mark of what",      json!({"action": "review", "tenant": "a", "run": run, "marks": [{"category": "all", "object": "user"}]}), "marks[0].category: expected one of `adding`");
        check("a mark and more",     json!({"action": "review", "tenant": "a", "run": run, "marks": [{"category": "adding", "object": "user", "by": "x"}]}), "unknown field `by`");
        check("expected is a list",  json!({"action": "put_tenant", "tenant": "a", "expected": []}), "expected: expected a map");
        check("no purge",            json!({"action": "delete_tenant", "tenant": "a"}),            "purge: expected true");
        check("purge is a text",     json!({"action": "delete_tenant", "tenant": "a", "purge": "true"}), "purge: expected a boolean");
        check("no secret",           json!({"action": "put_secret", "tenant": "a"}),               "missing field `ad_key`");
        check("no day",              json!({"action": "put_secret", "tenant": "a", "ad_key": "x", "expires_on": "soon"}), "expires_on: expected a day");
        check("no place",            json!({"action": "move_secret", "tenant": "a", "to": "paper"}), "to: expected kms or secrets_manager");
        check("no address",          json!({"action": "exempt", "tenant": "a", "address": "ann"}), "address: expected an address: an address has exactly one @");
        check("no type",             json!({"action": "convert", "tenant": "a", "address": "a@b.com", "to": "robot"}), "to: expected end_user, silent_user");
        check("no run",              json!({"action": "get_run", "tenant": "a", "run": "latest"}), "run: expected a run id");
        check("cursor is a number",  json!({"action": "get_run", "tenant": "a", "run": run, "cursor": 1}), "cursor: expected a string");
        check("whom?",               json!({"action": "get_user", "tenant": "a"}),                 "expected exactly one of address or id");
        check("which?",              json!({"action": "get_group", "tenant": "a", "id": "x", "name": "y"}), "expected exactly one of address, id or name");
        check("users have no name",  json!({"action": "get_user", "tenant": "a", "name": "y"}),    "unknown field `name`");
        check("by nobody",           json!({"action": "list_tenants", "by": " "}),                 "by: expected 1 to 200 characters");
        check("by two lines",        json!({"action": "list_tenants", "by": "a\nb"}),              "by: expected 1 to 200 characters");
        check("now is a number",     json!({"action": "list_tenants", "now": 1}),                  "now: expected a text");
    }

    #[track_caller]
    fn check(name: &str, event: Value, expected: &str) {
        let failure = parse(event).unwrap_err();
        assert!(failure.message.contains(expected), "{name}: {failure}");
        assert_eq!(failure.code, directory::Code::InvalidInput, "{name}");
    }

    #[test]
    fn r1_3_a_secret_is_in_no_refusal_and_in_no_debug() {
        let secret = "abc8Q~do-not-show";
        let put = |field: &str| {
            let mut event = json!({"action": "put_secret", "tenant": "a", "ad_key": "x"});
            event[field] = json!(secret);
            event
        };
        for field in ["tenant", "expires_on", "cursor", "action"] {
            let failure = parse(put(field)).unwrap_err();
            assert!(!format!("{failure:?}").contains("do-not-show"), "{field}: {failure:?}");
        }
        let nested = json!({"action": "put_secret", "tenant": "a", "ad_key": {"value": secret}});
        assert!(!format!("{:?}", parse(nested).unwrap_err()).contains("do-not-show"));
        let event = parse(put("ad_key")).unwrap();
        assert!(!format!("{event:?}").contains("do-not-show"));
    }

    #[test]
    fn s9_every_action_is_read() {
        let run = "01JD0000000000000000000000";
        let address = "ann@contoso.com";
        for (action, more) in [
            ("put_tenant", json!({"settings": {"seats": 5}, "replace_connection": true})),
            ("get_tenant", json!({})),
            ("delete_tenant", json!({"purge": true})),
            ("put_secret", json!({"ad_key": "x", "expires_on": "2028-03-01T00:00:00Z"})),
            ("test_connection", json!({})),
            ("move_secret", json!({"to": "secrets_manager"})),
            ("end_sessions", json!({})),
            ("exempt", json!({"address": address})),
            ("unexempt", json!({"address": address})),
            ("list_exemptions", json!({})),
            ("convert", json!({"address": address, "to": "functional_account", "exempt": true})),
            ("put_user", json!({"user": {"primary_email": address}})),
            ("delete_user", json!({"address": address})),
            ("list_users", json!({"cursor": null})),
            ("list_groups", json!({"cursor": "x"})),
            ("get_user", json!({"address": address})),
            ("get_group", json!({"name": "All"})),
            ("list_runs", json!({})),
            ("get_run", json!({"run": run})),
        ] {
            let mut event = more;
            event["action"] = json!(action);
            event["tenant"] = json!("contoso");
            event["by"] = json!("ann");
            let event = parse(event).unwrap_or_else(|failure| panic!("{action}: {failure}"));
            assert_eq!((event.action.tenant().unwrap().as_str(), event.by.as_str()), ("contoso", "ann"));
        }
        assert_eq!(parse(json!({"action": "list_tenants"})).unwrap().by, "operator");
    }
}
