//! `DELETE /v1/tenants/{tenant_id}`

use super::{AcceptedTenant, accepted_tenant};
use crate::{
    Context,
    api::{
        extract::{AsAdministrator, Caller, PathIds},
        respond::Answer,
    },
    ids::TenantId,
    usecases::deletions,
};
use actix_web::{delete, web::Data};

/// Delete a tenant.
///
/// For partner administrators and operators. Sign-ins, refreshes and challenges are refused within 30 s after the
/// operation has succeeded, as when it is suspended; work on it that was not done is cancelled. Nothing is removed:
/// `POST /v1/tenants/{tenant_id}:restore` brings it back until it is purged, which `deletion.purge_from` allows at the
/// earliest and nothing does by itself. Its name stays taken until then. Repeating the request is harmless.
#[utoipa::path(
    operation_id = "deleteTenant", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    responses((status = 202, description = "The tenant, and the operation that tells the triggers", body = AcceptedTenant,
               headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!(["tenant_state"])))
)]
#[delete("/v1/tenants/{tenant_id}")]
pub(crate) async fn delete_tenant(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    id: PathIds<TenantId>,
) -> Answer {
    Ok(accepted_tenant(
        deletions::delete(&context, &caller.request, id.0).await?,
    ))
}
