//! Exemptions: asked for by one person, approved by another, ended by anybody who may ask, or by time.
//!
//! The worker brings approvals and endings to the triggers as it does with policies; each is an operation. The triggers
//! compare the time themselves, so an exemption ends on time even while no worker runs.

use super::{Request, audit, idempotency::Once, operations};
use crate::{
    Context, Result,
    domain::{
        actor::{OperatorScope, PartnerScope},
        audit::{AuditAction, AuditEntry, REASON_MAX_CHARS},
        exemption::{self, Exemption, ExemptionStage, ExemptionState, MAX_LIVE_PER_APP, PENDING_LIVES},
        operation::OperationKind,
        tenant::TenantState,
        user::UserSub,
        validation::Problems,
    },
    error::Code,
    ids::{AppId, AuditId, ExemptionId, TenantId},
    storage::{self, Page, PageRequest, Tx},
};
use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::{Value, json};

/// What a caller asks for.
#[derive(Debug)]
pub struct NewExemption {
    /// App it is for.
    pub app_id: AppId,
    /// User it is for; `None` means everybody at the app.
    pub user_sub: Option<UserSub>,
    /// Why.
    pub reason: String,
    /// How long it is to last from its approval, min.
    pub duration_min: u32,
}

/// Asks for an exemption. It opens nothing until somebody else approves it.
#[tracing::instrument(target = "stepgate::trace", name = "exemptions.ask", skip_all)]
pub async fn ask(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    new: NewExemption,
) -> Result<Exemption> {
    ask_once(context, request, tenant_id, new, &Once::never()).await
}

/// The same, once for all repeats of the request.
#[tracing::instrument(target = "stepgate::trace", name = "exemptions.ask_once", skip_all)]
pub async fn ask_once(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    new: NewExemption,
    once: &Once<'_, Exemption>,
) -> Result<Exemption> {
    let (mut tx, scope) = locked(context, request, tenant_id).await?;
    let mut problems = Problems::new();
    exemption::validate(&new.reason, new.duration_min, &mut problems);
    match storage::apps::get(&mut tx, &scope.into(), tenant_id, new.app_id).await {
        Ok(_) => {}
        Err(error) if error.code() == Code::NotFound => {
            problems.add("/app_id", "unknown", "is not an app of this tenant");
        }
        Err(error) => return Err(error),
    }
    let live = storage::exemptions::live_of_app(&mut tx, &scope, new.app_id).await?;
    let detail = format!("has {MAX_LIVE_PER_APP} exemptions that are pending or in force");
    problems.require(live < MAX_LIVE_PER_APP, "/app_id", "too_many", detail);
    problems.finish()?;
    storage::tenants::get(&mut tx, &scope.into(), tenant_id)
        .await?
        .require_active()?;
    let now = now(context);
    let exemption = Exemption {
        id: ExemptionId::generate(&context.ids, now),
        partner_id: scope.partner_id(),
        tenant_id,
        app_id: new.app_id,
        user_sub: new.user_sub,
        reason: new.reason,
        duration_min: new.duration_min,
        asked_by: person(request),
        created_at: now,
        state: ExemptionState::Pending,
    };
    storage::exemptions::insert(&mut tx, &scope, &exemption).await?;
    let entry = entry(&exemption, AuditAction::ExemptionAsked, exemption.reason.clone());
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    once.record(&mut tx, &exemption).await?;
    tx.commit().await?;
    Ok(exemption)
}

/// Approves an exemption that somebody else asked for.
#[tracing::instrument(target = "stepgate::trace", name = "exemptions.approve", skip_all)]
pub async fn approve(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    id: ExemptionId,
) -> Result<(Exemption, operations::Watched)> {
    let (mut tx, scope) = locked(context, request, tenant_id).await?;
    let asked = storage::exemptions::get(&mut tx, &scope.into(), tenant_id, id).await?;
    let now = now(context);
    let approved = asked.approve(person(request), now)?;
    storage::tenants::get(&mut tx, &scope.into(), tenant_id)
        .await?
        .require_active()?;
    storage::exemptions::set_state(&mut tx, &scope, &approved).await?;
    let entry = entry(&approved, AuditAction::ExemptionApproved, approved.reason.clone());
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    let kind = OperationKind::ApproveExemption;
    let operation = tell_triggers(&mut tx, context, Some(request), &scope, &approved, kind, now).await?;
    tx.commit().await?;
    Ok((approved, operation))
}

/// Ends an exemption, or withdraws the request for one.
#[tracing::instrument(target = "stepgate::trace", name = "exemptions.revoke", skip_all)]
pub async fn revoke(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    id: ExemptionId,
    reason: String,
) -> Result<(Exemption, operations::Watched)> {
    let (mut tx, scope) = locked(context, request, tenant_id).await?;
    let present = storage::exemptions::get(&mut tx, &scope.into(), tenant_id, id).await?;
    let mut problems = Problems::new();
    problems.name("/reason", &reason, REASON_MAX_CHARS);
    problems.finish()?;
    let now = now(context);
    let revoked = present.revoke(now)?;
    storage::tenants::get(&mut tx, &scope.into(), tenant_id)
        .await?
        .require_active()?;
    storage::exemptions::set_state(&mut tx, &scope, &revoked).await?;
    let entry = entry(&revoked, AuditAction::ExemptionRevoked, reason);
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    // Also where the triggers never heard of it: nothing depends on knowing that.
    let kind = OperationKind::EndExemption;
    let operation = tell_triggers(&mut tx, context, Some(request), &scope, &revoked, kind, now).await?;
    tx.commit().await?;
    Ok((revoked, operation))
}

