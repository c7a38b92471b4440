//! Every operation of the API: its id, method and path, and the method of [`Client`] that calls it.
//!
//! One line each. After `with` stand the parts of the request beside the path, in this order: `if_match` (the revision
//! that was read), `query`, `body`; `text` when the answer is no JSON. Ids go into the path percent-encoded.

use crate::{
    Client, Error,
    types::{AcceptedApp, AcceptedPolicy, AcceptedTenant, App, Operation, Page, Policy, Tenant},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde::Serialize;
use serde_json::Value;

/// An operation of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperationLine {
    /// `operationId`
    pub id: &'static str,
    /// HTTP method.
    pub method: &'static str,
    /// Path with its parameters in braces.
    pub path: &'static str,
}

macro_rules! operations {
    ($($(#[doc = $doc:literal])+ $id:literal $method:ident $path:literal =>
       $name:ident($($arg:ident),*) $(with $($part:ident)+)? -> $answer:ty;)+) => {
        /// Every operation that a method stands for, and `watchOperation`, which is in [`crate::events`].
        pub const OPERATIONS: &[OperationLine] = &[
            $(OperationLine { id: $id, method: stringify!($method), path: $path },)+
            OperationLine { id: "watchOperation", method: "GET", path: "/v1/operations/{operation_id}/events" },
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
}

operations! {
    /// Create a partner. For operators.
    "createPartner" POST "/v1/partners" => create_partner() with body -> Value;
    /// Make an API key of a partner; the answer shows it once. For operators.
    "createPartnerKey" POST "/v1/partners/{partner_id}/keys" => create_partner_key(partner_id) with body -> Value;
    /// List cells. For operators and auditors.
    "listCells" GET "/v1/cells" => list_cells() -> Value;
    /// Get a cell. For operators and auditors.
    "getCell" GET "/v1/cells/{cell_id}" => get_cell(cell_id) -> Value;
    /// Create a tenant.
    "createTenant" POST "/v1/tenants" => create_tenant() with body -> AcceptedTenant;
    /// List tenants.
    "listTenants" GET "/v1/tenants" => list_tenants() with query -> Page<Tenant>;
    /// Get a tenant.
    "getTenant" GET "/v1/tenants/{tenant_id}" => get_tenant(tenant_id) -> Tenant;
    /// Change a tenant.
    "updateTenant" PATCH "/v1/tenants/{tenant_id}" => update_tenant(tenant_id) with body -> AcceptedTenant;
    /// Suspend a tenant.
    "suspendTenant" POST "/v1/tenants/{tenant_id}:suspend" => suspend_tenant(tenant_id) with body -> AcceptedTenant;
    /// Resume a suspended tenant.
    "resumeTenant" POST "/v1/tenants/{tenant_id}:resume" => resume_tenant(tenant_id) with body -> AcceptedTenant;
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
        filled.extend(utf8_percent_encode(argument, NON_ALPHANUMERIC));
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
    use std::collections::BTreeSet;

    /// The document is made from the service's routes, so this compares the client with the service.
    #[test]
    fn every_operation_of_the_document_has_a_method_and_no_other_has() {
        let document: Value = serde_json::from_str(include_str!("../../../openapi/stepgate.json")).unwrap();
        let mut served = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if path.starts_with("/v1/") {
                    let id = operation["operationId"].as_str().unwrap().to_owned();
                    served.insert((id, method.to_uppercase(), path.clone()));
                }
            }
        }
        let known: BTreeSet<_> = OPERATIONS
            .iter()
            .map(|line| (line.id.to_owned(), line.method.to_owned(), line.path.to_owned()))
            .collect();
        let missing: Vec<_> = served.difference(&known).collect();
        let gone: Vec<_> = known.difference(&served).collect();
        assert!(
            missing.is_empty() && gone.is_empty(),
            "add a line in crates/client/src/operations.rs for each of {missing:#?}; take these out: {gone:#?}"
        );
    }

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
