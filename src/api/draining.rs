//! On the way out: not ready any more, but still answering.
//!
//! In a cluster a stop signal and the news that a copy is leaving travel at the same time, so requests go on arriving
//! for a while. The copy says "not ready" at once, answers what still comes, and asks kept connections to close.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Whether this server is on its way out. Copies share it.
#[derive(Debug, Clone, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// From now on the server is not ready.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
