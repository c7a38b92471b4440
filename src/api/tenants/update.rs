//! `PATCH /v1/tenants/{tenant_id}`

use super::{AcceptedTenant, accepted_tenant};
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, PathIds, RequestBody, given, if_match},
        respond::Answer,
    },
    domain::{drift::DriftMode, object::objects_only, pool::PoolChange},
    ids::TenantId,
    usecases::tenants,
};
use actix_web::{HttpRequest, patch, web::Data};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A change of a tenant; what is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"pool": {"password": {"min_length": 16}}}))]
pub struct TenantChange {
    /// Name for people, unique at the partner.
    #[schema(min_length = 1, max_length = 128)]
    pub name: Option<String>,
    /// What the partner's own system calls the tenant; `null` takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    pub external_id: Option<Option<String>>,
    /// Labels to set; those with `null` are taken away, others stay.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    pub labels: BTreeMap<String, Option<String>>,
    /// Settings of the user pool. What Cognito fixes at creation is refused with code `create_only`.
    pub pool: Option<PoolChange>,
    /// What is done when AWS is found other than wanted.
    pub drift_mode: Option<DriftMode>,
}

objects_only!(TenantChange);

impl RequestBody for TenantChange {}

/// Change a tenant.
///
/// For partner administrators.
#[utoipa::path(
    operation_id = "updateTenant", tag = "tenants",
    params(
        ("tenant_id" = TenantId, Path, description = "The tenant"),
        ("If-Match" = String, Header, pattern = r#"^"[1-9][0-9]{0,17}"$"#, description = "`ETag` of the tenant as it was read", example = "\"1\"")
    ),
    request_body = TenantChange,
    responses((status = 202, description = "The tenant as asked for, and the operation that brings AWS to it",
               body = AcceptedTenant, headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!(["name_taken", "external_id_taken", "tenant_state", "precondition_required", "precondition_failed"])))
)]
#[patch("/v1/tenants/{tenant_id}")]
pub(crate) async fn update_tenant(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    request: HttpRequest,
    id: PathIds<TenantId>,
    body: Body<TenantChange>,
) -> Answer {
    let replaces = if_match(&request)?;
    let Body(body) = body;
    let change = tenants::TenantChange {
        name: body.name,
        external_id: body.external_id,
        labels: body.labels,
        pool: body.pool,
        drift_mode: body.drift_mode,
    };
    Ok(accepted_tenant(
        tenants::update(&context, &caller.request, id.0, replaces, change).await?,
    ))
}
