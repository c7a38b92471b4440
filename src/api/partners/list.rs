//! `GET /v1/partners`

use super::Partner;
use crate::{
    Context,
    api::{
        extract::{AsInstallationReader, Caller, Paging, PagingParams},
        respond::{Answer, ok},
    },
    usecases,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// A page of partners.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PartnerPage {
    /// Oldest first.
    pub items: Vec<Partner>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// List the partners.
///
/// For operators and auditors. Oldest first.
#[utoipa::path(
    operation_id = "listPartners", tag = "partners",
    params(PagingParams),
    responses((status = 200, description = "A page of partners", body = PartnerPage))
)]
#[get("/v1/partners")]
pub(crate) async fn list_partners(
    caller: Caller<AsInstallationReader>,
    context: Data<Context>,
    paging: Paging,
) -> Answer {
    let page = usecases::partners::list(&context, &caller.request, &paging.0).await?;
    Ok(ok(&PartnerPage {
        items: page.items.into_iter().map(Partner::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
