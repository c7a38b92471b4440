//! The only SQL of the service: compile-time checked, one file a noun.
//!
//! Functions take an open connection or transaction, so that a use case decides what is one transaction, and
//! a scope ([`crate::domain::actor::PartnerScope`] or [`crate::domain::actor::OperatorScope`]) whenever they
//! touch rows that belong to a partner. Query metadata is committed in `.sqlx/`; after changing a query or a
//! migration refresh it with `cargo xtask sqlx`.

pub mod cells;
mod database;
pub mod reconcile;
pub mod reconcile_steps;

pub use database::{Database, Tx, WORK_CHANNEL, notify_work};
