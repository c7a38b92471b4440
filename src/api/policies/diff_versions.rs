//! `GET /v1/tenants/{tenant_id}/apps/{app_id}/policy/versions/{version}/diff/{against}`

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
use serde_json::Value;
use step_up::policy::{Change, ChangeKind};

/// What differs between two versions of a policy.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PolicyDiff {
    /// The version compared with: `before` is what it says.
    pub against: i64,
    /// The version looked at: `after` is what it says.
    pub version: i64,
    /// Every difference; empty when both say the same.
    pub changes: Vec<PolicyChange>,
}

/// One difference.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PolicyChange {
    /// Id of the rule; `default` for the default.
    pub rule: String,
    /// What happened to the rule or its field.
    #[schema(pattern = "^(added|removed|changed|moved)$")]
    pub kind: &'static str,
    /// JSON pointer (RFC 6901) into the rule, or into the default; empty for the whole of it.
    #[schema(example = "/then/attempts")]
    pub field: String,
    /// What was there; for a moved rule its index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What is there now; for a moved rule its index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl From<Change> for PolicyChange {
    fn from(change: Change) -> Self {
        Self {
            rule: change.rule,
            kind: match change.kind {
                ChangeKind::Added => "added",
                ChangeKind::Removed => "removed",
                ChangeKind::Changed => "changed",
                ChangeKind::Moved => "moved",
            },
            field: change.field,
            before: change.before,
            after: change.after,
        }
    }
}

/// Compare two versions of a policy.
///
/// By rule id and field, so that a rule that moved is one difference.
#[utoipa::path(
    operation_id = "diffPolicyVersions", tag = "apps",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), ("app_id" = AppId, Path, description = "The app"),
           ("version" = i64, Path, description = "The version to look at", minimum = 1),
           ("against" = i64, Path, description = "The version to compare it with", minimum = 1)),
    responses((status = 200, description = "The differences", body = PolicyDiff))
)]
#[get("/v1/tenants/{tenant_id}/apps/{app_id}/policy/versions/{version}/diff/{against}")]
pub(crate) async fn diff_policy_versions(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(TenantId, AppId, i64, i64)>,
) -> Answer {
    let (tenant_id, app_id, version, against) = ids.0;
    let ids = (tenant_id, app_id);
    let changes = policy_versions::diff(&context, &caller.request, ids, (against, version)).await?;
    Ok(ok(&PolicyDiff {
        against,
        version,
        changes: changes.into_iter().map(PolicyChange::from).collect(),
    }))
}
