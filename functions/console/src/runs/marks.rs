//! The marks of a review: which changes a person has left out of a plan. Every button of the form first saves those of the
//! lines that it shows, so that nothing is lost between pages and filters.

use std::collections::BTreeMap;

use directory::{Category, Kind};
use serde_json::{Value, json};

use crate::form::{Fields, by_name, named};

/// What the marks of one category and kind become.
#[derive(Debug, Default, PartialEq, Eq)]
struct Mark {
    all: Option<bool>,
    check: Vec<String>,
    uncheck: Vec<String>,
}

/// What a form changes: of the lines that it showed those that are not as they were, and all of a category where a button
/// says so. Nothing where it changes nothing.
pub(super) fn changed(form: &Fields) -> Option<Value> {
    let mut marks: BTreeMap<(Category, &str), Mark> = BTreeMap::new();
    let all = form.text("all").and_then(everything);
    for row in form.all("row") {
        let Some((category, kind, id, was)) = line(row) else { continue };
        let is = form.all("check").any(|checked| checked == id);
        // What a button says of all of them goes before what is marked here.
        if is == was || all.is_some_and(|(of, all, _)| (of, all) == (category, kind.name())) {
            continue;
        }
        let mark = marks.entry((category, kind.name())).or_default();
        if is { &mut mark.check } else { &mut mark.uncheck }.push(id.to_owned());
    }
    if let Some((category, kind, checked)) = all {
        marks.entry((category, kind)).or_default().all = Some(checked);
    }
    let marks: Vec<Value> = marks
        .into_iter()
        .map(|((category, kind), Mark { all, check, uncheck })| {
            let mut mark = json!({"category": named(category), "object": kind, "check": check, "uncheck": uncheck});
            if let Some(all) = all {
                mark["all"] = json!(all);
            }
            mark
        })
        .collect();
    (!marks.is_empty()).then(|| json!(marks))
}

/// `deleting user 0123456789abcdef on`: a line as the form showed it.
fn line(row: &str) -> Option<(Category, Kind, &str, bool)> {
    let mut words = row.split(' ');
    let (category, kind) = (by_name(words.next()?)?, by_name(words.next()?)?);
    Some((category, kind, words.next()?, words.next()? == "on"))
}

/// `deleting user on`: a button for all of a category and kind.
fn everything(button: &str) -> Option<(Category, &'static str, bool)> {
    let mut words = button.split(' ');
    let category = by_name(words.next()?)?;
    let kind: Kind = by_name(words.next()?)?;
    Some((category, kind.name(), words.next()? == "on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "row=deleting+user+a+on&row=deleting+user+b+off&row=adding+group+c+on";

    #[test]
    fn r4_4_only_what_a_person_has_changed_is_sent() {
        check("nothing", "check=a&check=c", json!(null));
        check(
            "one of each",
            "check=b&check=c",
            json!([{"category": "deleting", "object": "user", "check": ["b"], "uncheck": ["a"]}]),
        );
        check(
            "all of another",
            "check=a&all=adding+group+off",
            json!([{"category": "adding", "object": "group", "check": [], "uncheck": [], "all": false}]),
        );
        check(
            "all of these",
            "check=b&check=c&all=deleting+user+on",
            json!([{"category": "deleting", "object": "user", "check": [], "uncheck": [], "all": true}]),
        );
        check("what is no line", "check=a&check=c&row=deleting+tenant+x+on&row=x&all=everything", json!(null));
    }

    #[track_caller]
    fn check(name: &str, sent: &str, expected: Value) {
        let form = Fields::parse(format!("{ROWS}&{sent}").as_bytes());
        assert_eq!(json!(changed(&form)), expected, "{name}");
    }
}
