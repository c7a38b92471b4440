//! Provisioning: templates, cells, the worker's passes, killed workers, lost claims, failing stacks.

mod app_changes;
mod cells;
mod deletions;
mod exemptions;
mod failures;
mod fencing;
mod holdings;
mod kills;
mod rebuilds;
pub(crate) mod rig;
mod sweeps;
mod templates;
mod tenants;
