//! What a tenant is watched for, and the alarms that were raised. Raising is the worker's
//! ([`crate::worker::jobs::evaluate_alarms`]).

use super::{Request, audit};
use crate::{
    Context, Error, Result,
    domain::{
        alarm::{Alarm, AlarmSettings, AlarmState, Thresholds},
        audit::{AuditAction, AuditEntry},
        audit_diff,
        validation::Problems,
    },
    error::Code,
    ids::TenantId,
    storage::{self, Page, PageRequest, alarms::Sought},
};

/// What a tenant is watched for, and what of it is on.
#[tracing::instrument(target = "stepgate::trace", name = "alarms.get", skip_all)]
pub async fn get(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
) -> Result<(AlarmSettings, Vec<Alarm>)> {
    let scope = request.actor.reader()?;
    let mut tx = context.db.begin(&scope).await?;
    storage::tenants::get(&mut tx, &scope, tenant_id).await?;
    let settings = storage::alarms::settings(&mut tx, &scope, tenant_id).await?;
    let raised = Sought {
        tenant_id: Some(tenant_id),
        state: Some(AlarmState::Raised),
        ..Sought::default()
    };
    let raised = storage::alarms::list(&mut tx, &scope, &raised, &PageRequest::default()).await?;
    Ok((settings, raised.items))
}

/// Replaces what a tenant is watched for, if that is version `replaces`.
#[tracing::instrument(target = "stepgate::trace", name = "alarms.put", skip_all)]
pub async fn put(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    replaces: i64,
    thresholds: Thresholds,
) -> Result<(AlarmSettings, Vec<Alarm>)> {
    let scope = request.actor.partner_admin()?;
    let mut tx = context.db.begin(&scope).await?;
    let tenant = storage::tenants::lock(&mut tx, &scope, tenant_id).await?;
    let before = storage::alarms::settings(&mut tx, &scope.into(), tenant_id).await?;
    if before.version != replaces {
        let detail = format!(
            "The thresholds are at version {}, not {replaces}: read them again.",
            before.version
        );
        return Err(Error::new(Code::PreconditionFailed, detail));
    }
    let mut problems = Problems::new();
    thresholds.validate(&mut problems);
    problems.finish()?;
    tenant.require_active()?;
    let now = context.clock.now();
    let after = AlarmSettings {
        version: before.version + 1,
        thresholds,
        updated_at: Some(now),
    };
    storage::alarms::put_settings(&mut tx, &scope, tenant_id, &after, now).await?;
    let entry = AuditEntry {
        tenant_id: Some(tenant_id),
        resource_id: tenant_id.to_string(),
        action: AuditAction::AlarmsChanged,
        reason: String::new(),
        detail: audit_diff::diff(&before.thresholds, &after.thresholds)?,
    };
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    tx.commit().await?;
    get(context, request, tenant_id).await
}

/// Alarms that are on or over, newest first.
#[tracing::instrument(target = "stepgate::trace", name = "alarms.list", skip_all)]
pub async fn list(
    context: &Context,
    request: &Request,
    sought: &Sought,
    page: &PageRequest,
) -> Result<Page<Alarm>> {
    let scope = request.actor.reader()?;
    let mut tx = context.db.begin(&scope).await?;
    if let Some(tenant_id) = sought.tenant_id {
        storage::tenants::get(&mut tx, &scope, tenant_id).await?;
    }
    storage::alarms::list(&mut tx, &scope, sought, page).await
}
