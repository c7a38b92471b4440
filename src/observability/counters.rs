//! Counts of this process since it started.

use std::sync::atomic::{AtomicU64, Ordering};

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Requests without a key, or with one that is not valid. They are counted and not audited: anybody can make them, as
/// often as they like.
pub static UNKNOWN_CALLERS: Counter = Counter(AtomicU64::new(0));
