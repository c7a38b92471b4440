//! Where the time comes from. Tests hold it still.

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Whole seconds since the Unix epoch.
    fn now_unix_s(&self) -> i64;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the real clock"
    )]
    fn now_unix_s(&self) -> i64 {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        // A clock before 1970 makes every token look unexpired, so it counts as the far future instead.
        since_epoch.map_or(i64::MAX, |elapsed| {
            i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
        })
    }
}
