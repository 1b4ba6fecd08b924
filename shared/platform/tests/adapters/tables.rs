//! The tables as the port promises them, against a strict DynamoDB implementation in this process.

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
        ScalarAttributeType,
    },
};
use engine::ports::{
    Change::{self, Check, Delete, Put, Set},
    Condition::{self, Equals, Exists, NoItem, Without},
    Due, Item, Key, MOST_WRITES, NotCommitted, Range, Store, Table, Write,
};
use platform::Tables;
use serde_json::{Value, json};

/// Two empty tables.
async fn tables() -> Tables {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let database = dynoxide::Database::memory().unwrap();
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("id", "key", None, None, "tests"))
        .endpoint_url(format!("http://{address}"))
        .build();
    let client = Client::from_conf(config);
    create(&client, "control").await;
    create(&client, "directory").await;
    Tables::new(client, "control", "directory")
}

async fn create(client: &Client, name: &str) {
    let attribute =
        |name, kind| AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap();
    let part = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
    let due = GlobalSecondaryIndex::builder()
        .index_name("due")
        .key_schema(part("due_shard", KeyType::Hash))
        .key_schema(part("due_at", KeyType::Range))
        .projection(keys_only);
    let call = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .attribute_definitions(attribute("sk", ScalarAttributeType::S))
        .attribute_definitions(attribute("due_shard", ScalarAttributeType::S))
        .attribute_definitions(attribute("due_at", ScalarAttributeType::N))
        .key_schema(part("pk", KeyType::Hash))
        .key_schema(part("sk", KeyType::Range))
        .global_secondary_indexes(due.build().unwrap());
    call.send().await.unwrap();
}

fn key(sk: impl Into<String>) -> Key {
    Key { table: Table::Directory, pk: "U#contoso#0".into(), sk: sk.into() }
}

fn item(value: Value) -> Item {
    let Value::Object(item) = value else { panic!("{value} is not an object") };
    item
}

fn write(sk: impl Into<String>, change: Change, only_if: impl Into<Vec<Condition>>) -> Write {
    Write { key: key(sk), change, only_if: only_if.into() }
}

fn put(sk: impl Into<String>, value: Value) -> Write {
    write(sk, Put(item(value)), [])
}

