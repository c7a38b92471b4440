//! `GET /v1/operations/{operation_id}`

use super::Operation;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::{Answer, ok},
    },
    ids::OperationId,
    usecases,
};
use actix_web::{get, web::Data};

/// Get an operation.
///
/// Ask again every second or two until `state` is `succeeded`, `failed` or `cancelled`; or watch
/// `GET /v1/operations/{operation_id}/events`.
#[utoipa::path(
    operation_id = "getOperation", tag = "operations",
    params(("operation_id" = OperationId, Path, description = "The operation")),
    responses((status = 200, description = "The operation with its steps", body = Operation))
)]
#[get("/v1/operations/{operation_id}")]
pub(crate) async fn get_operation(
    caller: Caller<AsReader>,
    context: Data<Context>,
    id: PathIds<OperationId>,
) -> Answer {
    let (operation, steps) = usecases::operations::get(&context, &caller.request, id.0).await?;
    Ok(ok(&Operation::new(operation, steps)))
}
