//! Logs: one line an event, on standard error, so that a command's standard output stays its result. Metrics for
//! Prometheus, traces for OpenTelemetry.

pub mod logging;
pub mod metrics;
pub mod traces;
