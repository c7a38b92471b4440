//! The integration tests: one binary, real Postgres, a real emulator of AWS, real binaries.
//!
//! Two vocabularies. [`support::TestApp`] is an API in this process on a database and an AWS account of its own,
//! under a clock that stands still until `app.clock` is advanced: `app.operator()` and
//! `app.partner("acme").await` are callers, `caller.post("/v1/…", json!({…})).await` is an answer that can be
//! asked for a status, a body or a problem. [`installation`] is the whole system as processes.
//!
//! Services are found through the environment or `.stepgate/services.env`, which `cargo xtask services` writes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on must fail at once, and says what it was at"
)]
#![expect(
    clippy::large_futures,
    reason = "there are as many at a time as tests that run"
)]

mod api;
mod attacks;
mod canary;
mod connection;
mod console;
mod deletion;
mod events;
mod exemptions;
mod guide;
mod installation;
mod links;
mod observability;
mod pilots;
mod provisioning;
mod records;
mod recovery;
mod rollouts;
mod running;
mod sign_in;
mod standalone;
mod support;
mod suspension;
mod third_party;
mod users;
mod webhooks;
