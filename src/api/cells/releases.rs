//! `GET /v1/cells/{cell_id}/releases`

use crate::{
    Context,
    api::{
        extract::{AsInstallationReader, Caller, Paging, PagingParams, PathIds},
        respond::{Answer, ok},
    },
    domain::cell::Release,
    ids::CellId,
    usecases,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// A page of releases of a cell.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ReleasePage {
    /// Newest first.
    pub items: Vec<Release>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// List the releases of a cell.
///
/// For operators and auditors. A release is trigger artifacts and a template that tenants can be brought to by a rollout;
/// `stepgate cell apply` registers them. Newest first.
#[utoipa::path(
    operation_id = "listReleases", tag = "cells",
    params(("cell_id" = CellId, Path, description = "The cell"), PagingParams),
    responses((status = 200, description = "A page of releases", body = ReleasePage))
)]
#[get("/v1/cells/{cell_id}/releases")]
pub(crate) async fn list_releases(
    caller: Caller<AsInstallationReader>,
    context: Data<Context>,
    id: PathIds<CellId>,
    paging: Paging,
) -> Answer {
    let page = usecases::cells::releases(&context, &caller.request, id.0, &paging.0).await?;
    Ok(ok(&ReleasePage {
        items: page.items,
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
