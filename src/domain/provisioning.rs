//! What the worker does for a tenant: its steps, which of them an operation shows, and what it found in AWS.

use super::{
    app::AppSettings,
    blockid::BlockIdConnection,
    cell::Cell,
    deletion::{Deletion, PurgeReport},
    method::TenantMethods,
    operation::OperationKind,
    pool::PoolSettings,
    registration::TenantRegistration,
    text_enum,
};
use crate::ids::{AppId, PartnerId, ReleaseId, TenantId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use step_up::{policy::PolicyDocument, settings::ProviderMetadata};

text_enum! {
    /// One idempotent step of bringing a tenant to what is asked, in the order in which they are taken.
    StepName {
        /// Tell the triggers whether the tenant is suspended, before anything else can fail, and close the sign-up of a
        /// deleted one.
        Suspension => "suspension",
        /// Tell the triggers of exemptions that were approved or have ended.
        Exemptions => "exemptions",
        /// Try the connection or secret that waits, and put it in force or take it back.
        ConnectionChange => "connection_change",
        /// Read the provider's metadata and keys.
        ProviderDiscovery => "provider_discovery",
        /// Make the secret with everything but the client secret.
        SettingsSecret => "settings_secret",
        /// Make or change the tenant's stack: pool, functions, roles, tables.
        TenantStack => "tenant_stack",
        /// Let nobody but the verify function read the client secret.
        CredentialsPolicy => "credentials_policy",
        /// Add the pool's custom attributes.
        PoolAttributes => "pool_attributes",
        /// Make or mend the app clients.
        AppClients => "app_clients",
        /// Write the policies to where the triggers read them.
        PolicyItems => "policy_items",
        /// Tell the triggers pool and provider.
        TenantSettings => "tenant_settings",
        /// Write back what was changed past Stepgate and is in no other step.
        DriftRepair => "drift_repair",
        /// Read everything back and compare.
        ReadBack => "read_back",
        /// Delete the app clients, so that nobody signs in through them.
        RemoveAppClients => "remove_app_clients",
        /// Delete the stack: functions, roles, policies. Pool and records outlive it.
        RemoveStack => "remove_stack",
        /// Delete the pool and the records, unless they are to be kept.
        RemoveUsers => "remove_users",
        /// Delete the secrets.
        RemoveSecrets => "remove_secrets",
    }
}

impl StepName {
    /// Every step of bringing a tenant up that there is, in order.
    pub const ORDER: [Self; 13] = [
        Self::Suspension,
        Self::Exemptions,
        Self::ConnectionChange,
        Self::ProviderDiscovery,
        Self::SettingsSecret,
        Self::TenantStack,
        Self::CredentialsPolicy,
        Self::PoolAttributes,
        Self::AppClients,
        Self::PolicyItems,
        Self::TenantSettings,
        Self::DriftRepair,
        Self::ReadBack,
    ];

    /// The steps of a whole pass, in order. What somebody changed past Stepgate is written back only when that is asked.
    pub const ALL: [Self; 12] = [
        Self::Suspension,
        Self::Exemptions,
        Self::ConnectionChange,
        Self::ProviderDiscovery,
        Self::SettingsSecret,
        Self::TenantStack,
        Self::CredentialsPolicy,
        Self::PoolAttributes,
        Self::AppClients,
        Self::PolicyItems,
        Self::TenantSettings,
        Self::ReadBack,
    ];

    /// Every step of removing a tenant, in order.
    pub const REMOVAL: [Self; 4] = [
        Self::RemoveAppClients,
        Self::RemoveStack,
        Self::RemoveUsers,
        Self::RemoveSecrets,
    ];

    /// The steps that an operation consists of, in order.
    pub const fn plan(kind: OperationKind) -> &'static [Self] {
        match kind {
            OperationKind::CreateTenant | OperationKind::UpdateTenant | OperationKind::RestoreTenant => {
                &Self::ALL
            }
            OperationKind::PurgeTenant => &Self::REMOVAL,
            // A policy's maximum age is the refresh validity of its app client.
            OperationKind::CreateApp
            | OperationKind::UpdateApp
            | OperationKind::DeleteApp
            | OperationKind::UpdatePolicy => &[Self::AppClients, Self::PolicyItems, Self::ReadBack],
            OperationKind::ChangeConnection => &[
                Self::ConnectionChange,
                Self::ProviderDiscovery,
                Self::TenantSettings,
            ],
            OperationKind::SuspendTenant | OperationKind::ResumeTenant | OperationKind::DeleteTenant => {
                &[Self::Suspension]
            }
            OperationKind::ApproveExemption | OperationKind::EndExemption => &[Self::Exemptions],
            OperationKind::HealDrift => &[
                Self::SettingsSecret,
                Self::TenantStack,
                Self::CredentialsPolicy,
                Self::AppClients,
                Self::PolicyItems,
                Self::TenantSettings,
                Self::DriftRepair,
                Self::ReadBack,
            ],
            OperationKind::RecordPilot | OperationKind::UpdateMethods => &[Self::TenantSettings],
            OperationKind::ChangeRelease => &[Self::TenantStack, Self::CredentialsPolicy, Self::ReadBack],
        }
    }
}

/// What the worker found in AWS; kept between passes in the tenant's row. Nothing in it is secret.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observed {
    /// The user pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_pool_id: Option<String>,
    /// The stack and what came out of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<StackOutputs>,
    /// How many stacks failed to come up and were cleaned away; part of the token of the next creation.
    pub failed_stacks: u32,
    /// The release that the stack was last brought to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<ObservedRelease>,
    /// ARN of the `settings` secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings_secret_arn: Option<String>,
    /// The provider's metadata and keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<DiscoveredProvider>,
    /// What a purge has done so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<PurgeReport>,
    /// Whether the pool's sign-up was closed because the tenant is deleted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sign_up_closed: bool,
}

