//! `GET /v1/tenants/{tenant_id}/exemptions/{exemption_id}`

use super::Exemption;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::{Answer, ok},
    },
    ids::{ExemptionId, TenantId},
    usecases,
};
use actix_web::{get, web::Data};

/// Get an exemption.
///
/// Whom it exempts, who asked for it and approved it, and until when it holds.
#[utoipa::path(
    operation_id = "getExemption", tag = "exemptions",
    params(("tenant_id" = TenantId, Path, description = "The tenant"),
           ("exemption_id" = ExemptionId, Path, description = "The exemption")),
    responses((status = 200, description = "The exemption", body = Exemption))
)]
#[get("/v1/tenants/{tenant_id}/exemptions/{exemption_id}")]
pub(crate) async fn get_exemption(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(TenantId, ExemptionId)>,
) -> Answer {
    let (tenant_id, id) = ids.0;
    let exemption = usecases::exemptions::get(&context, &caller.request, tenant_id, id).await?;
    Ok(ok(&Exemption::from(exemption)))
}
