//! `PUT /v1/tenants/{tenant_id}/apps/{app_id}/policy`

use super::{Policy, etag, findings, findings::Finding};
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, PathIds, RequestBody, if_match},
        operations::Operation,
        respond::{Answer, accepted},
    },
    ids::{AppId, TenantId},
    usecases::policies::{self, Content, Written},
};
use actix_web::{HttpRequest, HttpResponse, http::header::HeaderName, put, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::{
    ObjectBuilder, RefOr,
    schema::{Schema, Type},
};

/// A policy document: ordered rules, first match wins, with a required default.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct PolicyBody(pub serde_json::Value);

impl utoipa::PartialSchema for PolicyBody {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .description(Some("A policy document: ordered rules, first match wins, with a required default."))
            .property("schema_version", ObjectBuilder::new().schema_type(Type::Integer))
            .property("rules", utoipa::openapi::ArrayBuilder::new().items(ObjectBuilder::new()))
            .property("default", ObjectBuilder::new())
            .required("default")
            .examples([json!({
                "schema_version": 1,
                "default": {"step_up": "required", "methods": ["liveID push", "otp", "otp sms"], "attempts": 2}
            })])
            .into()
    }
}

impl utoipa::ToSchema for PolicyBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "PolicyDocument".into()
    }
}

impl RequestBody for PolicyBody {
    const MAX_BYTES: usize = step_up::policy::MAX_DOCUMENT_BYTES + 1024;
}

/// A policy version and the operation that was opened for it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AcceptedPolicy {
    /// The new version.
    pub policy: Policy,
    /// The work that brings it to the triggers.
    pub operation: Operation,
    /// What its author should know.
    pub warnings: Vec<Finding>,
}

/// Replace the policy of an app.
///
/// For partner administrators. Everything that is wrong with the document is reported at once.
#[utoipa::path(
    operation_id = "putPolicy", tag = "apps",
    params(
        ("tenant_id" = TenantId, Path, description = "The tenant"),
        ("app_id" = AppId, Path, description = "The app"),
        ("If-Match" = String, Header, pattern = r#"^"[1-9][0-9]{0,17}"$"#, description = "`ETag` of the version to be replaced", example = "\"1\"")
    ),
    request_body = PolicyBody,
    responses((status = 202, description = "The new version, and the operation that brings it to the triggers",
               body = AcceptedPolicy,
               headers(("Location" = String, description = "Path of the operation"),
                       ("ETag" = String, description = "The new version")))),
    extensions(("x-problems" = json!(["precondition_required", "precondition_failed", "tenant_state"])))
)]
#[put("/v1/tenants/{tenant_id}/apps/{app_id}/policy")]
pub(crate) async fn put_policy(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    request: HttpRequest,
    ids: PathIds<(TenantId, AppId)>,
    body: Body<PolicyBody>,
) -> Answer {
    let replaces = if_match(&request)?;
    let says = Content::Document(&body.0.0);
    Ok(written(
        policies::put(&context, &caller.request, ids.0, replaces, says).await?,
    ))
}

/// The answer to a version that was written.
pub(super) fn written(written: Written) -> HttpResponse {
    let (operation, steps) = written.operation;
    let (id, (name, value)) = (operation.id, etag(written.version.version));
    let accepted_policy = AcceptedPolicy {
        policy: Policy::from(written.version),
        operation: Operation::new(operation, steps),
        warnings: findings::all(written.warnings),
    };
    let mut response = accepted(&id, &accepted_policy);
    if let Ok(value) = value.parse() {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
    response
}