/// One exemption.
#[tracing::instrument(target = "stepgate::trace", name = "exemptions.get", skip_all)]
pub async fn get(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    id: ExemptionId,
) -> Result<Exemption> {
    let scope = request.actor.reader()?;
    let mut db = context.db.begin(&scope).await?;
    storage::exemptions::get(&mut db, &scope, tenant_id, id).await
}

/// Exemptions of a tenant, oldest first.
#[tracing::instrument(target = "stepgate::trace", name = "exemptions.list", skip_all)]
pub async fn list(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    stage: Option<ExemptionStage>,
    page: &PageRequest,
) -> Result<Page<Exemption>> {
    let scope = request.actor.reader()?;
    let mut db = context.db.begin(&scope).await?;
    // A foreign tenant is not an empty one: it is not there.
    storage::tenants::get(&mut db, &scope, tenant_id).await?;
    storage::exemptions::list(&mut db, &scope, tenant_id, stage, page).await
}

/// Marks what ended by itself, and has it taken from the triggers. Returns how many there were. Any number of workers
/// may do this at once: each exemption is looked at again under the lock of its tenant.
pub async fn expire_overdue(context: &Context, scope: &OperatorScope, limit: i64) -> Result<usize> {
    let now = now(context);
    let overdue = {
        let mut db = context.db.begin(scope).await?;
        storage::exemptions::overdue(&mut db, scope, now, now - PENDING_LIVES, limit).await?
    };
    let mut expired = 0;
    for (partner_id, tenant_id, id) in overdue {
        match expire(context, &scope.within(partner_id), tenant_id, id, now).await {
            Ok(true) => expired += 1,
            // Somebody was quicker.
            Ok(false) => {}
            // One that cannot be marked does not keep the others.
            Err(error) => {
                tracing::warn!(tenant_id = %tenant_id, exemption_id = %id, %error, "an exemption cannot be marked as expired");
            }
        }
    }
    Ok(expired)
}

async fn expire(
    context: &Context,
    scope: &PartnerScope,
    tenant_id: TenantId,
    id: ExemptionId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let mut tx = context.db.begin(scope).await?;
    let tenant = storage::tenants::lock(&mut tx, scope, tenant_id).await?;
    let present = storage::exemptions::get(&mut tx, &(*scope).into(), tenant_id, id).await?;
    let Some(expired) = present.expire(now) else {
        return Ok(false);
    };
    storage::exemptions::set_state(&mut tx, scope, &expired).await?;
    let (was_in_force, why) = if expired.state.approval().is_some() {
        (true, "its time is over")
    } else {
        (false, "nobody approved it in time")
    };
    let entry = entry(&expired, AuditAction::ExemptionExpired, why.to_owned());
    let author = storage::audit_log::Author {
        actor: "worker",
        role: None,
        request_id: None,
    };
    let audit_id = AuditId::generate(&context.ids, now);
    storage::audit_log::insert(&mut tx, Some(scope.partner_id()), audit_id, author, &entry, now).await?;
    if was_in_force && matches!(tenant.state, TenantState::Active { .. }) {
        let kind = OperationKind::EndExemption;
        tell_triggers(&mut tx, context, None, scope, &expired, kind, now).await?;
    }
    tx.commit().await?;
    tracing::info!(tenant_id = %tenant_id, exemption_id = %id, was_in_force, "an exemption expired");
    Ok(true)
}

/// A transaction that holds the tenant, for an administrator of it.
async fn locked(context: &Context, request: &Request, tenant_id: TenantId) -> Result<(Tx, PartnerScope)> {
    let reads = request.actor.administrator()?;
    let mut tx = context.db.begin(&reads).await?;
    let partner_id = storage::tenants::get(&mut tx, &reads, tenant_id)
        .await?
        .partner_id;
    let scope = request.actor.administrator_of(partner_id)?;
    storage::tenants::lock(&mut tx, &scope, tenant_id).await?;
    Ok((tx, scope))
}

/// Has the worker write the policy items again.
async fn tell_triggers(
    tx: &mut Tx,
    context: &Context,
    request: Option<&Request>,
    scope: &PartnerScope,
    exemption: &Exemption,
    kind: OperationKind,
    now: DateTime<Utc>,
) -> Result<operations::Watched> {
    let tenant_id = exemption.tenant_id;
    let target_generation = storage::tenants::bump_generation(tx, scope, tenant_id, now).await?;
    let subject = operations::Subject {
        kind,
        tenant_id,
        resource_id: exemption.id.to_string(),
        target_generation,
        now,
    };
    operations::open_for(tx, context, request, scope, subject).await
}

/// Who asks, as persons are told apart.
fn person(request: &Request) -> String {
    request.actor.id()
}

/// The present in whole microseconds, as the database keeps it: what is answered is what is stored.
fn now(context: &Context) -> DateTime<Utc> {
    context.clock.now().trunc_subsecs(6)
}

fn entry(exemption: &Exemption, action: AuditAction, reason: String) -> AuditEntry {
    AuditEntry {
        tenant_id: Some(exemption.tenant_id),
        resource_id: exemption.id.to_string(),
        action,
        reason,
        detail: detail(exemption),
    }
}

/// The user's `sub` says nothing outside the pool.
fn detail(exemption: &Exemption) -> Value {
    json!({
        "app_id": exemption.app_id,
        "user_sub": exemption.user_sub,
        "duration_min": exemption.duration_min,
        "asked_by": exemption.asked_by,
        "approved_by": exemption.state.approval().map(|approval| &approval.by),
        "expires_at": exemption.state.approval().map(|approval| approval.expires_at),
    })
}
