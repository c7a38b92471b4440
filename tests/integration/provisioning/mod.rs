//! Provisioning: templates, cells, the worker's passes, killed workers, lost claims, failing stacks.

mod app_changes;
mod cells;
mod failures;
mod fencing;
mod holdings;
mod kills;
mod rig;
mod sweeps;
mod templates;
mod tenants;
