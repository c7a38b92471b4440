//! `POST /v1/operations/{operation_id}:cancel`

use super::Operation;
use crate::{
    Context,
    api::{
        extract::{AsAdministrator, Body, Caller, PathIds},
        respond::{Answer, ok},
        tenants::suspend::Reason,
    },
    ids::OperationId,
    usecases,
};
use actix_web::{post, web::Data};

/// Stop the work on an operation.
///
/// For partner administrators and operators. Taken while the operation is `pending` or `running`; a step that a worker
/// is in ends where it can be taken up again, and no further one begins. What was asked for stays asked for: it is
/// brought about with the next change of the tenant, and at once if other operations of the tenant are open. To have
/// it undone, ask for the opposite. Suspending and resuming cannot be cancelled.
#[utoipa::path(
    operation_id = "cancelOperation", tag = "operations",
    params(("operation_id" = OperationId, Path, description = "The operation")),
    request_body = Reason,
    responses((status = 200, description = "The operation, now `cancelled`", body = Operation)),
    extensions(("x-problems" = json!(["operation_state"])))
)]
#[post("/v1/operations/{operation_id}:cancel")]
pub(crate) async fn cancel_operation(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    id: PathIds<OperationId>,
    body: Body<Reason>,
) -> Answer {
    let (operation, steps) =
        usecases::operations::cancel(&context, &caller.request, id.0, body.0.reason).await?;
    Ok(ok(&Operation::new(operation, steps)))
}
