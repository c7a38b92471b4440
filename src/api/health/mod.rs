//! Whether the service lives, whether it can work, and what it counts.

pub mod healthz;
pub mod metrics;
pub mod readyz;
