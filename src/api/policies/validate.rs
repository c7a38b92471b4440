//! `POST /v1/tenants/{tenant_id}/apps/{app_id}/policy:validate`

use super::{findings, findings::Finding, put::PolicyBody};
use crate::{
    Context,
    api::{
        extract::{AsReader, Body, Caller, PathIds, RequestBody},
        respond::{Answer, ok},
    },
    domain::object::objects_only,
    ids::{AppId, TenantId},
    usecases::policy_checks,
};
use actix_web::{post, web::Data};
use serde::{Deserialize, Serialize};

/// What to judge.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct PolicyDraft {
    /// The document.
    #[schema(value_type = PolicyBody)]
    pub document: serde_json::Value,
}

objects_only!(PolicyDraft);

impl RequestBody for PolicyDraft {
    const MAX_BYTES: usize = step_up::policy::MAX_DOCUMENT_BYTES + 1024;
}

/// What validation says of a policy document.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PolicyReport {
    /// Whether it may be stored.
    pub valid: bool,
    /// Why it may not.
    pub errors: Vec<Finding>,
    /// What its author should know.
    pub warnings: Vec<Finding>,
}

/// Validate a policy document for an app.
///
/// Stores nothing. A mistake of form is the only error that is reported; otherwise all are, at once.
#[utoipa::path(
    operation_id = "validatePolicy", tag = "apps",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), ("app_id" = AppId, Path, description = "The app")),
    request_body = PolicyDraft,
    responses((status = 200, description = "Errors and warnings", body = PolicyReport))
)]
#[post("/v1/tenants/{tenant_id}/apps/{app_id}/policy:validate")]
pub(crate) async fn validate_policy(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(TenantId, AppId)>,
    body: Body<PolicyDraft>,
) -> Answer {
    let report = policy_checks::validate(&context, &caller.request, ids.0, &body.0.document).await?;
    Ok(ok(&PolicyReport {
        valid: report.is_ok(),
        errors: findings::all(report.errors),
        warnings: findings::all(report.warnings),
    }))
}
