//! `GET /v1/tenants/{tenant_id}`

use super::Tenant;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::{Answer, ok_at},
    },
    ids::TenantId,
    usecases,
};
use actix_web::{get, web::Data};

/// Get a tenant.
#[utoipa::path(
    operation_id = "getTenant", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    responses((status = 200, description = "The tenant", body = Tenant,
               headers(("ETag" = String, description = "Its generation, for `If-Match`"))))
)]
#[get("/v1/tenants/{tenant_id}")]
pub(crate) async fn get_tenant(
    caller: Caller<AsReader>,
    context: Data<Context>,
    id: PathIds<TenantId>,
) -> Answer {
    let tenant = usecases::tenants::get(&context, &caller.request, id.0).await?;
    Ok(ok_at(tenant.generation, &Tenant::from(tenant)))
}
