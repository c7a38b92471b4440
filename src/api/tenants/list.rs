//! `GET /v1/tenants`

use super::Tenant;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, Paging, PagingParams},
        respond::{Answer, ok},
    },
    usecases,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// A page of tenants.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TenantPage {
    /// Oldest first.
    pub items: Vec<Tenant>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// List tenants.
///
/// A partner's own; every partner's for operators and auditors. Oldest first.
#[utoipa::path(
    operation_id = "listTenants", tag = "tenants",
    params(PagingParams),
    responses((status = 200, description = "A page of tenants", body = TenantPage))
)]
#[get("/v1/tenants")]
pub(crate) async fn list_tenants(caller: Caller<AsReader>, context: Data<Context>, paging: Paging) -> Answer {
    let page = usecases::tenants::list(&context, &caller.request, &paging.0).await?;
    Ok(ok(&TenantPage {
        items: page.items.into_iter().map(Tenant::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
