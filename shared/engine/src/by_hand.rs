//! Users made and changed by hand (`put_user`).

use std::collections::BTreeSet;

use directory::{Address, Addresses, Domain, Failure, Guid, Held, Kind, ManagedBy, ObjectId, Profile, User, UserType};
use serde_json::{Map, Value, json};

use crate::{
    domains, edits, keys,
    operator::{self, Asked, Refused, TRIES},
    people::{self, Wanted, show_user},
    plan,
    ports::{Fault, Key, Store},
    records::read,
    signs_in,
};

/// The keys of a user that can be set by hand.
const BY_HAND: [&str; 15] = [
    "entra_id",
    "primary_email",
    "alias_emails",
    "firstname",
    "surname",
    "display_name",
    "job_title",
    "department",
    "mobile",
    "phone",
    "language",
    "upn",
    "type",
    "digests",
    "is_active",
];
/// The keys of a user that are there to be read. They may be sent back as they were read.
const TO_READ: [&str; 4] = ["id", "managed_by", "exempt", "deleted_at"];
/// No name or number is longer.
const LONGEST_TEXT: usize = 256;

/// Make a user by hand, or change one: of a synchronised user only `digests`. A user that is there is found by its `id`,
/// else by its primary address; keys that are not named keep their value.
///
/// # Errors
/// `invalid_input` where a key cannot be set, a value cannot be, or an address belongs to somebody else.
pub async fn put_user(store: &impl Store, asked: &Asked, patch: &Map<String, Value>) -> Result<Value, Refused> {
    if let Some(key) = patch.keys().find(|key| !BY_HAND.contains(&key.as_str()) && !TO_READ.contains(&key.as_str())) {
        return Err(Failure::invalid(format!("user: unknown field `{key}`")).into());
    }
    let primary = match patch.get("primary_email") {
        None | Some(Value::Null) => None,
        Some(text) => Some(address("user.primary_email", text)?),
    };
    for _ in 0..TRIES {
        operator::tenant(store, &asked.tenant).await?;
        let exempt = plan::exemptions(store, &asked.tenant).await?;
        let before = present(store, asked, patch, primary.as_ref()).await?;
        let (base, shown) = match &before {
            Some(user) => (user.clone(), show_user(user, &exempt)),
            None => {
                let user = fresh(asked, primary.clone())?;
                let shown = show_user(&user, &exempt);
                (user, shown)
            }
        };
        let after = merged(&base, &shown, patch, before.is_some())?;
        if before.as_ref() == Some(&after) {
            return Ok(json!({"user": shown}));
        }
        check_domains(store, asked, before.as_ref(), &after).await?;
        let also = signs_in::writes(store, asked, before.as_ref(), Some(&after)).await?;
        let after = User { rev: before.as_ref().map_or(1, |user| user.rev + 1), ..after };
        if edits::commit(store, asked, ("put_user", 0), before.as_ref(), Some(&after), also).await? {
            return Ok(json!({"user": show_user(&after, &exempt)}));
        }
    }
    Err(operator::raced())
}

/// The user that is meant, where it is there.
async fn present(
    store: &impl Store,
    asked: &Asked,
    patch: &Map<String, Value>,
    primary: Option<&Address>,
) -> Result<Option<User>, Refused> {
    if let Some(id) = patch.get("id").filter(|id| !id.is_null()) {
        let id = id.as_str().and_then(|id| ObjectId::try_from(id).ok());
        let id = id.ok_or_else(|| Failure::invalid("user.id: expected the id of a user that is there"))?;
        let found = people::find(store, &asked.tenant, Kind::User, &Wanted::Id(id)).await?;
        return Ok(if let Held::User(user) = found { Some(user) } else { None });
    }
    let Some(primary) = primary else {
        return Err(Failure::invalid("user.primary_email: expected the address of the user").into());
    };
    let Some(claim) = people::owner(store, &asked.tenant, primary).await? else { return Ok(None) };
    match people::load(store, &asked.tenant, claim.kind, &claim.owner).await? {
        // Whoever is marked as deleted keeps it until somebody else needs it (rule 3.4).
        Some(held) if held.deleted_at().is_some() => Ok(None),
        Some(Held::User(user)) if user.addresses.primary.as_ref() == Some(primary) => Ok(Some(user)),
        _ => Err(edits::taken(primary, &claim).into()),
    }
}

/// A user as it is made by hand, before its keys are set.
fn fresh(asked: &Asked, primary: Option<Address>) -> Result<User, Fault> {
    Ok(User {
        id: ObjectId::try_from(asked.as_run().to_string())
            .map_err(|err| Fault::permanent("cannot name a new user").because(err))?,
        entra_id: None,
        addresses: Addresses { primary, aliases: BTreeSet::new() },
        profile: Profile::default(),
        kind: UserType::EndUser,
        digests: true,
        is_active: true,
        managed_by: ManagedBy::Hand,
        deleted_at: None,
        rev: 1,
        connection: 0,
        signs_in_as: None,
    })
}

