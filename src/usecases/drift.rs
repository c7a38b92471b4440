//! Drift of a tenant: read, checked on demand, and what the worker found put on record.

use super::{Request, audit, operations};
use crate::{
    Context, Result,
    domain::{
        actor::{OperatorScope, PartnerScope, ReadScope},
        audit::{AuditAction, AuditEntry},
        drift::{CheckClaim, Comparison, DriftChange, DriftMode, DriftSummary, KnownFinding, told},
        operation::{Failure, OperationKind},
        tenant::Tenant,
        webhook::{Announcement, EventType},
    },
    ids::{OperationId, TenantId},
    storage::{self, Tx, audit_log::Author, webhook_outbox},
};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde_json::json;

/// Findings that a message or an entry of the audit log holds; there are as many as there are app clients and more.
const TOLD_AT_MOST: usize = 50;
/// When a check is tried again that could not be recorded, because the tenant was being changed.
const AGAIN_AFTER: TimeDelta = TimeDelta::seconds(5);

/// What is known of a tenant's drift.
#[derive(Debug, Clone)]
pub struct Drift {
    /// What is done about it.
    pub mode: DriftMode,
    /// What the last check came to.
    pub summary: DriftSummary,
    /// What differs, the worst first.
    pub findings: Vec<KnownFinding>,
    /// When the next check is due; `None` when at once.
    pub next_check_at: Option<DateTime<Utc>>,
}

/// What is known of a tenant's drift.
#[tracing::instrument(target = "stepgate::trace", name = "drift.get", skip_all)]
pub async fn get(context: &Context, request: &Request, id: TenantId) -> Result<Drift> {
    let scope = request.actor.reader()?;
    let mut db = context.db.begin(&scope).await?;
    let tenant = storage::tenants::get(&mut db, &scope, id).await?;
    known(&mut db, &scope, tenant).await
}

async fn known(db: &mut Tx, scope: &ReadScope, tenant: Tenant) -> Result<Drift> {
    Ok(Drift {
        findings: storage::drift::findings(db, scope, tenant.id).await?,
        next_check_at: storage::drift::next_at(db, scope, tenant.id).await?,
        mode: tenant.drift_mode,
        summary: tenant.drift,
    })
}

/// Has a tenant checked as soon as the budget allows. What could not be healed is tried again.
#[tracing::instrument(target = "stepgate::trace", name = "drift.ask", skip_all)]
pub async fn ask(context: &Context, request: &Request, id: TenantId) -> Result<Drift> {
    let reads = request.actor.administrator()?;
    let mut tx = context.db.begin(&reads).await?;
    let partner_id = storage::tenants::get(&mut tx, &reads, id).await?.partner_id;
    let scope = request.actor.administrator_of(partner_id)?;
    let tenant = storage::tenants::lock(&mut tx, &scope, id).await?;
    tenant.require_active()?;
    let now = now(context);
    storage::drift::ask(&mut tx, &scope, id, now).await?;
    let entry = AuditEntry {
        tenant_id: Some(id),
        resource_id: id.to_string(),
        action: AuditAction::DriftCheckAsked,
        reason: String::new(),
        detail: json!({}),
    };
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    let drift = known(&mut tx, &scope.into(), tenant).await?;
    tx.commit().await?;
    Ok(drift)
}

/// Puts on record what a check found in a tenant at `generation`. Returns whether it was: a tenant that was changed
/// meanwhile is looked at anew.
pub async fn record(
    context: &Context,
    claim: &CheckClaim,
    generation: i64,
    comparison: Comparison,
    next_at: DateTime<Utc>,
) -> Result<bool> {
    let scope = OperatorScope::worker().within(claim.partner_id);
    let now = now(context);
    let mut tx = context.db.begin(&scope).await?;
    if !storage::drift::hold(&mut tx, &scope, claim, generation).await? {
        storage::drift::give_up(&mut tx, &OperatorScope::worker(), claim, now + AGAIN_AFTER).await?;
        tx.commit().await?;
        return Ok(false);
    }
    let reads = scope.into();
    let tenant = storage::tenants::get(&mut tx, &reads, claim.tenant_id).await?;
    let known = storage::drift::findings(&mut tx, &reads, tenant.id).await?;
    let was_drifted = !known.is_empty();
    let mut change = DriftChange::between(known, comparison.findings, now);
    let summary = DriftSummary {
        checked_at: Some(now),
        generation,
        findings: change.now.len(),
        worst: change.now.first().map(|one| one.finding.severity),
        not_checked: comparison.not_checked,
        error: None,
    };
    storage::drift::record(&mut tx, &scope, claim, &summary, next_at).await?;
    let operation_id = if tenant.drift_mode == DriftMode::Heal && change.wants_healing() {
        Some(heal(&mut tx, context, &scope, &mut change, tenant.id, now).await?)
    } else {
        None
    };
    storage::drift::replace(&mut tx, &scope, tenant.id, &change.now).await?;
    storage::conditions::settle(&mut tx, tenant.id, now).await?;
    tell(
        &mut tx,
        context,
        &tenant,
        (&change, was_drifted),
        operation_id,
        now,
    )
    .await?;
    tx.commit().await?;
    if !change.appeared.is_empty() || !change.gone.is_empty() {
        let (appeared, gone, mode) = (&change.appeared, &change.gone, tenant.drift_mode);
        tracing::warn!(
            tenant_id = %tenant.id, ?appeared, ?gone, %mode, operation_id = operation_id.map(tracing::field::display),
            "drift of a tenant changed"
        );
    }
    Ok(true)
}

