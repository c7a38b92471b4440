//! `GET /v1/tenants/{tenant_id}/apps/{app_id}`

use super::App;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::{Answer, ok},
    },
    ids::{AppId, TenantId},
    usecases,
};
use actix_web::{get, web::Data};

/// Get an app.
#[utoipa::path(
    operation_id = "getApp", tag = "apps",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), ("app_id" = AppId, Path, description = "The app")),
    responses((status = 200, description = "The app", body = App))
)]
#[get("/v1/tenants/{tenant_id}/apps/{app_id}")]
pub(crate) async fn get_app(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(TenantId, AppId)>,
) -> Answer {
    let (tenant_id, app_id) = ids.0;
    let app = usecases::apps::get(&context, &caller.request, tenant_id, app_id).await?;
    Ok(ok(&App::from(app)))
}
