//! `PUT /v1/tenants/{tenant_id}/alarms`

use super::TenantAlarms;
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, PathIds, RequestBody, if_match},
        respond::{Answer, ok_at},
    },
    domain::alarm::Thresholds,
    ids::TenantId,
    usecases::alarms,
};
use actix_web::{HttpRequest, put, web::Data};

impl RequestBody for Thresholds {}

/// Replace what a tenant is watched for.
///
/// For partner administrators. What is absent or `null` is not watched any more, and an alarm of it that is on is
/// cleared within a minute or two.
#[utoipa::path(
    operation_id = "putTenantAlarms", tag = "alarms",
    params(
        ("tenant_id" = TenantId, Path, description = "The tenant"),
        ("If-Match" = String, Header, pattern = r#"^"[1-9][0-9]{0,17}"$"#, description = "`ETag` of the thresholds as they were read", example = "\"1\"")
    ),
    request_body = Thresholds,
    responses((status = 200, description = "Thresholds and alarms", body = TenantAlarms,
               headers(("ETag" = String, description = "The new version")))),
    extensions(("x-problems" = json!(["tenant_state", "precondition_required", "precondition_failed"])))
)]
#[put("/v1/tenants/{tenant_id}/alarms")]
pub(crate) async fn put_tenant_alarms(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    request: HttpRequest,
    id: PathIds<TenantId>,
    body: Body<Thresholds>,
) -> Answer {
    let replaces = if_match(&request)?;
    let put = alarms::put(&context, &caller.request, id.0, replaces, body.0).await?;
    let body = TenantAlarms::new(id.0, put);
    Ok(ok_at(body.version, &body))
}
