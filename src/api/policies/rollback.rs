//! `POST /v1/tenants/{tenant_id}/apps/{app_id}/policy:rollback`

use super::put::{AcceptedPolicy, written};
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, PathIds, RequestBody, if_match},
        respond::Answer,
    },
    domain::object::objects_only,
    ids::{AppId, TenantId},
    usecases::policies::{self, Content},
};
use actix_web::{HttpRequest, post, web::Data};
use serde::Deserialize;

/// Which version to write again.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"version": 1}))]
pub struct Rollback {
    /// An older version; its document becomes a new version.
    #[schema(minimum = 1)]
    pub version: i64,
}

objects_only!(Rollback);

impl RequestBody for Rollback {}

/// Write an older version of a policy again.
///
/// For partner administrators. History is not rewritten: the older document becomes a new version. It is judged
/// like a new one, because the app's settings may have changed since.
#[utoipa::path(
    operation_id = "rollbackPolicy", tag = "apps",
    params(
        ("tenant_id" = TenantId, Path, description = "The tenant"),
        ("app_id" = AppId, Path, description = "The app"),
        ("If-Match" = String, Header, pattern = r#"^"[1-9][0-9]{0,17}"$"#, description = "`ETag` of the version to be replaced", example = "\"2\"")
    ),
    request_body = Rollback,
    responses((status = 202, description = "The new version, and the operation that brings it to the triggers",
               body = AcceptedPolicy,
               headers(("Location" = String, description = "Path of the operation"),
                       ("ETag" = String, description = "The new version")))),
    extensions(("x-problems" = json!(["precondition_required", "precondition_failed", "tenant_state"])))
)]
#[post("/v1/tenants/{tenant_id}/apps/{app_id}/policy:rollback")]
pub(crate) async fn rollback_policy(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    request: HttpRequest,
    ids: PathIds<(TenantId, AppId)>,
    body: Body<Rollback>,
) -> Answer {
    let replaces = if_match(&request)?;
    let says = Content::Version(body.0.version);
    Ok(written(
        policies::put(&context, &caller.request, ids.0, replaces, says).await?,
    ))
}