/// The release that a stack runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedRelease {
    /// Its id.
    pub id: ReleaseId,
    /// Its name.
    pub name: String,
}

/// The release that a stack is to run. Its artifacts stand in the cell that the pass works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredRelease {
    /// Its id.
    pub id: ReleaseId,
    /// Its name.
    pub name: String,
    /// Text of its template.
    pub template_body: String,
}

/// What a tenant's stack consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackOutputs {
    /// ARN of the stack.
    pub stack_id: String,
    /// ARN of the function for define, create and the pre-token gate.
    pub challenge_function_arn: String,
    /// ARN of its role.
    pub challenge_role_arn: String,
    /// ARN of the function that exchanges the code.
    pub verify_function_arn: String,
    /// ARN of its role, alone allowed to read the client secret.
    pub verify_role_arn: String,
    /// Table that the policies are in.
    pub policies_table: String,
    /// Table of grants, evidence, links.
    pub records_table: String,
    /// Parameters that it was last brought to. A stack that has others was changed by somebody else.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

/// Provider metadata and the connection that it was found under.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiscoveredProvider {
    /// Tenant DNS that was asked.
    pub tenant_dns: String,
    /// Community that was asked for.
    pub community: String,
    /// The answer.
    pub metadata: ProviderMetadata,
}

/// The right to work on a tenant, until it expires or is lost. Every write of the worker names it and is refused
/// once a later claim exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The worker that holds it.
    pub owner: String,
    /// Grows with every claim of this tenant.
    pub fencing_token: i64,
}

/// Everything a pass needs to know of a tenant: what is wanted and what was found before.
#[derive(Clone)]
pub struct Desired {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// Where it lives, with the artifacts that this tenant is to run.
    pub cell: Cell,
    /// What it is to run; `None` where nothing was registered: the cell's artifacts and the template of this binary.
    pub release: Option<DesiredRelease>,
    /// Its BlockID connection.
    pub connection: BlockIdConnection,
    /// Settings of its pool.
    pub pool: PoolSettings,
    /// Its methods and what was learned about them.
    pub methods: TenantMethods,
    /// ARN of the secret with the client secret, written by the API.
    pub credentials_secret_arn: String,
    /// Name of the secret with everything else.
    pub settings_secret_name: String,
    /// Key of the HMAC that hides user ids in events.
    pub event_hash_key: Vec<u8>,
    /// What of it only the control plane needs.
    pub registration: TenantRegistration,
    /// The generation that this is.
    pub generation: i64,
    /// Whether its triggers refuse everybody.
    pub suspended: bool,
    /// Whether it is deleted: nothing is done for it but shutting it, or removing it.
    pub deleted: bool,
    /// The deletion under which it is purged, when it is.
    pub purging: Option<Deletion>,
    /// Name of the secret with the client secret.
    pub credentials_secret_name: String,
    /// Whether it is for trying out: then nothing of it is protected against deletion.
    pub sandbox: bool,
    /// Passes that failed since the last good one.
    pub failed_passes: i32,
    /// What was found before.
    pub observed: Observed,
    /// Its apps.
    pub apps: Vec<DesiredApp>,
    /// Apps that were deleted and may still have something in AWS.
    pub deleted_apps: Vec<DeletedApp>,
    /// Steps that are needed to get from the last observed generation to this one.
    pub steps: Vec<StepName>,
}

/// An app as it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredApp {
    /// Its id.
    pub id: AppId,
    /// Name for people.
    pub name: String,
    /// When it was made.
    pub created_at: chrono::DateTime<chrono::Utc>,
    /// Its settings.
    pub settings: AppSettings,
    /// Its app client, once made.
    pub client_id: Option<String>,
    /// Whether Cognito may have made, or still make, another one ([`super::app_client`]).
    pub client_in_doubt: bool,
    /// Version of the policy.
    pub policy_version: i64,
    /// The policy.
    pub policy: PolicyDocument,
    /// Approved exemptions.
    pub exemptions: Vec<step_up::policy_item::Exemption>,
}

/// An app that is not to be any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedApp {
    /// Its id.
    pub id: AppId,
    /// Its app client, if one was made that we know of.
    pub client_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_keep_the_order_of_the_steps() {
        for kind in [
            OperationKind::CreateTenant,
            OperationKind::CreateApp,
            OperationKind::DeleteApp,
            OperationKind::UpdatePolicy,
            OperationKind::SuspendTenant,
            OperationKind::ChangeConnection,
            OperationKind::EndExemption,
            OperationKind::ChangeRelease,
            OperationKind::HealDrift,
        ] {
            let positions: Vec<_> = StepName::plan(kind)
                .iter()
                .map(|step| StepName::ORDER.iter().position(|one| one == step).unwrap())
                .collect();
            assert!(positions.is_sorted(), "{kind}");
        }
    }

    #[test]
    fn a_whole_pass_keeps_the_order_and_leaves_out_only_the_repair() {
        let without: Vec<_> = StepName::ORDER
            .into_iter()
            .filter(|step| *step != StepName::DriftRepair)
            .collect();
        assert_eq!(without, StepName::ALL);
    }

    #[test]
    fn an_empty_row_is_nothing_observed() {
        let observed: Observed = serde_json::from_str("{}").unwrap();
        assert_eq!(observed, Observed::default());
    }
}
