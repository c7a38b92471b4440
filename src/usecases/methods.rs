//! The methods of a tenant: the shipped ones, its own, and what was learned about each.

use super::{Request, audit, operations, pilots, policies, require_as_read};
use crate::{
    Context, Result,
    domain::{
        actor::PartnerScope,
        audit::{AuditAction, AuditEntry},
        operation::OperationKind,
        tenant::Tenant,
        validation::Problems,
    },
    ids::TenantId,
    storage,
};
use serde_json::json;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use step_up::{assurance::Method, policy, settings::ObservedMethod};

/// A method and what was learned about it.
#[derive(Debug)]
pub struct KnownMethod {
    /// The method.
    pub method: Method,
    /// Whether it is the tenant's own.
    pub extra: bool,
    /// What the provider returned in the newest pilot step-up.
    pub observed: Option<ObservedMethod>,
}

/// Every method of a tenant, at its generation.
#[derive(Debug)]
pub struct Known {
    /// Generation of the tenant.
    pub generation: i64,
    /// The shipped ones first.
    pub methods: Vec<KnownMethod>,
}

/// Every method of a tenant.
#[tracing::instrument(target = "stepgate::trace", name = "methods.get", skip_all)]
pub async fn get(context: &Context, request: &Request, tenant_id: TenantId) -> Result<Known> {
    let scope = request.actor.reader()?;
    let tenant = storage::tenants::get(&mut *context.db.begin(&scope).await?, &scope, tenant_id).await?;
    Ok(known(&tenant))
}

/// Puts other methods beside the shipped ones of a tenant that is at generation `replaces`. Refused when a policy would be left with a promise it cannot keep.
#[tracing::instrument(target = "stepgate::trace", name = "methods.put_extra", skip_all)]
pub async fn put_extra(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    replaces: i64,
    extra: Vec<Method>,
) -> Result<(Known, operations::Watched)> {
    let scope = request.actor.partner_admin()?;
    let mut tx = context.db.begin(&scope).await?;
    let before = storage::tenants::lock(&mut tx, &scope, tenant_id).await?;
    require_as_read("tenant", before.generation, replaces)?;
    let mut problems = Problems::new();
    let mut after = before.clone();
    problems.within("/extra_methods", |problems| {
        after.methods = before.methods.clone().with_extra(extra, problems);
    });
    problems.finish()?;
    before.require_active()?;
    let mut problems = Problems::new();
    for (name, message) in broken_policies(&mut tx, &scope, &before, &after).await? {
        let detail = format!("the policy of the app `{name}` could not be kept any more: {message}");
        problems.add("/extra_methods", "in_use", detail);
    }
    problems.finish()?;

    storage::tenants::set_methods(&mut tx, &scope, tenant_id, &after.methods).await?;
    let names = |tenant: &Tenant| -> Vec<String> {
        let extra = tenant.methods.extra.iter();
        extra.map(|method| method.acr.clone()).collect()
    };
    let entry = AuditEntry {
        tenant_id: Some(tenant_id),
        resource_id: tenant_id.to_string(),
        action: AuditAction::MethodsChanged,
        reason: "the tenant's own methods".to_owned(),
        detail: json!({ "before": names(&before), "after": names(&after) }),
    };
    audit::record(&mut tx, context, request, &scope, &entry, context.clock.now()).await?;
    let kind = OperationKind::UpdateMethods;
    let operation = pilots::tell_triggers(&mut tx, context, request, &scope, &after, kind).await?;
    after.generation = operation.0.target_generation;
    tx.commit().await?;
    Ok((known(&after), operation))
}

fn known(tenant: &Tenant) -> Known {
    let mut observed = tenant.methods.observed(&tenant.blockid);
    let is_extra = |acr: &str| tenant.methods.extra.iter().any(|method| method.acr == acr);
    let methods = tenant.methods.catalogue().into_iter();
    let methods = methods.map(|method| KnownMethod {
        extra: is_extra(&method.acr),
        observed: observed.remove(&method.acr),
        method,
    });
    Known {
        generation: tenant.generation,
        methods: methods.collect(),
    }
}

/// Apps whose policy in force would have errors that it does not have now, with the first of them.
async fn broken_policies(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    before: &Tenant,
    after: &Tenant,
) -> Result<BTreeMap<String, String>> {
    let mut broken = BTreeMap::new();
    for (name, settings, document) in storage::policies::in_use(tx, scope, before.id).await? {
        let judge = |tenant: &Tenant| {
            policy::validate(
                &document,
                &policies::validation_context(&settings, &tenant.into()),
            )
            .errors
        };
        let accepted: BTreeSet<_> = judge(before)
            .into_iter()
            .map(|finding| (finding.pointer, finding.code))
            .collect();
        let new = judge(after)
            .into_iter()
            .find(|finding| !accepted.contains(&(finding.pointer.clone(), finding.code.clone())));
        if let Some(finding) = new {
            broken.insert(name, finding.message);
        }
    }
    Ok(broken)
}
