//! `GET /v1/cells`

use super::Cell;
use crate::{
    Context,
    api::{
        extract::{AsInstallationReader, Caller},
        respond::{Answer, ok},
    },
    usecases,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// Every cell.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CellList {
    /// Oldest first.
    pub items: Vec<Cell>,
}

/// List the cells.
///
/// For operators and auditors. There are few; the list has no pages.
#[utoipa::path(
    operation_id = "listCells", tag = "cells",
    responses((status = 200, description = "The cells", body = CellList))
)]
#[get("/v1/cells")]
pub(crate) async fn list_cells(caller: Caller<AsInstallationReader>, context: Data<Context>) -> Answer {
    let cells = usecases::cells::list(&context, &caller.request).await?;
    Ok(ok(&CellList {
        items: cells.into_iter().map(Cell::from).collect(),
    }))
}
