//! The two tables: reads, ranges and what is due. Writing is in `commit`.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, KeysAndAttributes},
};
use engine::ports::{Due, Fault, Item, Key, Listing, NotCommitted, Range, Store, Table, Write};
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::{
    expression::{Attributes, key, without_key},
    fault::{RETRIES, fault, pause, shown},
};

/// The most keys of one BatchGetItem.
const MOST_KEYS: usize = 100;
/// How many BatchGetItem calls of one read are under way at once.
const AT_ONCE: usize = 4;
/// The first pause before a call is made again.
const STEP: Duration = Duration::from_millis(50);

/// A BatchGetItem request: the keys by the name of their table.
type Wanted = HashMap<String, KeysAndAttributes>;

/// Both tables of a stack.
#[derive(Debug, Clone)]
pub struct Tables {
    pub(crate) client: Client,
    control: String,
    directory: String,
}

impl Tables {
    /// The tables with these names.
    pub fn new(client: Client, control: impl Into<String>, directory: impl Into<String>) -> Self {
        Self { client, control: control.into(), directory: directory.into() }
    }

    pub(crate) fn name(&self, table: Table) -> &str {
        match table {
            Table::Control => &self.control,
            Table::Directory => &self.directory,
        }
    }

    pub(crate) async fn pause(&self, attempt: u32) {
        pause(self.client.config().sleep_impl(), STEP, attempt).await;
    }

    async fn one(&self, place: &Key) -> Result<HashMap<Key, Item>, Fault> {
        let call = self.client.get_item().table_name(self.name(place.table)).set_key(Some(key(&place.pk, &place.sk)));
        let output = call
            .consistent_read(true)
            .send()
            .await
            .map_err(|err| fault(format!("cannot read {}", shown(place)), &err))?;
        output.item.map(|attributes| stored(place.table, attributes)).into_iter().collect()
    }

    /// The request for at most [`MOST_KEYS`] keys, over both tables.
    fn wanted(&self, keys: &[&Key]) -> Result<Wanted, Fault> {
        let mut wanted = Wanted::new();
        for table in [Table::Control, Table::Directory] {
            let keys: Vec<_> = keys.iter().filter(|k| k.table == table).map(|k| key(&k.pk, &k.sk)).collect();
            if !keys.is_empty() {
                let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
                let keys = keys.map_err(|err| Fault::permanent("cannot read items").because(err))?;
                wanted.insert(self.name(table).to_owned(), keys);
            }
        }
        Ok(wanted)
    }

    /// Read one request's keys. What DynamoDB leaves out of an answer (16 MB, throttling) is asked for again; it gives up
    /// when [`RETRIES`] answers in a row brought nothing.
    async fn some(&self, mut wanted: Wanted) -> Result<HashMap<Key, Item>, Fault> {
        let what = format!("cannot read {} items", left(&wanted));
        let mut found = HashMap::new();
        let mut attempt = 0;
        loop {
            let before = left(&wanted);
            let call = self.client.batch_get_item().set_request_items(Some(wanted));
            let output = call.send().await.map_err(|err| fault(&what, &err))?;
            for (name, items) in output.responses.unwrap_or_default() {
                let table = if name == self.control { Table::Control } else { Table::Directory };
                for attributes in items {
                    let (key, item) = stored(table, attributes)?;
                    found.insert(key, item);
                }
            }
            wanted = output.unprocessed_keys.unwrap_or_default();
            match left(&wanted) {
                0 => return Ok(found),
                after if after < before => attempt = 0,
                _ if attempt == RETRIES => return Err(Fault::passing(what).because("DynamoDB leaves keys unread")),
                _ => attempt += 1,
            }
            self.pause(attempt).await;
        }
    }
}

