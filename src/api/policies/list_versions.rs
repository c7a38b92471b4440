//! `GET /v1/tenants/{tenant_id}/apps/{app_id}/policy/versions`

use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, Paging, PagingParams, PathIds},
        respond::{Answer, ok},
    },
    domain::policy,
    ids::{AppId, TenantId},
    usecases::policy_versions,
};
use actix_web::{get, web::Data};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// A version of a policy, without its document.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PolicyVersionHead {
    /// From 1, without gaps.
    #[schema(minimum = 1)]
    pub version: i64,
    /// Id of the API key that wrote it.
    pub author: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

impl From<policy::PolicyVersionHead> for PolicyVersionHead {
    fn from(head: policy::PolicyVersionHead) -> Self {
        Self {
            version: head.version,
            author: head.author,
            created_at: head.created_at,
        }
    }
}

/// A page of versions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PolicyVersionPage {
    /// Newest first.
    pub items: Vec<PolicyVersionHead>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// List the versions of a policy.
///
/// Newest first.
#[utoipa::path(
    operation_id = "listPolicyVersions", tag = "apps",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), ("app_id" = AppId, Path, description = "The app"),
           PagingParams),
    responses((status = 200, description = "A page of versions", body = PolicyVersionPage))
)]
#[get("/v1/tenants/{tenant_id}/apps/{app_id}/policy/versions")]
pub(crate) async fn list_policy_versions(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(TenantId, AppId)>,
    paging: Paging,
) -> Answer {
    let page = policy_versions::list(&context, &caller.request, ids.0, &paging.0).await?;
    Ok(ok(&PolicyVersionPage {
        items: page.items.into_iter().map(PolicyVersionHead::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
