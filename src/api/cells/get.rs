//! `GET /v1/cells/{cell_id}`

use super::Cell;
use crate::{
    Context,
    api::{
        extract::{AsInstallationReader, Caller, PathIds},
        respond::{Answer, ok_at},
    },
    ids::CellId,
    usecases,
};
use actix_web::{get, web::Data};

/// Get a cell.
///
/// For operators and auditors.
#[utoipa::path(
    operation_id = "getCell", tag = "cells",
    params(("cell_id" = CellId, Path, description = "The cell")),
    responses((status = 200, description = "The cell", body = Cell,
               headers(("ETag" = String, description = "Its revision, for `If-Match`"))))
)]
#[get("/v1/cells/{cell_id}")]
pub(crate) async fn get_cell(
    caller: Caller<AsInstallationReader>,
    context: Data<Context>,
    id: PathIds<CellId>,
) -> Answer {
    let roomy = usecases::cells::get(&context, &caller.request, id.0).await?;
    Ok(ok_at(roomy.cell.revision, &Cell::from(roomy)))
}
