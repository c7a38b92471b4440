//! `POST /v1/tenants/{tenant_id}/blockid:revert`

use super::{AcceptedConnection, Connection};
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, PathIds, RequestBody},
        operations::Operation,
        respond::{Answer, accepted},
    },
    domain::object::objects_only,
    ids::TenantId,
    usecases::connections,
};
use actix_web::{post, web::Data};
use serde::Deserialize;

/// Going back.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"reason": "The new secret was of another environment"}))]
pub struct Reversion {
    /// `confirmation.confirm` of the refusal, when going back makes links and evidence void.
    #[schema(max_length = 128)]
    pub confirm: Option<String>,
    /// Why; for the audit log.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: Option<String>,
}

objects_only!(Reversion);

impl RequestBody for Reversion {}

/// Go back to the connection that was in force before the last change.
///
/// For partner administrators. The previous connection and secret are tried as new ones are, and put in force only when
/// BlockID accepts them.
#[utoipa::path(
    operation_id = "revertConnection", tag = "blockid",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    request_body = Reversion,
    responses((status = 202, description = "The connection with its change, and the operation that tries it",
               body = AcceptedConnection, headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!([
        "tenant_state", "confirmation_required", "connection_changing", "nothing_to_revert", "cell_unavailable"])))
)]
#[post("/v1/tenants/{tenant_id}/blockid:revert")]
pub(crate) async fn revert_connection(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    id: PathIds<TenantId>,
    body: Body<Reversion>,
) -> Answer {
    let Body(Reversion { confirm, reason }) = body;
    let (connection, (operation, steps)) =
        connections::revert(&context, &caller.request, id.0, confirm, reason).await?;
    let id = operation.id;
    Ok(accepted(
        &id,
        &AcceptedConnection {
            connection: Connection::from(connection),
            operation: Operation::new(operation, steps),
        },
    ))
}
