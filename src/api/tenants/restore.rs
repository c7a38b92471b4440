//! `POST /v1/tenants/{tenant_id}:restore`

use super::{AcceptedTenant, accepted_tenant, suspend::Reason};
use crate::{
    Context,
    api::{
        extract::{AsAdministrator, Body, Caller, PathIds},
        respond::Answer,
    },
    ids::TenantId,
    usecases::deletions,
};
use actix_web::{post, web::Data};

/// Restore a deleted tenant.
///
/// For partner administrators and operators; as long as no purge was confirmed. Everything is brought to what was asked
/// of the tenant before it was deleted, what was cancelled then included. One that was suspended is so again.
#[utoipa::path(
    operation_id = "restoreTenant", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    request_body = Reason,
    responses((status = 202, description = "The tenant, and the operation that brings it back", body = AcceptedTenant,
               headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!(["tenant_state"])))
)]
#[post("/v1/tenants/{tenant_id}:restore")]
pub(crate) async fn restore_tenant(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    id: PathIds<TenantId>,
    body: Body<Reason>,
) -> Answer {
    Ok(accepted_tenant(
        deletions::restore(&context, &caller.request, id.0, body.0.reason).await?,
    ))
}
