//! `POST /v1/tenants/{tenant_id}:suspend`

use super::{AcceptedTenant, accepted_tenant};
use crate::{
    Context,
    api::{
        extract::{AsAdministrator, Body, Caller, PathIds, RequestBody},
        respond::Answer,
    },
    domain::object::objects_only,
    ids::TenantId,
    usecases::suspensions,
};
use actix_web::{post, web::Data};
use serde::Deserialize;

/// Why.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"reason": "Incident 2231: leaked credentials"}))]
pub struct Reason {
    /// For the audit log, in the caller's words.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

objects_only!(Reason);

impl RequestBody for Reason {}

/// Suspend a tenant.
///
/// For partner administrators and operators. Sign-ins, refreshes and challenges are refused within 30 s after the
/// operation has succeeded; the operation waits for work on the tenant that is under way. Tokens that were issued
/// work until they end.
#[utoipa::path(
    operation_id = "suspendTenant", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    request_body = Reason,
    responses((status = 202, description = "The tenant, and the operation that tells the triggers",
               body = AcceptedTenant, headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!(["tenant_state"])))
)]
#[post("/v1/tenants/{tenant_id}:suspend")]
pub(crate) async fn suspend_tenant(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    id: PathIds<TenantId>,
    body: Body<Reason>,
) -> Answer {
    Ok(accepted_tenant(
        suspensions::suspend(&context, &caller.request, id.0, body.0.reason).await?,
    ))
}
