//! `GET /v1/cells/{cell_id}/releases`

use crate::{
    Context,
    api::{
        extract::{AsInstallationReader, Caller, PathIds},
        respond::{Answer, ok},
    },
    domain::cell::Release,
    ids::CellId,
    usecases,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// Releases of a cell.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ReleaseList {
    /// Newest first.
    pub items: Vec<Release>,
}

/// List the releases of a cell.
///
/// For operators and auditors. A release is trigger artifacts and a template that tenants can be brought to by a rollout;
/// `stepgate cell apply` registers them. There are few; the list has no pages.
#[utoipa::path(
    operation_id = "listReleases", tag = "cells",
    params(("cell_id" = CellId, Path, description = "The cell")),
    responses((status = 200, description = "The releases", body = ReleaseList))
)]
#[get("/v1/cells/{cell_id}/releases")]
pub(crate) async fn list_releases(
    caller: Caller<AsInstallationReader>,
    context: Data<Context>,
    id: PathIds<CellId>,
) -> Answer {
    let items = usecases::cells::releases(&context, &caller.request, id.0).await?;
    Ok(ok(&ReleaseList { items }))
}
