//! What the runs of a day did, summed up from their plans: numbers, the first changes, and by how much totals moved.

use std::time::Duration;

use directory::{
    Category, Held, Kind, Outcome, Planned, TenantId, UserType,
    facts::{ChangeLine, Did, MOST_CHANGES, Outcomes, Tally},
    settle::Local,
};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    keys,
    load::read_held,
    outcomes::{self, Followed},
    ports::{Clock, Fault, Store},
    records::{Action, Counts, Run, RunState},
};

/// With less time than this left no more is read: the mail still has to be written and sent.
pub(crate) const TIME_TO_WRITE: Duration = Duration::from_secs(30);
/// So many lines are kept before the first of them are sorted out.
const ENOUGH: usize = 10 * MOST_CHANGES;

/// What was carried out.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    /// By kind of object; only what was done is filled in.
    pub(crate) outcomes: Outcomes,
    /// By how much the totals moved.
    pub(crate) moved: Moved,
    /// Changes carried out.
    pub(crate) total: u64,
    /// Something was not read for want of time: its numbers are those of the runs.
    pub(crate) cut: bool,
    lines: Vec<(ChangeLine, Local)>,
}

/// By how much totals moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) users: i64,
    pub(crate) groups: i64,
    pub(crate) functional: i64,
    pub(crate) billable: i64,
}

/// What kind of object a report counts something for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    User,
    Group,
    Functional,
}

impl Sums {
    /// Add what a run did between `start` and its end.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn add(
        &mut self,
        store: &impl Store,
        clock: &impl Clock,
        tenant: &TenantId,
        run: &Run,
        start: Timestamp,
    ) -> Result<(), Fault> {
        // A run that still goes on is counted once it is done.
        if run.action == Action::Preview || matches!(run.state, RunState::Planned | RunState::Continuing) {
            return Ok(());
        }
        // What an earlier day's run held was released today; the rest of its plan was done then.
        let released_only = run.action == Action::Release && run.started_at < start;
        let mut read = Tallied::default();
        for number in 0..run.chunks {
            if clock.remaining() < TIME_TO_WRITE {
                self.cut = true;
                // What was released of a plan is not counted apart.
                if !released_only {
                    self.estimate(run, &read);
                }
                break;
            }
            let part = outcomes::part(store, tenant, run, number).await?;
            let changes: Vec<Planned> =
                part.changes.into_iter().filter(|change| counts(change, released_only)).map(|f| f.planned).collect();
            let classes = classes(store, tenant, &changes).await?;
            for (planned, class) in changes.into_iter().zip(classes) {
                read.count(&planned);
                self.one(planned, class);
            }
        }
        Ok(())
    }

    fn one(&mut self, planned: Planned, (before, after): (Class, Class)) {
        let Planned { change, local, purge, seats, .. } = planned;
        self.moved.billable += i64::from(seats);
        let marked = change.fields.get("deleted_at");
        let was_marked = marked.is_some_and(|field| !field.from.is_null());
        let was_here = change.category != Category::Adding && !was_marked;
        let is_here = !purge && marked.is_none_or(|field| field.to.is_null());
        *self.moved.of(before) -= i64::from(was_here);
        *self.moved.of(after) += i64::from(is_here);
        let tally = self.tally(after);
        let (counter, did) = match change.category {
            Category::Adding => (&mut tally.added, Did::Added),
            Category::Updating => (&mut tally.updated, Did::Updated),
            Category::Disabling => (&mut tally.disabled, Did::Disabled),
            Category::Deleting => (&mut tally.deleted, Did::Deleted),
            Category::NotEnabled => return,
        };
        *counter += 1;
        self.total += 1;
        let name = ["display_name", "name"].into_iter().find_map(|field| change.to(field).and_then(Value::as_str));
        let line = ChangeLine {
            did,
            kind: change.object,
            name: name.unwrap_or_default().to_owned(),
            address: change.address.as_ref().map(ToString::to_string),
            why: change.why,
        };
        self.lines.push((line, (change.object, local)));
        if self.lines.len() > ENOUGH {
            self.sort();
        }
    }

    fn sort(&mut self) {
        self.lines.sort();
        self.lines.truncate(MOST_CHANGES);
    }

    /// The rest of a plan that was too long to be read, as its run counted it.
    fn estimate(&mut self, run: &Run, read: &Tallied) {
        self.moved.billable += run.tally.seats - read.seats;
        let done = run.applied.unwrap_or_else(|| run.counts.plan());
        for (class, kind) in [(Class::User, Kind::User), (Class::Group, Kind::Group)] {
            let rest = |applied: u64, read: u64| applied.saturating_sub(read);
            let added = rest(done.adding[kind], read.added[kind]);
            let updated = rest(done.updating[kind], read.updated[kind]);
            let disabled = rest(done.disabling[kind], read.disabled[kind]);
            let deleted = rest(done.deleting[kind], read.deleted[kind]);
            let tally = self.tally(class);
            tally.added += added;
            tally.updated += updated;
            tally.disabled += disabled;
            tally.deleted += deleted;
            self.total += added + updated + disabled + deleted;
            *self.moved.of(class) +=
                i64::try_from(added).unwrap_or_default() - i64::try_from(deleted).unwrap_or_default();
        }
    }

    fn tally(&mut self, class: Class) -> &mut Tally {
        match class {
            Class::User => &mut self.outcomes.users,
            Class::Group => &mut self.outcomes.groups,
            Class::Functional => &mut self.outcomes.functional,
        }
    }

    /// The first changes, removals first. A name that did not change is looked up.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn lines(&mut self, store: &impl Store, tenant: &TenantId) -> Result<Vec<ChangeLine>, Fault> {
        self.sort();
        let mut nameless: Vec<_> = self.lines.iter_mut().filter(|(line, _)| line.name.is_empty()).collect();
        let keys: Vec<_> = nameless.iter().map(|(_, (kind, id))| keys::object(tenant, *kind, id)).collect();
        for ((line, _), item) in nameless.iter_mut().zip(store.get(&keys).await?) {
            let Some(item) = item else { continue };
            line.name = read_held(line.kind, item)?.name().unwrap_or_default().to_owned();
        }
        Ok(self.lines.iter().map(|(line, _)| line.clone()).collect())
    }
}