fn set(value: Value, add: &[(&'static str, i64)]) -> Change {
    Set { set: item(value), add: add.to_vec() }
}

async fn read(tables: &Tables, sk: &str) -> Option<Value> {
    tables.get(&[key(sk)]).await.unwrap().remove(0).map(Value::Object)
}

#[track_caller]
fn refused(outcome: Result<(), NotCommitted>) -> Vec<usize> {
    match outcome {
        Err(NotCommitted::Refused(positions)) => positions,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_put_comes_back() {
    let tables = tables().await;
    let value = json!({
        "name": "Zoë 😀 \u{0} \u{202e} שלום", "": "no", "empty": "", "yes": true,
        "most": u64::MAX, "least": i64::MIN, "half": 0.5, "none": [], "nothing": {},
        "deep": {"list": [1, "two", null, {"three": [3.25]}], "null": null, "pk": "inner"},
    });
    let mut value = item(value);
    value.remove("");
    tables.commit(vec![write("a", Put(value.clone()), [])]).await.unwrap();
    assert_eq!(read(&tables, "a").await.unwrap(), Value::Object(value.clone()));
    value.insert("gone".into(), Value::Null);
    tables.commit(vec![write("b", Put(value.clone()), []), put("c", json!({}))]).await.unwrap();
    value.remove("gone");
    assert_eq!(read(&tables, "b").await.unwrap(), Value::Object(value), "null is stored as no attribute");
    assert_eq!(read(&tables, "c").await.unwrap(), json!({}));
    assert_eq!(read(&tables, "d").await, None);
}

#[tokio::test]
async fn set_keeps_what_it_does_not_name() {
    let tables = tables().await;
    for (sk, beside) in [("a", vec![]), ("b", vec![put("beside", json!({}))])] {
        let commit = |change| tables.commit([vec![write(sk, change, [])], beside.clone()].concat());
        commit(set(json!({"name": "Ann", "size": 1}), &[("rev", 1)])).await.unwrap();
        commit(set(json!({"name": null, "order": "a reserved word"}), &[("rev", 2), ("left", -3)])).await.unwrap();
        let expected = json!({"size": 1, "order": "a reserved word", "rev": 3, "left": -3});
        assert_eq!(read(&tables, sk).await.unwrap(), expected);
        commit(set(json!({}), &[])).await.unwrap();
        assert_eq!(read(&tables, sk).await.unwrap(), expected, "setting nothing changes nothing");
        commit(Delete).await.unwrap();
        commit(Delete).await.unwrap();
        assert_eq!(read(&tables, sk).await, None, "removing nothing is fine");
        commit(set(json!({"name": null}), &[])).await.unwrap();
        assert_eq!(read(&tables, sk).await.unwrap(), json!({}), "setting makes the item");
    }
}

#[tokio::test]
#[rustfmt::skip]
async fn conditions_hold_or_nothing_is_written() {
    let tables = &tables().await;
    tables.commit(vec![put("there", json!({"rev": 7, "owner": "me", "tags": ["a", {"b": null}]}))]).await.unwrap();
    let check = async |name: &str, sk: &str, conditions: &[Condition], holds: bool| {
        for change in [Check, Put(item(json!({"rev": 8}))), set(json!({"rev": 8}), &[]), Delete] {
            // Alone and in a transaction.
            for beside in [vec![], vec![put("beside", json!({"rev": 9}))]] {
                let before = read(tables, sk).await;
                let outcome = tables.commit([vec![write(sk, change.clone(), conditions)], beside.clone()].concat()).await;
                if !holds {
                    assert_eq!(refused(outcome), [0], "{name}: {change:?}");
                    assert_eq!(read(tables, sk).await, before, "{name}: {change:?}");
                    assert_eq!(read(tables, "beside").await, None, "{name}: {change:?}");
                    continue;
                }
                outcome.unwrap();
                let after = match &change {
                    Check => before.clone(),
                    Delete => None,
                    Put(_) => Some(json!({"rev": 8})),
                    Set { .. } => {
                        let mut after = before.clone().unwrap_or_else(|| json!({}));
                        after["rev"] = json!(8);
                        Some(after)
                    }
                };
                assert_eq!(read(tables, sk).await, after, "{name}: {change:?}");
                let restore = before.map_or(Delete, |before| Put(item(before)));
                tables.commit(vec![write(sk, restore, []), write("beside", Delete, [])]).await.unwrap();
            }
        }
    };
    check("no item, and there is none",    "none",  &[NoItem],                             true).await;
    check("no item, and there is one",     "there", &[NoItem],                             false).await;
    check("an item, and there is one",     "there", &[Exists],                             true).await;
    check("an item, and there is none",    "none",  &[Exists],                             false).await;
    check("without, and it has none",      "there", &[Without("lease")],                   true).await;
    check("without, and there is no item", "none",  &[Without("lease")],                   true).await;
    check("without, and it has it",        "there", &[Without("owner")],                   false).await;
    check("equal",                         "there", &[Equals("rev", json!(7))],            true).await;
    check("not equal",                     "there", &[Equals("rev", json!(6))],            false).await;
    check("another kind",                  "there", &[Equals("rev", json!("7"))],          false).await;
    check("equal to what is not there",    "none",  &[Equals("rev", json!(7))],            false).await;
    check("equal, deeply",                 "there", &[Equals("tags", json!(["a", {"b": null}]))], true).await;
    check("null is no attribute",          "there", &[Equals("lease", Value::Null)],       true).await;
    check("null, and it is there",         "there", &[Equals("rev", Value::Null)],         false).await;
    check("all hold",                      "there", &[Exists, Equals("rev", json!(7)), Equals("owner", json!("me"))], true).await;
    check("one does not",                  "there", &[Exists, Equals("rev", json!(7)), Equals("owner", json!("you"))], false).await;
}

#[tokio::test]
async fn a_refusal_names_every_position() {
    let tables = tables().await;
    tables.commit(vec![put("a", json!({"rev": 1}))]).await.unwrap();
    let writes = vec![
        write("nothing to check", Check, []),
        put("b", json!({})),
        write("a", Check, [NoItem]),
        write("c", set(json!({}), &[("n", 1)]), [NoItem]),
        write("d", Delete, [Exists]),
    ];
    assert_eq!(refused(tables.commit(writes).await), [2, 4]);
    assert_eq!(read(&tables, "b").await, None);
    assert_eq!(read(&tables, "c").await, None);
    let writes = vec![write("nothing to check", Check, []), write("d", Delete, [Exists])];
    assert_eq!(refused(tables.commit(writes).await), [1], "also when one write is left");
}

#[tokio::test]
async fn a_commit_takes_none_to_a_hundred_writes_over_both_tables() {
    let tables = tables().await;
    let writes = |n: usize| -> Vec<Write> {
        let each = (0..n).map(|i| {
            let mut write = put(format!("{i:03}"), json!({"n": i}));
            write.key.table = if i % 2 == 0 { Table::Control } else { Table::Directory };
            write
        });
        each.collect()
    };
    tables.commit(vec![]).await.unwrap();
    tables.commit(vec![write("nothing to check", Check, [])]).await.unwrap();
    tables.commit(writes(MOST_WRITES)).await.unwrap();
    let keys: Vec<Key> = writes(MOST_WRITES).into_iter().map(|write| write.key).collect();
    let items = tables.get(&keys).await.unwrap();
    assert!(items.iter().enumerate().all(|(i, item)| item.as_ref().unwrap()["n"] == json!(i)));
    assert!(matches!(tables.commit(writes(101)).await, Err(NotCommitted::Fault(fault)) if !fault.passes));
    let twice = vec![put("a", json!({})), put("a", json!({}))];
    assert!(matches!(tables.commit(twice).await, Err(NotCommitted::Fault(fault)) if !fault.passes));
    let big = put("big", json!({"body": "x".repeat(400 * 1024)}));
    let Err(NotCommitted::Fault(fault)) = tables.commit(vec![big]).await else { panic!("too big, and taken") };
    assert!(!fault.passes);
    assert_eq!(fault.what, "cannot write U#contoso#0 / big");
}

#[tokio::test]
async fn get_answers_in_the_order_of_its_keys() {
    let tables = tables().await;
    assert_eq!(tables.get(&[]).await.unwrap(), vec![]);
    let everything: Vec<Write> = (0..250).map(|i| put(format!("{i:03}"), json!({"n": i}))).collect();
    for writes in everything.chunks(MOST_WRITES) {
        tables.commit(writes.to_vec()).await.unwrap();
    }
    // Backwards, each third missing, the first and a missing one repeated at the end.
    let mut numbers: Vec<usize> = (0..250).rev().collect();
    numbers.extend([249, 0, 0, 3]);
    let name = |n: usize| if n.is_multiple_of(3) { format!("missing {n}") } else { format!("{n:03}") };
    let keys: Vec<Key> = numbers.iter().map(|n| key(name(*n))).collect();
    let items = tables.get(&keys).await.unwrap();
    assert_eq!(items.len(), 254);
    for (n, found) in numbers.into_iter().zip(items) {
        let expected = (!n.is_multiple_of(3)).then(|| item(json!({"n": n})));
        assert_eq!(found, expected, "{n}");
    }
    let other_table = Key { table: Table::Control, ..key("001") };
    assert_eq!(tables.get(&[other_table, key("001")]).await.unwrap(), vec![None, Some(item(json!({"n": 1})))]);
}

#[tokio::test]
#[rustfmt::skip]
async fn list_pages_through_a_range_both_ways() {
    let tables = &tables().await;
    for sk in ["A", "RUN#1", "RUN#2", "RUN#3", "RUN#4", "RUN#5", "RUN#😀", "Z"] {
        tables.commit(vec![put(sk, json!({"sk_was": sk}))]).await.unwrap();
    }
    let check = async |name: &str, from: &str, to: &str, after: Option<&str>, limit, newest_first, expected: &str| {
        let (pk, after) = ("U#contoso#0".to_owned(), after.map(str::to_owned));
        let mut range =
            Range { table: Table::Directory, pk, from: from.into(), to: to.into(), after, limit, newest_first };
        let mut pages = vec![];
        loop {
            let page = tables.list(&range).await.unwrap();
            assert!(page.items.len() <= limit, "{name}");
            assert!(page.items.iter().all(|(sk, item)| item["sk_was"] == json!(sk) && item.len() == 1), "{name}");
            if !page.items.is_empty() {
                pages.push(page.items.into_iter().map(|(sk, _)| sk).collect::<Vec<_>>().join(" "));
            }
            let Some(more) = page.more else { break };
            range.after = Some(more);
        }
        assert_eq!(pages.join(" | "), expected, "{name}");
    };
    let end = "RUN#\u{10ffff}";
    check("oldest first",       "RUN#",  end,     None,          4,   false, "RUN#1 RUN#2 RUN#3 RUN#4 | RUN#5 RUN#😀").await;
    check("newest first",       "RUN#",  end,     None,          4,   true,  "RUN#😀 RUN#5 RUN#4 RUN#3 | RUN#2 RUN#1").await;
    check("one by one",         "RUN#2", "RUN#3", None,          1,   false, "RUN#2 | RUN#3").await;
    check("whole partition",    "",      "\u{10ffff}", None,     100, false, "A RUN#1 RUN#2 RUN#3 RUN#4 RUN#5 RUN#😀 Z").await;
    check("behind",             "RUN#",  end,     Some("RUN#3"), 9,   false, "RUN#4 RUN#5 RUN#😀").await;
    check("behind, backwards",  "RUN#",  end,     Some("RUN#3"), 9,   true,  "RUN#2 RUN#1").await;
    check("behind no item",     "RUN#",  end,     Some("RUN#3x"), 9,  false, "RUN#4 RUN#5 RUN#😀").await;
    check("before the range",   "RUN#4", end,     Some("A"),     9,   false, "RUN#4 RUN#5 RUN#😀").await;
    check("behind the range",   "RUN#",  "RUN#3", Some("Z"),     9,   true,  "RUN#3 RUN#2 RUN#1").await;
    check("behind its end",     "RUN#",  "RUN#3", Some("RUN#3"), 9,   false, "").await;
    check("before its start",   "RUN#2", end,     Some("A"),     9,   true,  "").await;
    check("at its start",       "RUN#2", end,     Some("RUN#2"), 9,   true,  "").await;
    check("bounds exchanged",   "RUN#3", "RUN#1", None,          9,   false, "").await;
    check("empty bounds",       "",      "",      None,          9,   false, "").await;
    check("nothing there",      "S",     "T",     None,          9,   false, "").await;
}

#[tokio::test]
async fn due_lists_the_longest_overdue_first() {
    let tables = tables().await;
    for (tenant, shard, at) in [("c", "S#0", 30), ("a", "S#0", 20), ("b", "S#0", 10), ("d", "S#1", 1), ("e", "S#0", 40)]
    {
        let mut write = put("SYNC", json!({"due_shard": shard, "due_at": at, "fence": 1}));
        write.key = Key { table: Table::Control, pk: format!("T#{tenant}"), sk: "SYNC".into() };
        tables.commit(vec![write]).await.unwrap();
    }
    let due = |tenant: &str, due_at| Due {
        key: Key { table: Table::Control, pk: format!("T#{tenant}"), sk: "SYNC".into() },
        due_at,
    };
    assert_eq!(tables.due("S#0", 30, 10).await.unwrap(), [due("b", 10), due("a", 20), due("c", 30)]);
    assert_eq!(tables.due("S#0", 30, 2).await.unwrap(), [due("b", 10), due("a", 20)]);
    assert_eq!(tables.due("S#1", 0, 10).await.unwrap(), []);
    assert_eq!(tables.due("S#0", 30, 0).await.unwrap(), []);
}

#[tokio::test]
async fn calls_may_move_between_threads() {
    fn sendable(_: impl Send) {}
    let tables = tables().await;
    let (table, pk, sk) = (Table::Control, String::new(), String::new());
    let range = Range { table, pk, from: sk.clone(), to: sk, after: None, limit: 1, newest_first: false };
    sendable(tables.get(&[key("a"), key("b")]));
    sendable(tables.list(&range));
    sendable(tables.commit(vec![]));
    sendable(tables.due("S#0", 0, 1));
}
