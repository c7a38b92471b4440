//! `POST /v1/tenants/{tenant_id}/blockid:check`

use crate::{
    Context,
    api::{
        extract::{AsAdministrator, Caller, PathIds},
        respond::{Answer, ok},
    },
    domain::connection_check::ConnectionReport,
    ids::TenantId,
    usecases::connection_checks,
};
use actix_web::{post, web::Data};

/// Check a tenant's BlockID connection.
///
/// For partner administrators and operators. Takes half a minute at most. The client secret is tried by the tenant's own
/// function, with a code that cannot exist. What is found is kept with the tenant: a policy may ask for phishing
/// resistance only while `frame_ancestors` is limited to its app's origins.
#[utoipa::path(
    operation_id = "checkTenantConnection", tag = "blockid",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    responses((status = 200, description = "What was found, check by check", body = ConnectionReport)),
    extensions(("x-problems" = json!(["tenant_state"])))
)]
#[post("/v1/tenants/{tenant_id}/blockid:check")]
pub(crate) async fn check_tenant_connection(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    id: PathIds<TenantId>,
) -> Answer {
    Ok(ok(
        &connection_checks::check(&context, &caller.request, id.0).await?
    ))
}
