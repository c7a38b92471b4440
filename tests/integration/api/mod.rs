//! The API over HTTP, one module a resource, and what holds for all operations.

mod apps;
mod authorization;
mod bad_fields;
mod bad_input;
mod cells;
mod connections;
mod conventions;
mod crashes;
mod creation;
mod exemptions;
mod idempotency;
mod keys;
mod openapi;
mod operations;
mod partners;
mod pilots;
mod policies;
mod policy_checks;
mod policy_versions;
mod service;
mod stored_queries;
mod tenants;
mod tokens;
mod two_walls;
mod users;