impl Moved {
    /// What totals come to, those who are marked as deleted left out.
    pub(crate) fn by(counts: &Counts) -> Self {
        Self {
            users: counts.users - counts.functional - counts.deleted_users,
            groups: counts.groups - counts.deleted_groups,
            functional: counts.functional - counts.deleted_functional,
            billable: counts.billable,
        }
    }

    /// This, before something else was added.
    pub(crate) fn without(&self, other: &Self) -> Self {
        Self {
            users: self.users - other.users,
            groups: self.groups - other.groups,
            functional: self.functional - other.functional,
            billable: self.billable - other.billable,
        }
    }

    fn of(&mut self, class: Class) -> &mut i64 {
        match class {
            Class::User => &mut self.users,
            Class::Group => &mut self.groups,
            Class::Functional => &mut self.functional,
        }
    }
}

/// What was read of a run's plan, to know what is left of its counts.
#[derive(Default)]
struct Tallied {
    added: directory::PerKind<u64>,
    updated: directory::PerKind<u64>,
    disabled: directory::PerKind<u64>,
    deleted: directory::PerKind<u64>,
    seats: i64,
}

impl Tallied {
    fn count(&mut self, planned: &Planned) {
        self.seats += i64::from(planned.seats);
        let counter = match planned.change.category {
            Category::Adding => &mut self.added,
            Category::Updating => &mut self.updated,
            Category::Disabling => &mut self.disabled,
            Category::Deleting => &mut self.deleted,
            Category::NotEnabled => return,
        };
        counter[planned.change.object] += 1;
    }
}

/// Whether a change was carried out; of a release only what the brake can have held.
fn counts(change: &Followed, released_only: bool) -> bool {
    let held = change.planned.brakes || change.empties;
    change.planned.change.outcome == Some(Outcome::Applied) && (held || !released_only)
}

