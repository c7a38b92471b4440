//! The jobs of the worker, one a file.

pub mod reconcile_tenants;
pub mod sweep_idempotency_keys;
pub mod sweep_reservations;
