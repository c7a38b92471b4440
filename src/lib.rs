//! Stepgate: the control plane that puts a BlockID step-up into Amazon Cognito sign-ins.
//!
//! One binary with several commands, one crate with layers as modules. Dependencies point inward:
//! `api`, `worker` and `commands` may use everything below them, `domain` uses nothing of ours.
//!
//! | module | what belongs there | what does not |
//! | --- | --- | --- |
//! | [`domain`] | what a tenant, an app, a policy version is; which changes are allowed | I/O, SQL, HTTP, clocks |
//! | [`usecases`] | authorise, apply a domain rule, store, in one transaction | SQL, HTTP |
//! | [`storage`] | the only SQL; every function that reads a partner's rows asks for a scope | decisions |
//! | [`aws`] | the only AWS SDK users, one file a service, narrow verbs of ours | decisions |
//! | [`api`] | HTTP: one operation a file with its OpenAPI block | SQL, rules |
//! | [`console`] | pages for operators, partners and auditors | SQL, rules, anything that [`usecases`] do not give |
//! | [`provisioning`] | the reconciler's steps and the templates | HTTP |
//! | [`reporting`] | step-up events in, reports out | SQL, HTTP |
//! | [`worker`] | what runs by itself, and the loop that runs it | HTTP |
//! | [`trust`] | tokens of issuers that the operator trusts | rights that a token gives itself |
//! | [`observability`] | logs, metrics, traces | decisions |
//! | [`commands`] | the subcommands of the binary: read configuration, wire, run | rules |
//!
//! Secrets that the database must hold are sealed by [`encryption`].
//! Time, randomness and ids come in as parameters: [`clock::Clock`], [`ids::IdSource`].

pub mod api;
pub mod aws;
pub mod clock;
pub mod commands;
pub mod config;
pub mod console;
pub mod context;
pub mod domain;
pub mod encryption;
pub mod error;
pub mod ids;
pub mod observability;
pub mod provisioning;
pub mod reporting;
pub mod storage;
pub mod trust;
pub mod usecases;
pub mod worker;

pub use context::Context;
pub use error::{Error, Result};
