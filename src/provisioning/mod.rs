//! Brings a tenant's AWS side to what its row asks for: the reconciler, its steps, the templates.
//!
//! [`pass::run`] takes a claimed tenant through the steps of [`crate::domain::provisioning::StepName`]. Each step
//! looks at AWS first and acts only on a difference, so that it may be killed anywhere and run again. What a step
//! learned goes into the tenant's row before the next one begins; nothing is remembered only in memory.
//!
//! | module | holds |
//! | --- | --- |
//! | [`pass`] | one pass over a tenant: steps in order, records, outcome |
//! | [`steps`] | the steps, one a file |
//! | [`wanted`] | pure: what AWS should look like for a tenant |
//! | [`stacks`] | creating and changing a stack safely, for tenants and cells |
//! | [`access`] | what the control plane may do in AWS, and the policies made from it |
//! | [`artifacts`] | the trigger artifacts in a folder, checked |
//! | [`cell`] | the shared parts of a cell: what would change, and changing it |
//! | [`drift`] | compares what AWS has of a tenant with what is wanted |
//! | [`template`] | the templates and their digests |
//! | [`rebuild`] | rows from what AWS holds, when the database is lost |
//! | `removal` | how a purge ends |
//! | `announcements` | what is told to webhooks |
//! | [`failure`] | why a step failed, in public words, and what to do about it |
//!
//! To add a step: a variant of `StepName` in its place, a file in `steps/` with `run`, a line in `steps::run`.

pub mod access;
mod announcements;
pub mod artifacts;
pub mod cell;
pub mod drift;
pub mod failure;
pub mod pass;
pub mod rebuild;
mod removal;
pub mod stacks;
pub mod steps;
pub mod template;
pub mod wanted;
