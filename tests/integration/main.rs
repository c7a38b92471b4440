//! The integration tests: one binary, real Postgres, a real emulator of AWS, real binaries.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail at once"
)]

mod attacks;
mod canary;
mod installation;
mod sign_in;
mod third_party;
