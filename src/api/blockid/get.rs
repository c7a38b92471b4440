//! `GET /v1/tenants/{tenant_id}/blockid`

use super::Connection;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::{Answer, ok_at},
    },
    ids::TenantId,
    usecases::connections,
};
use actix_web::{get, web::Data};

/// Get a tenant's BlockID connection.
///
/// What is in force, the newest change and what the last check found. Its client secret is never shown. The `ETag` is the
/// tenant's: every accepted change of the tenant makes another.
#[utoipa::path(
    operation_id = "getConnection", tag = "blockid",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    responses((status = 200, description = "The connection, its newest change and its last check", body = Connection,
               headers(("ETag" = String, description = "Generation of the tenant, for `If-Match`"))))
)]
#[get("/v1/tenants/{tenant_id}/blockid")]
pub(crate) async fn get_connection(
    caller: Caller<AsReader>,
    context: Data<Context>,
    id: PathIds<TenantId>,
) -> Answer {
    let connection = connections::get(&context, &caller.request, id.0).await?;
    Ok(ok_at(connection.tenant.generation, &Connection::from(connection)))
}
