//! The store in memory: both tables as one map, with exactly the semantics of the port, checked at every commit.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    rc::Rc,
};

use engine::ports::{
    Change, Condition, Due, Fault, Item, Key, Listing, MOST_WRITES, NotCommitted, Range, Store, Table, Write,
};
use serde_json::{Value, json};

use crate::{integrity, turnstile::Turnstile};

/// All items.
pub type Items = BTreeMap<Key, Item>;

/// What was asked of the store. `requests` counts as DynamoDB would: a batch of 100 keys, a page, a transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that DynamoDB would see.
    pub requests: u64,
    /// Items read, by key or in pages.
    pub read: u64,
    /// Items written to `control`.
    pub control_writes: u64,
    /// Items written to `directory`.
    pub directory_writes: u64,
    /// Commits.
    pub commits: u64,
}

impl Tally {
    /// What was asked since.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            read: self.read - before.read,
            control_writes: self.control_writes - before.control_writes,
            directory_writes: self.directory_writes - before.directory_writes,
            commits: self.commits - before.commits,
        }
    }
}

/// Both tables.
#[derive(Debug)]
pub struct Tables {
    turnstile: Rc<Turnstile>,
    items: RefCell<Items>,
    tally: Cell<Tally>,
    page: Cell<usize>,
    fenced: Cell<bool>,
    reads: RefCell<Option<BTreeSet<String>>>,
    repeated: RefCell<Vec<String>>,
}

impl Tables {
    /// Empty tables.
    pub fn new(turnstile: Rc<Turnstile>) -> Self {
        Self {
            turnstile,
            items: RefCell::default(),
            tally: Cell::default(),
            page: Cell::new(1000),
            fenced: Cell::new(false),
            reads: RefCell::default(),
            repeated: RefCell::default(),
        }
    }

    /// What was asked so far.
    pub fn tally(&self) -> Tally {
        self.tally.get()
    }

    /// No page of a range holds more items than this.
    pub fn page_of(&self, items: usize) {
        self.page.set(items);
    }

    /// From now on every commit must check the fence of the tenant that it writes for.
    pub fn fenced(&self, on: bool) {
        self.fenced.set(on);
    }

    /// Reading requests that were made again, letter by letter, with no commit in between, since the last look; nothing
    /// at the first, from which on they are watched.
    pub fn repeated(&self) -> Vec<String> {
        self.reads.replace(Some(BTreeSet::new()));
        self.repeated.take()
    }

    fn note(&self, request: impl FnOnce() -> String) {
        if let Some(reads) = self.reads.borrow_mut().as_mut() {
            let request = request();
            if !reads.insert(request.clone()) {
                self.repeated.borrow_mut().push(request);
            }
        }
    }

    /// Everything that is stored.
    pub fn snapshot(&self) -> Items {
        self.items.borrow().clone()
    }

    /// Go back to a snapshot.
    pub fn restore(&self, items: Items) {
        self.items.replace(items);
    }

    /// An item, past the turnstile.
    pub fn peek(&self, key: &Key) -> Option<Item> {
        self.items.borrow().get(key).cloned()
    }

    /// Put an item, past the turnstile and all checks: what `admin` would write.
    pub fn poke(&self, key: Key, mut item: Item) {
        item.retain(|_, value| !value.is_null());
        self.items.borrow_mut().insert(key, item);
    }

    /// Remove an item, past the turnstile and all checks.
    pub fn unpoke(&self, key: &Key) {
        self.items.borrow_mut().remove(key);
    }

    fn count(&self, change: impl FnOnce(&mut Tally)) {
        let mut tally = self.tally.get();
        change(&mut tally);
        self.tally.set(tally);
    }

    fn read(&self, keys: &[Key]) -> Vec<Option<Item>> {
        let distinct: BTreeSet<&Key> = keys.iter().collect();
        if !distinct.is_empty() {
            self.note(|| format!("get {distinct:?}"));
        }
        let number = distinct.len() as u64;
        self.count(|tally| {
            tally.requests += number.div_ceil(100);
            tally.read += number;
        });
        let items = self.items.borrow();
        keys.iter().map(|key| items.get(key).cloned()).collect()
    }

