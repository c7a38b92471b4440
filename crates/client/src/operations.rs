//! Every operation of the API: its id, method and path, and the method of [`Client`] that calls it.
//!
//! One line each. After `with` stand the parts of the request beside the path, in this order: `if_match` (the revision
//! that was read), `query`, `body`; `text` when the answer is no JSON or
//! empty. Ids go into the path percent-encoded.

use crate::{
    Client, Error,
    types::{
        AcceptedApp, AcceptedConnection, AcceptedPolicy, AcceptedTenant, App, Operation, Page, Policy, Tenant,
    },
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde::Serialize;
use serde_json::Value;

/// What an argument must not hold as it is: everything but letters, digits and the hyphens of UUIDs.
const ARGUMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-');

/// An operation of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperationLine {
    /// `operationId`
    pub id: &'static str,
    /// HTTP method.
    pub method: &'static str,
    /// Path with its parameters in braces.
    pub path: &'static str,
    /// What a request has beside the path: `if_match`, `query`, `body`; and `text` when its answer is no JSON.
    pub parts: &'static [&'static str],
}

macro_rules! operations {
    ($($(#[doc = $doc:literal])+ $id:literal $method:ident $path:literal =>
       $name:ident($($arg:ident),*) $(with $($part:ident)+)? -> $answer:ty;)+) => {
        /// Every operation that a method stands for, and `watchOperation`, which is in [`crate::events`].
        pub const OPERATIONS: &[OperationLine] = &[
            $(OperationLine {
                id: $id,
                method: stringify!($method),
                path: $path,
                parts: &[$($(stringify!($part)),+)?],
            },)+
            OperationLine {
                id: "watchOperation",
                method: "GET",
                path: "/v1/operations/{operation_id}/events",
                parts: &[],
            },
        ];

        impl Client {
            $(operation!([$(#[doc = $doc])+] $method $path $name($($arg),*) [$($($part)+)?] $answer);)+
        }
    };
}

macro_rules! operation {
    ([$($doc:tt)*] $method:ident $path:literal $name:ident($($arg:ident),*) [] $answer:ty) => {
        $($doc)*
        pub async fn $name(&self, $($arg: &str),*) -> Result<$answer, Error> {
            self.call(Method::$method, &fill($path, &[$($arg),*])).json().await
        }
    };
    ([$($doc:tt)*] $method:ident $path:literal $name:ident($($arg:ident),*) [query] $answer:ty) => {
        $($doc)*
        pub async fn $name(&self, $($arg: &str,)* query: &[(&str, &str)]) -> Result<$answer, Error> {
            self.call(Method::$method, &with_query(fill($path, &[$($arg),*]), query)).json().await
        }
    };
    ([$($doc:tt)*] $method:ident $path:literal $name:ident($($arg:ident),*) [body] $answer:ty) => {
        $($doc)*
        pub async fn $name(&self, $($arg: &str,)* body: &impl Serialize) -> Result<$answer, Error> {
            self.call(Method::$method, &fill($path, &[$($arg),*])).body(body).json().await
        }
    };
    ([$($doc:tt)*] $method:ident $path:literal $name:ident($($arg:ident),*) [if_match body] $answer:ty) => {
        $($doc)*
        pub async fn $name(&self, $($arg: &str,)* if_match: i64, body: &impl Serialize) -> Result<$answer, Error> {
            self.call(Method::$method, &fill($path, &[$($arg),*])).if_match(if_match).body(body).json().await
        }
    };
    ([$($doc:tt)*] $method:ident $path:literal $name:ident($($arg:ident),*) [text] $answer:ty) => {
        $($doc)*
        pub async fn $name(&self, $($arg: &str),*) -> Result<$answer, Error> {
            self.call(Method::$method, &fill($path, &[$($arg),*])).text().await
        }
    };
    ([$($doc:tt)*] $method:ident $path:literal $name:ident($($arg:ident),*) [query text] $answer:ty) => {
        $($doc)*
        pub async fn $name(&self, $($arg: &str,)* query: &[(&str, &str)]) -> Result<$answer, Error> {
            self.call(Method::$method, &with_query(fill($path, &[$($arg),*]), query)).text().await
        }
    };
    ([$($doc:tt)*] $method:ident $path:literal $name:ident($($arg:ident),*) [body text] $answer:ty) => {
        $($doc)*
        pub async fn $name(&self, $($arg: &str,)* body: &impl Serialize) -> Result<$answer, Error> {
            self.call(Method::$method, &fill($path, &[$($arg),*])).body(body).text().await
        }
    };
}

operations! {
    /// Tell whether the process runs.
    "healthz" GET "/healthz" => healthz() -> Value;
    /// Tell whether requests can be served.
    "readyz" GET "/readyz" => readyz() -> Value;
    /// List the kinds of problems.
    "listProblems" GET "/problems" => list_problems() -> Value;
    /// Get a kind of problem.
    "getProblem" GET "/problems/{problem}" => get_problem(problem) -> Value;
    /// Create a partner. For operators.
    "createPartner" POST "/v1/partners" => create_partner() with body -> Value;
    /// Make an API key of a partner; the answer shows it once. For operators.
    "createPartnerKey" POST "/v1/partners/{partner_id}/keys" => create_partner_key(partner_id) with body -> Value;
    /// List cells. For operators and auditors.
    "listCells" GET "/v1/cells" => list_cells() with query -> Page<Value>;
    /// Get a cell. For operators and auditors.
    "getCell" GET "/v1/cells/{cell_id}" => get_cell(cell_id) -> Value;
    /// Close or open a cell, or tell its quotas and how often AWS may be called. For operators.
    "updateCell" PATCH "/v1/cells/{cell_id}" => update_cell(cell_id) with if_match body -> Value;
    /// List the releases of a cell. For operators and auditors.
    "listReleases" GET "/v1/cells/{cell_id}/releases" => list_releases(cell_id) with query -> Page<Value>;
    /// Begin a rollout. For operators.
    "createRollout" POST "/v1/rollouts" => create_rollout() with body -> Value;
    /// List rollouts. For operators and auditors.
    "listRollouts" GET "/v1/rollouts" => list_rollouts() with query -> Page<Value>;
    /// Get a rollout. For operators and auditors.
    "getRollout" GET "/v1/rollouts/{rollout_id}" => get_rollout(rollout_id) -> Value;
    /// Pause a rollout. For operators.
    "pauseRollout" POST "/v1/rollouts/{rollout_id}:pause" => pause_rollout(rollout_id) with body -> Value;
    /// Go on with a paused rollout. For operators.
    "resumeRollout" POST "/v1/rollouts/{rollout_id}:resume" => resume_rollout(rollout_id) with body -> Value;
    /// End a rollout. For operators.
    "cancelRollout" POST "/v1/rollouts/{rollout_id}:cancel" => cancel_rollout(rollout_id) with body -> Value;
    /// Create a tenant.
    "createTenant" POST "/v1/tenants" => create_tenant() with body -> AcceptedTenant;
    /// List tenants.
    "listTenants" GET "/v1/tenants" => list_tenants() with query -> Page<Tenant>;
    /// Get a tenant.
    "getTenant" GET "/v1/tenants/{tenant_id}" => get_tenant(tenant_id) -> Tenant;
    /// Change a tenant.
    "updateTenant" PATCH "/v1/tenants/{tenant_id}" =>
        update_tenant(tenant_id) with if_match body -> AcceptedTenant;
    /// Suspend a tenant.
    "suspendTenant" POST "/v1/tenants/{tenant_id}:suspend" => suspend_tenant(tenant_id) with body -> AcceptedTenant;
    /// Resume a suspended tenant.
    "resumeTenant" POST "/v1/tenants/{tenant_id}:resume" => resume_tenant(tenant_id) with body -> AcceptedTenant;
    /// Get the drift report of a tenant.
    "getTenantDrift" GET "/v1/tenants/{tenant_id}/drift" => get_tenant_drift(tenant_id) -> Value;
    /// Have a tenant compared with AWS now.
    "checkTenantDrift" POST "/v1/tenants/{tenant_id}/drift:check" => check_tenant_drift(tenant_id) -> Value;
    /// Delete a tenant: nobody signs in, and it can be restored.
    "deleteTenant" DELETE "/v1/tenants/{tenant_id}" => delete_tenant(tenant_id) -> AcceptedTenant;
    /// Restore a deleted tenant.
    "restoreTenant" POST "/v1/tenants/{tenant_id}:restore" => restore_tenant(tenant_id) with body -> AcceptedTenant;
    /// Remove a deleted tenant for good; asked for twice.
    "purgeTenant" POST "/v1/tenants/{tenant_id}:purge" => purge_tenant(tenant_id) with body -> AcceptedTenant;
    /// Get the CloudFormation template of a tenant with its parameters.
    "getTenantTemplate" GET "/v1/tenants/{tenant_id}/template" => get_tenant_template(tenant_id) -> Value;
    /// Get the template for people who deploy by hand, YAML.
    "getStandaloneTemplate" GET "/v1/templates/standalone" => get_standalone_template() with text -> String;
    /// Add an app to a tenant.
    "createApp" POST "/v1/tenants/{tenant_id}/apps" => create_app(tenant_id) with body -> AcceptedApp;
    /// List the apps of a tenant.
    "listApps" GET "/v1/tenants/{tenant_id}/apps" => list_apps(tenant_id) with query -> Page<App>;
    /// Get an app.
    "getApp" GET "/v1/tenants/{tenant_id}/apps/{app_id}" => get_app(tenant_id, app_id) -> App;
    /// Change an app.
    "updateApp" PATCH "/v1/tenants/{tenant_id}/apps/{app_id}" =>
        update_app(tenant_id, app_id) with if_match body -> AcceptedApp;
    /// Delete an app.
    "deleteApp" DELETE "/v1/tenants/{tenant_id}/apps/{app_id}" => delete_app(tenant_id, app_id) -> AcceptedApp;
    /// Get what an app developer needs.
    "getAppIntegration" GET "/v1/tenants/{tenant_id}/apps/{app_id}/integration" =>
        get_app_integration(tenant_id, app_id) -> Value;
    /// Get the policy of an app.
    "getPolicy" GET "/v1/tenants/{tenant_id}/apps/{app_id}/policy" => get_policy(tenant_id, app_id) -> Policy;
    /// Replace the policy of an app.
    "putPolicy" PUT "/v1/tenants/{tenant_id}/apps/{app_id}/policy" =>
        put_policy(tenant_id, app_id) with if_match body -> AcceptedPolicy;
    /// Write the document of an older version back.
    "rollbackPolicy" POST "/v1/tenants/{tenant_id}/apps/{app_id}/policy:rollback" =>
        rollback_policy(tenant_id, app_id) with if_match body -> AcceptedPolicy;
    /// Find out what a policy decides about a user.
    "simulatePolicy" POST "/v1/tenants/{tenant_id}/apps/{app_id}/policy:simulate" =>
        simulate_policy(tenant_id, app_id) with body -> Value;
    /// Try a policy document out without storing it.
    "validatePolicy" POST "/v1/tenants/{tenant_id}/apps/{app_id}/policy:validate" =>
        validate_policy(tenant_id, app_id) with body -> Value;
    /// List the versions of a policy.
    "listPolicyVersions" GET "/v1/tenants/{tenant_id}/apps/{app_id}/policy/versions" =>
        list_policy_versions(tenant_id, app_id) with query -> Page<Value>;
    /// Get a version of a policy.
    "getPolicyVersion" GET "/v1/tenants/{tenant_id}/apps/{app_id}/policy/versions/{version}" =>
        get_policy_version(tenant_id, app_id, version) -> Value;
    /// Compare two versions of a policy.
    "diffPolicyVersions" GET "/v1/tenants/{tenant_id}/apps/{app_id}/policy/versions/{version}/diff/{against}" =>
        diff_policy_versions(tenant_id, app_id, version, against) -> Value;
    /// Get the JSON schema of policy documents.
    "getPolicySchema" GET "/v1/policy-schema" => get_policy_schema() -> Value;
    /// List operations.
    "listOperations" GET "/v1/operations" => list_operations() with query -> Page<Operation>;
    /// Get an operation.
    "getOperation" GET "/v1/operations/{operation_id}" => get_operation(operation_id) -> Operation;
    /// Stop the work on an operation.
    "cancelOperation" POST "/v1/operations/{operation_id}:cancel" => cancel_operation(operation_id) with body -> Operation;
    /// List the audit log.
    "listAudit" GET "/v1/audit" => list_audit() with query -> Page<Value>;
    /// Export the audit log.
    "exportAudit" GET "/v1/audit:export" => export_audit() with query text -> String;
    /// Check the seals of the audit log.
    "verifyAudit" POST "/v1/audit:verify" => verify_audit() with body -> Value;
    /// Check a BlockID connection before there is a tenant.
    "checkConnection" POST "/v1/blockid:check" => check_connection() with body -> Value;
    /// Search step-up events.
    "listEvents" GET "/v1/events" => list_events() with query -> Page<Value>;
    /// List the API keys of operators and auditors.
    "listKeys" GET "/v1/keys" => list_keys() with query -> Page<Value>;
    /// Make an API key for an operator or auditor.
    "createKey" POST "/v1/keys" => create_key() with body -> Value;
    /// Get an API key of an operator or auditor.
    "getKey" GET "/v1/keys/{key_id}" => get_key(key_id) -> Value;
    /// Revoke an API key of an operator or auditor.
    "revokeKey" POST "/v1/keys/{key_id}:revoke" => revoke_key(key_id) -> Value;
    /// Rotate an API key of an operator or auditor.
    "rotateKey" POST "/v1/keys/{key_id}:rotate" => rotate_key(key_id) with body -> Value;
    /// Report all step-ups.
    "getStepUpMetrics" GET "/v1/metrics/step-up" => get_step_up_metrics() with query -> Value;
    /// List the partners.
    "listPartners" GET "/v1/partners" => list_partners() with query -> Page<Value>;
    /// Get a partner.
    "getPartner" GET "/v1/partners/{partner_id}" => get_partner(partner_id) -> Value;
    /// Change a partner.
    "updatePartner" PATCH "/v1/partners/{partner_id}" =>
        update_partner(partner_id) with if_match body -> Value;
    /// List the API keys of a partner.
    "listPartnerKeys" GET "/v1/partners/{partner_id}/keys" => list_partner_keys(partner_id) with query -> Page<Value>;
    /// Get an API key of a partner.
    "getPartnerKey" GET "/v1/partners/{partner_id}/keys/{key_id}" => get_partner_key(partner_id, key_id) -> Value;
    /// Revoke an API key of a partner.
    "revokePartnerKey" POST "/v1/partners/{partner_id}/keys/{key_id}:revoke" =>
        revoke_partner_key(partner_id, key_id) -> Value;
    /// Rotate an API key of a partner.
    "rotatePartnerKey" POST "/v1/partners/{partner_id}/keys/{key_id}:rotate" =>
        rotate_partner_key(partner_id, key_id) with body -> Value;
    /// Get a tenant's BlockID connection.
    "getConnection" GET "/v1/tenants/{tenant_id}/blockid" => get_connection(tenant_id) -> Value;
    /// Change a tenant's BlockID connection, or rotate its secret.
    "putConnection" PUT "/v1/tenants/{tenant_id}/blockid" =>
        put_connection(tenant_id) with if_match body -> AcceptedConnection;
    /// Get the methods of a tenant.
    "getMethods" GET "/v1/tenants/{tenant_id}/blockid/methods" => get_methods(tenant_id) -> Value;
    /// Replace a tenant's own methods.
    "putMethods" PUT "/v1/tenants/{tenant_id}/blockid/methods" =>
        put_methods(tenant_id) with if_match body -> Value;
    /// Begin a pilot step-up.
    "createPilot" POST "/v1/tenants/{tenant_id}/blockid/pilots" => create_pilot(tenant_id) with body -> Value;
    /// Get a pilot step-up.
    "getPilot" GET "/v1/tenants/{tenant_id}/blockid/pilots/{pilot_id}" => get_pilot(tenant_id, pilot_id) -> Value;
    /// Complete a pilot step-up.
    "completePilot" POST "/v1/tenants/{tenant_id}/blockid/pilots/{pilot_id}:complete" =>
        complete_pilot(tenant_id, pilot_id) with body -> Value;
    /// Check a tenant's BlockID connection.
    "checkTenantConnection" POST "/v1/tenants/{tenant_id}/blockid:check" =>
        check_tenant_connection(tenant_id) -> Value;
    /// Go back to the connection that was in force before the last change.
    "revertConnection" POST "/v1/tenants/{tenant_id}/blockid:revert" =>
        revert_connection(tenant_id) with body -> AcceptedConnection;
    /// List the exemptions of a tenant.
    "listExemptions" GET "/v1/tenants/{tenant_id}/exemptions" => list_exemptions(tenant_id) with query -> Page<Value>;
    /// Ask for an exemption.
    "createExemption" POST "/v1/tenants/{tenant_id}/exemptions" => create_exemption(tenant_id) with body -> Value;
    /// Get an exemption.
    "getExemption" GET "/v1/tenants/{tenant_id}/exemptions/{exemption_id}" =>
        get_exemption(tenant_id, exemption_id) -> Value;
    /// Approve an exemption.
    "approveExemption" POST "/v1/tenants/{tenant_id}/exemptions/{exemption_id}:approve" =>
        approve_exemption(tenant_id, exemption_id) -> Value;
    /// Revoke an exemption.
    "revokeExemption" POST "/v1/tenants/{tenant_id}/exemptions/{exemption_id}:revoke" =>
        revoke_exemption(tenant_id, exemption_id) with body -> Value;
    /// Report a tenant's step-ups.
    "getTenantStepUpMetrics" GET "/v1/tenants/{tenant_id}/metrics/step-up" =>
        get_tenant_step_up_metrics(tenant_id) with query -> Value;
    /// Get what a tenant is watched for.
    "getTenantAlarms" GET "/v1/tenants/{tenant_id}/alarms" => get_tenant_alarms(tenant_id) -> Value;
    /// Replace what a tenant is watched for.
    "putTenantAlarms" PUT "/v1/tenants/{tenant_id}/alarms" =>
        put_tenant_alarms(tenant_id) with if_match body -> Value;
    /// List alarms.
    "listAlarms" GET "/v1/alarms" => list_alarms() with query -> Page<Value>;
    /// Get a user.
    "getUser" GET "/v1/tenants/{tenant_id}/users/{user_sub}" => get_user(tenant_id, user_sub) -> Value;
    /// List the links of a user.
    "listLinks" GET "/v1/tenants/{tenant_id}/users/{user_sub}/links" =>
        list_links(tenant_id, user_sub) with query -> Page<Value>;
    /// Link a user to a BlockID subject.
    "createLink" POST "/v1/tenants/{tenant_id}/users/{user_sub}/links" =>
        create_link(tenant_id, user_sub) with body -> Value;
    /// Unlink a user.
    "unlinkUser" POST "/v1/tenants/{tenant_id}/users/{user_sub}/links/{link_id}:unlink" =>
        unlink_user(tenant_id, user_sub, link_id) with body -> Value;
    /// Sign a user out everywhere.
    "signOutUser" POST "/v1/tenants/{tenant_id}/users/{user_sub}:sign-out" =>
        sign_out_user(tenant_id, user_sub) with body text -> String;
    /// Find a user.
    "findUsers" POST "/v1/tenants/{tenant_id}/users:find" => find_users(tenant_id) with body -> Value;
    /// Export all users of a tenant, as one text; [`crate::Call::stream`] takes more of them.
    "exportUsers" POST "/v1/tenants/{tenant_id}/users:export" => export_users(tenant_id) with body text -> String;
    /// List webhooks.
    "listWebhooks" GET "/v1/webhooks" => list_webhooks() with query -> Page<Value>;
    /// Make a webhook.
    "createWebhook" POST "/v1/webhooks" => create_webhook() with body -> Value;
    /// Get a webhook.
    "getWebhook" GET "/v1/webhooks/{webhook_id}" => get_webhook(webhook_id) -> Value;
    /// Remove a webhook.
    "deleteWebhook" DELETE "/v1/webhooks/{webhook_id}" => delete_webhook(webhook_id) -> Value;
    /// Change a webhook.
    "updateWebhook" PATCH "/v1/webhooks/{webhook_id}" =>
        update_webhook(webhook_id) with if_match body -> Value;
    /// List the deliveries of a webhook.
    "listWebhookDeliveries" GET "/v1/webhooks/{webhook_id}/deliveries" =>
        list_webhook_deliveries(webhook_id) with query -> Page<Value>;
    /// Get a delivery of a webhook.
    "getWebhookDelivery" GET "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}" =>
        get_webhook_delivery(webhook_id, delivery_id) -> Value;
    /// Send a message again.
    "replayWebhookDelivery" POST "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}:replay" =>
        replay_webhook_delivery(webhook_id, delivery_id) -> Value;
    /// Send a test message to a webhook.
    "testWebhook" POST "/v1/webhooks/{webhook_id}:test" => test_webhook(webhook_id) -> Value;
}

/// Puts the arguments into the braces of a path, in order.
pub(crate) fn fill(path: &str, arguments: &[&str]) -> String {
    let mut arguments = arguments.iter();
    let mut filled = String::with_capacity(path.len() + 64);
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        // A segment of dots would be resolved however it is encoded, and an empty one be lost: neither is an id.
        let argument = match arguments.next().copied().unwrap_or_default() {
            "" | "." | ".." => "-",
            argument => argument,
        };
        filled.extend(utf8_percent_encode(argument, ARGUMENT));
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    filled + rest
}

/// Adds query parameters to a path that has none yet.
fn with_query(path: String, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        return path;
    }
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    format!("{path}?{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_cannot_leave_its_place_in_the_path() {
        let path = fill("/v1/tenants/{tenant_id}/apps/{app_id}:x", &["../..?a#b", "app_1"]);
        assert_eq!(path, "/v1/tenants/%2E%2E%2F%2E%2E%3Fa%23b/apps/app%5F1:x");
        assert_eq!(
            fill("/v1/tenants/{tenant_id}/apps", &[".."]),
            "/v1/tenants/-/apps"
        );
    }
}
