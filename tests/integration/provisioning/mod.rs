//! Provisioning: templates, cells, the worker's passes, killed workers, lost claims, failing stacks.

mod app_changes;
mod cells;
mod conditions;
mod drift;
mod exemptions;
mod failures;
mod fencing;
mod holdings;
mod kills;
pub(crate) mod rig;
mod stacks;
mod sweeps;
mod templates;
mod tenants;
