//! Whether the service lives, and whether it can work.

pub mod healthz;
pub mod readyz;
