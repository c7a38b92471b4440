//! `POST /v1/tenants/{tenant_id}/exemptions/{exemption_id}:revoke`

use super::{AcceptedExemption, Exemption};
use crate::{
    Context,
    api::{
        extract::{AsAdministrator, Body, Caller, PathIds},
        operations::Operation,
        respond::{Answer, accepted},
        tenants::suspend::Reason,
    },
    ids::{ExemptionId, TenantId},
    usecases::exemptions,
};
use actix_web::{post, web::Data};

/// Revoke an exemption.
///
/// For partner administrators and operators, whoever asked. Ends an exemption that is in force, or withdraws the request
/// for one. Sign-ins and refreshes ask for a step-up again within 30 s after the operation has succeeded; tokens that
/// were issued work until they end.
#[utoipa::path(
    operation_id = "revokeExemption", tag = "exemptions",
    params(("tenant_id" = TenantId, Path, description = "The tenant"),
           ("exemption_id" = ExemptionId, Path, description = "The exemption")),
    request_body = Reason,
    responses((status = 202, description = "The exemption, and the operation that tells the triggers",
               body = AcceptedExemption, headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!(["exemption_state", "tenant_state"])))
)]
#[post("/v1/tenants/{tenant_id}/exemptions/{exemption_id}:revoke")]
pub(crate) async fn revoke_exemption(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    ids: PathIds<(TenantId, ExemptionId)>,
    body: Body<Reason>,
) -> Answer {
    let (tenant_id, id) = ids.0;
    let (exemption, (operation, steps)) =
        exemptions::revoke(&context, &caller.request, tenant_id, id, body.0.reason).await?;
    let id = operation.id;
    Ok(accepted(
        &id,
        &AcceptedExemption {
            exemption: Exemption::from(exemption),
            operation: Operation::new(operation, steps),
        },
    ))
}
