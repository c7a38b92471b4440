//! `GET /v1/tenants/{tenant_id}/template`

use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::{Answer, ok},
    },
    ids::TenantId,
    usecases::templates::{self, RenderedStack},
};
use actix_web::{get, web::Data};
use serde::Serialize;
use std::collections::BTreeMap;

/// A tenant's CloudFormation stack, as it is wanted now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TenantTemplate {
    /// Name of the stack.
    #[schema(example = "stepgate-01jd7v0p3h8s5k2m4n6q9r1t0w")]
    pub stack_name: String,
    /// ARN of the stack, once there is one.
    pub stack_id: Option<String>,
    /// AWS region.
    #[schema(example = "eu-central-1")]
    pub region: String,
    /// The template, YAML.
    pub template: String,
    /// SHA-256 of the template, hex.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub digest: String,
    /// Its parameters. `SettingsSecretArn` is empty until the secret was made. No secret is among them.
    #[schema(value_type = BTreeMap<String, String>)]
    pub parameters: BTreeMap<&'static str, String>,
    /// Tags of the stack.
    #[schema(value_type = BTreeMap<String, String>)]
    pub tags: BTreeMap<&'static str, String>,
}

impl From<RenderedStack> for TenantTemplate {
    fn from(stack: RenderedStack) -> Self {
        Self {
            stack_name: stack.stack_name,
            stack_id: stack.stack_id,
            region: stack.region,
            template: stack.template,
            digest: stack.digest,
            parameters: stack.parameters,
            tags: stack.tags,
        }
    }
}

/// Get the template of a tenant.
///
/// For reviews: what Stepgate gives CloudFormation for this tenant, with every parameter. Deploying it by hand makes
/// no tenant; for that there is `GET /v1/templates/standalone`.
#[utoipa::path(
    operation_id = "getTenantTemplate", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    responses((status = 200, description = "Template and parameters", body = TenantTemplate)),
    extensions(("x-problems" = json!(["tenant_state"])))
)]
#[get("/v1/tenants/{tenant_id}/template")]
pub(crate) async fn get_template(
    caller: Caller<AsReader>,
    context: Data<Context>,
    id: PathIds<TenantId>,
) -> Answer {
    let stack = templates::of_tenant(&context, &caller.request, id.0).await?;
    Ok(ok(&TenantTemplate::from(stack)))
}
