//! What one round of delta tells, and one page of it.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use crate::{
    cursor::Cursor,
    directory::{Directory, Kind, Life, Link, What},
    properties::Select,
    settings::Settings,
};

/// A round: everything that is, or everything that was touched since a token.
pub(crate) struct Round<'a> {
    directory: &'a Directory,
    kind: Kind,
    select: Select,
    /// Only what changed is shown of an object (`Prefer: return=minimal`).
    minimal: bool,
    touched: Option<Vec<Touched>>,
    end: usize,
}

/// An object of which the log tells something.
#[derive(Default)]
struct Touched {
    position: usize,
    appeared: bool,
    names: BTreeSet<String>,
    links: Vec<Link>,
}

impl<'a> Round<'a> {
    pub(crate) fn new(directory: &'a Directory, cursor: &Cursor, minimal: bool) -> Self {
        let select = Select::of_text(cursor.select.as_deref());
        let touched = cursor.from.map(|from| touched(directory, cursor, from, &select));
        Self { directory, kind: cursor.kind, select, minimal, touched, end: cursor.end }
    }

    /// The objects of a page, and where the next page begins if this is not the last.
    pub(crate) fn page(
        &self,
        cursor: &Cursor,
        settings: &Settings,
        size: usize,
    ) -> (Vec<Value>, Option<(usize, usize)>) {
        let (mut position, mut offset) = (cursor.position, cursor.offset);
        let mut links_left = settings.link_page_size.max(1);
        let mut value = Vec::new();
        while position < self.len() {
            let links = self.links(position).get(offset..).unwrap_or_default();
            if value.len() >= size.max(1) || (links_left == 0 && !links.is_empty()) {
                return (value, Some((position, offset)));
            }
            let slice = links.get(..links_left).unwrap_or(links);
            links_left -= slice.len();
            value.extend(self.show(position, slice, settings));
            if slice.len() < links.len() {
                return (value, Some((position, offset + slice.len())));
            }
            position += 1;
            offset = 0;
        }
        (value, None)
    }

    fn len(&self) -> usize {
        self.touched.as_ref().map_or(self.end, Vec::len)
    }

    fn touched(&self, position: usize) -> Option<&Touched> {
        self.touched.as_ref().and_then(|all| all.get(position))
    }

    /// The memberships to tell of the object at this place of the round.
    fn links(&self, position: usize) -> &[Link] {
        if self.kind == Kind::User || !self.select.has(Kind::Group, "members") {
            return &[];
        }
        match &self.touched {
            Some(touched) => touched.get(position).map_or(&[], |one| &one.links),
            None => self.directory.groups.all.get(position).map_or(&[], |group| &group.members),
        }
    }

    fn show(&self, position: usize, links: &[Link], settings: &Settings) -> Option<Value> {
        let touched = self.touched(position);
        let position = touched.map_or(position, |touched| touched.position);
        let object = self.directory.objects(self.kind).all.get(position)?;
        let first = self.touched.is_none();
        let reason = match object.life {
            Life::Here => None,
            Life::Deleted if first && !settings.deleted_in_first_round => return None,
            Life::Gone if first => return None,
            Life::Deleted => Some("changed"),
            Life::Gone => Some("deleted"),
        };
        if let Some(reason) = reason {
            return Some(json!({ "id": object.id, "@removed": { "reason": reason } }));
        }
        let mut shown = self.select.tracked(self.kind, object.properties());
        if let Some(touched) = touched.filter(|touched| self.minimal && !touched.appeared) {
            shown.retain(|name, _| touched.names.contains(name));
        }
        shown.insert("id".to_owned(), object.id.to_string().into());
        let told: Vec<_> = links.iter().filter(|link| !(first && link.past && !settings.past_members)).collect();
        if !told.is_empty() {
            shown.insert("members@delta".to_owned(), told.into_iter().map(item).collect());
        }
        Some(Value::Object(shown))
    }
}

/// One of `members@delta`.
fn item(link: &Link) -> Value {
    let mut item = Map::new();
    item.insert("@odata.type".to_owned(), link.kind.odata_type().into());
    item.insert("id".to_owned(), link.id.to_string().into());
    if link.past {
        item.insert("@removed".to_owned(), json!({ "reason": "deleted" }));
    }
    Value::Object(item)
}

/// The objects with news between two places of the log, each once.
fn touched(directory: &Directory, cursor: &Cursor, from: usize, select: &Select) -> Vec<Touched> {
    let mut all: Vec<Touched> = Vec::new();
    let mut at = HashMap::new();
    let window = directory.log.get(from..cursor.until).unwrap_or_default();
    for entry in window.iter().filter(|entry| entry.kind == cursor.kind) {
        let news = match &entry.what {
            What::Appeared | What::Disappeared => true,
            What::Changed(names) => names.iter().any(|name| select.has(entry.kind, name)),
            What::Member(_) => select.has(Kind::Group, "members"),
        };
        if !news {
            continue;
        }
        let index = *at.entry(entry.position).or_insert_with(|| {
            all.push(Touched { position: entry.position, ..Touched::default() });
            all.len() - 1
        });
        let Some(one) = all.get_mut(index) else { continue };
        match &entry.what {
            What::Appeared => one.appeared = true,
            What::Disappeared => (),
            What::Changed(names) => one.names.extend(names.iter().cloned()),
            What::Member(link) => {
                one.links.retain(|earlier| earlier.id != link.id);
                one.links.push(*link);
            }
        }
    }
    all
}
