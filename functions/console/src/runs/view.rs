//! What of a run is looked at: which list, which filter, which page of it. Addresses and buttons carry it.

use directory::{Category, Kind, Outcome, SkipReason};
use engine::browse::{Filter, Left};
use serde::{Deserialize, Serialize};
use url::form_urlencoded::Serializer;

use crate::form::{Fields, by_name, named};

/// No cursor of ours is longer.
const LONGEST_CURSOR: usize = 2_000;

/// One of the lists of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum List {
    /// What is or was to change.
    #[default]
    Changes,
    /// Who is left alone.
    Skipped,
    /// What would change, were it switched on.
    NotEnabled,
}

/// A list, filtered, from a place on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) list: List,
    pub(crate) category: Option<Category>,
    pub(crate) kind: Option<Kind>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) reason: Option<SkipReason>,
    pub(crate) text: Option<String>,
    pub(crate) from: Option<String>,
}

impl View {
    /// What a query says; what it cannot mean does not count.
    pub(crate) fn of(query: &Fields) -> Self {
        Self {
            list: query.text("show").and_then(by_name).unwrap_or_default(),
            category: query.text("category").and_then(by_name).filter(|category| *category != Category::NotEnabled),
            kind: query.text("kind").and_then(by_name),
            outcome: query.text("outcome").and_then(by_name),
            reason: query.text("reason").and_then(by_name),
            text: query.text("text").map(|text| text.chars().take(200).collect()),
            from: query.text("from").filter(|from| from.len() <= LONGEST_CURSOR).map(str::to_owned),
        }
    }

    /// The same as the query of an address, with its question mark.
    pub(crate) fn query(&self) -> String {
        let Self { list, category, kind, outcome, reason, text, from } = self;
        let mut query = Serializer::new(String::new());
        query.extend_pairs(
            [
                ("show", (*list != List::Changes).then(|| named(list))),
                ("category", category.map(named)),
                ("kind", kind.map(named)),
                ("outcome", outcome.map(named)),
                ("reason", reason.map(named)),
                ("text", text.clone()),
                ("from", from.clone()),
            ]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
        );
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    /// The same filter from its beginning.
    pub(crate) fn first(&self) -> Self {
        Self { from: None, ..self.clone() }
    }

    /// The same filter, from a place on.
    pub(crate) fn next(&self, from: String) -> Self {
        Self { from: Some(from), ..self.clone() }
    }

    /// Which changes are looked for.
    pub(crate) fn filter(&self) -> Filter {
        let Self { category, kind, outcome, text, .. } = self;
        Filter { category: *category, kind: *kind, outcome: *outcome, text: text.clone() }
    }

    /// Whom to look for among those who are left alone.
    pub(crate) fn left(&self) -> Left {
        Left { kind: self.kind, reason: self.reason, text: self.text.clone() }
    }

    /// Whether nothing is filtered.
    pub(crate) fn is_everything(&self) -> bool {
        *self == Self { list: self.list, from: self.from.clone(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_its_address_and_nothing_else() {
        check("", "");
        check(
            "category=deleting&kind=user&text=%22%3E%3C&from=eyJ4",
            "?category=deleting&kind=user&text=%22%3E%3C&from=eyJ4",
        );
        check("show=skipped&reason=guest", "?show=skipped&reason=guest");
        check("category=not_enabled&kind=tenant&show=x&done=1&tenant=b&text=%20", "");
        check(&format!("from={}", "x".repeat(2_001)), "");
        check("text=a%0D%0ALocation:%20x", "?text=a%0D%0ALocation%3A+x");
    }

    #[track_caller]
    fn check(query: &str, expected: &str) {
        let view = View::of(&Fields::parse(query.as_bytes()));
        assert_eq!(view.query(), expected);
        assert_eq!(View::of(&Fields::parse(view.query().trim_start_matches('?').as_bytes())), view);
    }
}
