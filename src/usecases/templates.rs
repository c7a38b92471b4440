//! Templates as people look at them. What is shown is what the worker would use at this moment.

use super::Request;
use crate::{Context, Result, ids::TenantId, provisioning::template, provisioning::wanted, storage};
use std::collections::BTreeMap;

/// A tenant's stack, rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedStack {
    /// Name of the stack.
    pub stack_name: String,
    /// ARN of the stack, once there is one.
    pub stack_id: Option<String>,
    /// AWS region.
    pub region: String,
    /// The template, YAML.
    pub template: String,
    /// Its SHA-256, hex.
    pub digest: String,
    /// Its parameters. None of them is secret: the client secret does not pass through the stack.
    pub parameters: BTreeMap<&'static str, String>,
    /// Tags of the stack.
    pub tags: BTreeMap<&'static str, String>,
}

/// The stack of a tenant as it is wanted now.
#[tracing::instrument(target = "stepgate::trace", name = "templates.of_tenant", skip_all)]
pub async fn of_tenant(context: &Context, request: &Request, id: TenantId) -> Result<RenderedStack> {
    let scope = request.actor.reader()?;
    let mut db = context.db.begin(&scope).await?;
    // A tenant whose secret has not arrived is not provisioned yet.
    storage::tenants::get(&mut db, &scope, id)
        .await?
        .require_active()?;
    let desired = storage::reconcile::look(&mut db, &scope, id).await?;
    let template = template::of(&desired);
    // Unknown until the first step of provisioning made it.
    let settings_secret_arn = desired.observed.settings_secret_arn.clone().unwrap_or_default();
    let stack = wanted::stack(&desired, &template, &settings_secret_arn);
    Ok(RenderedStack {
        stack_name: stack.name,
        stack_id: desired
            .observed
            .stack
            .as_ref()
            .map(|stack| stack.stack_id.clone()),
        region: desired.cell.region.clone(),
        parameters: stack.parameters,
        tags: stack.tags.into_iter().collect(),
        digest: template.digest.clone(),
        template: template.body.into_owned(),
    })
}

/// The template for people who deploy by hand, without a control plane.
pub fn standalone(request: &Request) -> Result<String> {
    request.actor.reader()?;
    Ok(template::standalone().body.into_owned())
}
