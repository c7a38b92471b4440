//! `GET /v1/tenants/{tenant_id}/apps/{app_id}/policy`

use super::{Policy, etag};
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::Answer,
    },
    ids::{AppId, TenantId},
    usecases,
};
use actix_web::{HttpResponse, get, web::Data};

/// Get the policy of an app.
///
/// The newest version; `in_force` tells whether the triggers have it already.
#[utoipa::path(
    operation_id = "getPolicy", tag = "apps",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), ("app_id" = AppId, Path, description = "The app")),
    responses((status = 200, description = "The policy", body = Policy,
               headers(("ETag" = String, description = "The version, for `If-Match`"))))
)]
#[get("/v1/tenants/{tenant_id}/apps/{app_id}/policy")]
pub(crate) async fn get_policy(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(TenantId, AppId)>,
) -> Answer {
    let (tenant_id, app_id) = ids.0;
    let version = usecases::policies::get(&context, &caller.request, tenant_id, app_id).await?;
    Ok(HttpResponse::Ok()
        .insert_header(etag(version.version))
        .json(Policy::from(version)))
}
