//! The jobs of the worker, one a file.

pub mod deliver_webhooks;
pub mod expire_exemptions;
pub mod ingest_events;
pub mod keep_partitions;
pub mod measure_backlog;
pub mod reconcile_tenants;
pub mod seal_audit_log;
pub mod sweep_idempotency_keys;
pub mod sweep_reservations;
