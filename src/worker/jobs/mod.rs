//! The jobs of the worker, one a file.

pub mod advance_rollouts;
pub mod deliver_webhooks;
pub mod evaluate_alarms;
pub mod expire_exemptions;
pub mod find_drift;
pub mod ingest_events;
pub mod keep_partitions;
pub mod measure_backlog;
pub mod reconcile_tenants;
pub mod remove_surplus_clients;
pub mod seal_audit_log;
pub mod sweep_idempotency_keys;
pub mod sweep_reservations;
