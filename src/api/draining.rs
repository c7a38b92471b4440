//! On the way out: not ready any more, but still answering.
//!
//! In a cluster a stop signal and the news that a copy is leaving travel at the same time, so requests go on arriving
//! for a while. The copy says "not ready" at once, answers what still comes, asks kept connections to close, and ends
//! streams, whose clients come back elsewhere.

use tokio_util::sync::CancellationToken;

/// Whether this server is on its way out. Copies share it.
#[derive(Debug, Clone, Default)]
pub struct Draining(CancellationToken);

impl Draining {
    /// From now on the server is not ready.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Until it begins.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }
}
