//! Logs: one line an event, on standard error, so that a command's standard output stays its result. And counters of
//! what is not worth a line.

pub mod counters;
pub mod logging;
