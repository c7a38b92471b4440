//! Provisioning: templates, cells, the worker's passes, killed workers, lost claims, failing stacks.

mod cells;
mod exemptions;
mod failures;
mod fencing;
mod holdings;
mod kills;
mod rig;
mod sweeps;
mod templates;
mod tenants;
