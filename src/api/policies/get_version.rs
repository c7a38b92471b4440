//! `GET /v1/tenants/{tenant_id}/apps/{app_id}/policy/versions/{version}`

use super::{list_versions::PolicyVersionHead, put};
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::{Answer, ok},
    },
    ids::{AppId, TenantId},
    usecases::policy_versions,
};
use actix_web::{get, web::Data};
use serde::Serialize;
use step_up::policy::PolicyDocument;

/// A version of a policy, with its document.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StoredPolicyVersion {
    /// Version, author, time.
    #[serde(flatten)]
    pub head: PolicyVersionHead,
    /// The document.
    #[schema(value_type = put::PolicyBody)]
    pub document: PolicyDocument,
}

/// Get a version of a policy.
///
/// Versions are kept for good, also those that were replaced.
#[utoipa::path(
    operation_id = "getPolicyVersion", tag = "apps",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), ("app_id" = AppId, Path, description = "The app"),
           ("version" = i64, Path, description = "The version", minimum = 1)),
    responses((status = 200, description = "The version", body = StoredPolicyVersion))
)]
#[get("/v1/tenants/{tenant_id}/apps/{app_id}/policy/versions/{version}")]
pub(crate) async fn get_policy_version(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(TenantId, AppId, i64)>,
) -> Answer {
    let (tenant_id, app_id, version) = ids.0;
    let (head, document) =
        policy_versions::get(&context, &caller.request, (tenant_id, app_id), version).await?;
    Ok(ok(&StoredPolicyVersion {
        head: head.into(),
        document,
    }))
}
