//! The crate as a client on the network sees it: a real server, real RSA keys, a key endpoint that can
//! rotate and fail, and a clock that stands still until told.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod action;
mod bank;
mod fresh;
mod keys;
mod token;
