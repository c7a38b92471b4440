//! `GET /v1/cells`

use super::Cell;
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

/// A page of cells.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CellPage {
    /// Oldest first.
    pub items: Vec<Cell>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// List the cells.
///
/// For operators and auditors. Oldest first.
#[utoipa::path(
    operation_id = "listCells", tag = "cells",
    params(PagingParams),
    responses((status = 200, description = "A page of cells", body = CellPage))
)]
#[get("/v1/cells")]
pub(crate) async fn list_cells(
    caller: Caller<AsInstallationReader>,
    context: Data<Context>,
    paging: Paging,
) -> Answer {
    let page = usecases::cells::list(&context, &caller.request, &paging.0).await?;
    Ok(ok(&CellPage {
        items: page.items.into_iter().map(Cell::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
