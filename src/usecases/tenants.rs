//! Tenants: reading and changing them. Creating one has a file of its own.

use super::{Request, audit, operations};
use crate::{
    Context, Result,
    domain::{
        audit::{AuditAction, AuditEntry},
        audit_diff,
        operation::OperationKind,
        pool::PoolChange,
        tenant::Tenant,
        validation::{NAME_MAX_CHARS, Problems},
    },
    ids::TenantId,
    storage::{self, Page, PageRequest},
};
use serde_json::json;

/// One tenant.
pub async fn get(context: &Context, request: &Request, id: TenantId) -> Result<Tenant> {
    let scope = request.actor.reader()?;
    storage::tenants::get(&mut *context.db.begin(&scope).await?, &scope, id).await
}

/// Tenants, oldest first.
pub async fn list(context: &Context, request: &Request, page: &PageRequest) -> Result<Page<Tenant>> {
    let scope = request.actor.reader()?;
    storage::tenants::list(&mut *context.db.begin(&scope).await?, &scope, page).await
}

/// What may be changed; what is absent stays.
#[derive(Debug, Default)]
pub struct TenantChange {
    /// Name.
    pub name: Option<String>,
    /// Pool settings, without those that Cognito fixed at creation.
    pub pool: Option<PoolChange>,
}

/// Changes a tenant; the worker brings AWS to it.
pub async fn update(
    context: &Context,
    request: &Request,
    id: TenantId,
    change: TenantChange,
) -> Result<(Tenant, operations::Watched)> {
    let scope = request.actor.partner_admin()?;
    let mut tx = context.db.begin(&scope).await?;
    let mut tenant = storage::tenants::lock(&mut tx, &scope, id).await?;
    let before = json!({"name": tenant.name, "pool": tenant.pool});
    let mut problems = Problems::new();
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
    problems.finish()?;
    tenant.require_active()?;
    let now = context.clock.now();
    storage::tenants::update(&mut tx, &scope, &tenant).await?;
    let target_generation = storage::tenants::bump_generation(&mut tx, &scope, id, now).await?;
    let after = json!({"name": tenant.name, "pool": tenant.pool});
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
