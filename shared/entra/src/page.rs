//! A delta page as Graph writes it, read into what it says. One object that cannot be read is reported; the rest goes on.

use directory::{GroupTold, Kind, MemberKind, ObjectId, Observed, Removal, UserTold};
use engine::ports::{GraphPage, Next};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::endpoint::Endpoint;

/// Why an answer is not what was asked for. Holds nothing of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misread {
    #[error("the answer is not the JSON that was asked for")]
    NotJson,
    #[error("the page has neither a link to the next page nor one to the next round")]
    NoLink,
    #[error("the page has both a link to the next page and one to the next round")]
    BothLinks,
    #[error("the page's link leads to another scheme, host or port than the one that was asked")]
    Elsewhere,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    round: Option<String>,
    error: Option<IgnoredAny>,
}

/// Read a page of users or groups whose links stay at `endpoint`.
pub(crate) fn page(body: &[u8], kind: Kind, endpoint: &Endpoint) -> Result<GraphPage, Misread> {
    let page = open(body)?;
    let next = match (page.next, page.round) {
        (Some(link), None) => Next::Page(link),
        (None, Some(link)) => Next::Round(link),
        (None, None) => return Err(Misread::NoLink),
        (Some(_), Some(_)) => return Err(Misread::BothLinks),
    };
    let (Next::Page(link) | Next::Round(link)) = &next;
    if endpoint.pin(link).is_none() {
        return Err(Misread::Elsewhere);
    }
    let mut objects = Vec::with_capacity(page.value.len());
    for raw in page.value {
        read(raw.get(), kind, &mut objects);
    }
    Ok(GraphPage { objects, next })
}

/// Whether an answer is a collection at all; what is in it does not matter.
pub(crate) fn collection(body: &[u8]) -> Result<(), Misread> {
    open(body).map(drop)
}

/// Read a plain number, as `$count` answers.
pub(crate) fn number(body: &[u8]) -> Result<u64, Misread> {
    let text = str::from_utf8(body).map_err(|_| Misread::NotJson)?;
    text.trim_start_matches('\u{feff}').trim().parse().map_err(|_| Misread::NotJson)
}

fn open(body: &[u8]) -> Result<Page<'_>, Misread> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    match serde_json::from_slice::<Page<'_>>(body) {
        Ok(page) if page.error.is_none() => Ok(page),
        Ok(_) | Err(_) => Err(Misread::NotJson),
    }
}

/// What an object has beside its properties. Each part is read by itself.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, rename = "@removed")]
    removed: Option<&'a RawValue>,
    #[serde(borrow, rename = "members@delta")]
    members: Option<&'a RawValue>,
}

/// An object is stored several times over, beside others, in items that hold at most 400 kB. Microsoft's own limits
/// keep people and groups far below this; members are stored one by one, and do not count.
const LARGEST_OBJECT: usize = 100_000;

fn read(raw: &str, kind: Kind, into: &mut Vec<Observed>) {
    let unreadable = |id: &str, why: String| Observed::Unreadable { id: id.chars().take(64).collect(), why };
    let Some(object) = object::<Object<'_>>(raw) else {
        return into.push(unreadable("", "it is not an object".to_owned()));
    };
    let Some(id) = object.id else {
        return into.push(unreadable("", "it has no id".to_owned()));
    };
    let id = match object_id(id) {
        Ok(id) => id,
        Err(text) => return into.push(unreadable(&text, "its id is not an object id".to_owned())),
    };
    if let Some(removed) = object.removed {
        return into.push(match removal(removed) {
            Ok(how) => Observed::Removed { id, how },
            Err(why) => unreadable(id.as_str(), why),
        });
    }
    if raw.len() - object.members.map_or(0, |members| members.get().len()) > LARGEST_OBJECT {
        return into.push(unreadable(id.as_str(), format!("it is larger than {LARGEST_OBJECT} bytes")));
    }
    match kind {
        Kind::User => into.push(match told::<UserTold>(raw) {
            Ok(told) => Observed::User { id, told },
            Err(why) => unreadable(id.as_str(), why),
        }),
        Kind::Group => match (told::<GroupTold>(raw), members(object.members)) {
            (Ok(told), Ok((members, left_out))) => {
                let shown = id.as_str().to_owned();
                into.push(Observed::Group { id, told, members });
                into.extend(left_out.into_iter().map(|why| unreadable(&shown, why)));
            }
            (Err(why), _) | (_, Err(why)) => into.push(unreadable(id.as_str(), why)),
        },
    }
}

/// A JSON object as `T`; serde would take a list of the fields for one too.
fn object<'a, T: Deserialize<'a>>(raw: &'a str) -> Option<T> {
    raw.starts_with('{').then(|| serde_json::from_str(raw).ok()).flatten()
}

