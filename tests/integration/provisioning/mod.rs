//! Provisioning: templates, cells, the worker's passes, killed workers, lost claims, failing stacks.

mod app_changes;
mod budget;
mod cells;
mod conditions;
mod deletions;
mod drift;
mod exemptions;
mod failures;
mod faults;
mod fencing;
mod guarded;
mod guarded_later;
pub(crate) mod holdings;
mod kills;
mod late_calls;
mod least_privilege;
mod rebuilds;
pub(crate) mod rig;
mod serve_faults;
mod stacks;
mod stage;
mod sweeps;
mod templates;
mod tenants;
mod unexported;
