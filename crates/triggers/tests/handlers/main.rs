//! The triggers, driven by events as Cognito sends them, with everything outside replaced by stand-ins that
//! keep the same promises (see `world`). No AWS, no network, no clock but the one that is set.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by panicking, helpers included"
)]

mod access_token;
mod action;
mod caches;
mod create;
mod define;
mod forwarder;
mod fuzz;
mod gate;
mod gate_refresh;
mod memory_records;
mod outages;
mod pilot;
mod probe;
mod replays;
mod reset;
mod secrecy;
mod stand_ins;
mod subject;
mod verify;
mod world;
