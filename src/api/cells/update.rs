//! `PATCH /v1/cells/{cell_id}`

use super::Cell;
use crate::{
    Context,
    api::{
        extract::{AsOperator, Body, Caller, PathIds, RequestBody, if_match},
        respond::{Answer, ok_at},
    },
    domain::{
        cell::{CallLimits, CellState, Quotas},
        object::objects_only,
    },
    ids::CellId,
    usecases::cells,
};
use actix_web::{HttpRequest, patch, web::Data};
use serde::Deserialize;

/// A change of a cell; what is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"state": "closed"}))]
pub struct CellChange {
    /// `closed` keeps the tenants that are there and takes no more.
    pub state: Option<CellState>,
    /// AWS quotas, in place of those that were given before: what is absent in it is AWS's default.
    pub quotas: Option<Quotas>,
    /// Calls a second that AWS allows the account and region, in place of those that were given before: what is absent in
    /// it is AWS's default. Workers keep to them from their next call on.
    pub aws_call_limits: Option<CallLimits>,
}

objects_only!(CellChange);

impl RequestBody for CellChange {}

/// Close or open a cell, or tell its quotas and how often AWS may be called.
///
/// For operators. Everything else of a cell is changed by `stepgate cell apply`, which leaves its `ETag` as it is.
#[utoipa::path(
    operation_id = "updateCell", tag = "cells",
    params(
        ("cell_id" = CellId, Path, description = "The cell"),
        ("If-Match" = String, Header, pattern = r#"^"[1-9][0-9]{0,17}"$"#, description = "`ETag` of the cell as it was read", example = "\"1\"")
    ),
    request_body = CellChange,
    responses((status = 200, description = "The cell", body = Cell,
               headers(("ETag" = String, description = "The new revision")))),
    extensions(("x-problems" = json!(["precondition_required", "precondition_failed"])))
)]
#[patch("/v1/cells/{cell_id}")]
pub(crate) async fn update_cell(
    caller: Caller<AsOperator>,
    context: Data<Context>,
    request: HttpRequest,
    id: PathIds<CellId>,
    body: Body<CellChange>,
) -> Answer {
    let replaces = if_match(&request)?;
    let change = cells::CellChange {
        state: body.0.state,
        quotas: body.0.quotas,
        aws_call_limits: body.0.aws_call_limits,
    };
    let roomy = cells::update(&context, &caller.request, id.0, replaces, change).await?;
    Ok(ok_at(roomy.cell.revision, &Cell::from(roomy)))
}
