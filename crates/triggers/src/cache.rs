//! How long a warm function may believe what it has read.
//!
//! A document is used without asking for 30 s. After that it is read again; while it cannot be read, the
//! last one serves for 15 min at most, and every event made with it says so. A document with a lower
//! generation than the one at hand is ignored: a late writer must not bring back an older policy.

use std::sync::{Arc, Mutex, PoisonError};

/// How long a document is used without reading it again, ms.
pub const FRESH_FOR_MS: i64 = 30_000;
/// How long a document serves while it cannot be read, ms.
pub const STALE_FOR_MS: i64 = 15 * 60_000;

/// A document and whether it had to be used beyond its time.
#[derive(Debug)]
pub struct Served<T> {
    /// The document.
    pub value: Arc<T>,
    /// Whether the source could not be read and an older reading serves.
    pub stale: bool,
}

struct Entry<T> {
    value: Arc<T>,
    generation: i64,
    read_at_ms: i64,
}

/// The last good reading of one document.
pub struct LastReading<T>(Mutex<Option<Entry<T>>>);

impl<T> Default for LastReading<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> LastReading<T> {
    /// The document, if it was read less than 30 s ago.
    pub fn fresh(&self, now_ms: i64) -> Option<Served<T>> {
        self.younger_than(FRESH_FOR_MS, now_ms)
            .map(|value| Served { value, stale: false })
    }

    /// The document, if it was read less than 15 min ago.
    pub fn stale(&self, now_ms: i64) -> Option<Served<T>> {
        self.younger_than(STALE_FOR_MS, now_ms)
            .map(|value| Served { value, stale: true })
    }

    /// Notes a good reading and gives the document that holds now: the one at hand if the new one is older.
    pub fn store(&self, value: T, generation: i64, now_ms: i64) -> Served<T> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = match slot.take() {
            Some(held) if held.generation > generation => {
                let value = Arc::clone(&held.value);
                *slot = Some(Entry {
                    read_at_ms: now_ms,
                    ..held
                });
                value
            }
            _ => {
                let value = Arc::new(value);
                *slot = Some(Entry {
                    value: Arc::clone(&value),
                    generation,
                    read_at_ms: now_ms,
                });
                value
            }
        };
        Served { value, stale: false }
    }

    fn younger_than(&self, limit_ms: i64, now_ms: i64) -> Option<Arc<T>> {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = slot.as_ref()?;
        // A clock that was set back must not keep a document alive for ever.
        let age_ms = now_ms.checked_sub(entry.read_at_ms)?;
        (0..limit_ms).contains(&age_ms).then(|| Arc::clone(&entry.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_ages_from_fresh_to_stale_to_nothing() {
        let cache = LastReading::default();
        cache.store("a", 1, 1_000);
        assert!(!cache.fresh(30_999).expect("fresh").stale);
        assert!(cache.fresh(31_000).is_none());
        assert!(cache.stale(900_999).expect("stale").stale);
        assert!(cache.stale(901_000).is_none());
    }

    #[test]
    fn a_lower_generation_is_ignored_but_counts_as_a_reading() {
        let cache = LastReading::default();
        cache.store("new", 7, 0);
        assert_eq!(*cache.store("old", 6, 40_000).value, "new");
        assert_eq!(*cache.fresh(60_000).expect("fresh").value, "new");
        assert_eq!(*cache.store("same", 7, 80_000).value, "same");
    }

    #[test]
    fn a_clock_set_back_does_not_keep_a_reading_alive() {
        let cache = LastReading::default();
        cache.store("a", 1, 1_000_000);
        assert!(cache.fresh(0).is_none());
        assert!(cache.stale(0).is_none());
    }
}