    fn page(&self, range: &Range) -> Listing {
        self.note(|| format!("list {range:?}"));
        assert!(range.limit > 0, "a page of nothing: {range:?}");
        assert!(!range.from.is_empty() && range.from <= range.to, "not a range: {range:?}");
        let key = |sk: &str| Key { table: range.table, pk: range.pk.clone(), sk: sk.to_owned() };
        let (mut from, mut to) = (Bound::Included(key(&range.from)), Bound::Included(key(&range.to)));
        if let Some(after) = &range.after {
            if range.newest_first {
                to = Bound::Excluded(key(after));
            } else {
                from = Bound::Excluded(key(after));
            }
        }
        let limit = range.limit.min(self.page.get());
        let items = self.items.borrow();
        let empty = match (&from, &to) {
            (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => {
                a > b || (a == b && range.after.is_some())
            }
            _ => false,
        };
        let mut found: Vec<(String, Item)> = Vec::new();
        if !empty {
            let all = items.range((from, to)).map(|(key, item)| (key.sk.clone(), item.clone()));
            if range.newest_first { found.extend(all.rev().take(limit)) } else { found.extend(all.take(limit)) }
        }
        // Like DynamoDB, a page that is full names its last key, whether or not something follows.
        let more = (found.len() == limit).then(|| found.last().map(|(sk, _)| sk.clone())).flatten();
        self.count(|tally| {
            tally.requests += 1;
            tally.read += found.len() as u64;
        });
        Listing { items: found, more }
    }

    fn write(&self, writes: &[Write]) -> Result<(), NotCommitted> {
        self.examine(writes);
        if let Some(reads) = self.reads.borrow_mut().as_mut() {
            reads.clear();
        }
        self.count(|tally| {
            tally.requests += 1;
            tally.commits += 1;
        });
        let mut items = self.items.borrow_mut();
        let holds = |write: &Write| write.only_if.iter().all(|condition| holds(condition, items.get(&write.key)));
        let refused: Vec<usize> = (0..writes.len()).filter(|at| !holds(&writes[*at])).collect();
        if !refused.is_empty() {
            return Err(NotCommitted::Refused(refused));
        }
        let before: BTreeMap<Key, Option<Item>> =
            writes.iter().map(|write| (write.key.clone(), items.get(&write.key).cloned())).collect();
        for write in writes {
            apply(&mut items, write);
            if write.change != Change::Check {
                self.count(|tally| match write.key.table {
                    Table::Control => tally.control_writes += 1,
                    Table::Directory => tally.directory_writes += 1,
                });
            }
        }
        integrity::of_commit(&before, &items);
        Ok(())
    }

    /// What DynamoDB would refuse, or what the design forbids, is a defect of the caller.
    fn examine(&self, writes: &[Write]) {
        assert!((1..=MOST_WRITES).contains(&writes.len()), "a commit of {} writes", writes.len());
        let mut seen = BTreeSet::new();
        let mut size = 0;
        for Write { key, change, only_if } in writes {
            assert!(seen.insert(key), "two writes of one commit name {key}");
            assert!((1..=2048).contains(&key.pk.len()) && (1..=1024).contains(&key.sk.len()), "not a key: {key}");
            let item = match change {
                Change::Put(item) => item.clone(),
                Change::Set { set, add } => {
                    assert!(!set.is_empty() || !add.is_empty(), "a write that sets nothing: {key}");
                    assert!(
                        add.iter().all(|(name, _)| !set.contains_key(*name)),
                        "sets and adds to one attribute: {key}"
                    );
                    let names: BTreeSet<_> = add.iter().map(|(name, _)| name).collect();
                    assert_eq!(names.len(), add.len(), "adds twice to one attribute: {key}");
                    set.clone()
                }
                Change::Delete => Item::new(),
                Change::Check => {
                    assert!(!only_if.is_empty(), "a check of nothing: {key}");
                    Item::new()
                }
            };
            assert!(!item.contains_key("pk") && !item.contains_key("sk"), "attributes named like the key: {key}");
            let bytes = Value::Object(item).to_string().len();
            assert!(bytes < 400_000, "an item of {bytes} bytes: {key}");
            size += bytes;
        }
        assert!(size < 4_000_000, "a commit of {size} bytes");
        if self.fenced.get() {
            let fence = |condition: &Condition| {
                matches!(condition, Condition::Equals("fence", _) | Condition::Without("fence"))
            };
            let checked = writes.iter().any(|write| write.key.sk == "SYNC" && write.only_if.iter().any(fence));
            assert!(checked, "a commit of a run without a check of its fence: {}", writes[0].key);
        }
    }
}

fn holds(condition: &Condition, item: Option<&Item>) -> bool {
    match condition {
        Condition::NoItem => item.is_none(),
        Condition::Exists => item.is_some(),
        Condition::Without(name) => item.is_none_or(|item| !item.contains_key(*name)),
        Condition::Equals(name, value) => item.and_then(|item| item.get(*name)) == Some(value),
    }
}

fn apply(items: &mut Items, write: &Write) {
    match &write.change {
        Change::Put(item) => {
            let mut item = item.clone();
            item.retain(|_, value| !value.is_null());
            items.insert(write.key.clone(), item);
        }
        Change::Set { set, add } => {
            let item = items.entry(write.key.clone()).or_default();
            item.extend(set.clone());
            item.retain(|_, value| !value.is_null());
            for (name, number) in add {
                let before = item.get(*name).map_or(0, |value| {
                    value.as_i64().unwrap_or_else(|| panic!("adds to {name}, which is no number: {}", write.key))
                });
                item.insert((*name).to_owned(), json!(before + number));
            }
        }
        Change::Delete => drop(items.remove(&write.key)),
        Change::Check => (),
    }
}

impl Store for Tables {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.turnstile.pass("get", || self.read(keys)).await
    }

