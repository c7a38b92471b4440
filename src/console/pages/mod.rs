//! The pages, one a file: read by use cases, shown by a template beside it.

pub(super) mod alarms;
pub(super) mod app;
pub(super) mod audit;
pub(super) mod cells;
pub(super) mod conditions;
pub(super) mod drift;
pub(super) mod journey;
pub(super) mod operation;
pub(super) mod operations;
pub(super) mod overview;
pub(super) mod policy_version;
pub(super) mod rollout;
pub(super) mod rollouts;
pub(super) mod sign_in;
pub(super) mod suspension;
pub(super) mod tenant;
pub(super) mod tenants;
pub(super) mod users;
