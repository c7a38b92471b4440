//! Logs: one line an event, on standard error, so that a command's standard output stays its result.

pub mod logging;
