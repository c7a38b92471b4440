//! The real parts: the records table in DynamoDB's emulator, and the built functions over the Runtime API.
//!
//! They need the services that `cargo xtask services` keeps up; without them these tests fail and say so.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking, helpers included"
)]

mod emulator;
mod functions;
mod records_table;
mod reset;
mod runtime_api;
mod session_proof;
mod sign_in;
mod simulator;
mod tenant;
