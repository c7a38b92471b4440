//! API keys of partners.

pub mod create;
