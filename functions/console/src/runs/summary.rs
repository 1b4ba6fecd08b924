//! A plan in numbers: how many changes of each category and kind, and what the brake says of them.

use directory::{Category, Kind};
use engine::records::{HeldBack, Run};
use mail::words::{figure, many};
use serde_json::Value;

use super::{
    names::{self, CATEGORIES},
    row::so_many,
    view::View,
};
use crate::form::named;

/// Changes of one category and kind.
pub(super) struct Line {
    /// `Deleting users`
    pub(super) name: String,
    /// How many.
    pub(super) total: u64,
    /// How many of them were carried out.
    done: u64,
    /// How many of them are checked.
    pub(super) checked: u64,
    /// The list of them.
    pub(super) query: String,
    /// Whether that list is shown.
    pub(super) current: bool,
    /// Names them in the form.
    pub(super) key: String,
    category: Category,
    kind: Kind,
}

impl Line {
    pub(super) fn shown(&self) -> String {
        figure(self.total)
    }

    pub(super) fn shown_done(&self) -> String {
        figure(self.done)
    }

    pub(super) fn shown_checked(&self) -> String {
        figure(self.checked)
    }
}

/// Every category and kind that there is something of; `unchecked` knows how many a person has left out.
pub(super) fn lines(run: &Run, view: &View, unchecked: impl Fn(Category, Kind, u64) -> u64) -> Vec<Line> {
    let plan = run.counts.plan();
    let all = CATEGORIES.into_iter().flat_map(|category| Kind::ALL.map(|kind| (category, kind)));
    let line = |(category, kind): (Category, Kind)| {
        let total = plan[category][kind];
        let only = View { category: Some(category), kind: Some(kind), ..View::default() };
        Line {
            name: format!("{} {}", names::category(category), names::kinds(kind)),
            total,
            done: run.applied.unwrap_or_default()[category][kind],
            checked: total.saturating_sub(unchecked(category, kind, total)),
            current: view.category == Some(category) && view.kind == Some(kind),
            query: only.query(),
            key: format!("{} {}", named(category), kind.name()),
            category,
            kind,
        }
    };
    all.map(line).filter(|line| line.total > 0).collect()
}

/// What the checked changes delete, in words; nothing where they delete nobody.
pub(super) fn deletes(lines: &[Line]) -> Option<String> {
    let deleting = lines.iter().filter(|line| line.category == Category::Deleting && line.checked > 0);
    let those: Vec<String> = deleting.map(|line| so_many(line.kind, line.checked)).collect();
    (!those.is_empty()).then(|| those.join(" and "))
}

/// What the brake holds, in sentences (rule 4.8).
pub(super) fn held(held: &HeldBack) -> Vec<String> {
    let HeldBack { users, groups, members, undone, limits } = held;
    let limit = |name: &str| figure(limits.get(name).and_then(Value::as_u64).unwrap_or_default());
    let mut sentences = Vec::new();
    if *users > 0 {
        let who = so_many(Kind::User, *users);
        sentences.push(format!("{who} would be disabled or deleted, and the limit is {}.", limit("users")));
    }
    if *groups > 0 {
        let who = so_many(Kind::Group, *groups);
        sentences.push(format!("{who} would be deleted, and the limit is {}.", limit("groups")));
    }
    if *members > 0 {
        let who = so_many(Kind::Group, *members);
        sentences.push(format!("{who} of more than {} members would lose all of them.", limit("members")));
    }
    if *undone > 0 {
        sentences.push(format!(
            "{} {} undone before.",
            many(*undone, "change"),
            if *undone == 1 { "was" } else { "were" }
        ));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn r4_8_the_verdict_of_the_brake_in_words() {
        let back = |users, groups, members, undone| {
            let limits = json!({"users": 5, "groups": 6, "members": 10});
            held(&HeldBack { users, groups, members, undone, limits }).join(" ")
        };
        assert_eq!(back(1_200, 0, 0, 0), "1,200 users would be disabled or deleted, and the limit is 5.");
        assert_eq!(
            back(0, 7, 1, 2),
            "7 groups would be deleted, and the limit is 6. 1 group of more than 10 members would \
            lose all of them. 2 changes were undone before."
        );
    }
}
