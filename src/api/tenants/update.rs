//! `PATCH /v1/tenants/{tenant_id}`

use super::{AcceptedTenant, Tenant};
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, PathIds, RequestBody},
        operations::Operation,
        respond::{Answer, accepted},
    },
    domain::{object::objects_only, pool::PoolChange},
    ids::TenantId,
    usecases::tenants,
};
use actix_web::{patch, web::Data};
use serde::Deserialize;

/// A change of a tenant; what is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"pool": {"password": {"min_length": 16}}}))]
pub struct TenantChange {
    /// Name for people, unique at the partner.
    #[schema(min_length = 1, max_length = 128)]
    pub name: Option<String>,
    /// Settings of the user pool. What Cognito fixes at creation is refused with code `create_only`.
    pub pool: Option<PoolChange>,
}

objects_only!(TenantChange);

impl RequestBody for TenantChange {}

/// Change a tenant.
///
/// For partner administrators.
#[utoipa::path(
    operation_id = "updateTenant", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    request_body = TenantChange,
    responses((status = 202, description = "The tenant as asked for, and the operation that brings AWS to it",
               body = AcceptedTenant, headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!(["name_taken", "tenant_state"])))
)]
#[patch("/v1/tenants/{tenant_id}")]
pub(crate) async fn update_tenant(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    id: PathIds<TenantId>,
    body: Body<TenantChange>,
) -> Answer {
    let Body(TenantChange { name, pool }) = body;
    let change = tenants::TenantChange { name, pool };
    let (tenant, (operation, steps)) = tenants::update(&context, &caller.request, id.0, change).await?;
    let id = operation.id;
    Ok(accepted(
        &id,
        &AcceptedTenant {
            tenant: Tenant::from(tenant),
            operation: Operation::new(operation, steps),
        },
    ))
}
