//! `GET /v1/tenants/{tenant_id}/alarms`

use super::TenantAlarms;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::{Answer, ok_at},
    },
    ids::TenantId,
    usecases::alarms,
};
use actix_web::{get, web::Data};

/// Get what a tenant is watched for.
///
/// The thresholds, and the alarms that are on.
#[utoipa::path(
    operation_id = "getTenantAlarms", tag = "alarms",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    responses((status = 200, description = "Thresholds and alarms", body = TenantAlarms,
               headers(("ETag" = String, description = "The version, for `If-Match`"))))
)]
#[get("/v1/tenants/{tenant_id}/alarms")]
pub(crate) async fn get_tenant_alarms(
    caller: Caller<AsReader>,
    context: Data<Context>,
    id: PathIds<TenantId>,
) -> Answer {
    let found = alarms::get(&context, &caller.request, id.0).await?;
    let body = TenantAlarms::new(id.0, found);
    Ok(ok_at(body.version, &body))
}
