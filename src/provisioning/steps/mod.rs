//! The steps of provisioning, one a file: each looks at AWS, acts on a difference, and tells what it did.
//!
//! Rules of a step: it may be killed at any point and run again; it asks AWS before it acts; what AWS cannot be
//! asked again is stored before the next call; every changing call carries a stable token where AWS takes one.

mod app_clients;
mod connection_change;
mod credentials_policy;
mod drift_repair;
mod exemptions;
mod policy_items;
mod pool_attributes;
mod provider_discovery;
mod read_back;
mod remove_app_clients;
mod remove_secrets;
mod remove_stack;
mod remove_users;
mod settings_secret;
mod sign_up;
mod suspension;
mod tenant_settings;
mod tenant_stack;

pub(super) use tenant_stack::read_outputs as stack_outputs;

use super::{
    failure::{StepError, StepFailure},
    pass::{Done, Pass},
};
use crate::domain::{
    deletion::PurgeReport,
    provisioning::{StackOutputs, StepName},
};

/// Takes one step.
pub async fn run(step: StepName, pass: &mut Pass<'_>) -> Result<Done, StepError> {
    match step {
        StepName::Suspension => {
            let done = suspension::run(pass).await?;
            sign_up::run(pass, done).await
        }
        StepName::ConnectionChange => connection_change::run(pass).await,
        StepName::Exemptions => exemptions::run(pass).await,
        StepName::ProviderDiscovery => provider_discovery::run(pass).await,
        StepName::SettingsSecret => settings_secret::run(pass).await,
        StepName::TenantStack => tenant_stack::run(pass).await,
        StepName::CredentialsPolicy => credentials_policy::run(pass).await,
        StepName::PoolAttributes => pool_attributes::run(pass).await,
        StepName::AppClients => app_clients::run(pass).await,
        StepName::PolicyItems => policy_items::run(pass).await,
        StepName::TenantSettings => tenant_settings::run(pass).await,
        StepName::DriftRepair => drift_repair::run(pass).await,
        StepName::ReadBack => read_back::run(pass).await,
        StepName::RemoveAppClients => remove_app_clients::run(pass).await,
        StepName::RemoveStack => remove_stack::run(pass).await,
        StepName::RemoveUsers => remove_users::run(pass).await,
        StepName::RemoveSecrets => remove_secrets::run(pass).await,
    }
}

/// What an earlier step, maybe of an earlier pass, found.
fn known<T: Clone>(found: Option<&T>, what: &str) -> Result<T, StepError> {
    found.cloned().ok_or_else(|| {
        StepFailure::passing("not_yet", format!("{what} is not known; the steps begin anew.")).into()
    })
}

fn outputs(pass: &Pass<'_>) -> Result<StackOutputs, StepError> {
    known(pass.desired.observed.stack.as_ref(), "The tenant's stack")
}

fn pool_id(pass: &Pass<'_>) -> Result<String, StepError> {
    known(pass.desired.observed.user_pool_id.as_ref(), "The user pool")
}

/// What a purge has done so far; kept with what was observed.
fn removed<'a>(pass: &'a mut Pass<'_>) -> &'a mut PurgeReport {
    pass.desired
        .observed
        .removed
        .get_or_insert_with(PurgeReport::default)
}

/// Something in AWS is not as it was just written.
fn differs(what: &str, differences: &[String]) -> StepError {
    StepFailure::lasting(
        "read_back_differs",
        format!("{what} is not as written: {}", differences.join("; ")),
        Some("Somebody or something else changes it. An operator looks into CloudTrail for who does."),
    )
    .into()
}
