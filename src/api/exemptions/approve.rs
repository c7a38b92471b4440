//! `POST /v1/tenants/{tenant_id}/exemptions/{exemption_id}:approve`

use super::{AcceptedExemption, Exemption};
use crate::{
    Context,
    api::{
        extract::{AsAdministrator, Caller, PathIds},
        operations::Operation,
        respond::{Answer, accepted},
    },
    ids::{ExemptionId, TenantId},
    usecases::exemptions,
};
use actix_web::{post, web::Data};

/// Approve an exemption.
///
/// For partner administrators and operators, and never for the key that asked. It is in force when the operation has
/// succeeded and the functions have read it, within 30 s more; its time counts from the approval.
#[utoipa::path(
    operation_id = "approveExemption", tag = "exemptions",
    params(("tenant_id" = TenantId, Path, description = "The tenant"),
           ("exemption_id" = ExemptionId, Path, description = "The exemption")),
    responses((status = 202, description = "The exemption, and the operation that tells the triggers",
               body = AcceptedExemption, headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!(["exemption_state", "second_person_required", "tenant_state"])))
)]
#[post("/v1/tenants/{tenant_id}/exemptions/{exemption_id}:approve")]
pub(crate) async fn approve_exemption(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    ids: PathIds<(TenantId, ExemptionId)>,
) -> Answer {
    let (tenant_id, id) = ids.0;
    let (exemption, (operation, steps)) =
        exemptions::approve(&context, &caller.request, tenant_id, id).await?;
    let id = operation.id;
    Ok(accepted(
        &id,
        &AcceptedExemption {
            exemption: Exemption::from(exemption),
            operation: Operation::new(operation, steps),
        },
    ))
}
