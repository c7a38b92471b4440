//! `POST /v1/tenants/{tenant_id}:purge`

use super::{AcceptedTenant, accepted_tenant};
use crate::{
    Context,
    api::{
        extract::{AsAdministrator, Body, Caller, PathIds, RequestBody},
        respond::Answer,
    },
    domain::object::objects_only,
    ids::TenantId,
    usecases::deletions::{self, Wanted},
};
use actix_web::{post, web::Data};
use serde::Deserialize;

/// How a tenant is purged.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"reason": "Contract 4711 ended", "retain_user_pool": false}))]
pub struct PurgeRequest {
    /// For the audit log, in the caller's words.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// Whether the user pool stays in the cell's account, with its users and their links. Nobody signs in to it, and
    /// Stepgate knows it no more.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub retain_user_pool: bool,
    /// Whether users may be deleted whom nobody has exported since the tenant was deleted.
    #[serde(default)]
    pub without_export: bool,
    /// Whether it is purged before `deletion.purge_from`; for operators.
    #[serde(default)]
    pub before_its_time: bool,
    /// `confirmation.confirm` of the answer to the same request without it.
    #[schema(max_length = 64)]
    pub confirm: Option<String>,
}

objects_only!(PurgeRequest);

impl RequestBody for PurgeRequest {}

const fn yes() -> bool {
    true
}

/// Remove a deleted tenant for good.
///
/// For partner administrators and operators, from `deletion.purge_from` on. The first request is answered with
/// `confirmation_required` and what is lost; the same request with `confirm` is carried through: app clients, stack,
/// user pool (unless it is to stay), secrets (an operator can restore them in AWS for a week), rows. The operation's
/// `report` tells what was deleted and what is kept; it can be read when the tenant is gone. Then the tenant's name and
/// external id are free.
#[utoipa::path(
    operation_id = "purgeTenant", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    request_body = PurgeRequest,
    responses((status = 202, description = "The tenant, and the operation that removes it", body = AcceptedTenant,
               headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!(["tenant_state", "export_required", "confirmation_required", "cell_unavailable"])))
)]
#[post("/v1/tenants/{tenant_id}:purge")]
pub(crate) async fn purge_tenant(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    id: PathIds<TenantId>,
    body: Body<PurgeRequest>,
) -> Answer {
    let Body(body) = body;
    let wanted = Wanted {
        retain_user_pool: body.retain_user_pool,
        without_export: body.without_export,
        before_its_time: body.before_its_time,
        confirm: body.confirm,
        reason: body.reason,
    };
    Ok(accepted_tenant(
        deletions::purge(&context, &caller.request, id.0, wanted).await?,
    ))
}
