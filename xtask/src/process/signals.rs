//! Ctrl-C and SIGTERM, as a question that every wait asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Somebody asked us to stop.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Whether SIGINT, SIGTERM or SIGHUP has arrived.
#[derive(Clone)]
pub(crate) struct Signals {
    arrived: Arc<AtomicBool>,
}

impl Signals {
    pub(super) fn install() -> anyhow::Result<Self> {
        let arrived = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&arrived)).context("cannot listen for signals")?;
        }
        Ok(Self { arrived })
    }

    pub(crate) fn arrived(&self) -> bool {
        self.arrived.load(Ordering::Relaxed)
    }

    /// Fails once we were asked to stop.
    pub(crate) fn check(&self) -> Result<(), Interrupted> {
        if self.arrived() { Err(Interrupted) } else { Ok(()) }
    }

    /// Asks `ready` again and again until it answers yes; `Ok(false)` when the time is over.
    pub(crate) fn wait_until(
        &self,
        limit: Duration,
        mut ready: impl FnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<bool> {
        let begun = Instant::now();
        loop {
            self.check()?;
            if ready()? {
                return Ok(true);
            }
            if begun.elapsed() > limit {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}
