//! The catalogue: one line a row, one function an attack, a few rows a file.
//!
//! A function tries the attack in the ways it can be tried, and the control beside it where a refusal could
//! have another cause. It returns the reasons; what could not be carried out is an error.

mod actions;
mod answers;
mod assurance;
mod canary;
mod connections;
mod console;
mod drift;
mod forwarder;
mod id_tokens;
mod isolation;
mod links;
mod messages;
mod partners;
mod password;
mod paths;
mod refresh;
mod reports;
mod reset;
mod urls;
mod webhooks;

use crate::bench::Bench;
use crate::outcome::Outcome;
use crate::target::Capability::{self, Api, AwsAdmin, Iam, Node, OtherPartner, ProviderFaults};
use std::future::Future;
use std::pin::Pin;

/// What an attack becomes.
pub type Attempt<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Outcome>> + Send + 'a>>;

/// A row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// `A01`
    pub id: &'static str,
    /// What the attack is.
    pub name: &'static str,
    /// How it is run.
    pub run: Run,
}

/// How a row is run.
#[derive(Debug, Clone, Copy)]
pub enum Run {
    /// By a function, where the target has what it needs.
    Attack {
        /// What it needs.
        needs: &'static [Capability],
        /// The attack.
        attack: for<'a> fn(&'a Bench) -> Attempt<'a>,
    },
    /// Not yet: the part that it attacks does not exist.
    NotBuilt(&'static str),
}

macro_rules! catalogue {
    ($($id:literal $name:literal { $($run:tt)* })*) => {
        /// Every row, in order.
        pub const CATALOGUE: &[Row] = &[$(Row { id: $id, name: $name, run: catalogue!(@run $($run)*) },)*];
    };
    (@run not_built: $part:literal) => { Run::NotBuilt($part) };
    (@run $function:path, needs $($need:ident)*) => {
        Run::Attack { needs: &[$($need),*], attack: |bench| Box::pin($function(bench)) }
    };
}

catalogue! {
    "A01" "CUSTOM_AUTH without the password" { password::a01, needs AwsAdmin Api }
    "A02" "wrong password, then a correct step-up" { password::a02, needs AwsAdmin ProviderFaults }
    "A03" "plain password flows" { password::a03, needs AwsAdmin }
    "A04" "plain password flows, opened by hand" { paths::a04, needs AwsAdmin Api }
    "A05" "first password change" { paths::a05, needs AwsAdmin Api }
    "A06" "native TOTP and other paths past define" { paths::a06, needs AwsAdmin Api }
    "A07" "somebody else's step-up" { answers::a07, needs AwsAdmin ProviderFaults }
    "A08" "code of an earlier challenge" { answers::a08, needs AwsAdmin ProviderFaults }
    "A09" "the same answer twice" { answers::a09, needs AwsAdmin ProviderFaults }
    "A10" "malformed answers" { answers::a10, needs AwsAdmin }
    "A11" "id_token with a wrong signature, algorithm or key" { id_tokens::a11, needs AwsAdmin ProviderFaults }
    "A12" "id_token with wrong claims" { id_tokens::a12, needs AwsAdmin ProviderFaults }
    "A13" "weaker method than the policy asks" { assurance::a13, needs AwsAdmin Api ProviderFaults }
    "A14" "lower identity assurance than the policy asks" { assurance::a14, needs AwsAdmin Api ProviderFaults }
    "A15" "more wrong answers than allowed" { answers::a15, needs AwsAdmin ProviderFaults }
    "A16" "refresh without a step-up that is young and strong enough" { refresh::a16, needs AwsAdmin ProviderFaults }
    "A17" "telling unknown users from known ones" { password::a17, needs AwsAdmin Api }
    "A18" "provider that is slow, broken, or sends elsewhere" { id_tokens::a18, needs AwsAdmin ProviderFaults }
    "A19" "tenant DNS that leads to private addresses" { connections::a19, needs AwsAdmin Api }
    "A20" "messages from foreign frames" { messages::a20, needs AwsAdmin ProviderFaults Node }
    "A21" "user names that break the authorize URL" { urls::a21, needs AwsAdmin Node }
    "A22" "foreign roles ask for secrets and records" { isolation::a22, needs AwsAdmin Iam }
    "A23" "secrets in logs, templates, parameters, answers" { canary::a23, needs AwsAdmin Api ProviderFaults }
    "A24" "one partner reaches for another's tenants" { partners::a24, needs AwsAdmin Api OtherPartner }
    "A25" "session proofs that prove nothing" { actions::a25, needs AwsAdmin Api ProviderFaults }
    "A26" "password alone after a genuine step-up" { paths::a26, needs AwsAdmin Api ProviderFaults }
    "A27" "rules that rest on what the user can write" { links::a27, needs AwsAdmin Api }
    "A28" "BlockID subjects that are not the user's" { links::a28, needs AwsAdmin Api ProviderFaults }
    "A29" "stale authentications" { id_tokens::a29, needs AwsAdmin Api ProviderFaults }
    "A30" "password reset by mailbox, then a code by mail" { reset::a30, needs AwsAdmin Api ProviderFaults }
    "A31" "re-pointing a tenant to another provider" { connections::a31, needs AwsAdmin Api ProviderFaults }
    "A32" "foreign pools and forged events" { isolation::a32, needs AwsAdmin Iam }
    "A33" "forged callers of API and console, webhooks that lead elsewhere" { partners::a33, needs Api }
}