/// The id, or the text that stands in its place.
fn object_id(raw: &RawValue) -> Result<ObjectId, String> {
    let text = serde_json::from_str::<String>(raw.get()).map_err(|_| raw.get().to_owned())?;
    ObjectId::try_from(text.as_str()).map_err(|_| text)
}

/// The properties, or the name of the one that cannot be read. Its value may be personal: it is not repeated.
fn told<'a, T: Deserialize<'a>>(raw: &'a str) -> Result<T, String> {
    let json = &mut serde_json::Deserializer::from_str(raw);
    serde_path_to_error::deserialize(json).map_err(|err| {
        let path: String = err.path().to_string().chars().take(64).collect();
        format!("its {path} is not what Microsoft documents")
    })
}

/// How an object is gone. A reason that nobody knows yet counts as the one that can be undone.
fn removal(raw: &RawValue) -> Result<Removal, String> {
    #[derive(Deserialize)]
    struct Removed {
        reason: Option<String>,
    }
    let removed: Removed =
        object(raw.get()).ok_or_else(|| "its @removed is not what Microsoft documents".to_owned())?;
    match removed.reason {
        Some(reason) if reason.eq_ignore_ascii_case("deleted") => Ok(Removal::Hard),
        _ => Ok(Removal::Soft),
    }
}

type Members = Vec<(ObjectId, MemberKind, bool)>;

/// The membership changes in their order, and what is wrong with those that cannot be read.
fn members(raw: Option<&RawValue>) -> Result<(Members, Vec<String>), String> {
    let Some(raw) = raw else { return Ok((Vec::new(), Vec::new())) };
    let items: Option<Vec<&RawValue>> =
        serde_json::from_str(raw.get()).map_err(|_| "its members@delta is not what Microsoft documents".to_owned())?;
    let (mut members, mut left_out) = (Vec::new(), Vec::new());
    for (at, item) in items.unwrap_or_default().into_iter().enumerate() {
        match member(item) {
            Some(member) => members.push(member),
            None => left_out.push(format!("its members@delta[{at}] is not what Microsoft documents")),
        }
    }
    Ok((members, left_out))
}

/// One change: any reason of `@removed` says that the membership ended, never that the member is gone.
fn member(raw: &RawValue) -> Option<(ObjectId, MemberKind, bool)> {
    #[derive(Deserialize)]
    struct Member<'a> {
        id: String,
        #[serde(rename = "@odata.type")]
        kind: Option<String>,
        #[serde(borrow, rename = "@removed")]
        removed: Option<&'a RawValue>,
    }
    let member: Member<'_> = object(raw.get())?;
    let id = ObjectId::try_from(member.id.as_str()).ok()?;
    if let Some(removed) = member.removed {
        removal(removed).ok()?;
    }
    let kind = member.kind.map(|kind| kind.trim_start_matches('#').to_ascii_lowercase());
    let kind = match kind.as_deref() {
        // Whether it is one of our users shows when it is looked up.
        None | Some("microsoft.graph.user") => MemberKind::User,
        Some("microsoft.graph.group") => MemberKind::Group,
        Some(_) => MemberKind::Other,
    };
    Some((id, kind, member.removed.is_none()))
}

#[cfg(test)]
mod tests {
    use directory::Told;

    use super::*;

    const NEXT: &str = r#""@odata.nextLink": "https://graph.example/v1.0/users/delta?$skiptoken=a""#;
    const ROUND: &str = r#""@odata.deltaLink": "https://graph.example/v1.0/users/delta?$deltatoken=a""#;

