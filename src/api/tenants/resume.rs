//! `POST /v1/tenants/{tenant_id}:resume`

use super::{AcceptedTenant, accepted_tenant, suspend::Reason};
use crate::{
    Context,
    api::{
        extract::{AsAdministrator, Body, Caller, PathIds},
        respond::Answer,
    },
    ids::TenantId,
    usecases::suspensions,
};
use actix_web::{post, web::Data};

/// Resume a suspended tenant.
///
/// For partner administrators and operators. Sign-ins are decided by policy again within 30 s after the operation
/// has succeeded.
#[utoipa::path(
    operation_id = "resumeTenant", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    request_body = Reason,
    responses((status = 202, description = "The tenant, and the operation that tells the triggers",
               body = AcceptedTenant, headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!(["tenant_state"])))
)]
#[post("/v1/tenants/{tenant_id}:resume")]
pub(crate) async fn resume_tenant(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    id: PathIds<TenantId>,
    body: Body<Reason>,
) -> Answer {
    Ok(accepted_tenant(
        suspensions::resume(&context, &caller.request, id.0, body.0.reason).await?,
    ))
}