    async fn list(&self, range: &Range) -> Result<Listing, Fault> {
        self.turnstile.pass("list", || self.page(range)).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<(), NotCommitted> {
        self.turnstile.pass("commit", || self.write(&writes)).await?
    }

    async fn due(&self, shard: &str, until: i64, limit: usize) -> Result<Vec<Due>, Fault> {
        let look = || {
            let items = self.items.borrow();
            let mut due: Vec<Due> = items
                .iter()
                .filter(|(key, item)| {
                    key.table == Table::Control && item.get("due_shard").is_some_and(|own| own == shard)
                })
                .filter_map(|(key, item)| Some(Due { key: key.clone(), due_at: item.get("due_at")?.as_i64()? }))
                .filter(|due| due.due_at <= until)
                .collect();
            due.sort_by_key(|due| due.due_at);
            due.truncate(limit);
            self.count(|tally| {
                tally.requests += 1;
                tally.read += due.len() as u64;
            });
            due
        };
        self.turnstile.pass("due", look).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turnstile::drive;

    fn key(sk: &str) -> Key {
        Key { table: Table::Control, pk: "p".to_owned(), sk: sk.to_owned() }
    }

    fn put(sk: &str, value: Value, only_if: Vec<Condition>) -> Write {
        Write { key: key(sk), change: Change::Put(value.as_object().unwrap().clone()), only_if }
    }

    fn commit(tables: &Tables, writes: Vec<Write>) -> Vec<usize> {
        match drive(tables.commit(writes)).unwrap() {
            Ok(()) => Vec::new(),
            Err(NotCommitted::Refused(which)) => which,
            Err(NotCommitted::Fault(fault)) => panic!("{fault}"),
        }
    }

    #[test]
    fn a_commit_is_all_or_nothing() {
        let tables = Tables::new(Turnstile::new());
        assert!(commit(&tables, vec![put("a", json!({"n": 1, "gone": null}), vec![Condition::NoItem])]).is_empty());
        let both = vec![put("b", json!({}), vec![]), put("a", json!({}), vec![Condition::Equals("n", json!(2))])];
        assert_eq!(commit(&tables, both), [1]);
        assert_eq!(tables.peek(&key("b")), None);
        assert_eq!(tables.peek(&key("a")), json!({"n": 1}).as_object().cloned(), "null is no attribute");
        let add = Write {
            key: key("a"),
            change: Change::Set { set: Item::from_iter([("n".to_owned(), Value::Null)]), add: vec![("m", -2)] },
            only_if: vec![Condition::Without("gone"), Condition::Exists],
        };
        assert!(commit(&tables, vec![add]).is_empty());
        assert_eq!(tables.peek(&key("a")), json!({"m": -2}).as_object().cloned());
    }

    #[test]
    fn ranges_are_read_in_pages() {
        let tables = Tables::new(Turnstile::new());
        for sk in ["a", "b", "c", "d"] {
            commit(&tables, vec![put(sk, json!({}), vec![])]);
        }
        let range = |after: Option<&str>, newest_first| Range {
            table: Table::Control,
            pk: "p".to_owned(),
            from: "a".to_owned(),
            to: "c".to_owned(),
            after: after.map(str::to_owned),
            limit: 2,
            newest_first,
        };
        let page = |range| {
            let listing = drive(tables.list(&range)).unwrap().unwrap();
            (listing.items.into_iter().map(|(sk, _)| sk).collect::<String>(), listing.more)
        };
        assert_eq!(page(range(None, false)), ("ab".to_owned(), Some("b".to_owned())));
        assert_eq!(page(range(Some("b"), false)), ("c".to_owned(), None));
        assert_eq!(page(range(Some("c"), false)), (String::new(), None));
        assert_eq!(page(range(None, true)), ("cb".to_owned(), Some("b".to_owned())));
        assert_eq!(page(range(Some("b"), true)), ("a".to_owned(), None));
        tables.page_of(1);
        assert_eq!(page(range(None, false)), ("a".to_owned(), Some("a".to_owned())));
    }
}
