//! The API over HTTP, one module a resource, and what holds for all operations.

mod app_changes;
mod apps;
mod authorization;
mod bad_fields;
mod bad_input;
mod cells;
mod creation;
mod openapi;
mod operation_control;
mod operation_events;
mod operations;
mod partners;
mod policies;
mod policy_checks;
mod policy_versions;
mod service;
mod templates;
mod tenants;