/// The user with the keys of the patch laid over it.
fn merged(base: &User, shown: &Value, patch: &Map<String, Value>, there: bool) -> Result<User, Failure> {
    let wrong = |key: &str, expected: &str| Failure::invalid(format!("user.{key}: expected {expected}"));
    let mut user = base.clone();
    let mut aliases = None;
    for (key, value) in patch.iter().filter(|(key, value)| shown.get(key.as_str()) != Some(*value)) {
        if TO_READ.contains(&key.as_str()) {
            // A new user has none of these.
            if (there && key == "id") || (!there && value.is_null()) {
                continue;
            }
            return Err(Failure::invalid(format!("user.{key}: cannot be set")));
        }
        if there && base.managed_by == ManagedBy::Sync && key != "digests" && !same_address(shown, key, value) {
            return Err(Failure::invalid(format!(
                "user.{key}: cannot be set, since synchronisation maintains this user; only digests can"
            )));
        }
        let text = |value: &Value| match value {
            Value::Null => Ok(None),
            Value::String(text) if text.len() <= LONGEST_TEXT && !text.chars().any(char::is_control) => {
                Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
            }
            _ => Err(wrong(key, "a text of at most 256 characters without control characters, or null")),
        };
        let flag = |value: &Value| value.as_bool().ok_or_else(|| wrong(key, "true or false"));
        match key.as_str() {
            "entra_id" if base.entra_id.is_some() => return Err(wrong(key, "what synchronisation has found")),
            "entra_id" => user.signs_in_as = guid(value).ok_or_else(|| wrong(key, "a GUID, or null"))?,
            "primary_email" => user.addresses.primary = Some(address("user.primary_email", value)?),
            "alias_emails" => {
                let list = value.as_array().ok_or_else(|| wrong(key, "a list of addresses"))?;
                aliases = Some(list.iter().map(|item| address("user.alias_emails", item)).collect::<Result<_, _>>()?);
            }
            "firstname" => user.profile.firstname = text(value)?,
            "surname" => user.profile.surname = text(value)?,
            "display_name" => user.profile.display_name = text(value)?,
            "job_title" => user.profile.job_title = text(value)?,
            "department" => user.profile.department = text(value)?,
            "mobile" => user.profile.mobile = text(value)?,
            "phone" => user.profile.phone = text(value)?,
            "language" => user.profile.language = text(value)?,
            "upn" => user.profile.upn = text(value)?,
            "type" => {
                let expected = "end_user, silent_user, functional_account or organization_admin";
                user.kind = serde_json::from_value(value.clone()).map_err(|_| wrong(key, expected))?;
                if !patch.contains_key("digests") {
                    user.digests = edits::digests(base, user.kind);
                }
            }
            "digests" => user.digests = flag(value)?,
            "is_active" => user.is_active = flag(value)?,
            _ => return Err(Failure::invalid(format!("user: unknown field `{key}`"))),
        }
    }
    user.addresses.aliases = aliases.unwrap_or(user.addresses.aliases);
    if let Some(primary) = user.addresses.primary.clone() {
        user.addresses.aliases.remove(&primary);
    }
    if user.is_active && user.addresses.primary.is_none() {
        return Err(wrong("primary_email", "an address: an active user needs one"));
    }
    Ok(user)
}

/// The id of an object of Entra, or none; nothing where it is neither.
fn guid(value: &Value) -> Option<Option<ObjectId>> {
    if value.is_null() {
        return Some(None);
    }
    let guid = Guid::try_from(value.as_str()?.to_owned()).ok()?;
    ObjectId::try_from(guid.as_str()).ok().map(Some)
}

/// Whether an address is the one that is shown, written otherwise.
fn same_address(shown: &Value, key: &str, value: &Value) -> bool {
    key == "primary_email"
        && value.as_str().and_then(|text| Address::parse(text).ok()).map(|a| json!(a)).as_ref() == shown.get(key)
}

fn address(field: &str, value: &Value) -> Result<Address, Failure> {
    let text = value.as_str().ok_or_else(|| Failure::invalid(format!("{field}: expected an address")))?;
    Address::parse(text).map_err(|why| Failure::invalid(format!("{field}: {why}")))
}

/// Addresses that a user gets by hand are not those of another tenant's domains.
async fn check_domains(store: &impl Store, asked: &Asked, before: Option<&User>, after: &User) -> Result<(), Refused> {
    let had = |address: &&Address| !before.is_some_and(|user| user.addresses.contains(address));
    let names: BTreeSet<Domain> = after.addresses.all().filter(had).map(Address::domain).collect();
    let keys: Vec<Key> = names.iter().map(keys::domain).collect();
    for (name, item) in names.iter().zip(store.get(&keys).await?) {
        if let Some(item) = item
            && read::<domains::Owner>("the owner of a domain", item)?.tenant != asked.tenant
        {
            return Err(Failure::invalid(format!("user: the domain {name} belongs to another tenant")).into());
        }
    }
    Ok(())
}