impl Store for Tables {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        let distinct: Vec<&Key> = keys.iter().collect::<BTreeSet<_>>().into_iter().collect();
        let found = match distinct[..] {
            [] => return Ok(vec![]),
            [key] => self.one(key).await?,
            _ => {
                let requests =
                    distinct.chunks(MOST_KEYS).map(|keys| self.wanted(keys)).collect::<Result<Vec<_>, _>>()?;
                let reads = stream::iter(requests).map(|wanted| self.some(wanted)).buffer_unordered(AT_ONCE);
                reads.try_concat().await?
            }
        };
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn list(&self, range: &Range) -> Result<Listing, Fault> {
        let Some(stretch) = stretch(range) else { return Ok(Listing::default()) };
        let call = self.client.query().table_name(self.name(range.table)).consistent_read(true);
        let call = call.set_key_condition_expression(Some(stretch.condition.to_owned()));
        let call = call.expression_attribute_names("#pk", "pk").expression_attribute_names("#sk", "sk");
        let call = call.set_expression_attribute_values(Some(stretch.values)).set_exclusive_start_key(stretch.start);
        let call = call.scan_index_forward(!range.newest_first).limit(most(range.limit));
        let output = call.send().await.map_err(|err| fault(format!("cannot list {}", range.pk), &err))?;
        let mut listing = Listing::default();
        for attributes in output.items.unwrap_or_default() {
            let (_, sk, item) = without_key(attributes)?;
            listing.items.push((sk, item));
        }
        listing.more = output.last_evaluated_key.map(without_key).transpose()?.map(|(_, sk, _)| sk);
        Ok(listing)
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<(), NotCommitted> {
        self.write(writes).await
    }

    async fn due(&self, shard: &str, until: i64, limit: usize) -> Result<Vec<Due>, Fault> {
        let what = || format!("cannot list what is due in {shard}");
        let (mut due, mut start) = (vec![], None);
        while due.len() < limit {
            let call = self.client.query().table_name(&self.control).index_name("due");
            let call = call.key_condition_expression("#shard = :shard AND #at <= :until");
            let call =
                call.expression_attribute_names("#shard", "due_shard").expression_attribute_names("#at", "due_at");
            let call = call.expression_attribute_values(":shard", AttributeValue::S(shard.to_owned()));
            let call = call.expression_attribute_values(":until", AttributeValue::N(until.to_string()));
            let call = call.set_exclusive_start_key(start).limit(most(limit - due.len()));
            let output = call.send().await.map_err(|err| fault(what(), &err))?;
            for attributes in output.items.unwrap_or_default() {
                let (pk, sk, item) = without_key(attributes)?;
                let due_at = item.get("due_at").and_then(serde_json::Value::as_i64);
                let due_at = due_at.ok_or_else(|| Fault::permanent(format!("due_at of {pk} is not an integer")))?;
                due.push(Due { key: Key { table: Table::Control, pk, sk }, due_at });
            }
            start = output.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(due)
    }
}

fn stored(table: Table, attributes: Attributes) -> Result<(Key, Item), Fault> {
    let (pk, sk, item) = without_key(attributes)?;
    Ok((Key { table, pk, sk }, item))
}

fn left(wanted: &Wanted) -> usize {
    wanted.values().map(|keys| keys.keys.len()).sum()
}

fn most(limit: usize) -> i32 {
    i32::try_from(limit).unwrap_or(i32::MAX)
}

struct Stretch {
    condition: &'static str,
    values: Attributes,
    start: Option<Attributes>,
}

/// A range in the words of a key condition; `None` where nothing can be in it. DynamoDB refuses what is merely empty: an
/// upper bound below the lower, an empty bound, a start outside of the bounds.
fn stretch(range: &Range) -> Option<Stretch> {
    let Range { table: _, pk, from, to, after, limit: _, newest_first } = range;
    let mut start = None;
    if let Some(after) = after {
        let (begun, done) = match newest_first {
            false => (after >= from, after >= to),
            true => (after <= to, after <= from),
        };
        if done {
            return None;
        }
        start = begun.then(|| key(pk, after));
    }
    if to.is_empty() || from > to {
        return None;
    }
    let mut values = HashMap::from([(":pk".to_owned(), pk), (":to".to_owned(), to)]);
    let mut condition = "#pk = :pk AND #sk <= :to";
    if !from.is_empty() {
        values.insert(":from".to_owned(), from);
        condition = "#pk = :pk AND #sk BETWEEN :from AND :to";
    }
    let values = values.into_iter().map(|(name, text)| (name, AttributeValue::S(text.clone()))).collect();
    Some(Stretch { condition, values, start })
}
