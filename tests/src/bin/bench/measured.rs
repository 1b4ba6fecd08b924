//! The tables in memory behind a meter: what a run costs beside them.

use std::{
    cell::Cell,
    error::Error,
    fmt,
    time::{Duration, Instant},
};

use cpu_time::{ProcessTime, ThreadTime};
use directory::{Kind, ObjectId};
use engine::{
    keys, links,
    ports::{Due, Fault, Item, Key, Listing, NotCommitted, Range, Store, Table, Write},
};
use serde_json::Value;
use tests::{
    tables::{Tables, Tally},
    world::World,
};

use crate::HEAP;

/// The tables, their own time and memory taken out of the account.
pub(crate) struct Measured<'a> {
    tables: &'a Tables,
    before: Tally,
    cpu: ProcessTime,
    wall: Instant,
    of_tables: Cell<Duration>,
    held: Cell<isize>,
    peak: Cell<isize>,
}

/// What a run took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    graph: u64,
    tally: Tally,
    cpu: Duration,
    wall: Duration,
    peak: isize,
}

impl Cost {
    pub(crate) const HEADER: &'static str = "run            Graph   store    read  written   CPU s  wall s  heap MB";

    /// Processor time, in seconds for each of so many.
    #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
    pub(crate) fn cpu(&self, of: usize) -> f64 {
        self.cpu.as_secs_f64() / of as f64
    }

    /// Requests to the store, for each of so many.
    #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
    pub(crate) fn store(&self, of: usize) -> f64 {
        self.tally.requests as f64 / of as f64
    }

    /// The most memory at any moment, in MB.
    #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
    pub(crate) fn heap(&self) -> f64 {
        self.peak as f64 / 1e6
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { requests, read, control_writes, directory_writes, .. } = self.tally;
        let (cpu, wall, heap, written) =
            (self.cpu(1), self.wall.as_secs_f64(), self.heap(), control_writes + directory_writes);
        write!(f, "{:>7} {requests:>7} {read:>7} {written:>8} {cpu:>7.3} {wall:>7.2} {heap:>8.1}", self.graph)
    }
}

impl<'a> Measured<'a> {
    /// Start measuring. What is in the heap now belongs to the tables and to the bench.
    pub(crate) fn new(tables: &'a Tables) -> Self {
        HEAP.reset_peak_usage();
        Self {
            tables,
            before: tables.tally(),
            cpu: ProcessTime::now(),
            wall: Instant::now(),
            of_tables: Cell::default(),
            held: Cell::new(heap()),
            peak: Cell::default(),
        }
    }

    /// What the run took that has just ended with this answer.
    pub(crate) fn cost(&self, answer: &Value) -> Cost {
        self.look();
        Cost {
            graph: answer["graph"].as_u64().unwrap_or_default(),
            tally: self.tables.tally().since(self.before),
            cpu: self.cpu.elapsed().saturating_sub(self.of_tables.get()),
            wall: self.wall.elapsed(),
            peak: self.peak.get(),
        }
    }

    /// Some users of the mirror, by Entra's ids.
    pub(crate) async fn ids(world: &World, many: usize) -> Result<Vec<ObjectId>, Box<dyn Error>> {
        let mut ids = Vec::new();
        for shard in keys::SHARDS.chars().filter(|_| many > 0) {
            let pk = keys::mirror_pk(&world.tenant, Kind::User, shard);
            for (id, _) in links::everything(&world.store, keys::all(Table::Directory, pk)).await? {
                ids.push(ObjectId::try_from(id)?);
            }
        }
        ids.truncate(many);
        Ok(ids)
    }

    /// The most memory since the last look that is not the tables'.
    fn look(&self) {
        let most = isize::try_from(HEAP.peak_usage()).unwrap_or(isize::MAX) - self.held.get();
        self.peak.set(self.peak.get().max(most));
    }

    /// Let the tables work; what they `keep` is theirs.
    async fn tables<T>(&self, keep: bool, work: impl Future<Output = T>) -> T {
        self.look();
        let (start, before) = (ThreadTime::now(), heap());
        let result = work.await;
        if keep {
            self.held.set(self.held.get() + heap() - before);
        }
        self.of_tables.set(self.of_tables.get() + start.elapsed());
        HEAP.reset_peak_usage();
        result
    }
}

fn heap() -> isize {
    isize::try_from(HEAP.current_usage()).unwrap_or(isize::MAX)
}

impl Store for Measured<'_> {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.tables(false, self.tables.get(keys)).await
    }

    async fn list(&self, range: &Range) -> Result<Listing, Fault> {
        self.tables(false, self.tables.list(range)).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<(), NotCommitted> {
        // A copy: what the heap gains is what the tables keep.
        self.tables(true, async { self.tables.commit(writes.clone()).await }).await
    }

    async fn due(&self, shard: &str, until: i64, limit: usize) -> Result<Vec<Due>, Fault> {
        self.tables(false, self.tables.due(shard, until, limit)).await
    }
}
