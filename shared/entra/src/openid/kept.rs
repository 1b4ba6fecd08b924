//! What Microsoft answered, each for its own time, and no more of it than fits.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// So many are kept: a directory each.
const MOST: usize = 256;

/// Values, each until its time is over.
#[derive(Debug)]
pub(super) struct Kept<K, V>(Mutex<HashMap<K, (Instant, V)>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Kept<K, V> {
    /// What is kept under `key`.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.lock().get(key).filter(|(until, _)| Instant::now() < *until).map(|(_, value)| value.clone())
    }

    /// Keep `value` for so long. Where there is no room for another key, what ends first goes.
    pub(super) fn keep(&self, key: K, value: V, time: Duration) {
        let mut kept = self.lock();
        if kept.len() >= MOST
            && !kept.contains_key(&key)
            && let Some(first) = kept.iter().min_by_key(|(_, (until, _))| *until).map(|(key, _)| key.clone())
        {
            kept.remove(&first);
        }
        kept.insert(key, (Instant::now() + time, value));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, (Instant, V)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_ends_in_time_and_has_its_size() {
        let (kept, second) = (Kept::default(), Duration::from_secs(1));
        kept.keep(0, "first", second);
        for n in 1..MOST {
            kept.keep(n, "other", 2 * second);
        }
        kept.keep(1, "again", 3 * second);
        assert_eq!((kept.get(&0), kept.get(&1)), (Some("first"), Some("again")), "no key more");
        kept.keep(MOST, "last", second);
        assert_eq!((kept.get(&0), kept.get(&MOST)), (None, Some("last")), "a key more");
        tokio::time::advance(second).await;
        assert_eq!((kept.get(&MOST), kept.get(&2)), (None, Some("other")));
    }
}
