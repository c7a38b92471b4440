//! What tests stand on.

mod app;
pub(crate) mod client;
mod database;
pub(crate) mod env;
pub(crate) mod examples;

pub(crate) use app::{ENCRYPTION_KEY, Partner, REGION, TestApp, aws_at, aws_of, fresh_account};
pub(crate) use client::{Answer, Caller};
pub(crate) use database::TestDatabase;