/// Opens the operation that writes back what can be.
async fn heal(
    tx: &mut Tx,
    context: &Context,
    scope: &PartnerScope,
    change: &mut DriftChange,
    id: TenantId,
    now: DateTime<Utc>,
) -> Result<OperationId> {
    let target_generation = storage::tenants::bump_generation(tx, scope, id, now).await?;
    let subject = operations::Subject {
        kind: OperationKind::HealDrift,
        tenant_id: id,
        resource_id: id.to_string(),
        target_generation,
        now,
    };
    let (operation, _) = operations::open_for(tx, context, None, scope, subject).await?;
    for known in change.now.iter_mut().filter(|known| known.finding.healable) {
        known.operation_id = Some(operation.id);
    }
    Ok(operation.id)
}

/// Tells webhooks and the audit log what is new, once.
async fn tell(
    tx: &mut Tx,
    context: &Context,
    tenant: &Tenant,
    (change, was_drifted): (&DriftChange, bool),
    operation_id: Option<OperationId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry = |action, detail| AuditEntry {
        tenant_id: Some(tenant.id),
        resource_id: tenant.id.to_string(),
        action,
        reason: String::new(),
        detail,
    };
    let chain = Some(tenant.partner_id);
    if !change.appeared.is_empty() {
        let shown = &change.now[..change.now.len().min(TOLD_AT_MOST)];
        let data = json!({
            "tenant_id": tenant.id,
            "mode": tenant.drift_mode,
            "appeared": &change.appeared[..change.appeared.len().min(TOLD_AT_MOST)],
            "findings": told(shown),
            "findings_total": change.now.len(),
            "operation_id": operation_id,
        });
        let announcement = Announcement {
            kind: EventType::TenantDrifted.as_str(),
            tenant_id: Some(tenant.id),
            subject: tenant.id.to_string(),
            data: data.clone(),
        };
        webhook_outbox::announce(tx, tenant.partner_id, &announcement, &context.ids, now).await?;
        let entry = entry(AuditAction::DriftFound, data);
        audit::record_by(tx, context, Author::WORKER, chain, &entry, now).await?;
    }
    if was_drifted && change.now.is_empty() {
        let gone = &change.gone[..change.gone.len().min(TOLD_AT_MOST)];
        let entry = entry(AuditAction::DriftCleared, json!({ "gone": gone }));
        audit::record_by(tx, context, Author::WORKER, chain, &entry, now).await?;
    }
    Ok(())
}

/// Puts on record why a check failed. What was known before stays.
pub async fn record_failure(
    context: &Context,
    claim: &CheckClaim,
    failure: Failure,
    next_at: DateTime<Utc>,
) -> Result<()> {
    let scope = OperatorScope::worker().within(claim.partner_id);
    let mut tx = context.db.begin(&scope).await?;
    let tenant = storage::tenants::lock(&mut tx, &scope, claim.tenant_id).await?;
    let summary = DriftSummary {
        error: Some(failure),
        ..tenant.drift
    };
    storage::drift::record(&mut tx, &scope, claim, &summary, next_at).await?;
    storage::conditions::settle(&mut tx, tenant.id, now(context)).await?;
    tx.commit().await?;
    Ok(())
}

/// The present in whole microseconds, as the database keeps it.
fn now(context: &Context) -> DateTime<Utc> {
    context.clock.now().trunc_subsecs(6)
}