/// What each changed object was before and after: the changes say it of those whose type they set, the directory of the
/// others.
async fn classes(store: &impl Store, tenant: &TenantId, changes: &[Planned]) -> Result<Vec<(Class, Class)>, Fault> {
    let unsaid =
        |planned: &&Planned| planned.change.object == Kind::User && !planned.change.fields.contains_key("type");
    let keys: Vec<_> =
        changes.iter().filter(unsaid).map(|planned| keys::object(tenant, Kind::User, &planned.local)).collect();
    let mut items = store.get(&keys).await?.into_iter();
    let mut classes = Vec::new();
    for planned in changes {
        let class = match (planned.change.object, planned.change.fields.get("type")) {
            (Kind::Group, _) => (Class::Group, Class::Group),
            (Kind::User, Some(field)) => (class_of(&field.from), class_of(&field.to)),
            (Kind::User, None) => {
                let held = items.next().flatten().map(|item| read_held(Kind::User, item)).transpose()?;
                let functional = matches!(held, Some(Held::User(user)) if user.kind == UserType::FunctionalAccount);
                let class = if functional { Class::Functional } else { Class::User };
                (class, class)
            }
        };
        classes.push(class);
    }
    Ok(classes)
}

fn class_of(kind: &Value) -> Class {
    if kind.as_str() == Some("functional_account") { Class::Functional } else { Class::User }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use directory::{Change, Field};
    use serde_json::json;

    use super::*;

    fn planned(category: Category, fields: Value, purge: bool) -> Planned {
        let fields = fields
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, pair)| (name.clone(), Field { from: pair[0].clone(), to: pair[1].clone() }));
        let change = Change {
            id: "c".to_owned(),
            category,
            object: Kind::User,
            object_id: "u".try_into().unwrap(),
            address: None,
            selected: true,
            why: String::new(),
            fields: fields.collect::<BTreeMap<_, _>>(),
            notes: Vec::new(),
            outcome: Some(Outcome::Applied),
            error: None,
        };
        Planned {
            change,
            local: "u".try_into().unwrap(),
            rev: None,
            purge,
            seats: 0,
            brakes: false,
            undone: false,
            said: None,
        }
    }

    #[test]
    #[rustfmt::skip]
    fn r6_3_totals_are_those_who_are_not_marked_as_deleted() {
        use Category::{Adding, Deleting, Disabling, Updating};
        use Class::{Functional, User};
        let (now, none) = ("2026-11-22T10:00:00Z", Value::Null);
        //    what happens                 change                                                          before and after         users, functional
        check("added",                     planned(Adding, json!({}), false),                              (User, User),             [1, 0]);
        check("added as functional",       planned(Adding, json!({"type": [none, "functional_account"]}), false), (User, Functional), [0, 1]);
        check("renamed",                   planned(Updating, json!({"surname": ["A", "B"]}), false),       (User, User),             [0, 0]);
        check("disabled",                  planned(Disabling, json!({"is_active": [true, false]}), false), (User, User),             [0, 0]);
        check("becomes functional",        planned(Updating, json!({}), false),                            (User, Functional),       [-1, 1]);
        check("marked as deleted",         planned(Deleting, json!({"deleted_at": [none, now]}), false),   (User, User),             [-1, 0]);
        check("brought back",              planned(Updating, json!({"deleted_at": [now, none]}), false),   (User, User),             [1, 0]);
        check("removed for good, later",   planned(Deleting, json!({"deleted_at": [now, none]}), true),    (User, User),             [0, 0]);
        check("removed for good, at once", planned(Deleting, json!({"deleted_at": [none, now]}), true),    (User, User),             [-1, 0]);
    }

    #[track_caller]
    fn check(name: &str, planned: Planned, classes: (Class, Class), expected: [i64; 2]) {
        let mut sums = Sums::default();
        sums.one(planned, classes);
        assert_eq!([sums.moved.users, sums.moved.functional], expected, "{name}");
    }

    #[test]
    fn r6_3_removals_come_first_and_memory_stays_small() {
        let mut sums = Sums::default();
        for _ in 0..10_000 {
            sums.one(planned(Category::Adding, json!({}), false), (Class::User, Class::User));
        }
        sums.one(planned(Category::Deleting, json!({}), false), (Class::User, Class::User));
        assert!(sums.lines.len() <= ENOUGH);
        sums.sort();
        assert_eq!((sums.lines.len(), sums.lines[0].0.did, sums.total), (MOST_CHANGES, Did::Deleted, 10_001));
    }
}
