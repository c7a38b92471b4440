//! `GET /v1/tenants/{tenant_id}/blockid/methods`

use super::Methods;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::{Answer, ok_at},
    },
    ids::TenantId,
    usecases::methods,
};
use actix_web::{get, web::Data};

/// Get the methods of a tenant.
///
/// The shipped ones and those of its own, with what pilot step-ups taught about each. The `ETag` is the tenant's: every accepted
/// change of the tenant makes another.
#[utoipa::path(
    operation_id = "getMethods", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    responses((status = 200, description = "Every method, with what was learned about it", body = Methods,
               headers(("ETag" = String, description = "Generation of the tenant, for `If-Match`"))))
)]
#[get("/v1/tenants/{tenant_id}/blockid/methods")]
pub(crate) async fn get_methods(
    caller: Caller<AsReader>,
    context: Data<Context>,
    id: PathIds<TenantId>,
) -> Answer {
    let known = methods::get(&context, &caller.request, id.0).await?;
    Ok(ok_at(known.generation, &Methods::from(known)))
}
