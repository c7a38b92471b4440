//! `GET /v1/tenants/{tenant_id}/drift`

use super::DriftReport;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::{Answer, ok},
    },
    ids::TenantId,
    usecases::drift,
};
use actix_web::{get, web::Data};

/// Get the drift report of a tenant.
///
/// What AWS had other than wanted when it was last compared. The condition `Drifted` of the tenant and the webhook event
/// `tenant.drifted` tell the same.
#[utoipa::path(
    operation_id = "getTenantDrift", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    responses((status = 200, description = "What differs", body = DriftReport))
)]
#[get("/v1/tenants/{tenant_id}/drift")]
pub(crate) async fn get_drift(
    caller: Caller<AsReader>,
    context: Data<Context>,
    id: PathIds<TenantId>,
) -> Answer {
    let drift = drift::get(&context, &caller.request, id.0).await?;
    Ok(ok(&DriftReport::from(drift)))
}
