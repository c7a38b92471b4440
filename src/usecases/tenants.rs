//! Tenants: reading and changing them. Creating one has a file of its own.

use super::{Request, audit, operations};
use crate::{
    Context, Error, Result,
    domain::{
        audit::{AuditAction, AuditEntry},
        audit_diff,
        drift::DriftMode,
        operation::OperationKind,
        pool::PoolChange,
        tenant::{Labels, Tenant, TenantFilter, validate_external_id, validate_labels},
        validation::{NAME_MAX_CHARS, Problems},
    },
    error::Code,
    ids::TenantId,
    storage::{self, Page, PageRequest},
};
use serde_json::json;
use std::collections::BTreeMap;

/// One tenant.
#[tracing::instrument(target = "stepgate::trace", name = "tenants.get", skip_all)]
pub async fn get(context: &Context, request: &Request, id: TenantId) -> Result<Tenant> {
    let scope = request.actor.reader()?;
    storage::tenants::get(&mut *context.db.begin(&scope).await?, &scope, id).await
}

/// Tenants that pass a filter, oldest first.
#[tracing::instrument(target = "stepgate::trace", name = "tenants.list", skip_all)]
pub async fn list(
    context: &Context,
    request: &Request,
    filter: &TenantFilter,
    page: &PageRequest,
) -> Result<Page<Tenant>> {
    let scope = request.actor.reader()?;
    storage::tenants::list(&mut *context.db.begin(&scope).await?, &scope, filter, page).await
}

/// What may be changed; what is absent stays.
#[derive(Debug, Default)]
pub struct TenantChange {
    /// Name.
    pub name: Option<String>,
    /// What the partner's own system calls it; `Some(None)` takes it away.
    pub external_id: Option<Option<String>>,
    /// Labels to set, and, with `None`, to take away.
    pub labels: BTreeMap<String, Option<String>>,
    /// Pool settings, without those that Cognito fixed at creation.
    pub pool: Option<PoolChange>,
    /// What is done about drift.
    pub drift_mode: Option<DriftMode>,
}

/// Changes a tenant that is at generation `replaces`; the worker brings AWS to it.
#[tracing::instrument(target = "stepgate::trace", name = "tenants.update", skip_all)]
pub async fn update(
    context: &Context,
    request: &Request,
    id: TenantId,
    replaces: i64,
    change: TenantChange,
) -> Result<(Tenant, operations::Watched)> {
    let scope = request.actor.partner_admin()?;
    let mut tx = context.db.begin(&scope).await?;
    let mut tenant = storage::tenants::lock(&mut tx, &scope, id).await?;
    if tenant.generation != replaces {
        let detail = format!(
            "The tenant is at generation {}, not {replaces}: read it again.",
            tenant.generation
        );
        return Err(Error::new(Code::PreconditionFailed, detail));
    }
    let before = told(&tenant);
    let mut problems = Problems::new();
    if let Some(external_id) = change.external_id {
        tenant.external_id = external_id;
        validate_external_id(tenant.external_id.as_deref(), &mut problems);
    }
    change_labels(&mut tenant.labels, change.labels);
    validate_labels(&tenant.labels, &mut problems);
    if let Some(name) = change.name {
        problems.name("/name", &name, NAME_MAX_CHARS);
        tenant.name = name;
    }
    if let Some(pool) = change.pool {
        problems.within("/pool", |problems| {
            tenant.pool = tenant.pool.clone().change(pool, problems);
            tenant.pool.validate(problems);
        });
    }
    tenant.drift_mode = change.drift_mode.unwrap_or(tenant.drift_mode);
    problems.finish()?;
    tenant.require_active()?;
    let now = context.clock.now();
    storage::tenants::update(&mut tx, &scope, &tenant).await?;
    let target_generation = storage::tenants::bump_generation(&mut tx, &scope, id, now).await?;
    let after = told(&tenant);
    let entry = AuditEntry {
        tenant_id: Some(id),
        resource_id: id.to_string(),
        action: AuditAction::TenantUpdated,
        reason: String::new(),
        detail: audit_diff::diff(&before, &after)?,
    };
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    let subject = operations::Subject {
        kind: OperationKind::UpdateTenant,
        tenant_id: id,
        resource_id: id.to_string(),
        target_generation,
        now,
    };
    let operation = operations::open(&mut tx, context, request, &scope, subject).await?;
    let tenant = storage::tenants::get(&mut tx, &scope.into(), id).await?;
    tx.commit().await?;
    Ok((tenant, operation))
}

/// What of a tenant a change is told by.
fn told(tenant: &Tenant) -> serde_json::Value {
    json!({
        "name": tenant.name, "external_id": tenant.external_id, "labels": tenant.labels, "pool": tenant.pool,
        "drift_mode": tenant.drift_mode,
    })
}

fn change_labels(labels: &mut Labels, change: BTreeMap<String, Option<String>>) {
    for (name, value) in change {
        match value {
            Some(value) => drop(labels.insert(name, value)),
            None => drop(labels.remove(&name)),
        }
    }
}
