//! The API over HTTP, one module a resource, and what holds for all operations.

mod apps;
mod authorization;
mod bad_fields;
mod bad_input;
mod cells;
mod conventions;
mod crashes;
mod creation;
mod idempotency;
mod keys;
mod openapi;
mod operations;
mod partners;
mod policies;
mod policy_checks;
mod policy_versions;
mod service;
mod tenants;
mod tokens;
mod two_walls;
