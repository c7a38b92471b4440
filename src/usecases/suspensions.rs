//! Suspending a tenant and resuming it: the door that is shut when something is wrong, by whoever is responsible.

use super::{Request, audit, operations};
use crate::{
    Context, Result,
    domain::{
        audit::{AuditAction, AuditEntry, REASON_MAX_CHARS},
        operation::OperationKind,
        tenant::{Suspension, Tenant},
        validation::Problems,
    },
    ids::TenantId,
    storage,
};
use serde_json::json;

/// Has the triggers refuse everybody. Who is signed in stays so until the tokens end; refreshing is refused.
#[tracing::instrument(target = "stepgate::trace", name = "suspensions.suspend", skip_all)]
pub async fn suspend(
    context: &Context,
    request: &Request,
    id: TenantId,
    reason: String,
) -> Result<(Tenant, operations::Watched)> {
    change(context, request, id, true, reason).await
}

/// Has the triggers decide by policy again.
#[tracing::instrument(target = "stepgate::trace", name = "suspensions.resume", skip_all)]
pub async fn resume(
    context: &Context,
    request: &Request,
    id: TenantId,
    reason: String,
) -> Result<(Tenant, operations::Watched)> {
    change(context, request, id, false, reason).await
}

async fn change(
    context: &Context,
    request: &Request,
    id: TenantId,
    suspends: bool,
    reason: String,
) -> Result<(Tenant, operations::Watched)> {
    let reads = request.actor.administrator()?;
    let mut tx = context.db.begin(&reads).await?;
    let partner_id = storage::tenants::get(&mut tx, &reads, id).await?.partner_id;
    let scope = request.actor.administrator_of(partner_id)?;
    let tenant = storage::tenants::lock(&mut tx, &scope, id).await?;
    let mut problems = Problems::new();
    problems.name("/reason", &reason, REASON_MAX_CHARS);
    problems.finish()?;
    tenant.require_active()?;
    let now = context.clock.now();
    // Repeating is harmless, and in an emergency the safest thing to do: it tells the triggers again.
    let since = tenant.suspension.map_or(now, |suspension| suspension.since);
    let suspension = suspends.then(|| Suspension {
        since,
        reason: reason.clone(),
    });
    storage::tenants::set_suspension(&mut tx, &scope, id, suspension.as_ref()).await?;
    let target_generation = storage::tenants::bump_generation(&mut tx, &scope, id, now).await?;
    let (kind, action) = if suspends {
        (OperationKind::SuspendTenant, AuditAction::TenantSuspended)
    } else {
        (OperationKind::ResumeTenant, AuditAction::TenantResumed)
    };
    let entry = AuditEntry {
        tenant_id: Some(id),
        resource_id: id.to_string(),
        action,
        reason,
        detail: json!({}),
    };
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    let subject = operations::Subject {
        kind,
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