    #[test]
    #[rustfmt::skip]
    fn pages() {
        check_page("a next page",            &format!(r#"{{"value": [], {NEXT}}}"#),  "0 objects, then the next page");
        check_page("the end of a round",     &format!(r#"{{"value": [], {ROUND}}}"#), "0 objects, then the next round");
        check_page("unknown fields",         &format!(r#"{{"@odata.context": 5, "new": {{}}, "value": [{{"id": "a"}}], {ROUND}}}"#), "1 objects, then the next round");
        check_page("a byte order mark",      &format!("\u{feff}{{\"value\": [], {ROUND}}}"), "0 objects, then the next round");
        check_page("a null link",            &format!(r#"{{"value": [], "@odata.nextLink": null, {ROUND}}}"#), "0 objects, then the next round");
        check_page("neither link",           r#"{"value": []}"#,                              &Misread::NoLink.to_string());
        check_page("both links",             &format!(r#"{{"value": [], {NEXT}, {ROUND}}}"#), &Misread::BothLinks.to_string());
        check_page("a foreign link",         r#"{"value": [], "@odata.nextLink": "https://graph.example.org/v1.0/users/delta?$skiptoken=a"}"#, &Misread::Elsewhere.to_string());
        check_page("another port",           r#"{"value": [], "@odata.deltaLink": "https://graph.example:444/v1.0/users/delta?$deltatoken=a"}"#, &Misread::Elsewhere.to_string());
        check_page("an empty link",          r#"{"value": [], "@odata.deltaLink": ""}"#,      &Misread::Elsewhere.to_string());
        let not_json = Misread::NotJson.to_string();
        check_page("no value",               &format!("{{{ROUND}}}"),                         &not_json);
        check_page("a value that is none",   &format!(r#"{{"value": null, {ROUND}}}"#),       &not_json);
        check_page("ends early",             &format!(r#"{{{ROUND}, "value": [{{"id": "a"}}"#), &not_json);
        check_page("an error with 200",      &format!(r#"{{"error": {{}}, "value": [], {ROUND}}}"#), &not_json);
        check_page("HTML",                   "<html></html>",                                 &not_json);
        check_page("nothing",                "",                                              &not_json);
    }

    #[track_caller]
    fn check_page(name: &str, body: &str, expected: &str) {
        let endpoint = Endpoint::parse("https://graph.example").unwrap();
        let outcome = match page(body.as_bytes(), Kind::User, &endpoint) {
            Ok(GraphPage { objects, next: Next::Page(_) }) => format!("{} objects, then the next page", objects.len()),
            Ok(GraphPage { objects, next: Next::Round(_) }) => {
                format!("{} objects, then the next round", objects.len())
            }
            Err(misread) => misread.to_string(),
        };
        assert_eq!(outcome, expected, "{name}");
    }

    #[test]
    #[rustfmt::skip]
    fn objects() {
        use Kind::{Group, User};
        check("a user",                     User,  r#"{"id": "a", "surname": "Lee"}"#,                              "user a");
        check("unknown fields",             User,  r#"{"id": "a", "@odata.etag": 1, "new": [{}], "manager@delta": []}"#, "user a");
        check("cleared",                    User,  r#"{"id": "a", "surname": null, "proxyAddresses": null}"#,       "user a");
        check("soft-deleted",               User,  r#"{"id": "a", "@removed": {"reason": "changed"}}"#,             "removed a Soft");
        check("gone for good",              User,  r#"{"id": "a", "@removed": {"reason": "deleted"}}"#,             "removed a Hard");
        check("another case",               User,  r#"{"id": "a", "@removed": {"reason": "Deleted"}}"#,             "removed a Hard");
        check("a reason from the future",   User,  r#"{"id": "a", "@removed": {"reason": "archived"}}"#,            "removed a Soft");
        check("no reason",                  User,  r#"{"id": "a", "@removed": {}}"#,                                "removed a Soft");
        check("removed is no object",       User,  r#"{"id": "a", "@removed": true}"#,                              "unreadable a: its @removed is not what Microsoft documents");
        check("a reason that is no text",   User,  r#"{"id": "a", "@removed": {"reason": 1}}"#,                     "unreadable a: its @removed is not what Microsoft documents");
        check("removed and null",           User,  r#"{"id": "a", "@removed": null}"#,                              "user a");
        check("a wrong type",               User,  r#"{"id": "a", "accountEnabled": "yes"}"#,                       "unreadable a: its accountEnabled is not what Microsoft documents");
        check("a wrong type in a list",     User,  r#"{"id": "a", "proxyAddresses": ["SMTP:a@b.c", 5]}"#,           "unreadable a: its proxyAddresses[1] is not what Microsoft documents");
        check("a text that is no text",     User,  r#"{"id": "a", "surname": "\ud800"}"#,                           "unreadable a: its surname is not what Microsoft documents");
        check("no id",                      User,  r#"{"surname": "Lee"}"#,                                         "unreadable : it has no id");
        check("an id that is no text",      User,  r#"{"id": 5}"#,                                                  "unreadable 5: its id is not an object id");
        check("an id that is none",         User,  r#"{"id": "[group-id]"}"#,                                       "unreadable [group-id]: its id is not an object id");
        check("a list in its place",        User,  r#"["a", null, null]"#,                                          "unreadable : it is not an object");
        check("removed is a list",          User,  r#"{"id": "a", "@removed": ["deleted"]}"#,                       "unreadable a: its @removed is not what Microsoft documents");
        check("no object",                  User,  "7",                                                             "unreadable : it is not an object");
        check("a group",                    Group, r#"{"id": "g", "mailEnabled": true}"#,                           "group g");
        check("members that did not change", Group, r#"{"id": "g", "members@delta": []}"#,                          "group g");
        check("members",                    Group, r##"{"id": "g", "members@delta": [
            {"@odata.type": "#microsoft.graph.user", "id": "a"},
            {"@odata.type": "#microsoft.graph.user", "id": "b", "@removed": {"reason": "deleted"}},
            {"@odata.type": "#microsoft.graph.group", "id": "h"},
            {"@odata.type": "#microsoft.graph.orgContact", "id": "c"},
            {"@odata.type": "#microsoft.graph.user", "id": "a", "@removed": {"reason": "changed"}},
            {"id": "d"}]}"##,                                                                                       "group g +a:User -b:User +h:Group +c:Other -a:User +d:User");
        check("a member that is none",      Group, r##"{"id": "g", "members@delta": [{"id": "a"}, {"id": 7}, {"id": "b"}]}"##, "group g +a:User +b:User, unreadable g: its members@delta[1] is not what Microsoft documents");
        check("members that are no list",   Group, r#"{"id": "g", "members@delta": {}}"#,                           "unreadable g: its members@delta is not what Microsoft documents");
        check("a wrong type in a group",    Group, r#"{"id": "g", "groupTypes": "Unified"}"#,                       "unreadable g: its groupTypes is not what Microsoft documents");
        check("a group that is gone",       Group, r#"{"id": "g", "@removed": {"reason": "changed"}, "members@delta": 5}"#, "removed g Soft");
    }

    #[track_caller]
    fn check(name: &str, kind: Kind, raw: &str, expected: &str) {
        let mut objects = Vec::new();
        read(raw, kind, &mut objects);
        let shown: Vec<_> = objects.iter().map(show).collect();
        assert_eq!(shown.join(", "), expected, "{name}");
    }

    fn show(object: &Observed) -> String {
        match object {
            Observed::User { id, .. } => format!("user {id}"),
            Observed::Group { id, members, .. } => {
                let sign = |is: &bool| if *is { '+' } else { '-' };
                let members = members.iter().map(|(id, kind, is)| format!(" {}{id}:{kind:?}", sign(is)));
                format!("group {id}{}", members.collect::<String>())
            }
            Observed::Removed { id, how } => format!("removed {id} {how:?}"),
            Observed::Unreadable { id, why } => format!("unreadable {id}: {why}"),
        }
    }

    #[test]
    fn absent_null_and_value_differ() {
        let mut objects = Vec::new();
        read(r#"{"id": "a", "surname": null, "mobilePhone": "+1"}"#, Kind::User, &mut objects);
        let [Observed::User { told, .. }] = objects.as_slice() else { panic!("{objects:?}") };
        assert_eq!(told.surname, Told::Null);
        assert_eq!(told.mobile, Told::Value("+1".to_owned()));
        assert_eq!(told.given_name, Told::Nothing);
    }

    #[test]
    fn a_wrong_value_is_not_repeated() {
        let mut objects = Vec::new();
        read(r#"{"id": "a", "businessPhones": "+49 555 0100"}"#, Kind::User, &mut objects);
        assert!(!format!("{objects:?}").contains("0100"), "{objects:?}");
    }

    #[test]
    fn one_bad_object_does_not_take_the_page_with_it() {
        let body =
            format!(r#"{{"value": [{{"id": "a"}}, {{"id": "b", "mail": "\udfff"}}, [], {{"id": "c"}}], {ROUND}}}"#);
        let endpoint = Endpoint::parse("https://graph.example").unwrap();
        let page = page(body.as_bytes(), Kind::User, &endpoint).unwrap();
        let shown: Vec<_> = page.objects.iter().map(show).collect();
        assert_eq!(shown.len(), 4);
        assert_eq!((shown[0].as_str(), shown[3].as_str()), ("user a", "user c"));
    }

    #[test]
    fn an_object_that_no_item_could_hold_does_not_take_the_page_with_it() {
        let name = "x".repeat(LARGEST_OBJECT);
        let body = format!(r#"{{"value": [{{"id": "a", "jobTitle": "{name}"}}, {{"id": "b"}}], {ROUND}}}"#);
        let endpoint = Endpoint::parse("https://graph.example").unwrap();
        let page = page(body.as_bytes(), Kind::User, &endpoint).unwrap();
        let shown: Vec<_> = page.objects.iter().map(show).collect();
        assert_eq!(shown, ["unreadable a: it is larger than 100000 bytes", "user b"]);
        let members = vec![r#"{"id": "m"}"#; 10_000].join(",");
        let mut objects = Vec::new();
        read(&format!(r#"{{"id": "g", "members@delta": [{members}]}}"#), Kind::Group, &mut objects);
        assert!(show(&objects[0]).starts_with("group g +m:User"), "however many members it has");
        read(&format!(r#"{{"id": "a", "old": "{name}", "@removed": {{}}}}"#), Kind::User, &mut objects);
        assert_eq!(show(&objects[1]), "removed a Soft", "nothing of it is stored");
    }

    #[test]
    fn counts() {
        assert_eq!(number("\u{feff}1234\r\n".as_bytes()), Ok(1234));
        assert_eq!(number(b"{}"), Err(Misread::NotJson));
        assert_eq!(number(b"-1"), Err(Misread::NotJson));
    }
}
