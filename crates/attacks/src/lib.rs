//! The attack catalogue: what an attacker tries against a tenant, and what must happen.
//!
//! Every row runs against a tenant that is really provisioned, as a client on the network would: Cognito
//! over HTTP, the provider over HTTP, the tenant's functions as Cognito invokes them. A row passes when no
//! token came out **and** the refusal had the expected reason.
//!
//! | module | holds |
//! | --- | --- |
//! | [`cognito`] | the app's side of Cognito: SRP, challenges, refresh, and raw calls |
//! | [`provider`] | the provider simulator: a step-up without a person, with any fault |
//! | [`stepgate`] | the control plane's API |
//! | [`aws`] | signed calls to AWS for those who hold the account: users, records, logs, functions |
//! | [`iam_stage`] | an emulator on which the tenant's IAM policies are tried out |
//! | [`recorded`] | events as Cognito sends them, for what an emulator does not produce |
//! | [`target`] | the tenant under attack and what the attacker may use |
//! | [`bench`] | users, apps and sign-ins on a target: the vocabulary of the rows |
//! | [`outcome`] | the trials of a row, and what came of them |
//! | [`functions`] | the tenant's functions: their events, their configuration, their answers |
//! | [`rows`] | the catalogue, one file for a few rows |
//! | [`sdk`] | the browser SDK, run by Node |
//! | [`report`] | running rows and telling the result |
//!
//! To add a row: a function in a file of [`rows`], and its line in [`rows::CATALOGUE`].

pub mod aws;
pub mod bench;
pub mod cognito;
pub mod functions;
pub mod http;
pub mod iam_stage;
pub mod outcome;
pub mod provider;
pub mod recorded;
pub mod report;
pub mod rows;
pub mod sdk;
pub mod stepgate;
pub mod target;
