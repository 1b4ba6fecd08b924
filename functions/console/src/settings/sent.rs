//! What a person sent of the settings, beside what they were shown: only what differs is theirs, and what somebody else
//! changed meanwhile is not overwritten unseen.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fields::{self, Field, Set, Shape};
use crate::form::Fields;

/// Where the form keeps what it showed.
const WAS: &str = "was";
/// So much of a hash tells two texts apart.
const DIGITS: usize = 16;

/// The fields of a form as they came.
#[derive(Debug)]
pub(crate) struct Sent {
    /// What was typed, and the mark of what was shown.
    fields: Vec<(&'static Field, String, String)>,
}

/// What is to be done about them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Asked {
    /// What the person changed.
    pub(crate) patch: Map<String, Value>,
    /// What they saw where they changed something.
    pub(crate) expected: Map<String, Value>,
    /// Fields that somebody else has changed to something else since.
    pub(crate) superseded: Vec<&'static str>,
}

/// What a form says that it showed: a mark of each field.
pub(crate) fn shown(sets: &[Set], settings: &Value) -> String {
    let fields = sets.iter().flat_map(|set| set.fields);
    fields.map(|field| format!("{}={}", field.path, mark(&field.text(settings)))).collect::<Vec<_>>().join(" ")
}

fn mark(text: &str) -> String {
    let mut mark = blake3::hash(text.as_bytes()).to_hex().to_string();
    mark.truncate(DIGITS);
    mark
}

impl Sent {
    /// Read a form; nothing where it does not say what it showed.
    pub(crate) fn read(form: &Fields) -> Option<Self> {
        let was = form.text(WAS)?.split_whitespace().filter_map(|part| part.split_once('='));
        let fields = was.filter_map(|(path, was)| {
            let field = fields::find(path)?;
            let typed = form.text(path).unwrap_or_default();
            // Browsers send lines with a carriage return each.
            let typed = if field.shape == Shape::Domains { typed.replace("\r\n", "\n") } else { typed.to_owned() };
            Some((field, typed, was.to_owned()))
        });
        Some(Self { fields: fields.collect() })
    }

    /// What it asks for, as the settings are now.
    pub(crate) fn asks(&self, now: &Value) -> Asked {
        let mut asked = Asked::default();
        for (field, typed, was) in self.changed() {
            let text = field.text(now);
            if text == *typed {
                continue;
            }
            if mark(&text) != *was {
                asked.superseded.push(field.path);
            }
            field.lay_over(&mut asked.patch, typed);
            asked.expected.insert(field.key().to_owned(), now[field.key()].clone());
        }
        asked
    }

    /// What the person typed into the fields that they changed.
    pub(crate) fn typed(&self) -> BTreeMap<&'static str, String> {
        self.changed().map(|(field, typed, _)| (field.path, typed.clone())).collect()
    }

    fn changed(&self) -> impl Iterator<Item = &(&'static Field, String, String)> {
        self.fields.iter().filter(|(_, typed, was)| mark(typed) != *was)
    }
}

#[cfg(test)]
mod tests {
    use directory::Settings;
    use serde_json::json;
    use url::form_urlencoded::Serializer;

    use super::*;

    /// A form of the settings `before` with some fields typed over, sent when the settings are `now`.
    fn check(name: &str, typed: &[(&str, &str)], now: Value, patch: Value, expected: Value, superseded: &[&str]) {
        let before = json!(Settings::default().with(&json!({"seats": 5, "domains": [{"name": "a.com"}]})).unwrap());
        let now = json!(serde_json::from_value::<Settings>(before.clone()).unwrap().with(&now).unwrap());
        let mut form = Serializer::new(String::new());
        form.append_pair("was", &shown(fields::REST, &before));
        for (path, text) in typed {
            form.append_pair(path, text);
        }
        for field in fields::REST.iter().flat_map(|set| set.fields) {
            form.append_pair(field.path, &field.text(&before));
        }
        let asked = Sent::read(&Fields::parse(form.finish().as_bytes())).unwrap().asks(&now);
        assert_eq!(Value::Object(asked.patch), patch, "{name}");
        assert_eq!(Value::Object(asked.expected), expected, "{name}");
        assert_eq!(asked.superseded, superseded, "{name}");
    }

    #[test]
    #[rustfmt::skip]
    fn only_what_a_person_changed_is_sent() {
        let brake = json!(Settings::default())["brake"].clone();
        let elsewhere = { let mut brake = brake.clone(); brake["users_min"] = json!(9); brake };
        //    what happens                         typed                              meanwhile                     patch                                expected                       superseded
        check("nothing",                           &[],                               json!({}),                    json!({}),                           json!({}),                     &[]);
        check("one of them",                       &[("seats", "7")],                 json!({}),                    json!({"seats": 7}),                 json!({"seats": 5}),           &[]);
        check("cleared",                           &[("seats", " ")],                 json!({}),                    json!({"seats": null}),              json!({"seats": 5}),           &[]);
        check("spaces are no change",              &[("seats", " 5 ")],               json!({}),                    json!({}),                           json!({}),                     &[]);
        check("inside of another",                 &[("brake.users_min", "6")],       json!({}),                    json!({"brake": {"users_min": 6}}),  json!({"brake": brake}),       &[]);
        check("somebody changed another",          &[("seats", "7")],                 json!({"name": "B"}),         json!({"seats": 7}),                 json!({"seats": 5}),           &[]);
        check("somebody changed the same",         &[("seats", "7")],                 json!({"seats": 6}),          json!({"seats": 7}),                 json!({"seats": 6}),           &["seats"]);
        check("to the same",                       &[("seats", "7")],                 json!({"seats": 7}),          json!({}),                           json!({}),                     &[]);
        check("somebody changed what was not typed", &[],                             json!({"seats": 6}),          json!({}),                           json!({}),                     &[]);
        check("another number of the same brake",  &[("brake.groups_min", "6")],      json!({"brake": {"users_min": 9}}), json!({"brake": {"groups_min": 6}}), json!({"brake": elsewhere}), &[]);
        check("what cannot be is passed on",       &[("recovery_days", "soon")],      json!({}),                    json!({"recovery_days": "soon"}),    json!({"recovery_days": 30}),  &[]);
        check("lines as browsers send them",       &[("domains", "a.com\r\n")],       json!({}),                    json!({}),                           json!({}),                     &[]);
    }

    #[test]
    fn a_form_that_does_not_say_what_it_showed_is_none() {
        assert!(Sent::read(&Fields::parse(b"seats=1")).is_none());
    }
}
