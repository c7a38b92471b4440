//! `GET /v1/tenants/{tenant_id}/apps`

use super::App;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, Paging, PagingParams, PathIds},
        respond::{Answer, ok},
    },
    ids::TenantId,
    usecases,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// A page of apps.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AppPage {
    /// Oldest first.
    pub items: Vec<App>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// List the apps of a tenant.
///
/// Oldest first.
#[utoipa::path(
    operation_id = "listApps", tag = "apps",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), PagingParams),
    responses((status = 200, description = "A page of apps", body = AppPage))
)]
#[get("/v1/tenants/{tenant_id}/apps")]
pub(crate) async fn list_apps(
    caller: Caller<AsReader>,
    context: Data<Context>,
    tenant_id: PathIds<TenantId>,
    paging: Paging,
) -> Answer {
    let page = usecases::apps::list(&context, &caller.request, tenant_id.0, &paging.0).await?;
    Ok(ok(&AppPage {
        items: page.items.into_iter().map(App::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
