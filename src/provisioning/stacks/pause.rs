//! Pauses between looks at AWS.

use crate::ids::IdSource;
use std::time::Duration;

/// Growing pauses between polls, with jitter, so that many waiting passes do not ask in step.
pub(super) struct Pause<'a> {
    ids: &'a IdSource,
    next_ms: u64,
}

impl<'a> Pause<'a> {
    const LONGEST_MS: u64 = 8_000;

    pub(super) fn new(ids: &'a IdSource) -> Self {
        Self { ids, next_ms: 150 }
    }

    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(Duration::from_millis(jittered(self.ids, self.next_ms))).await;
        self.next_ms = (self.next_ms * 2).min(Self::LONGEST_MS);
    }
}

/// A time of 75 to 125 % of `ms`.
pub fn jittered(ids: &IdSource, ms: u64) -> u64 {
    let mut byte = [0_u8; 1];
    ids.fill(&mut byte);
    ms * 3 / 4 + ms * u64::from(byte[0]) / 510
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_a_quarter() {
        let ids = IdSource::seeded(1);
        for _ in 0..200 {
            assert!((750..=1250).contains(&jittered(&ids, 1000)));
        }
    }
}
