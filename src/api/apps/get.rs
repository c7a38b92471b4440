//! `GET /v1/tenants/{tenant_id}/apps/{app_id}`

use super::{App, etag};
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

/// Get an app.
///
/// Its `ETag` is what `PATCH` takes in `If-Match`.
#[utoipa::path(
    operation_id = "getApp", tag = "apps",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), ("app_id" = AppId, Path, description = "The app")),
    responses((status = 200, description = "The app", body = App,
               headers(("ETag" = String, description = "Its revision, for `If-Match`"))))
)]
#[get("/v1/tenants/{tenant_id}/apps/{app_id}")]
pub(crate) async fn get_app(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(TenantId, AppId)>,
) -> Answer {
    let (tenant_id, app_id) = ids.0;
    let app = usecases::apps::get(&context, &caller.request, tenant_id, app_id).await?;
    Ok(HttpResponse::Ok()
        .insert_header(etag(app.revision))
        .json(App::from(app)))
}
