//! `POST /v1/tenants/{tenant_id}/drift:check`

use super::DriftReport;
use crate::{
    Context,
    api::{
        extract::{AsAdministrator, Caller, PathIds},
        respond::Answer,
    },
    ids::TenantId,
    usecases::drift,
};
use actix_web::{HttpResponse, post, web::Data};

/// Have a tenant compared with AWS now.
///
/// For partner administrators and operators. A worker does it as soon as the installation's budget of comparisons allows,
/// most often within seconds: the report then has a later `checked_at`. In mode `heal` what could not be written back is
/// tried again.
#[utoipa::path(
    operation_id = "checkTenantDrift", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    responses((status = 202, description = "What is known until then", body = DriftReport)),
    extensions(("x-problems" = json!(["tenant_state"])))
)]
#[post("/v1/tenants/{tenant_id}/drift:check")]
pub(crate) async fn check_drift(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    id: PathIds<TenantId>,
) -> Answer {
    let drift = drift::ask(&context, &caller.request, id.0).await?;
    Ok(HttpResponse::Accepted().json(DriftReport::from(drift)))
}
