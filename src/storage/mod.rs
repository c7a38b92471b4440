//! The only SQL of the service: compile-time checked, one file a noun.
//!
//! Functions take an open connection or transaction, so that a use case decides what is one transaction, and
//! a scope ([`crate::domain::actor`]) whenever they touch rows that belong to a partner. Query metadata is
//! committed in `.sqlx/`; after changing a query or a migration refresh it with `cargo xtask sqlx`.

pub mod alarms;
pub mod api_keys;
pub mod app_clients;
pub mod apps;
pub mod audit_denials;
pub mod audit_log;
pub mod audit_seals;
pub mod aws_call_budgets;
pub mod backlog;
pub mod cells;
pub mod conditions;
pub mod connection_changes;
pub mod console_sessions;
mod database;
pub mod deletions;
pub mod drift;
pub mod event_intake;
pub mod exemptions;
pub mod idempotency_keys;
pub mod operations;
mod page;
pub mod partners;
pub mod pilots;
pub mod policies;
pub mod rebuilds;
pub mod reconcile;
pub mod reconcile_steps;
pub mod releases;
pub mod reservations;
pub mod rollouts;
pub mod step_up_events;
pub mod step_up_rollups;
pub mod tenant_overview;
pub mod tenants;
pub mod user_journeys;
pub mod webhook_outbox;
pub mod webhooks;

pub use database::{Database, Tx, WORK_CHANNEL, notify_work};
pub use page::{Cursor, DEFAULT_LIMIT, MAX_LIMIT, Page, PageRequest};

use crate::{Error, error::Code};

/// Turns a broken uniqueness of `constraint` into "that name is taken"; anything else stays what it is.
fn name_taken(error: sqlx::Error, constraint: &str, noun: &str) -> Error {
    match &error {
        sqlx::Error::Database(db) if db.constraint() == Some(constraint) => Error::new(
            Code::NameTaken,
            format!("There is already a {noun} of this name."),
        )
        .with_fields(vec![crate::error::FieldError::new(
            "/name",
            "taken",
            format!("is the name of another {noun}"),
        )]),
        _ => error.into(),
    }
}
